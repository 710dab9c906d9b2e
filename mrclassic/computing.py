"""What a computing process asks of the system, said before torch is loaded: its libraries read it once."""

import os

SPINS, LARGE_PAGES = "GOMP_SPINCOUNT", "THP_MEM_ALLOC_ENABLE"


def prepare() -> None:
    """Let threads wait briefly, and large tensors lie in large pages, unless the owner's environment says otherwise.

    Threads spin for microseconds at a barrier, then sleep.

    OpenMP's threads (GNU's, PyTorch's on Linux) spin for milliseconds by default. As soon as anything else wants a core
    (the model that answers beside a night, a browser), each of the thousand barriers of an update waits for a thread
    that is not running, and sleeping at once costs as much as the work itself. A book update of `tiny` on two cores, in
    milliseconds, by the number of spins:

        spins                              none   2,000   20,000   default
        alone                               156      91       77        86
        beside another process like it      155     301     >700
        beside one that spins by default    381     285     >700

    Where nothing else runs, GOMP_SPINCOUNT=20000 is the fastest.
    """
    os.environ.setdefault(SPINS, "2000")
    os.environ.setdefault(LARGE_PAGES, "1")  # a GRPO update of 49M parameters took a tenth less time with it
