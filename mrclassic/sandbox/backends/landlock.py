"""The second choice: no namespaces; the fork server gives up identity, files, network and system calls by itself."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mrclassic import shipped
from mrclassic.sandbox import inside
from mrclassic.sandbox.confined import Launch, SandboxFault

# A fixed hash seed: a program whose answer hangs on the order of a set gets the same verdict every time.
ENVIRONMENT = {"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}
MAIN = ("-s", "-S", "-B", "-c", "from mrclassic.sandbox.inside.server import main; main()")


def launch() -> Launch:
    """How to start it; raises SandboxFault where this system has no Landlock."""
    if sys.platform != "linux":
        raise SandboxFault("Landlock is a part of Linux, and this is not Linux.")
    environment = {"PYTHONPATH": str(Path(inside.__file__).parents[3]), **ENVIRONMENT}
    if libraries := os.environ.get("LD_LIBRARY_PATH"):  # without it some Pythons do not start
        environment["LD_LIBRARY_PATH"] = libraries
    return Launch(shipped.python(*MAIN, "landlock"), environment)
