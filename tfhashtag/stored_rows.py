"""Rows of numbers that lie in a file in place of the memory of the process."""

import contextlib
import errno
import os
import tempfile
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np

from tfhashtag.errors import ArtifactError
from tfhashtag.files import write_at


class StoredRows:
    """A matrix in a file without a name: written, read in slices, gone with the process.

    It stands where an array does whose slices alone are read: it has a shape, a type and a length.
    What was read lies in the cache of the system, which takes it back where memory is short.

    Args:
        rows: how many.
        width: numbers of each.
        dtype: of the numbers.

    Raises:
        ArtifactError: there is no place for it where the system keeps such files (TMPDIR); what
            does not fit is told when it is written.

    Example:

    >>> found = StoredRows(4, 2, np.float16)
    >>> found.write(np.array([2, 3, 0]), np.array([[1, 2], [3, 4], [5, 6]], np.float16))
    >>> found.shape, found[2:].tolist(), found[[0, 3]].tolist()
    ((4, 2), [[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [3.0, 4.0]])
    """

    ndim = 2

    def __init__(self, rows: int, width: int, dtype: Any) -> None:
        self.shape, self.dtype = (rows, width), np.dtype(dtype)
        self._bytes = width * self.dtype.itemsize
        with _told():
            self._file = tempfile.TemporaryFile(prefix="tfhashtag-")  # noqa: SIM115, it stays open
            os.truncate(self._file.fileno(), rows * self._bytes)
        weakref.finalize(self, self._file.close)

    def __len__(self) -> int:
        return self.shape[0]

    def add(self, values: np.ndarray) -> None:
        """Puts rows `[n, width]` after the last."""
        first = len(self)
        self.shape = first + len(values), self.shape[1]
        with _told():
            content = np.asarray(values, self.dtype).tobytes()
            write_at(self._file.fileno(), content, first * self._bytes)

    def write(self, places: np.ndarray, values: np.ndarray) -> None:
        """Puts rows `[n, width]` at int `[n]` places; those that follow one another at once."""
        if not len(places):
            return
        breaks = np.flatnonzero(np.diff(places) != 1) + 1
        runs = np.split(np.asarray(values, self.dtype), breaks)
        for at, some in zip([0, *breaks.tolist()], runs, strict=True):
            with _told():
                write_at(self._file.fileno(), some.tobytes(), int(places[at]) * self._bytes)

    def mapped(self) -> np.ndarray:
        """What was written, as an array for reading whose pages `let_go` takes out of memory.

        >>> rows = StoredRows(0, 2, np.float16)
        >>> rows.add(np.ones([1, 2]))
        >>> rows.mapped().tolist()
        [[1.0, 1.0]]
        """
        if not len(self):
            return np.zeros(self.shape, self.dtype)
        return np.memmap(self._file, self.dtype, "r", shape=self.shape)

    def __getitem__(self, rows: Any) -> np.ndarray:
        """A slice of rows, a row, or those of int `[n]`, for which all between them are read.

        Raises:
            IndexError: rows from behind, or chosen by a mask.
        """
        if isinstance(rows, slice) and (rows.step or 1) > 0:
            first, last, step = rows.indices(len(self))
            return self._read(first, max(first, last))[::step]
        rows = np.asarray(rows) if np.size(rows) else np.zeros(0, int)
        inside = rows.dtype.kind in "iu" and rows.min(initial=0) >= 0
        if not inside or (rows.size and rows.max() >= len(self)):
            raise IndexError(f"expected places from 0 to {len(self) - 1}, found {rows}.")
        first, last = (int(rows.min()), int(rows.max()) + 1) if rows.size else (0, 0)
        return self._read(first, last)[rows - first]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        whole = self[:]
        return whole if dtype is None else whole.astype(dtype, copy=False)

    def runs(self, first: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Some rows from each of many places on, one run after the other; nothing else is read.

        Args:
            first: int `[n]`, where each run begins.
            lengths: int `[n]`, how many rows it has.

        Returns:
            `[sum of lengths, width]`.

        >>> rows = StoredRows(4, 1, np.int8)
        >>> rows.write(np.arange(4), np.arange(4)[:, None])
        >>> rows.runs([2, 0], [2, 1]).ravel().tolist()
        [2, 3, 0]
        """
        ends = np.cumsum(lengths)
        found = np.empty((int(ends[-1]) if len(ends) else 0, self.shape[1]), self.dtype)
        for end, length, start in zip(ends, lengths, first, strict=True):
            self._read_into(found[end - length : end], int(start))
        return found

    def _read(self, first: int, last: int) -> np.ndarray:
        found = np.empty((last - first, self.shape[1]), self.dtype)
        self._read_into(found, first)
        return found

    def _read_into(self, rows: np.ndarray, first: int) -> None:
        left, start = rows.reshape(-1).view(np.uint8).data, first * self._bytes
        while left:
            read = os.preadv(self._file.fileno(), [left], start)
            if not read:
                raise OSError(errno.EIO, os.strerror(errno.EIO), tempfile.gettempdir())
            left, start = left[read:], start + read


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ArtifactError(
            f"{tempfile.gettempdir()}: no place for what is kept there for a while "
            f"({error.strerror}). Make room, or say where there is some: TMPDIR."
        ) from error
