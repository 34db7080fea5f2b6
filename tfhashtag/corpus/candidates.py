"""Candidate hashtags of users, with the truth about each."""

import dataclasses

import numpy as np

from tfhashtag.corpus.rows import Rows
from tfhashtag.errors import DataError


@dataclasses.dataclass(frozen=True)
class Candidates:
    """One list of hashtags to rank for each user; a list may be empty.

    Attributes:
        users: int32 `[U]`, corpus indices of the users, distinct.
        hashtags: `U` rows of corpus hashtag indices, distinct within a row.
        labels: int8, aligned with `hashtags.values`; above 0 for a hashtag that the user tagged.

    Raises:
        DataError: the three do not fit together.

    Example:

    >>> candidates = Candidates(
    ...     np.array([4, 9]), Rows.from_lists([[1, 2, 3], []]), np.array([0, 1, 0])
    ... )
    >>> len(candidates), candidates.positives.tolist(), candidates.user_of_value.tolist()
    (2, [1, 0], [4, 4, 4])
    """

    users: np.ndarray
    hashtags: Rows
    labels: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "users", np.asarray(self.users, dtype=np.int32))
        object.__setattr__(self, "labels", np.asarray(self.labels, dtype=np.int8))
        if len(self.users) != len(self.hashtags):
            raise DataError(
                f"`hashtags` must have a row for each of {len(self.users)} users, "
                f"found {len(self.hashtags)} rows."
            )
        if self.labels.shape != self.hashtags.values.shape:
            raise DataError(
                f"`labels` must hold one label for each of {len(self.hashtags.values)} candidates, "
                f"found {self.labels.shape}."
            )

    def __len__(self) -> int:
        return len(self.users)

    @property
    def user_of_value(self) -> np.ndarray:
        """Corpus user of every candidate, int32, aligned with `hashtags.values`."""
        return np.repeat(self.users, self.hashtags.lengths)

    @property
    def positives(self) -> np.ndarray:
        """Number of positives of every user, int64 `[U]`."""
        return np.bincount(
            self.hashtags.row_of_value, weights=self.labels > 0, minlength=len(self)
        ).astype(np.int64)

    def take(self, rows: np.ndarray) -> "Candidates":
        """Some of the lists, int `[n]` places, in the given order.

        >>> rows = Rows.from_lists([[1, 2], [3]])
        >>> lists = Candidates(np.array([4, 9]), rows, np.array([0, 1, 0]))
        >>> lists.take(np.array([1, 0])).labels.tolist()
        [0, 0, 1]
        """
        rows = np.asarray(rows, np.int64)
        labels = Rows(self.hashtags.offsets, self.labels).take(rows).values
        return Candidates(self.users[rows], self.hashtags.take(rows), labels)

    def answerable(self) -> "Candidates":
        """The same without the users whose list holds no positive."""
        return self.take(np.flatnonzero(self.positives > 0))
