"""Campaigns: what the tests do for seconds, for as long as one likes.

python -m tests.campaigns kills --kills 2000
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # as pytest has it

CAMPAIGNS = sorted(
    path.stem for path in Path(__file__).parent.glob("*.py") if "\ndef main(words: list[str])" in path.read_text()
)


def main() -> int:
    """Hand over to the campaign that is named; its `main` takes the rest of the words."""
    if len(sys.argv) < 2 or sys.argv[1] not in CAMPAIGNS:
        sys.stderr.write(f"Name a campaign: {', '.join(CAMPAIGNS)}.\n")
        return 2
    return int(import_module(f"campaigns.{sys.argv[1]}").main(sys.argv[2:]))


if __name__ == "__main__":
    sys.exit(main())
