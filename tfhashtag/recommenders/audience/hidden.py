"""What users of the corpus must not see of the tables: their own messages, and who wrote them."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tfhashtag.tasks.users.episode import Episode

if TYPE_CHECKING:
    from tfhashtag.recommenders.audience.audience import Audience


class Shown(NamedTuple):
    """What is left of the rows of hashtags for somebody who is known.

    Attributes:
        messages: bool `[B, C, M]`, which messages of a row.
        authors: bool `[B, C, A]`, which authors.
        counts: float32 `[B, C, 5]`, `Audience.counts` of what is left.
        norms: float32 `[B, C]`, `Audience.context_norm` of the messages that are left.
        author_norms: float32 `[B, C]`, `Audience.author_norm` of the authors that are left.
        gone: int32 `[K, 2]`, who is not left: number of the pair, `b * C + c`, and row of the
            tables of authors.
    """

    messages: np.ndarray
    authors: np.ndarray
    counts: np.ndarray
    norms: np.ndarray
    author_norms: np.ndarray
    gone: np.ndarray


class Hidden:
    """The rules of `Episode.visible_contexts` over the rows of the tables.

    A hidden message leaves the counts of its hashtag, and its row where it stands there; an author
    leaves with the last message that is to be seen.

    Args:
        episode: the moment.
        offsets: int64 `[N + 1]`, where the context messages of each hashtag begin.
        values: float32 `[E, 4]`, what each message adds to the first of `Audience.counts`.
        slots: int32 `[E]`, its column in `Audience.messages`, -1 for none.
        pair: int64 `[E]`, its pair of hashtag and author.
        pair_slot: int32 `[pairs]`, the column of each in `Audience.authors`, -1 for none.
        pair_author: int32 `[pairs]`, the row of each author in their tables.
    """

    def __init__(
        self,
        episode: Episode,
        offsets: np.ndarray,
        values: np.ndarray,
        slots: np.ndarray,
        pair: np.ndarray,
        pair_slot: np.ndarray,
        pair_author: np.ndarray,
    ) -> None:
        self.episode = episode
        self._offsets = offsets
        self._values = values
        self._slots = slots
        self._pair = pair
        self._pair_slot = pair_slot
        self._pair_author = pair_author
        self._pair_size = np.bincount(pair, minlength=len(pair_slot))

    def shown(self, audience: "Audience", users: np.ndarray, places: np.ndarray) -> Shown:
        """See `Audience.shown`."""
        flat = places.ravel()
        safe = np.maximum(flat, 0)
        listed = (flat >= 0)[:, None]
        messages = (audience.messages[safe] >= 0) & listed
        authors = (audience.authors[safe] >= 0) & listed
        counts, norms = audience.counts[safe] * listed, audience.context_norm[safe] * listed[:, 0]
        cells = np.flatnonzero(flat >= 0)
        who = np.repeat(users, places.shape[1])[cells]
        hidden = self.episode.hidden_places(who, audience.hashtags[flat[cells]])
        cell = cells[hidden.row_of_value]
        entry = self._offsets[flat[cell]] + hidden.values
        np.subtract.at(counts, (cell[:, None], np.arange(4)), self._values[entry])

        slot = self._slots[entry]
        listed_cell, slot = cell[slot >= 0], slot[slot >= 0]
        messages[listed_cell, slot] = False
        if len(slot):
            fewer, first = np.unique(listed_cell, return_index=True)
            rows = audience.messages[flat[listed_cell], slot]
            norms[fewer] = audience.context_norms_without(flat[fewer], first, rows)
        # An author of whom nothing is left to be seen.
        pairs = np.int64(len(self._pair_size))
        keys, gone = np.unique(cell * pairs + self._pair[entry], return_counts=True)
        keys = keys[gone == self._pair_size[keys % pairs]]
        left, slot = keys // pairs, self._pair_slot[keys % pairs]
        gone_author = self._pair_author[keys % pairs]
        np.subtract.at(counts, (left, 4), 1)
        authors[left[slot >= 0], slot[slot >= 0]] = False
        author_norms = audience.author_norm[safe] * listed[:, 0]
        if len(left):
            fewer, first = np.unique(left, return_index=True)
            found = audience.author_norms_without(flat[fewer], first, gone_author)
            author_norms[fewer] = np.where(counts[fewer, 4] > 0, found, 0)

        shape = places.shape
        return Shown(
            messages.reshape(*shape, -1),
            authors.reshape(*shape, -1),
            counts.reshape(*shape, -1),
            norms.reshape(shape).astype(np.float32),
            author_norms.reshape(shape).astype(np.float32),
            np.stack([left, gone_author], axis=1).astype(np.int32),
        )
