"""What a post model reads of a post: rows of tables, gathered batch by batch."""

import dataclasses
from collections.abc import Collection

import numpy as np
import scipy.sparse

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.errors import ConfigError, DataError
from tfhashtag.memory import give_back, let_go
from tfhashtag.retrieval.choose_index import post_index
from tfhashtag.retrieval.post_search import PostIndex
from tfhashtag.retrieval.similar_hashtags import similar_hashtags
from tfhashtag.retrieval.similar_posts import SimilarPosts, find_similar_posts
from tfhashtag.tasks.posts.label_counts import time_lines
from tfhashtag.tasks.posts.label_signals import (
    OTHER_POSTS,
    OWN_POSTS,
    StoredLabelSignals,
    label_signals,
)
from tfhashtag.tasks.posts.labels import PostLabels
from tfhashtag.tasks.posts.picture_means import mean_proposals
from tfhashtag.tasks.posts.settings import PostData

PARTS = ("similar", "used", "history", "signals")
HISTORY_HASHTAGS = 48  # of a history post that MaCon reads, at most
_BLOCK = 1 << 13  # posts whose surroundings are held at once: 50 MB, and as many queries
USED_POSTS = 256  # newest posts in which a user's most used hashtags are counted


@dataclasses.dataclass(frozen=True)
class PostTables:
    """The frozen vectors behind a corpus, a row each.

    Attributes:
        tokens: integers `[messages, W]`, word ids, 0 pads.
        text: float32 `[messages, g]`, from the text encoder; may be memory-mapped.
        hashtags: float32 or float16 `[hashtags, g]`, the names of hashtags from the same encoder;
            may be memory-mapped.
        proposals: float32 `[rows, m, a]`, image proposals, may be memory-mapped; None: no images.
        proposal_rows: int32 `[posts, P]`, the rows of each post's pictures, -1 pads; or None.

    Raises:
        DataError: the widths of `text` and `hashtags` differ.
    """

    tokens: np.ndarray
    text: np.ndarray
    hashtags: np.ndarray
    proposals: np.ndarray | None = None
    proposal_rows: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.text.shape[1] != self.hashtags.shape[1]:
            raise DataError(
                f"`hashtags` must have the width of `text`, {self.text.shape[1]}, found "
                f"{self.hashtags.shape[1]}; embed both with one encoder."
            )

    def visual(self) -> np.ndarray | None:
        """One vector a post for equation (13): see `mean_proposals`; None without images."""
        if self.proposals is None or self.proposal_rows is None:
            return None
        return mean_proposals(self.proposals, self.proposal_rows)

    def pictures_of(self, posts: np.ndarray, prefix: str = "") -> dict[str, np.ndarray]:
        """What models read of the pictures of posts, int of any shape `[...]`, -1 for no post.

        Returns:
            Nothing without images; else `proposals` float32 `[..., P * m, a]`, those of the first
            picture, then those of the second, zeros for none; `has_image` bool `[...]`; and where
            posts have several pictures `image_mask` bool `[..., P]`, which there are. The names
            begin with `prefix`.
        """
        if self.proposals is None or self.proposal_rows is None:
            return {}
        rows = np.where(posts[..., None] >= 0, self.proposal_rows[posts], -1)
        values, real = _gathered(self.proposals, rows)
        shape = (*posts.shape, rows.shape[-1] * values.shape[-2], values.shape[-1])
        found = {"proposals": values.reshape(shape), "has_image": np.asarray(real.any(axis=-1))}
        if rows.shape[-1] > 1:
            found["image_mask"] = real
        return {prefix + name: value for name, value in found.items()}


class PostInputs:
    """Inputs of posts as `PhrModel` and `MaconModel` read them.

    Everything that is looked for (similar posts, their hashtags, signals of labels) is found once,
    when the object is made; `batch` gathers vectors by rows. Nothing here depends on the hashtags
    of the post itself.

    Args:
        corpus: the posts.
        labels: the label space.
        tables: the vectors.
        posts: int `[n]`, corpus posts of any split.
        data: sizes, see `PostData`.
        parts: what the model reads beside the post itself, out of `PARTS`; the rest is not
            looked for.
        index: in place of the one that `data` asks for.

    Raises:
        ConfigError: an unknown part.

    Example:

    >>> from tfhashtag.corpus.synthetic import synthetic_corpus
    >>> corpus = synthetic_corpus(posts=80, users=8, seed=0)
    >>> rng = np.random.default_rng(0)
    >>> tables = PostTables(
    ...     rng.integers(0, 9, (len(corpus.messages), 6)).astype("int32"),
    ...     rng.normal(size=(len(corpus.messages), 16)).astype("float32"),
    ...     rng.normal(size=(len(corpus.hashtags), 16)).astype("float32"),
    ... )
    >>> labels = PostLabels.of_corpus(corpus, minimum_posts=2)
    >>> inputs = PostInputs(corpus, labels, tables, np.arange(5), PostData(minimum_posts=2))
    >>> batch = inputs.batch(np.array([0, 3]))
    >>> batch["own_posts"].shape, batch["others_hashtags"].shape, batch["text"].shape
    ((2, 5, 16), (2, 10, 16), (2, 16))
    """

    def __init__(
        self,
        corpus: Corpus,
        labels: PostLabels,
        tables: PostTables,
        posts: np.ndarray,
        data: PostData,
        *,
        parts: Collection[str] = ("similar",),
        index: PostIndex | None = None,
    ) -> None:
        if not set(parts) <= set(PARTS):
            raise ConfigError(f"`parts` must be out of {', '.join(PARTS)}, found {sorted(parts)}.")
        self.corpus = corpus
        self.labels = labels
        self.tables = tables
        self.posts = np.asarray(posts, np.int32)
        self._has_text = ~corpus.blank
        if np.any(tables.text[~self._has_text]):
            # An encoder gives a vector for no text, too, which is like nothing and nobody.
            text = np.array(tables.text, np.float32)
            text[~self._has_text] = 0
            tables = self.tables = dataclasses.replace(tables, text=text)
        visual = tables.visual()
        self.similar: SimilarPosts | None = None
        self._hashtags: dict[str, np.ndarray] = {}
        self._seen: list[np.ndarray] = []  # posts whose hashtags are among the inputs
        self._hashtag_sums: HashtagSums | None = None
        self._history: np.ndarray | None = None
        self._signals: StoredLabelSignals | None = None
        if {"similar", "signals"} & set(parts):
            share = data.visual_share
            index = index or post_index(corpus, tables.text, visual, data, share)
            self._look_around(data, visual, index, parts)
        if self.similar is not None:
            self._find_hashtags("own", self.similar.own, data.own_hashtags)
            self._find_hashtags("others", self.similar.others, data.other_hashtags)
            if data.similar_vectors == "texts_and_hashtags":
                self._hashtag_sums = HashtagSums(corpus, tables.hashtags)
        if "used" in parts:
            earlier = earlier_posts(corpus, self.posts, USED_POSTS)
            self._find_hashtags("used", earlier, data.own_hashtags)
        if "history" in parts:
            self._history = earlier_posts(corpus, self.posts, data.history_posts)

    def _look_around(
        self, data: PostData, visual: np.ndarray | None, index: PostIndex, parts: Collection[str]
    ) -> None:
        """Finds similar posts once, some at a time: signals look at many more than are kept."""
        k, mu = data.own_posts, data.other_posts
        wanted = k, mu
        if "signals" in parts:
            wanted = max(k, OWN_POSTS), max(mu, OTHER_POSTS)
        text, similar = self.tables.text, []
        if "signals" in parts:
            self._signals = StoredLabelSignals(text.shape[1])
        for start in range(0, max(len(self.posts), 1), _BLOCK):
            posts = self.posts[start : start + _BLOCK]
            found = find_similar_posts(
                self.corpus, posts, text, visual, data.visual_share, *wanted, index
            )
            similar.append(found.first(k, mu))
            if self._signals is not None:
                self._signals.add(label_signals(self.corpus, self.labels, posts, text, found))
            let_go(text)
            give_back()
        if "similar" in parts:
            self.similar = SimilarPosts.joined(similar)

    def _find_hashtags(self, side: str, found: np.ndarray, count: int) -> None:
        self._hashtags[side] = similar_hashtags(self.corpus, self.posts, found, count)
        self._seen.append(found)

    def __len__(self) -> int:
        return len(self.posts)

    def batch(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """The inputs of the given rows of `posts`, by the names that the models read.

        Args:
            rows: int `[B]`.

        Returns:
            `tokens`, `text`, `has_text`, and with images what `PostTables.pictures_of` gives. By
            parts:
            `similar`: `own_posts`, `own_hashtags`, `others_posts`, `others_hashtags`, each with a
            `_mask`; `used`: `used_hashtags` and its mask; with either of the two `post`, the corpus
            post, and `seen_posts`, those whose hashtags are among the inputs, so that in a graph of
            posts none hears of its own hashtags; `history`: `history_tokens`,
            `history_hashtags` (labels, -1 pads), `history_mask`, and with images
            `history_proposals`, `history_has_image`, and so on; `signals`: `count_labels`,
            `count_signals`, `user_text`.
        """
        tables, corpus = self.tables, self.corpus
        rows = np.asarray(rows)
        posts = self.posts[rows]
        messages = corpus.message_of_post[posts]
        has_text = self.has_text(rows)
        inputs = {
            "tokens": tables.tokens[messages].astype(np.int32),
            "text": np.asarray(tables.text[messages], np.float32),
            "has_text": has_text,
        }
        if self._seen:
            inputs["post"] = posts
            inputs["seen_posts"] = np.concatenate([found[rows] for found in self._seen], axis=1)
        if self.similar is not None:
            for side, found in (("own", self.similar.own), ("others", self.similar.others)):
                similar = found[rows]
                inputs[f"{side}_posts"], inputs[f"{side}_posts_mask"] = _gathered(
                    tables.text, np.where(similar >= 0, corpus.message_of_post[similar], -1)
                )
                if self._hashtag_sums is not None:
                    inputs[f"{side}_posts"] += self._hashtag_sums(similar)
        for name, hashtags in self._hashtags.items():
            inputs[f"{name}_hashtags"], inputs[f"{name}_hashtags_mask"] = _gathered(
                tables.hashtags, hashtags[rows]
            )
        if self._history is not None:
            inputs |= self._history_inputs(self._history[rows])
        inputs |= tables.pictures_of(posts)
        if self._signals is not None:
            signals = self._signals.take(rows)
            inputs["count_labels"], inputs["count_signals"] = signals.padded()
            inputs["user_text"] = signals.user
        for table in (tables.text, tables.hashtags):
            let_go(table)
        return inputs

    def has_text(self, rows: np.ndarray) -> np.ndarray:
        """Which of the given rows have a text with a visible character, bool `[B]`."""
        return self._has_text[self.corpus.message_of_post[self.posts[np.asarray(rows)]]]

    def targets(self, rows: np.ndarray) -> np.ndarray:
        """Labels of the given rows, int32 `[B, T]`, -1 pads."""
        found = self.labels.rows.take(self.posts[np.asarray(rows)])
        return found.padded(np.arange(len(found)), max(1, int(found.lengths.max(initial=0))))

    def neighbours(self) -> np.ndarray:
        """The train posts that the graph links each post to, int32 `[n, k + mu]`, -1 pads.

        Raises:
            ConfigError: `similar` is not among the parts.
        """
        if self.similar is None:
            raise ConfigError("`parts` must hold `similar` for a graph of posts.")
        return np.concatenate([self.similar.own, self.similar.others], axis=1)

    def _history_inputs(self, found: np.ndarray) -> dict[str, np.ndarray]:
        tables, corpus = self.tables, self.corpus
        real = found >= 0
        tokens = tables.tokens[corpus.message_of_post[found]]
        tagged = self.labels.rows.padded(np.maximum(found, 0).reshape(-1), HISTORY_HASHTAGS)
        inputs = {
            "history_mask": real,
            "history_tokens": np.where(real[..., None], tokens, 0).astype(np.int32),
            "history_hashtags": np.where(
                real[..., None], tagged.reshape(*found.shape, HISTORY_HASHTAGS), -1
            ),
        }
        return inputs | tables.pictures_of(found, "history_")


class HashtagSums:
    """The sum of the vectors of a post's hashtags.

    Added to the vector of the text it is the post as a user wrote it, in place of the text alone.
    With the text alone equation (14) of the thesis (2024) says nothing of what was tagged: there
    hashtags only weigh the posts.

    Args:
        corpus: the posts.
        vectors: float `[hashtags, g]`.

    Example:

    >>> from tfhashtag.corpus.synthetic import synthetic_corpus
    >>> corpus = synthetic_corpus(posts=80, users=8, seed=0)
    >>> sums = HashtagSums(corpus, np.ones((len(corpus.hashtags), 2), np.float32))
    >>> found = sums(np.array([[3, -1]]))
    >>> found.shape, bool((found[0, 0] == len(corpus.hashtags_of_post(3))).all())
    ((1, 2, 2), True)
    >>> float(found[0, 1].sum())
    0.0
    """

    def __init__(self, corpus: Corpus, vectors: np.ndarray) -> None:
        values = np.ones(len(corpus.hashtag_values), np.float32)
        shape = (len(corpus), len(vectors))
        self._tagged = scipy.sparse.csr_matrix(
            (values, corpus.hashtag_values, corpus.hashtag_offsets), shape
        )
        self._vectors = vectors

    def __call__(self, posts: np.ndarray) -> np.ndarray:
        """Posts of any shape, -1 pads, to float32 `[..., g]`, zeros for padding."""
        posts = np.asarray(posts)
        real = posts >= 0
        found = np.zeros((*posts.shape, self._vectors.shape[1]), np.float32)
        tagged = self._tagged[posts[real]]
        used, column = np.unique(tagged.indices, return_inverse=True)
        shape = tagged.shape[0], len(used)
        tagged = scipy.sparse.csr_matrix((tagged.data, column, tagged.indptr), shape)
        found[real] = tagged @ np.asarray(self._vectors[used], np.float32)
        return found


def earlier_posts(corpus: Corpus, posts: np.ndarray, count: int) -> np.ndarray:
    """The newest train posts by the same user before each post.

    Posts of a user stand in time order; a post with the same timestamp is not earlier.

    Args:
        corpus: the posts.
        posts: int `[n]`.
        count: how many at most.

    Returns:
        int32 `[n, count]`, oldest first, -1 pads at the start.

    Example:

    >>> from tfhashtag.corpus.synthetic import synthetic_corpus
    >>> corpus = synthetic_corpus(posts=80, users=8, seed=0)
    >>> first = np.flatnonzero(corpus.user_of_post == 0)
    >>> bool((earlier_posts(corpus, first[1:2], 2) == [[-1, first[0]]]).all())
    True
    """
    posts = np.asarray(posts, np.int64)
    if corpus.timestamps is None:
        time = np.arange(len(corpus), dtype=np.int64)
    else:
        time = np.unique(corpus.timestamps, return_inverse=True)[1].astype(np.int64)
    train, start, end = time_lines(corpus, posts, time)
    place = end[:, None] - count + np.arange(count)
    found = np.append(train, -1)[np.maximum(place, 0)]
    return np.where(place >= start[:, None], found, -1).astype(np.int32)


def people(corpus: Corpus, train: np.ndarray) -> tuple[list[str], np.ndarray]:
    """The users who have train posts, and the place among them of each train post's, int32."""
    users, places = np.unique(corpus.user_of_post[train], return_inverse=True)
    return [corpus.users[user] for user in users], places.astype(np.int32)


def newest_posts(
    corpus: Corpus, train: np.ndarray, user_of_post: np.ndarray, users: int, count: int
) -> np.ndarray:
    """Places in `train` of each user's newest posts, int32 `[U, count]`, oldest first, -1 before.

    Args:
        corpus: the posts.
        train: int `[P]`, its train posts, rising.
        user_of_post: int `[P]`, of 0 to U - 1.
        users: U.
        count: how many posts at most.
    """
    time = train if corpus.timestamps is None else corpus.timestamps[train]
    order = np.lexsort((time, user_of_post))
    ends = np.cumsum(np.bincount(user_of_post, minlength=users))
    place = ends[:, None] - count + np.arange(count)
    starts = np.append(0, ends[:-1])[:, None]
    return np.where(place >= starts, order[np.maximum(place, 0)], -1).astype(np.int32)


def _gathered(table: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a table, zeros for -1, and which are real."""
    real = rows >= 0
    values = np.asarray(table[np.where(real, rows, 0)], np.float32)
    values[~real] = 0
    return values, real
