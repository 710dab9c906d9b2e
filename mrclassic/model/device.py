"""Which device computes, and in which number format."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

import torch

from mrclassic.errors import UsageError


def choose_device(wanted: str = "auto") -> torch.device:
    """`auto` takes CUDA, then Apple's MPS, then the CPU; anything else must exist."""
    if wanted == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise UsageError(f"device {wanted!r} is not known; use auto, cpu, cuda, cuda:N or mps.") from error
    present = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not present.get(device.type, False):
        raise UsageError(f"device {wanted!r} is not on this machine; use auto or cpu.")
    return device


def fast_bf16(device: torch.device) -> bool:
    """Whether bfloat16 matrix products are faster than float32 ones here: on CPUs, AVX512-BF16 or AMX."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return False
    flags = next((line for line in cpuinfo.read_text().splitlines() if line.startswith("flags")), "")
    return "avx512_bf16" in flags or "amx_bf16" in flags


def choose_dtype(device: torch.device, wanted: str = "auto") -> torch.dtype:
    """The format of matrix products: `auto` takes bfloat16 where it is fast."""
    if wanted == "auto":
        return torch.bfloat16 if fast_bf16(device) else torch.float32
    return {"bf16": torch.bfloat16, "fp32": torch.float32}[wanted]


def set_threads(wanted: int | None) -> int:
    """Fix the number of CPU threads for this process (default: one for each core it may use). Returns it.

    Also flushes denormal numbers to zero: the moments of weights that are seldom touched decay into that range, where
    a CPU takes many times as long for each operation (hatching slowed down tenfold after 500 steps without this).
    Worker threads inherit the mode from the thread that starts them, so this comes before any other work.
    """
    torch.set_flush_denormal(True)
    keep_memory()
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = max(1, wanted or available)
    torch.set_num_threads(threads)
    return threads


def keep_memory() -> None:
    """Have the C library keep freed memory for the next tensor, instead of giving it back to the system each time.

    By default every tensor of more than a few megabytes is mapped afresh, and the system clears it page by page on
    first touch: an elementwise pass over 8192 x 1664 numbers took 43 ms that way and 12 ms on memory kept. Only
    GNU's library needs telling, or can be told; what training holds then is its peak.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, -1)  # never


def give_back() -> None:
    """Hand the memory of tensors that are gone to the system, for other programs."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # GNU's alone keeps it
        if trim is not None:
            trim(0)


_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h

COLUMNS = 16  # sequences are padded to a multiple of this, for the same reason as `rounded`


def rounded(count: int) -> int:
    """`count` rounded up to a size that matrix products are made for: multiples of 8, of 32 from 64 on.

    CPU kernels are generated for each new shape and kept: with every batch of another size, hatching spent its time
    generating them and its memory (gigabytes) keeping them.
    """
    grain = 8 if count <= 64 else 32
    return -(-count // grain) * grain
