"""Ragged rows of integers in two flat arrays."""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np

from tfhashtag.errors import DataError


@dataclasses.dataclass(frozen=True)
class Rows:
    """Rows of different lengths (CSR): row `i` is `values[offsets[i]:offsets[i + 1]]`.

    Attributes:
        offsets: int64 `[rows + 1]`, rises from 0 to `len(values)`.
        values: int32 `[sum of lengths]`.

    Raises:
        DataError: the offsets do not fit the values.

    Example:

    >>> rows = Rows.from_lists([[3, 1, 2], [], [7]])
    >>> len(rows), rows[0].tolist(), rows.lengths.tolist()
    (3, [3, 1, 2], [3, 0, 1])
    >>> rows.padded([0, 1], width=2).tolist()
    [[1, 2], [-1, -1]]
    """

    offsets: np.ndarray
    values: np.ndarray

    def __post_init__(self) -> None:
        offsets = np.asarray(self.offsets, dtype=np.int64)
        values = np.asarray(self.values, dtype=np.int32)
        if offsets.ndim != 1 or len(offsets) == 0 or offsets[0] != 0 or offsets[-1] != len(values):
            raise DataError(
                f"`offsets` must rise from 0 to the number of values, {len(values)}; found "
                f"{len(offsets)} offsets ending with {offsets[-1:].tolist()}."
            )
        if np.any(np.diff(offsets) < 0):
            raise DataError("`offsets` must not fall; sort the values by row first.")
        object.__setattr__(self, "offsets", offsets)
        object.__setattr__(self, "values", values)

    @classmethod
    def from_lists(cls, lists: Iterable[Sequence[int] | np.ndarray]) -> "Rows":
        """Rows from one sequence of integers each."""
        lists = [np.asarray(row, dtype=np.int32) for row in lists]
        offsets = np.concatenate([[0], np.cumsum([len(row) for row in lists])]).astype(np.int64)
        values = np.concatenate(lists) if lists else np.zeros(0, np.int32)
        return cls(offsets, values)

    @classmethod
    def from_pairs(cls, rows: np.ndarray, values: np.ndarray, count: int) -> "Rows":
        """Rows from (row, value) pairs in any order; values of one row keep their order.

        Args:
            rows: int `[pairs]`, each in `0 .. count - 1`.
            values: int `[pairs]`.
            count: number of rows.

        >>> Rows.from_pairs(np.array([1, 0, 1]), np.array([5, 6, 4]), 3)[1].tolist()
        [5, 4]
        """
        rows = np.asarray(rows)
        order = np.argsort(rows, kind="stable")
        offsets = np.zeros(count + 1, np.int64)
        np.cumsum(np.bincount(rows, minlength=count), out=offsets[1:])
        return cls(offsets, np.asarray(values)[order])

    @classmethod
    def from_slices(cls, values: np.ndarray, first: np.ndarray, lengths: np.ndarray) -> "Rows":
        """Rows that are pieces of one array: where each begins, and how long it is."""
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], lengths)
        return cls(offsets, values[np.repeat(first, lengths) + within])

    @classmethod
    def joined(cls, parts: Sequence["Rows"]) -> "Rows":
        """The rows of the first, then those of the next.

        >>> Rows.joined([Rows.from_lists([[3], []]), Rows.from_lists([[1, 2]])])[2].tolist()
        [1, 2]
        """
        lengths = np.concatenate([np.zeros(0, np.int64), *(part.lengths for part in parts)])
        values = np.concatenate([np.zeros(0, np.int32), *(part.values for part in parts)])
        return cls(np.append(0, np.cumsum(lengths)), values)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of {len(self)} rows")
        row = row % len(self)
        return self.values[self.offsets[row] : self.offsets[row + 1]]

    @property
    def lengths(self) -> np.ndarray:
        """Length of every row, int64 `[rows]`."""
        return np.diff(self.offsets)

    @property
    def row_of_value(self) -> np.ndarray:
        """Row that each value stands in, int32 `[values]`."""
        return np.repeat(np.arange(len(self), dtype=np.int32), self.lengths)

    def take(self, rows: np.ndarray) -> "Rows":
        """The given rows, in the given order, as new `Rows`."""
        rows = np.asarray(rows, dtype=np.int64)
        return Rows.from_slices(self.values, self.offsets[:-1][rows], self.lengths[rows])

    def padded(
        self, rows: np.ndarray, width: int, fill: int = -1, keep: str = "last"
    ) -> np.ndarray:
        """The given rows as a rectangle, values first and padding at the end.

        Args:
            rows: int `[n]`, row indices.
            width: columns, at least 1.
            fill: value of the padding.
            keep: which values of a row longer than `width` stay, `"last"` or `"first"`.

        Returns:
            int32 `[n, width]`.
        """
        if keep not in ("last", "first"):
            raise DataError(f"`keep` must be 'last' or 'first', found {keep!r}.")
        rows = np.asarray(rows, dtype=np.int64)
        lengths = self.lengths[rows]
        kept = np.minimum(lengths, width)
        start = self.offsets[:-1][rows] + (lengths - kept if keep == "last" else 0)
        columns = np.arange(width)
        inside = columns < kept[:, None]
        block = np.full((len(rows), width), fill, dtype=np.int32)
        block[inside] = self.values[(start[:, None] + columns)[inside]]
        return block


def sorted_distinct(values: np.ndarray) -> np.ndarray:
    """The distinct ones of integers, rising: `numpy.unique`, whose hash tables take far longer.

    >>> sorted_distinct(np.array([3, 1, 3])).tolist()
    [1, 3]
    """
    values = np.sort(np.ravel(values))
    return values[np.append(True, values[1:] != values[:-1])] if values.size else values
