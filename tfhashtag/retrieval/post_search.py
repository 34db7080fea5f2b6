"""What a search for similar posts is asked, and what answers it."""

import dataclasses
from typing import Literal, Protocol

import numpy as np

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.errors import ConfigError, DataError
from tfhashtag.memory import rows_of

# Similarities are compared in steps of 2^-20, about 1e-6: float32 products of the same two vectors
# differ in their last bits from one block shape to another, and must not decide a tie.
STEP = 1 << 20

Whose = Literal["own", "others", "all"]


@dataclasses.dataclass(frozen=True)
class PostQueries:
    """Posts whose similar posts are asked for; they need not be in the corpus.

    Attributes:
        text: float32 `[n, g]`, the vector of each text; a row of zeros: the post has no text.
        visual: float32 `[n, w]`, the same for images, or None where there are none at all.
        users: int32 `[n]`, corpus user of each; -1 is a user that the corpus does not know.
        posts: int32 `[n]`, the corpus post that it is, which is never its own answer; -1 for none.
        times: int64 `[n]` seconds since 1970, or None. Where both sides have times, only earlier
            posts are answers.

    Raises:
        DataError: the arrays do not have one row for each post.
    """

    text: np.ndarray
    visual: np.ndarray | None
    users: np.ndarray
    posts: np.ndarray
    times: np.ndarray | None

    def __post_init__(self) -> None:
        count = len(self.posts)
        for name in ("text", "visual", "users", "times"):
            value = getattr(self, name)
            if value is not None and len(value) != count:
                raise DataError(
                    f"`{name}` must have a row for each of {count} posts, found {len(value)}."
                )

    def __len__(self) -> int:
        return len(self.posts)

    def take(self, rows: np.ndarray) -> "PostQueries":
        """The same of the given rows."""
        return PostQueries(
            self.text[rows],
            None if self.visual is None else self.visual[rows],
            self.users[rows],
            self.posts[rows],
            None if self.times is None else self.times[rows],
        )

    @classmethod
    def of_corpus(
        cls,
        corpus: Corpus,
        posts: np.ndarray,
        text_vectors: np.ndarray,
        visual: np.ndarray | None = None,
    ) -> "PostQueries":
        """Posts of the corpus as queries.

        Args:
            corpus: the posts.
            posts: int `[n]`.
            text_vectors: float `[messages, g]`, row `i` embeds message `i`. A message without a
                visible character counts as no text, whatever its vector.
            visual: float `[posts of the corpus, w]`, zeros for a post without image; or None.

        Raises:
            DataError: vectors that do not fit the corpus.
        """
        posts = np.asarray(posts, dtype=np.int32)
        if np.ndim(text_vectors) != 2 or len(text_vectors) != len(corpus.messages):
            raise DataError(
                f"`text_vectors` must have a row for each of {len(corpus.messages)} messages, "
                f"found shape {np.shape(text_vectors)}."
            )
        if visual is not None and (np.ndim(visual) != 2 or len(visual) != len(corpus)):
            raise DataError(
                f"`visual` must have a row for each of {len(corpus)} posts, found shape "
                f"{np.shape(visual)}."
            )
        messages = corpus.message_of_post[posts]
        text = rows_of(text_vectors, messages)
        text[corpus.blank[messages]] = 0
        return cls(
            text,
            None if visual is None else np.asarray(visual[posts], dtype=np.float32),
            corpus.user_of_post[posts],
            posts,
            None if corpus.timestamps is None else corpus.timestamps[posts],
        )


def joined_vectors(posts: PostQueries, omega: float | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors of text and image side by side, whose products are similarities.

    Args:
        posts: n posts.
        omega: share of visual similarity, for queries: what a post lacks leaves its share to the
            other part; None for the posts that can be found.

    Returns:
        float32 `[n, g + w]`, and whether a post has a text or an image, bool `[n]`.

    Raises:
        DataError: a vector is not finite.
    """
    text = _unit(posts.text, "text_vectors")
    has_text = np.any(text, axis=1)
    if posts.visual is None:
        return text, has_text
    visual = _unit(posts.visual, "visual")
    has_visual = np.any(visual, axis=1)
    if omega is not None:
        text *= np.where(has_visual, 1 - omega, 1.0).astype(np.float32)[:, None]
        visual *= np.where(has_text, omega, 1.0).astype(np.float32)[:, None]
    return np.concatenate([text, visual], axis=1), has_text | has_visual


def widths_of(queries: PostQueries) -> tuple[int, int]:
    """Widths of text and image vectors, 0 without images."""
    visual = queries.visual
    return queries.text.shape[1], 0 if visual is None else visual.shape[1]


def check_search(queries: PostQueries, count: int, whose: Whose, widths: tuple[int, int]) -> None:
    """Refuses what cannot be asked of an index of these widths.

    Raises:
        ConfigError: `count` below 1 or another word for `whose`.
        DataError: vectors of other widths than the index's.
    """
    if count < 1:
        raise ConfigError(f"`count` must be at least 1, found {count}.")
    if whose not in ("own", "others", "all"):
        raise ConfigError(f"`whose` must be 'own', 'others' or 'all', found {whose!r}.")
    if widths_of(queries) != widths:
        raise DataError(
            f"`queries` has vectors of widths {widths_of(queries)} (text, visual), the index "
            f"{widths}"
        )


class PostIndex(Protocol):
    """Finds similar train posts. Anything with this method can take the exact search's place."""

    def search(
        self, queries: PostQueries, count: int, whose: Whose
    ) -> tuple[np.ndarray, np.ndarray]:
        """The most similar posts of each query.

        Args:
            queries: the posts.
            count: int, how many to find, at least 1.
            whose: posts of the same user (`"own"`), of other users (`"others"`) or of both
                (`"all"`).

        Returns:
            Corpus posts int32 `[n, count]`, most similar first, -1 where there are no more; and
            their similarities float32 `[n, count]`, 0 at the padding.
        """
        ...


def _unit(vectors: np.ndarray, name: str) -> np.ndarray:
    """Rows of length 1, a copy; rows of zeros stay."""
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
    if not np.all(np.isfinite(lengths)):
        row = int(np.flatnonzero(~np.isfinite(lengths))[0])
        raise DataError(f"`{name}` must be finite; the vector of post {row} of those given is not.")
    return (vectors / np.where(lengths > 0, lengths, 1)[:, None]).astype(np.float32)
