"""Memory of the process that nobody uses goes back to the system."""

import ctypes
import mmap
from typing import Any

import numpy as np

ROWS = 2048  # from everywhere in a file, of which each brings those beside it: up to 64 KiB


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


def rows_of(table: Any, rows: np.ndarray, dtype: Any = np.float32) -> np.ndarray:
    """Rows of a table, `[n, width]`, of which few are mapped at a time.

    Args:
        table: float `[rows, width]`; may be mapped for reading, see `let_go`.
        rows: int `[n]`.
        dtype: of the result.

    >>> rows_of(np.eye(3), np.array([2, 0])).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    found = np.empty((len(rows), table.shape[1]), dtype)
    for start in range(0, len(rows), ROWS):
        some = slice(start, start + ROWS)
        found[some] = table[rows[some]]
        if len(rows) > ROWS:
            let_go(table)
    return found
