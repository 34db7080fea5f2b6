"""What speaks for each label around a post: the user's history, similar posts, its own words."""

import dataclasses

import numpy as np

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.corpus.hashtag import hashtag_key
from tfhashtag.corpus.rows import Rows, sorted_distinct
from tfhashtag.corpus.vocabulary import split_words
from tfhashtag.retrieval.similar_posts import SimilarPosts
from tfhashtag.stored_rows import StoredRows
from tfhashtag.tasks.posts.label_counts import LabelCounts, history_means
from tfhashtag.tasks.posts.labels import PostLabels

SIGNALS = ("own", "own_share", "own_similar", "others_similar", "named")
SIDES_OF_SIGNALS = ("own", "own", "own", "others", "textual")  # of a post, which they speak for
OWN_POSTS = 256  # most similar posts of the user that count
OTHER_POSTS = 300  # most similar posts of others that count
TEMPERATURE = 0.05  # of the softmax over their similarities
NAME_WORDS = 3  # consecutive words of a text that may make up a hashtag


@dataclasses.dataclass(frozen=True)
class LabelSignals:
    """For each of n posts the labels with any signal, and their signals.

    Attributes:
        rows: n rows of labels, rising within a row.
        signals: float32 `[values, 5]`, aligned with `rows.values`, all at least 0, in the order of
            `SIGNALS`:

            - `own`: log(1 + c), c the user's other train posts with the label;
            - `own_share`: the square root of the share of those posts that have it;
            - `own_similar`: log(1 + s), s the sum of the similarities, at least 0, of those of
              them that have it, over the 256 most similar;
            - `others_similar`: log(1 + 10 p), p the share of the label among the 300 most similar
              posts by others, weighted by the softmax of similarity over 0.05;
            - `named`: 1 where one to three consecutive words of the text make up the hashtag.
        user: float32 `[n, g]`, the mean text vector of the user's other train posts, zeros where
            there are none.

    None of it depends on the hashtags of the post itself; where there are timestamps, other posts
    are strictly earlier ones.
    """

    rows: Rows
    signals: np.ndarray
    user: np.ndarray

    def padded(self) -> tuple[np.ndarray, np.ndarray]:
        """Labels int32 `[n, N]`, -1 pads, and signals float32 `[n, N, 5]`."""
        lengths = self.rows.lengths
        real = np.arange(max(1, int(lengths.max(initial=0))))[None] < lengths[:, None]
        labels = np.full(real.shape, -1, np.int32)
        signals = np.zeros((*real.shape, len(SIGNALS)), np.float32)
        labels[real], signals[real] = self.rows.values, self.signals
        return labels, signals


class StoredLabelSignals:
    """`LabelSignals` of any number of posts, in files: a batch of posts is read when it is needed.

    Some 170 labels of a post have signals, so that those of a million posts are 3.3 GB, and their
    users' mean vectors half as much.

    Args:
        width: g, of a text's vector.

    Example:

    >>> stored = StoredLabelSignals(width=2)
    >>> of_two_posts = Rows.from_lists([[3], [0, 4]])
    >>> stored.add(LabelSignals(of_two_posts, np.ones((3, 5)), np.zeros((2, 2))))
    >>> stored.take(np.array([1])).rows[0].tolist()
    [0, 4]
    """

    def __init__(self, width: int) -> None:
        one = np.dtype([("label", np.int32), ("signals", np.float32, len(SIGNALS))])
        self._offsets = np.zeros(1, np.int64)
        self._values, self._user = StoredRows(0, 1, one), StoredRows(0, width, np.float32)

    def add(self, more: LabelSignals) -> None:
        """Puts posts after the last."""
        values = np.empty((len(more.signals), 1), self._values.dtype)
        values["label"][:, 0], values["signals"][:, 0] = more.rows.values, more.signals
        self._offsets = np.append(self._offsets, len(self._values) + more.rows.offsets[1:])
        self._values.add(values)
        self._user.add(more.user)

    def take(self, rows: np.ndarray) -> LabelSignals:
        """The given posts, int `[B]`, in their order."""
        first = self._offsets[rows]
        lengths = self._offsets[rows + 1] - first
        values = self._values.runs(first, lengths)[:, 0]
        return LabelSignals(
            Rows(np.append(0, np.cumsum(lengths)), values["label"]),
            values["signals"],
            self._user.runs(rows, np.ones(len(rows), int)),
        )


def label_signals(
    corpus: Corpus,
    labels: PostLabels,
    posts: np.ndarray,
    text: np.ndarray,
    similar: SimilarPosts,
) -> LabelSignals:
    """Signals of labels for posts of the corpus.

    Args:
        corpus: the posts.
        labels: the label space.
        posts: int `[n]`, of any split.
        text: float `[messages, g]`, row `i` embeds message `i`.
        similar: to these posts; of the user's own the first 256 count, of others' the first 300.

    Example:

    >>> from tfhashtag.corpus.synthetic import synthetic_corpus
    >>> from tfhashtag.retrieval.similar_posts import find_similar_posts
    >>> corpus = synthetic_corpus(posts=80, users=8, seed=0)
    >>> labels = PostLabels.of_corpus(corpus, minimum_posts=2)
    >>> text = np.random.default_rng(0).normal(size=(len(corpus.messages), 16)).astype("float32")
    >>> similar = find_similar_posts(corpus, np.arange(4), text, k=OWN_POSTS, mu=OTHER_POSTS)
    >>> found = label_signals(corpus, labels, np.arange(4), text, similar)
    >>> names, signals = found.padded()
    >>> signals.shape == (*names.shape, 5), found.user.shape
    (True, (4, 16))
    """
    posts = np.asarray(posts)
    own = LabelCounts.of_user_history(corpus, labels, posts)
    near, similarity = similar.own[:, :OWN_POSTS], similar.own_similarity[:, :OWN_POSTS]
    own_similar = LabelCounts.of_similar_posts(labels, near, np.maximum(similarity, 0))
    near, similarity = similar.others[:, :OTHER_POSTS], similar.others_similarity[:, :OTHER_POSTS]
    weights = np.where(near >= 0, np.exp((similarity - similarity[:, :1]) / TEMPERATURE), 0)
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-30)
    others = LabelCounts.of_similar_posts(labels, near, weights)
    names: dict[str, int] = {}
    for place, tag in enumerate(labels.hashtags):
        names.setdefault(hashtag_key(corpus.hashtags[tag]), place)
    named = Rows.from_lists(
        [named_labels(corpus.messages[corpus.message_of_post[post]], names) for post in posts]
    )
    length, user = history_means(corpus, posts, text)

    # === The union of their labels, a row of signals each ===
    width = max(len(labels), 1)

    def keys(rows: Rows) -> np.ndarray:
        return rows.row_of_value.astype(np.int64) * width + rows.values

    parts = [keys(own.rows), keys(own_similar.rows), keys(others.rows), keys(named)]
    union = sorted_distinct(np.concatenate(parts))
    signals = np.zeros((len(union), len(SIGNALS)), np.float32)
    places = [np.searchsorted(union, part) for part in parts]
    signals[places[0], 0] = np.log1p(own.weights)
    signals[places[0], 1] = np.sqrt(own.weights / length[own.rows.row_of_value])
    signals[places[1], 2] = np.log1p(own_similar.weights)
    signals[places[2], 3] = np.log1p(10 * others.weights)
    signals[places[3], 4] = 1
    return LabelSignals(Rows.from_pairs(union // width, union % width, len(posts)), signals, user)


def named_labels(text: str, names: dict[str, int]) -> np.ndarray:
    """Labels whose hashtag is made of one to three consecutive words of a text, rising.

    Args:
        text: any.
        names: keys of hashtags, see `hashtag_key`, to labels.

    Example:

    >>> names = {"blacklivesmatter": 4, "vote": 2, "москва": 3}
    >>> named_labels("Vote, vote: Black lives matter! Москва", names)
    array([2, 3, 4])
    """
    words = split_words(text)
    spans = {
        "".join(words[start : start + count])
        for count in range(1, NAME_WORDS + 1)
        for start in range(len(words) - count + 1)
    }
    keys = {span if span.isascii() else hashtag_key(span) for span in spans}
    return np.array(sorted(names[key] for key in keys & names.keys()), np.int64)
