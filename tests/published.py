"""Where the published data lies, for tests of the real thing; they are skipped where it is absent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("PUBLISHED_DATA") or Path(__file__).parents[2] / "shared" / "data")


def needs(name: str) -> pytest.MarkDecorator:
    """Skips a test where there is no `name` among the published data."""
    return pytest.mark.skipif(not (DATA / name).exists(), reason=f"there is no {DATA / name}")
