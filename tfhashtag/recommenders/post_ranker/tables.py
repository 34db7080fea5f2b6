"""What is known at one moment, as the tables that candidates and signals are looked up in."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import scipy.sparse

from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.corpus.rows import Rows, sorted_distinct
from tfhashtag.corpus.trends import HashtagTimes
from tfhashtag.errors import ConfigError
from tfhashtag.recommenders.post_ranker.settings import RankerData
from tfhashtag.retrieval.hashtag_tables import (
    RowSource,
    companions_of,
    distinct,
    group_means,
    used_together,
)
from tfhashtag.retrieval.softmax_classifier import softmax_classifier
from tfhashtag.retrieval.tables import factors
from tfhashtag.tasks.posts.labels import PostLabels
from tfhashtag.vector_codes import unit_rows

TAGS = 16  # hashtags of a known post that count, at most
TOGETHER = 64  # hashtags beside another that count
WORD_LABELS = 32  # hashtags of a word that count
CLASSIFIED = 16_384  # hashtags that the classifiers know, the most used
RECENT = 0.25  # the newest share of each user's posts is recent
Classifiers = Mapping[str, Sequence[np.ndarray]]  # by kind, see `Vectors.classifiers`
_SMOOTHING = 3.0  # posts without the hashtag that are added to those of a word


@dataclasses.dataclass(frozen=True)
class Vectors:
    """Vectors of one kind, of the known posts and what is made of them.

    `M` distinct vectors of width `d`, `P` known posts, `U` users, `L` hashtags.

    Attributes:
        unit: float32 `[M, d]`, of length 1, or zeros for nothing.
        row: int32 `[P]`, that of each known post.
        users: float32 `[U + 1, d]`, the unit mean of each user's; the last row, of nobody known,
            and that of users who have none is that of all users.
        mean: float32 `[d]`, in place of a query that has none.
        hashtags: float32 `[L, d]`, unit mean of the posts with each hashtag.
        weights, bias: float32 `[d, C]` and `[C]`, the classifier of these vectors into the `C`
            hashtags that `Moment.classified` says.
        both_weights, both_bias: float32 `[2 * d + k, C]` and `[C]`, that of them, the user's mean
            and the user's taste.
    """

    unit: np.ndarray
    row: np.ndarray
    users: np.ndarray
    mean: np.ndarray
    hashtags: np.ndarray
    weights: np.ndarray
    bias: np.ndarray
    both_weights: np.ndarray
    both_bias: np.ndarray

    @property
    def classifiers(self) -> tuple[np.ndarray, ...]:
        """What was trained: weights and bias of both."""
        return self.weights, self.bias, self.both_weights, self.both_bias


@dataclasses.dataclass(frozen=True)
class Moment:
    """The tables of a moment: known posts alone, so that nothing later can be among them.

    Attributes:
        posts: int `[P]`, the known posts, rising.
        users: the `U` users who have one, corpus places, rising.
        labels: `L` hashtags that are ranked, those of enough known posts.
        kinds: `text`, and with pictures `picture`.
        user_of_post: int32 `[P]`, 0 to `U` - 1.
        time_of_post: int64 `[P]`, zeros where the corpus has no times.
        labels_of_post: int32 `[P, T]`, -1 pads.
        history: int32 `[U + 1, H]`, each user's newest known posts, newest first, -1 pads; the last
            row is of nobody known.
        user_factors, label_factors: float32 `[U + 1, k]` and `[L, k]`, of users by hashtags.
        taste: float32 `[U + 1, k]`, users' factors of length 1.
        together, together_weight: `[L, C]`, hashtags of the same users, see `used_together`.
        beside, beside_weight: `[L, C]`, hashtags of the same posts.
        word_labels, word_weight: `[V, K]`, hashtags of the posts with a word and their share of
            them, and `word_lift`, the logarithm of the share over that of all posts, at least 0.
        names: float32 `[L, g]`, unit vectors of the hashtags' names, zeros for one without.
        about: float32 `[L, 4]`: log popularity, log recent popularity, log of their ratio, log
            users.
        classified: int32 `[C]`, the hashtags that classifiers know, rising: the `CLASSIFIED` most
            used, where there are more.
        share: float32 `[L]`, of each hashtag among all uses: the chance of one that classifiers do
            not know.
        uses: when the hashtags were used; None where the moment of a post is not read.
    """

    posts: np.ndarray
    users: np.ndarray
    labels: PostLabels
    kinds: dict[str, Vectors]
    user_of_post: np.ndarray
    time_of_post: np.ndarray
    labels_of_post: np.ndarray
    history: np.ndarray
    taste: np.ndarray
    user_factors: np.ndarray
    label_factors: np.ndarray
    together: np.ndarray
    together_weight: np.ndarray
    beside: np.ndarray
    beside_weight: np.ndarray
    word_labels: np.ndarray
    word_weight: np.ndarray
    word_lift: np.ndarray
    names: np.ndarray
    about: np.ndarray
    classified: np.ndarray
    share: np.ndarray
    uses: HashtagTimes | None = None

    def user_places(self, users: np.ndarray) -> np.ndarray:
        """Places in `users` of corpus users, int32, `U` for one without a known post."""
        place = np.searchsorted(self.users, users)
        known = np.append(self.users, -1)[np.minimum(place, len(self.users))] == users
        return np.where(known, place, len(self.users)).astype(np.int32)


def moment_of(
    corpus: Corpus,
    labels: PostLabels,
    texts: RowSource,
    names: np.ndarray,
    tokens: np.ndarray,
    words: int,
    data: RankerData,
    pictures: tuple[np.ndarray, np.ndarray] | None = None,
    classifiers: Classifiers | None = None,
) -> Moment:
    """The tables of the moment after the train posts of a corpus.

    An imitated future is a corpus whose `split_of_post` says what was known then.

    Args:
        corpus: its train posts are known; no hashtag of any other post is looked at.
        labels: what is ranked.
        texts: float32 `[messages, g]`, unit, zeros for no text.
        names: float16 `[hashtags of the corpus, g]`.
        tokens: int32 `[messages, W]`, word ids, 0 pads.
        words: how many word ids there are, 0 included.
        data: sizes.
        pictures: float32 `[rows, w]`, unit, and the row of each post int `[posts]`, -1 for none;
            None without pictures.
        classifiers: of these very posts, from a moment before; None to train them.
    """
    posts = np.flatnonzero(corpus.split_of_post == Split.TRAIN)
    users, user_of_post = np.unique(corpus.user_of_post[posts], return_inverse=True)
    user_of_post = user_of_post.astype(np.int32)
    rows, count = labels.rows.take(posts), len(labels)
    times = np.zeros(len(posts), np.int64)
    if corpus.timestamps is not None:
        times = np.asarray(corpus.timestamps[posts], np.int64)
    history = newest_first(user_of_post, len(users), data.history_posts)
    author = user_of_post[rows.row_of_value]
    used = scipy.sparse.csr_matrix(
        (np.ones(len(author), np.float32), (author, rows.values)), (len(users), count)
    )
    label_factors, user_factors, others_taste = tastes(used, rows, user_of_post, data.taste_width)
    sources: dict[str, tuple[RowSource, np.ndarray]] = {"text": (texts, corpus.message_of_post)}
    if pictures is not None:
        sources["picture"] = pictures
    uses = np.bincount(rows.values, minlength=count)
    classified = np.sort(np.argsort(-uses, kind="stable")[:CLASSIFIED])
    known = rows, classified, others_taste
    kinds = {
        kind: _vectors(table, row_of_post[posts], user_of_post, count, *known, trained)
        for kind, (table, row_of_post) in sources.items()
        for trained in [classifiers[kind] if classifiers else None]
    }
    together = used_together(distinct(author, rows.values, used.shape), TOGETHER)
    beside = used_together(distinct(rows.row_of_value, rows.values, (len(posts), count)), TOGETHER)
    return Moment(
        posts,
        users,
        labels,
        kinds,
        user_of_post,
        times,
        rows.padded(
            np.arange(len(posts)), max(1, min(int(rows.lengths.max(initial=1)), TAGS)), keep="first"
        ),
        history,
        unit_rows(user_factors),
        user_factors,
        label_factors,
        *together,
        *beside,
        *_words(tokens[corpus.message_of_post[posts]], words, rows, count),
        unit_rows(np.asarray(names[labels.hashtags], np.float32)),
        _about(rows, history, user_of_post, count),
        classified.astype(np.int32),
        (uses / max(uses.sum(), 1)).astype(np.float32),
        _uses(corpus, labels, posts, data),
    )


def _uses(
    corpus: Corpus, labels: PostLabels, posts: np.ndarray, data: RankerData
) -> HashtagTimes | None:
    rows = labels.rows.take(posts)
    if corpus.timestamps is None or not reads_time(corpus, data):
        return None
    return HashtagTimes.of_uses(rows.values, corpus.timestamps[posts[rows.row_of_value]])


def reads_time(corpus: Corpus, data: RankerData) -> bool:
    """Whether the moment of a post is read.

    Raises:
        ConfigError: it shall be, and the posts have no times.
    """
    if data.time == "on" and corpus.timestamps is None:
        raise ConfigError(
            f"`data.time` is on, and the posts of {corpus.name} have no times. Import them with "
            "--columns timestamp=..., or leave it at auto."
        )
    return data.time != "off" and corpus.timestamps is not None


def newest_first(user_of_post: np.ndarray, users: int, width: int) -> np.ndarray:
    """Each user's newest posts, newest first, int32 `[users + 1, width]`, -1 pads.

    >>> newest_first(np.array([0, 1, 0, 0]), 2, 2).tolist()
    [[3, 2], [1, -1], [-1, -1]]
    """
    rows = Rows.from_pairs(user_of_post, np.arange(len(user_of_post)), users + 1)
    width = max(1, min(width, int(rows.lengths.max(initial=1))))
    newest = rows.padded(np.arange(users + 1), width, keep="last")
    sizes = np.minimum(rows.lengths, width)[:, None]
    place = sizes - 1 - np.arange(width)
    turned = np.take_along_axis(newest, np.maximum(place, 0), axis=1)
    return np.where(place >= 0, turned, -1).astype(np.int32)


def tastes(
    used: scipy.sparse.csr_matrix, rows: Rows, user_of_post: np.ndarray, width: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Factors of users by hashtags, counts weighted as (1 + log count) * idf.

    Args:
        used: `[U, L]`, how often each user has used each hashtag.
        rows: labels of each known post.
        user_of_post: int `[P]`.
        width: of the factors, at most.

    Returns:
        factors of hashtags `[L, k]` and of users `[U + 1, k]`, the last one zeros; and `[P, k]`, of
        length 1, the taste that each post's user shows in other posts: a query is not among its
        user's known posts either.
    """
    used.sum_duplicates()
    idf = np.log((used.shape[0] + 1) / (np.bincount(used.indices, minlength=used.shape[1]) + 1))
    idf = (idf + 0.1).astype(np.float32)
    weighted = scipy.sparse.csr_matrix(
        (_damped(used.data) * idf[used.indices], used.indices, used.indptr), used.shape
    )
    lengths = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)))
    scaled = scipy.sparse.csr_matrix(weighted.multiply(1 / np.where(lengths > 0, lengths, 1)))
    of_labels = factors(scaled, width)
    of_users = np.asarray(scaled @ of_labels, np.float32)
    counts = np.asarray(used[user_of_post[rows.row_of_value], rows.values]).ravel()
    less = (_damped(counts) - _damped(counts - 1)) * idf[rows.values]
    own = scipy.sparse.csr_matrix(
        (less, (rows.row_of_value, rows.values)), (len(user_of_post), used.shape[1])
    )
    others = (weighted @ of_labels)[user_of_post] - own @ of_labels
    return of_labels, np.concatenate([of_users, np.zeros_like(of_users[:1])]), unit_rows(others)


def _damped(counts: np.ndarray) -> np.ndarray:
    """1 + log count, 0 for none."""
    return np.where(counts > 0, 1 + np.log(np.maximum(counts, 1)), 0).astype(np.float32)


def _vectors(
    table: RowSource,
    row_of_post: np.ndarray,
    user_of_post: np.ndarray,
    count: int,
    rows: Rows,
    classified: np.ndarray,
    others_taste: np.ndarray,
    classifiers: Sequence[np.ndarray] | None,
) -> Vectors:
    """Of the known posts' vectors; a post that has none takes no part in a mean.

    `others_taste` is the taste that each post's user shows in other posts.
    """
    users = int(user_of_post.max(initial=-1)) + 1
    taken, row = np.unique(row_of_post, return_inverse=True)
    unique = np.asarray(table[np.maximum(taken, 0)], np.float32)
    unique[taken < 0] = 0
    real = np.any(unique, axis=1)[row]
    shown = np.flatnonzero(real) if real.any() else np.arange(min(len(row), 1))
    mean = group_means(unique, np.zeros(len(shown), np.int64), 1, row[shown])[0]
    sizes = np.bincount(user_of_post[real], minlength=users).astype(np.float32)
    sums = group_means(unique, user_of_post[real], users, row[real]) * sizes[:, None]
    means = sums / np.maximum(sizes, 1)[:, None]
    everybody = means[sizes > 0].mean(axis=0) if (sizes > 0).any() else mean
    tagged = real[rows.row_of_value]
    places, groups = rows.row_of_value[tagged], rows.values[tagged]
    if classifiers is None:
        alone = _Posts(unique, row)
        both = _PostsOfUsers(alone, user_of_post, real, sums, sizes, everybody, others_taste)
        column = np.full(count, -1)
        column[classified] = np.arange(len(classified))
        is_one = column[groups] >= 0
        truth = places[is_one], column[groups[is_one]], len(classified)
        classifiers = (*softmax_classifier(alone, *truth), *softmax_classifier(both, *truth))
    return Vectors(
        unique,
        row.astype(np.int32),
        unit_rows(np.append(np.where(sizes[:, None] > 0, means, everybody), everybody[None], 0)),
        mean,
        unit_rows(group_means(unique, groups, count, row[places])),
        *classifiers,
    )


class _Posts:
    """The vectors of known posts, gathered when they are asked for; a `RowSource`."""

    def __init__(self, unique: np.ndarray, row: np.ndarray) -> None:
        self.shape = (len(row), unique.shape[1])
        self._unique, self._row = unique, row

    def __getitem__(self, posts: np.ndarray) -> np.ndarray:
        return self._unique[self._row[posts]]


@dataclasses.dataclass(frozen=True)
class _PostsOfUsers:
    """Posts, the mean of their users' other posts and the taste that these show; a `RowSource`.

    Attributes:
        posts: their vectors.
        user_of_post, real: of each post; `real` where it has a vector.
        sums, sizes: of the vectors of each user.
        everybody: in place of the mean of a user without another post.
        tastes: of each post.
    """

    posts: _Posts
    user_of_post: np.ndarray
    real: np.ndarray
    sums: np.ndarray
    sizes: np.ndarray
    everybody: np.ndarray
    tastes: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """Posts and the width of a row."""
        return len(self.user_of_post), 2 * self.posts.shape[1] + self.tastes.shape[1]

    def __getitem__(self, posts: np.ndarray) -> np.ndarray:
        users, vectors = self.user_of_post[posts], self.posts[posts]
        rest = (self.sizes - 1)[users]
        others = (self.sums[users] - vectors) / np.maximum(rest, 1)[:, None]
        others = np.where(self.real[posts, None] & (rest > 0)[:, None], others, self.everybody)
        return np.concatenate([vectors, unit_rows(others), self.tastes[posts]], axis=1)


def _words(
    tokens: np.ndarray, words: int, rows: Rows, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hashtags of each word, their share and its lift."""
    post, column = np.nonzero(tokens)
    stands = distinct(post, tokens[post, column], (len(tokens), words))
    tagged = distinct(rows.row_of_value, rows.values, (len(tokens), count))
    labels, share = companions_of(stands, tagged, WORD_LABELS, _SMOOTHING)
    found = np.count_nonzero(np.diff(tagged.indptr))
    prior = (np.asarray(tagged.sum(axis=0)).ravel() + 1) / max(found, 1)
    lift = np.log(np.maximum(share, 1e-9) / prior[np.maximum(labels, 0)])
    return labels, share, np.where(labels >= 0, np.maximum(lift, 0), 0).astype(np.float32)


def _about(rows: Rows, history: np.ndarray, user_of_post: np.ndarray, count: int) -> np.ndarray:
    """Popularity of each hashtag, now and recently, and its users."""
    order = np.arange(len(user_of_post))
    by_user = Rows.from_pairs(user_of_post, order, len(history))
    from_end = by_user.offsets[1:][by_user.row_of_value] - order
    recent = np.zeros(len(order), bool)
    recent[by_user.values] = from_end <= np.ceil(RECENT * by_user.lengths[by_user.row_of_value])
    total = np.bincount(rows.values, minlength=count).astype(np.float64)
    lately = np.bincount(rows.values[recent[rows.row_of_value]], minlength=count)
    pairs = sorted_distinct(
        rows.values.astype(np.int64) * len(history) + user_of_post[rows.row_of_value]
    )
    people = np.bincount(pairs // len(history), minlength=count)
    ratio = np.log((lately + 0.5) / (RECENT * total + 0.5))
    return np.stack([np.log1p(total), np.log1p(lately), ratio, np.log1p(people)], axis=1).astype(
        np.float32
    )
