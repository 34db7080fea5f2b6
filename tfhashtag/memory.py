"""Memory of the process that nobody uses goes back to the system."""

import ctypes
import mmap
from typing import Any


def give_back() -> None:
    """Lets the C library hand the memory that it keeps for later back to the system.

    >>> give_back()
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def let_go(array: Any) -> None:
    """Takes the pages of an array that is mapped for reading out of the process.

    They lie in the cache of the system, and are mapped again when they are read. Other arrays stay,
    also those whose pages may hold what is in no file. What holds such arrays has a `let_go`.

    >>> let_go([0.0])
    """
    if hasattr(array, "let_go"):
        array.let_go()
    elif getattr(array, "mode", "") == "r":
        array._mmap.madvise(mmap.MADV_DONTNEED)
