"""What a search for similar posts is asked, and what answers it."""

import dataclasses
from typing import Literal, Protocol

import numpy as np

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.errors import DataError

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
        text = np.array(text_vectors[messages], dtype=np.float32)
        empty = np.array([not message.strip() for message in corpus.messages], dtype=bool)
        text[empty[messages]] = 0
        return cls(
            text,
            None if visual is None else np.asarray(visual[posts], dtype=np.float32),
            corpus.user_of_post[posts],
            posts,
            None if corpus.timestamps is None else corpus.timestamps[posts],
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
