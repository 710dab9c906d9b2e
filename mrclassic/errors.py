"""What can go wrong, said to the owner in one sentence: what happened, where, and what to do.

Every error that an owner can act on is one of these; the command line prints its message and leaves with its
`exit_code`. Anything else that escapes is a defect and keeps its traceback.
"""


class MrClassicError(Exception):
    """Something failed (exit code 1)."""

    exit_code = 1


class UsageError(MrClassicError):
    """The words of the command, a setting or a file are wrong (exit code 2)."""

    exit_code = 2


class Refused(MrClassicError):
    """A check said no: nothing was changed (exit code 3)."""

    exit_code = 3


class Postponed(MrClassicError):
    """Not now, but the same command may do later (exit code 75, EX_TEMPFAIL): the device is wanted or full."""

    exit_code = 75


class Unwritable(MrClassicError):
    """The disk is full, or does not take what has to be kept; with room again the same work can go on."""


class NoMemory(MrClassicError):
    """Memory ran out, in the smallest steps too; with more of it the same work can go on."""

    def __init__(self) -> None:
        super().__init__(
            "Memory ran out, however little was computed at a time; close other programs and try again, or set "
            "checkpoint_activations under [training]."
        )


class Stopped(KeyboardInterrupt):
    """A signal asked this process to end; what it was at can be gone on with. Raised by the signal's handler."""


def out_of_memory(error: BaseException) -> bool:
    """Whether `error` says so: Python and CUDA have a class for it, the CPU's allocator only words."""
    if isinstance(error, NoMemory | MemoryError) or type(error).__name__ == "OutOfMemoryError":  # torch's, unimported
        return True
    words = ("DefaultCPUAllocator", "not enough memory", "std::bad_alloc", "can't start new thread")
    return isinstance(error, RuntimeError) and any(word in str(error) for word in words)
