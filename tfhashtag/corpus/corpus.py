"""The corpus: posts of users in time order, as columns of integers over distinct strings."""

import dataclasses
import enum
import functools
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np


class Split(enum.IntEnum):
    """The part of a user's time line that a post belongs to."""

    TRAIN = 0
    VALID = 1
    TEST = 2


@dataclasses.dataclass(frozen=True, repr=False)
class Corpus:
    """Posts in columns: row `p` of every per-post array is one post.

    Posts of one user stand in time order; a post without timestamp keeps its file order.

    Attributes:
        name: what the corpus calls itself.
        post_ids: string `[posts]`, unique; `tfhashtag.corpus.texts.Texts` where they were read from
            a folder.
        users: distinct user ids; `user_of_post` int32 `[posts]` indexes it.
        messages: distinct texts, the same; `message_of_post` int32 `[posts]` indexes
            it.
        hashtags: distinct hashtags without `#`; post `p` has
            `hashtag_values[hashtag_offsets[p]:hashtag_offsets[p + 1]]` (offsets int64
            `[posts + 1]`, values int32, distinct within a post, never the empty string).
        split_of_post: int8 `[posts]`, a `Split`.
        evaluation_users: int32, the users to evaluate, in the order in which they are reported.
        timestamps: int64 seconds since 1970 `[posts]`, or None where the source has none.
        images: paths of each post's pictures relative to the corpus folder, in their order, an
            empty tuple for none; or None where no post has any. The frames of a clip are pictures.
            A path is made of the picture's content, so equal paths are equal pictures.
        digest: SHA-256 (hex) of the content, in which a run records what it was trained on.
        proposals: float32 `[rows, m, a]`, the given image proposals, memory-mapped where the corpus
            was read from a folder; None where the source gives none.
        proposal_rows: int32 `[posts]`, the row of `proposals` of each post, -1 for none; None
            together with `proposals`.
        outcomes: what came of the posts: name out of `tfhashtag.corpus.outcomes.OUTCOMES` to int64
            `[posts]`, -1 where it is not known; None where the source says nothing of it.
        folder: where it was read from, or None.
    """

    name: str
    post_ids: Sequence[str]
    users: list[str]
    user_of_post: np.ndarray
    messages: Sequence[str]
    message_of_post: np.ndarray
    hashtags: list[str]
    hashtag_offsets: np.ndarray
    hashtag_values: np.ndarray
    split_of_post: np.ndarray
    evaluation_users: np.ndarray
    timestamps: np.ndarray | None
    images: list[tuple[str, ...]] | None
    digest: str
    proposals: np.ndarray | None = None
    proposal_rows: np.ndarray | None = None
    outcomes: Mapping[str, np.ndarray] | None = None
    folder: pathlib.Path | None = dataclasses.field(default=None, compare=False)

    def __repr__(self) -> str:
        return (
            f"Corpus({self.name!r}, {len(self):,} posts, {len(self.users):,} users, "
            f"{len(self.hashtags):,} hashtags)"
        )

    def __len__(self) -> int:
        return len(self.post_ids)

    @functools.cached_property
    def blank(self) -> np.ndarray:
        """Which messages have no visible character, bool `[messages]`: they are no text."""
        return np.fromiter((not text.strip() for text in self.messages), bool, len(self.messages))

    @property
    def pictures(self) -> list[str]:
        """The distinct pictures, in order of first appearance."""
        return list(dict.fromkeys(name for names in self.images or [] for name in names))

    def hashtags_of_post(self, post: int) -> np.ndarray:
        """Hashtag indices (int32) of one post."""
        return self.hashtag_values[self.hashtag_offsets[post] : self.hashtag_offsets[post + 1]]

    def taggings(self) -> tuple[np.ndarray, np.ndarray]:
        """Every (post, hashtag) pair as two int32 arrays, in post order."""
        counts = np.diff(self.hashtag_offsets)
        return np.repeat(np.arange(len(self), dtype=np.int32), counts), self.hashtag_values
