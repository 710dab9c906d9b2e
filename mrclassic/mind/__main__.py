"""The mind's process: `python -m mrclassic.mind --home DIR`. Clients start it; its standard error is its log.

Exit code 0: it left, or another mind answers for this home already. Otherwise the last line says why.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from mrclassic import lease
from mrclassic.computing import prepare
from mrclassic.errors import MrClassicError
from mrclassic.home import Home
from mrclassic.mind import process
from mrclassic.mind.protocol import NOTHING_HATCHED


def main() -> int:
    """Run until idle or told to leave."""
    parser = argparse.ArgumentParser(prog="python -m mrclassic.mind", description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--device")
    arguments = parser.parse_args()
    prepare()
    try:
        _run(Home.locate(arguments.home), arguments.device)
    except MrClassicError as error:
        sys.stderr.write(f"mrclassic: {error}\n")
        return error.exit_code
    return 0


def _run(home: Home, device: str | None) -> None:
    home.ensure()
    os.chdir(home.root)  # so as not to keep the folder, or the disk, that the owner happened to be in
    # What can be found out without torch is found out first: a missing model is said at once.
    from mrclassic.last_settings import load

    settings, notice = load(home, {} if device is None else {"device": device})
    if notice:
        sys.stderr.write(f"{notice}\n")
    from mrclassic.store import Store

    with Store.open(home) as store:
        if store.checkpoints.in_use() is None:
            raise MrClassicError(NOTHING_HATCHED)
    with process.hold(home) as ours:
        if ours:
            # Before torch, which takes seconds to load: a night goes while that loads, not after it.
            early = lease.ahead(home, settings.device)
            if early is not None:
                early.demand()
            from mrclassic.mind.running import serve

            serve(home, settings, early=early)
            # Taking torch apart would hold the memory, and the lock, for seconds; nothing is left to be saved.
            sys.stderr.flush()
            os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
