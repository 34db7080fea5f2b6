"""The tables of a moment: a bounded row a hashtag and a row a user, and what is hidden of them."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse

from tfhashtag.corpus.rows import Rows, sorted_distinct
from tfhashtag.errors import DataError
from tfhashtag.memory import let_go
from tfhashtag.recommenders.audience.hidden import Hidden, Shown
from tfhashtag.retrieval.shared_tables import shareable, to_share
from tfhashtag.retrieval.tables import ages, factors, newest
from tfhashtag.tasks.users.episode import Episode
from tfhashtag.vector_codes import unit_rows

_ROWS = 8192  # vectors that are read at a time
_SHRINKAGE = 30.0  # of the moments of profiles, as a multiple of their mean variance


_PROFILE = ("author_text", "author_taste", "author_names")

#: The tables that NumPy and TensorFlow hold together, with a row a message, author or hashtag.
LARGE = (*_PROFILE, "vectors", "messages", "context_sums", "author_sums", "taste", "names")


@dataclasses.dataclass(frozen=True)
class Widths:
    """How many columns the tables have at most.

    Attributes:
        history: newest posts of a user.
        messages: newest context messages of a hashtag.
        authors: newest authors of a hashtag.
        tags: hashtags of an author, those that weigh most.
        taste: factors of the user x hashtag matrix.
        reference: hashtags of the sample that z-scores are taken over.
        precision: NumPy type of the vectors.
    """

    history: int = 50
    messages: int = 100
    authors: int = 50
    tags: int = 64
    taste: int = 96
    reference: int = 32
    precision: str = "float16"


@dataclasses.dataclass(frozen=True)
class Audience:
    """The constants of one moment: everything that `AudienceSignals` matches a user against.

    `N` hashtags, `D` messages that stand in their rows, `W` authors, `V` known hashtags, vectors
    of width `d`; `M`, `A` and `T` are the `messages`, `authors` and `tags` of `Widths`. Vectors
    have its precision; -1 pads.

    Attributes:
        hashtags: int32 `[N]`, corpus indices.
        reference: int32 `[R]`, rows of a fixed sample of the hashtags.
        vectors: `[D, d]`, unit vectors of messages.
        lengths: float32 `[D]`, of the same less `text_mean`.
        messages: int32 `[N, M]`, rows of `vectors`: the newest context messages, those of the
            episode's future (where there is none, of the newest split) before the others.
        posts: int32 `[N, M]`, the corpus posts of the same.
        authors: int32 `[N, A]`, rows of the tables of authors, who used the hashtag last first.
        recent_authors: bool `[N, A]`, whether the author used it in a recent message.
        counts: float32 `[N, 5]`: context messages, recent ones, other hashtags in them, those
            without any other, authors; of all, not of the newest alone.
        context_sums: float32 `[N, d]`, sum of a row's message vectors.
        context_norm: float32 `[N]`, length of that sum.
        whitening: float32 `[D, D]`, `D = d + k + d`: the inverse of the mean outer product of the
            authors' profiles (text, taste and names end to end), which is shrunk first.
        author_sums: float32 `[N, D]`, sum of the profiles of all authors of a hashtag, those
            beside its row, too.
        author_norm: float32 `[N]`, length of that sum in the metric.
        author_level: float32 `[N]`, log(authors) less half the square of the length of their mean.
        text_mean: float32 `[d]`, mean of the users' text profiles, taken off before comparing.
        users: int32 `[W]`, corpus users of the rows of authors.
        author_text, author_names, author_taste: `[W, *]`, unit rows: mean history message, mean
            name and factors of the hashtags that an author used.
        author_tags: float32 CSR `[W, V]`, weights of an author's `T` heaviest hashtags; those of
            all of them are a unit row.
        idf: float32 `[V]`, weight of each known hashtag.
        taste: `[V, k]`, right singular vectors of the weighted user x hashtag matrix.
        names: `[V, d]`, unit vectors of the hashtags' names, less their mean.
        users_of_tag: float32 `[V]`, log(1 + users who used it).
        hidden: what users of the corpus must not see.
    """

    hashtags: np.ndarray
    reference: np.ndarray
    vectors: np.ndarray
    lengths: np.ndarray
    messages: np.ndarray
    posts: np.ndarray
    authors: np.ndarray
    recent_authors: np.ndarray
    counts: np.ndarray
    context_sums: np.ndarray
    context_norm: np.ndarray
    whitening: np.ndarray
    author_sums: np.ndarray
    author_norm: np.ndarray
    author_level: np.ndarray
    text_mean: np.ndarray
    users: np.ndarray
    author_text: np.ndarray
    author_names: np.ndarray
    author_taste: np.ndarray
    author_tags: scipy.sparse.csr_matrix
    idf: np.ndarray
    taste: np.ndarray
    names: np.ndarray
    users_of_tag: np.ndarray
    hidden: Hidden

    @property
    def width(self) -> int:
        """Width of a message vector."""
        return int(self.vectors.shape[1])

    def context_norms_without(
        self, places: np.ndarray, first: np.ndarray, messages: np.ndarray
    ) -> np.ndarray:
        """`context_norm` of some hashtags without some of the messages in their rows.

        Args:
            places: int `[n]`, rows of the hashtags.
            first: int `[n]`, where the messages of each begin; each has at least one.
            messages: int, rows of `vectors`.
        """
        taken = np.add.reduceat(self.vectors[messages].astype(np.float32), first, axis=0)
        return np.linalg.norm(self.context_sums[places] - taken, axis=1)

    def author_norms_without(
        self, places: np.ndarray, first: np.ndarray, authors: np.ndarray
    ) -> np.ndarray:
        """`author_norm` of some hashtags without some of their authors.

        Args:
            places: int `[n]`, rows of the hashtags.
            first: int `[n]`, where the authors of each begin; each has at least one.
            authors: int, rows of the tables of authors.
        """
        taken = np.add.reduceat(_profiles(self.__dict__, authors), first, axis=0)
        return _lengths(self.author_sums[places] - taken, self.whitening)

    def served(self) -> "Audience":
        """The same tables without authors that stand in no row: they are only needed to hide."""
        used = sorted_distinct(self.authors[self.authors >= 0])
        names = (*_PROFILE, "author_tags", "users")
        return dataclasses.replace(
            self,
            authors=np.where(self.authors >= 0, np.searchsorted(used, self.authors), -1).astype(
                np.int32
            ),
            **{name: getattr(self, name)[used] for name in names},
        )

    def shown(self, users: np.ndarray, places: np.ndarray) -> Shown:
        """What is left of the rows of hashtags for users of the corpus.

        Args:
            users: int `[B]`, corpus users.
            places: int `[B, C]`, rows of the hashtags that each is asked about; -1 pads.
        """
        return self.hidden.shown(self, users, places)


def audience_of(
    episode: Episode, vectors: np.ndarray, names: np.ndarray, widths: Widths = Widths()
) -> Audience:
    """Gathers the constants of an episode, in memory for its tables and not for its posts.

    Only known posts describe authors and weigh hashtags; the messages of the future part count as
    contexts alone, and are hidden from their own authors as the episode says.

    Args:
        episode: whose `catalogue` is described.
        vectors: float `[messages of the corpus, d]`; may be memory-mapped.
        names: float `[hashtags of the corpus, d]`, vectors of the hashtags' names; likewise.
        widths: of the tables.

    Raises:
        DataError: the catalogue is empty, or an array has the wrong number of rows.
    """
    corpus = episode.corpus
    _check_rows("vectors", vectors, len(corpus.messages))
    _check_rows("names", names, len(corpus.hashtags))
    hashtags = episode.catalogue
    if len(hashtags) == 0:
        raise DataError(
            f"no hashtag has {episode.minimum_contexts} context messages; there is nothing to rank."
        )
    entries = episode.contexts.take(hashtags)
    row = entries.row_of_value
    recent = recent_entries(episode, entries)
    others = (np.diff(corpus.hashtag_offsets)[entries.values] - 1).astype(np.float32)
    age = _ages(episode)[entries.values] + np.where(recent, 0, 1e15)
    rows = newest(entries, age, widths.messages)
    people = _authors(entries, corpus.user_of_post[entries.values], age, recent, widths.authors)

    weights, distinct, idf = tag_weights(episode, widths.history)
    profile, text_mean = _text_profiles(episode, vectors, widths.history)
    taste = factors(weights, widths.taste)
    users_of_tag = np.bincount(distinct.indices, minlength=len(corpus.hashtags))
    names = _centred_names(names, np.flatnonzero(users_of_tag), widths.precision)
    users, pair_author = np.unique(people.pair_user, return_inverse=True)
    author_rows = np.where(people.rows >= 0, np.searchsorted(users, people.rows), -1)

    values = np.stack([np.ones_like(others), recent, others, others == 0]).astype(np.float32)
    counts = [np.bincount(row, value, len(entries)) for value in values]
    counts.append(np.bincount(people.pair_row, minlength=len(entries)))
    of_authors = {
        "author_text": to_share(_centred(profile[users], text_mean).astype(widths.precision)),
        **_tags_of_authors(weights[users], names, taste, widths),
    }
    return Audience(
        hashtags=hashtags.astype(np.int32),
        reference=_reference(len(hashtags), widths.reference),
        **_message_tables(episode, rows.values, vectors, text_mean, widths.precision),
        authors=author_rows.astype(np.int32),
        recent_authors=people.recent,
        counts=np.stack(counts, axis=1).astype(np.float32),
        text_mean=text_mean,
        users=users.astype(np.int32),
        **of_authors,
        **_metric_of_authors(of_authors, people.pair_row, pair_author, len(entries)),
        idf=idf,
        taste=to_share(taste.astype(widths.precision)),
        names=names,
        users_of_tag=np.log1p(users_of_tag).astype(np.float32),
        hidden=Hidden(
            episode,
            entries.offsets,
            values.T,
            rows.slot_of_value,
            people.pair,
            people.slot,
            pair_author.astype(np.int32),
        ),
    )


@dataclasses.dataclass(frozen=True)
class _People:
    """Who wrote the context messages: pairs of a hashtag and an author.

    Attributes:
        rows: int32 `[N, A]`, corpus users, who used the hashtag last first; -1 pads.
        recent: bool `[N, A]`.
        pair: int64 `[E]`, the pair of each context message.
        pair_row, pair_user: int32 `[P]`, hashtag and corpus user of each pair.
        slot: int32 `[P]`, its column, -1 for one that was left out.
    """

    rows: np.ndarray
    recent: np.ndarray
    pair: np.ndarray
    pair_row: np.ndarray
    pair_user: np.ndarray
    slot: np.ndarray


def recent_entries(episode: Episode, entries: Rows) -> np.ndarray:
    """Which context posts are of the future part; without one, those of the newest split.

    Args:
        episode: the moment.
        entries: its `contexts`, of the hashtags of its catalogue alone.

    Returns:
        bool, aligned with the values of `entries`.
    """
    if not episode.future.any():
        splits = episode.corpus.split_of_post
        return splits[entries.values] == splits[episode.contexts.values].max()
    start = episode.contexts.offsets[:-1][episode.catalogue] - entries.offsets[:-1]
    return episode.future[np.arange(len(entries.values)) + start[entries.row_of_value]]


def names_from_messages(episode: Episode, vectors: np.ndarray) -> np.ndarray:
    """Stands in for vectors of hashtags' names: the mean vector of the known posts of each.

    Returns:
        float32 `[hashtags of the corpus, d]`; zeros for a hashtag that no known post has.
    """
    corpus = episode.corpus
    posts = np.sort(episode.history.values)
    rows = Rows(corpus.hashtag_offsets, corpus.hashtag_values).take(posts)
    count = len(corpus.hashtags)
    by_tag = Rows.from_pairs(rows.values, corpus.message_of_post[posts[rows.row_of_value]], count)
    return _means(by_tag, vectors)


def tag_weights(
    episode: Episode, history_length: int
) -> tuple[scipy.sparse.csr_matrix, scipy.sparse.csr_matrix, np.ndarray]:
    """Which hashtags each user's newest known posts have.

    Returns:
        float32 CSR `[users, hashtags]` of (1 + log count) * idf with unit rows; the same shape with
        ones; idf, float32 `[hashtags]`, log((users + 1) / (users of the hashtag + 1)).
    """
    corpus = episode.corpus
    shape = (len(corpus.users), len(corpus.hashtags))
    posts, users = _newest(episode.history, history_length)
    rows = Rows(corpus.hashtag_offsets, corpus.hashtag_values).take(posts)
    user_of_tag = users[rows.row_of_value]
    ones = np.ones(len(rows.values), np.float32)
    counts = scipy.sparse.csr_matrix((ones, (user_of_tag, rows.values)), shape=shape)
    counts.sum_duplicates()
    distinct = counts.copy()
    distinct.data[:] = 1
    users_of_tag = np.asarray(distinct.sum(axis=0)).ravel()
    idf = np.log((shape[0] + 1) / (users_of_tag + 1)).astype(np.float32)
    weights = counts.copy()
    weights.data = (1 + np.log(weights.data)) * idf[weights.indices]
    lengths = np.sqrt(np.asarray(weights.multiply(weights).sum(axis=1)).ravel())
    lengths = np.repeat(np.where(lengths > 0, lengths, 1), np.diff(weights.indptr))
    weights.data = (weights.data / lengths).astype(np.float32)
    return weights, distinct, idf


def _reference(count: int, size: int) -> np.ndarray:
    chosen = np.random.default_rng(0).permutation(count)[:size]
    return np.sort(chosen).astype(np.int32)


def _ages(episode: Episode) -> np.ndarray:
    """Age of every corpus post among those that the episode shows."""
    corpus = episode.corpus
    used = sorted_distinct(np.append(episode.history.values, episode.contexts.values))
    times = None if corpus.timestamps is None else corpus.timestamps[used]
    order = used[np.argsort(corpus.user_of_post[used], kind="stable")]
    found = np.zeros(len(corpus))
    if times is None:
        found[order] = ages(corpus.user_of_post[order], None)
    else:
        found[used] = ages(corpus.user_of_post[used], times)
    return found


def _authors(entries: Rows, users: Any, age: Any, recent: Any, width: int) -> _People:
    count = np.int64(users.max() + 1)
    pairs, pair = np.unique(entries.row_of_value * count + users, return_inverse=True)
    youngest = np.full(len(pairs), np.inf)
    np.minimum.at(youngest, pair, age)
    pair_recent = np.zeros(len(pairs), bool)
    np.logical_or.at(pair_recent, pair, recent)
    pair_row = (pairs // count).astype(np.int32)
    offsets = np.searchsorted(pair_row, np.arange(len(entries) + 1))
    pair_user = (pairs % count).astype(np.int32)
    rows = newest(Rows(offsets, pair_user), youngest, width)
    by_slot = np.zeros(rows.values.shape, bool)
    kept = rows.slot_of_value >= 0
    by_slot[pair_row[kept], rows.slot_of_value[kept]] = pair_recent[kept]
    return _People(rows.values, by_slot, pair, pair_row, pair_user, rows.slot_of_value)


def _tags_of_authors(
    weights: scipy.sparse.csr_matrix, names: np.ndarray, taste: np.ndarray, widths: Widths
) -> dict[str, Any]:
    """The tables of authors that their hashtags give."""
    return {
        "author_names": to_share(unit_rows(_weighted(weights, names)).astype(widths.precision)),
        "author_taste": to_share(unit_rows(_weighted(weights, taste)).astype(widths.precision)),
        "author_tags": _heaviest(weights, widths),
    }


def _weighted(weights: scipy.sparse.csr_matrix, table: np.ndarray) -> np.ndarray:
    """Weighted sums of a table's rows, float32, some at a time and of the rows in use alone."""
    found = np.empty((weights.shape[0], table.shape[1]), np.float32)
    for start in range(0, len(found), _ROWS):
        some = weights[start : start + _ROWS]
        used, columns = np.unique(some.indices, return_inverse=True)
        shape = (some.shape[0], len(used))
        some = scipy.sparse.csr_matrix((some.data, columns, some.indptr), shape=shape)
        found[start : start + _ROWS] = some @ table[used].astype(np.float32)
    return found


def _metric_of_authors(
    tables: Mapping[str, np.ndarray], pair_row: np.ndarray, pair_author: np.ndarray, hashtags: int
) -> dict[str, np.ndarray]:
    """In which metric authors are compared, and the sum of each hashtag's, with its length."""
    count = len(tables["author_text"])
    width = sum(tables[name].shape[1] for name in _PROFILE)
    ones = np.ones(len(pair_row), np.float32)
    wrote = scipy.sparse.csc_matrix((ones, (pair_row, pair_author)), shape=(hashtags, count))
    moments, sums = np.zeros((width, width)), np.zeros((hashtags, width), np.float32)
    for start in range(0, count, _ROWS):
        stop = min(start + _ROWS, count)
        rows = _profiles(tables, np.arange(start, stop))
        moments += rows.T @ rows
        sums += wrote[:, start:stop] @ rows
    moments /= max(count, 1)
    ridge = max(_SHRINKAGE * np.trace(moments) / width, 1e-6)
    whitening = np.linalg.inv(moments + ridge * np.eye(width)).astype(np.float32)
    number = np.maximum(np.bincount(pair_row, minlength=hashtags), 1).astype(np.float32)
    norms = _lengths(sums, whitening)
    return {
        "whitening": whitening,
        "author_sums": to_share(sums),
        "author_norm": norms,
        "author_level": np.log(number) - (norms / number) ** 2 / 2,
    }


def _profiles(tables: Mapping[str, np.ndarray], rows: np.ndarray) -> np.ndarray:
    """Text, taste and names of authors end to end, float32 `[n, D]`."""
    return np.concatenate([tables[name][rows].astype(np.float32) for name in _PROFILE], axis=-1)


def _lengths(rows: np.ndarray, whitening: np.ndarray) -> np.ndarray:
    """Lengths of rows `[n, D]` in a metric, float32 `[n]`, some at a time."""
    found = np.zeros(len(rows), np.float32)
    for start in range(0, len(rows), _ROWS):
        some = rows[start : start + _ROWS]
        found[start : start + _ROWS] = ((some @ whitening) * some).sum(axis=1)
    return np.sqrt(np.maximum(found, 0))


def _heaviest(weights: scipy.sparse.csr_matrix, widths: Widths) -> scipy.sparse.csr_matrix:
    """Of every row the columns that weigh most alone, heaviest first, in the tables' precision."""
    rows = Rows(weights.indptr, weights.indices)
    width = min(widths.tags, max(int(rows.lengths.max(initial=1)), 1))
    slot = newest(rows, -weights.data, width).slot_of_value
    row = rows.row_of_value[slot >= 0]
    order = np.flatnonzero(slot >= 0)[np.lexsort((slot[slot >= 0], row))]
    offsets = np.append(0, np.cumsum(np.bincount(row, minlength=len(rows))))
    values = weights.data[order].astype(widths.precision).astype(np.float32)
    return scipy.sparse.csr_matrix((values, weights.indices[order], offsets), weights.shape)


def _newest(history: Rows, length: int) -> tuple[np.ndarray, np.ndarray]:
    """The newest posts of every user, and the users of these posts."""
    users = history.row_of_value
    from_end = history.offsets[1:][users] - np.arange(len(users))
    keep = from_end <= length
    return history.values[keep], users[keep]


def _text_profiles(
    episode: Episode, vectors: np.ndarray, history_length: int
) -> tuple[np.ndarray, np.ndarray]:
    """Mean unit vector of each user's newest messages, and the mean over users who have any."""
    corpus = episode.corpus
    posts, users = _newest(episode.history, history_length)
    rows = Rows.from_pairs(users, corpus.message_of_post[posts], len(corpus.users))
    profiles = _means(rows, vectors)
    active = rows.lengths > 0
    return profiles, profiles[active].mean(axis=0) if active.any() else profiles[0]


def _means(rows: Rows, vectors: np.ndarray) -> np.ndarray:
    """Mean unit vector of every row's messages, read a few thousand at a time; zeros for none."""
    sums = np.zeros((len(rows), vectors.shape[1]), np.float32)
    row = rows.row_of_value
    for start in range(0, len(row), _ROWS):
        some, texts = row[start : start + _ROWS], rows.values[start : start + _ROWS]
        first = np.flatnonzero(np.r_[True, np.diff(some) != 0])
        sums[some[first]] += np.add.reduceat(unit_rows(vectors[texts]), first, axis=0)
        let_go(vectors)
    return sums / np.maximum(rows.lengths, 1)[:, None].astype(np.float32)


def _centred_names(names: np.ndarray, used: np.ndarray, precision: str) -> np.ndarray:
    """Unit vectors of all names, less the mean of the used ones."""
    total = np.zeros(names.shape[1], np.float64)
    for start in range(0, len(used), _ROWS):
        total += unit_rows(names[used[start : start + _ROWS]]).sum(axis=0, dtype=np.float64)
        let_go(names)
    mean = (total / max(len(used), 1)).astype(np.float32)
    found = shareable(names.shape, precision)
    for start in range(0, len(names), _ROWS):
        found[start : start + _ROWS] = unit_rows(unit_rows(names[start : start + _ROWS]) - mean)
        let_go(names)
    return found


def _units(vectors: np.ndarray, rows: np.ndarray, precision: str) -> np.ndarray:
    found = shareable((len(rows), vectors.shape[1]), precision)
    for start in range(0, len(rows), _ROWS):
        found[start : start + _ROWS] = unit_rows(vectors[rows[start : start + _ROWS]])
        let_go(vectors)
    return found


def _lengths_beside(vectors: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Lengths of vectors less their mean, float32 `[n]`, some at a time."""
    found = np.zeros(len(vectors), np.float32)
    for start in range(0, len(vectors), _ROWS):
        some = vectors[start : start + _ROWS].astype(np.float32) - mean
        found[start : start + _ROWS] = np.linalg.norm(some, axis=1)
    return found


def _row_sums(vectors: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Sum of the vectors in every row of `rows`, where -1 pads, float32 `[N, d]`."""
    sums = np.zeros((len(rows), vectors.shape[1]), np.float32)
    for start in range(0, len(rows), _ROWS // 32):
        some = rows[start : start + _ROWS // 32]
        found = vectors[np.maximum(some, 0)].astype(np.float32) * (some >= 0)[..., None]
        sums[start : start + len(some)] = found.sum(axis=1)
    return sums


def _message_tables(
    episode: Episode, posts: np.ndarray, vectors: np.ndarray, text_mean: np.ndarray, precision: str
) -> dict[str, np.ndarray]:
    """The tables of messages, from the posts in the rows of hashtags."""
    texts = episode.corpus.message_of_post[np.maximum(posts, 0)]
    texts, rows = np.unique(texts, return_inverse=True)
    messages = np.where(posts >= 0, rows.reshape(posts.shape), -1).astype(np.int32)
    found = _units(vectors, texts, precision)
    sums = _row_sums(found, messages)
    return {
        "vectors": found,
        "lengths": _lengths_beside(found, text_mean),
        "messages": to_share(messages),
        "posts": posts,
        "context_sums": to_share(sums),
        "context_norm": np.linalg.norm(sums, axis=1),
    }


def _centred(profiles: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Unit rows of the profiles less their mean; a row without history stays zero."""
    empty = np.all(profiles == 0, axis=1, keepdims=True)
    return unit_rows(np.where(empty, 0, profiles - mean))


def _check_rows(name: str, table: np.ndarray, rows: int) -> None:
    if table.ndim != 2 or len(table) != rows:
        raise DataError(f"`{name}` must have {rows} rows, found shape {list(table.shape)}.")
