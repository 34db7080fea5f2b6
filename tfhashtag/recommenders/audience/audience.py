"""What a catalogue shows of its hashtags: their messages, and who wrote them."""

import dataclasses
from typing import Any

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from tfhashtag.corpus.rows import Rows
from tfhashtag.errors import DataError
from tfhashtag.tasks.users.episode import Episode


@dataclasses.dataclass(frozen=True)
class Audience:
    """The constants of one moment: everything that `AudienceSignals` matches a user against.

    `N` hashtags, `E` context messages of them (one a row of `Episode.contexts`), `A` authors, `P`
    pairs of a hashtag and one of its authors, `V` known hashtags, vectors of width `d`.

    Attributes:
        hashtags: int32 `[N]`, corpus indices; pairs and entries are numbered by place in it.
        messages: float32 `[messages, d]`, unit vectors of the distinct context messages.
        entry_message, entry_hashtag: int32 `[E]`; `entry_hashtag` rises.
        entry_recent: float32 `[E]`, 1 for a message of the episode's future (where there is none,
            of the newest split), else 0.
        entry_tags: float32 `[E]`, number of other hashtags that the message has.
        context_norm: float32 `[N]`, length of the sum of a hashtag's context vectors.
        text_mean: float32 `[d]`, mean of the authors' text profiles, taken off before comparing.
        author_text, author_names, author_taste: float32 `[A, *]`, unit rows: mean history message,
            mean name and SVD of the hashtags that an author used.
        author_tags: `scipy.sparse.csr_matrix` `[A, V]`, unit rows, weighted hashtags of an author.
        pair_author, pair_hashtag: int32 `[P]`; `pair_hashtag` rises.
        pair_recent: float32 `[P]`, 1 where the author used the hashtag in a recent message.
        idf: float32 `[V]`, weight of each known hashtag.
        taste: float32 `[V, k]`, right singular vectors of the weighted user x hashtag matrix.
        names: float32 `[V, d]`, unit vectors of the hashtags' names, less their mean.
        users_of_tag: float32 `[V]`, log(1 + users who used it).
        hidden_entries: int64 `[n, 2]`, (corpus user, entry): messages this user must not see.
        hidden_pairs: int64 `[m, 2]`, (corpus user, pair): authors of whom the user sees nothing.
        hidden_norms: a tuple of (int64 `[q, 2]` of corpus user and hashtag, float32 `[q]`), the
            length of the sum of the visible context vectors, where some are hidden.
    """

    hashtags: np.ndarray
    messages: np.ndarray
    entry_message: np.ndarray
    entry_hashtag: np.ndarray
    entry_recent: np.ndarray
    entry_tags: np.ndarray
    context_norm: np.ndarray
    text_mean: np.ndarray
    author_text: np.ndarray
    author_names: np.ndarray
    author_taste: np.ndarray
    author_tags: scipy.sparse.csr_matrix
    pair_author: np.ndarray
    pair_hashtag: np.ndarray
    pair_recent: np.ndarray
    idf: np.ndarray
    taste: np.ndarray
    names: np.ndarray
    users_of_tag: np.ndarray
    hidden_entries: np.ndarray
    hidden_pairs: np.ndarray
    hidden_norms: tuple[np.ndarray, np.ndarray]

    @property
    def width(self) -> int:
        """Width of a message vector."""
        return int(self.messages.shape[1])


def audience_of(
    episode: Episode,
    vectors: np.ndarray,
    names: np.ndarray,
    *,
    history_length: int = 50,
    taste_width: int = 96,
    seed: int = 0,
) -> Audience:
    """Gathers the constants of an episode.

    Only known posts describe authors and weigh hashtags; the messages of the future part count as
    contexts alone, and are hidden from their own authors as the episode says.

    Args:
        episode: whose `catalogue` is described.
        vectors: float32 `[messages of the corpus, d]`.
        names: float32 `[hashtags of the corpus, d]`, vectors of the hashtags' names.
        history_length: newest posts that make a profile.
        taste_width: components of the SVD at most.
        seed: of the SVD's start.

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
    posts = episode.contexts.take(hashtags)
    entry_hashtag, entry_post = posts.row_of_value.astype(np.int32), posts.values
    messages, entry_message = np.unique(corpus.message_of_post[entry_post], return_inverse=True)
    message_vectors = _unit(np.asarray(vectors[messages], np.float32))
    recent = _recent_entries(episode, hashtags, posts).astype(np.float32)

    weights, distinct, idf = tag_weights(episode, history_length)
    profile, text_mean = _text_profiles(episode, vectors, history_length)
    taste = _taste(weights, taste_width, seed)
    users_of_tag = np.asarray(distinct.sum(axis=0)).ravel()
    names = _centred_names(names, np.flatnonzero(users_of_tag))

    hidden_entries = _hidden_entries(episode, hashtags, posts)
    authors, pairs = _author_pairs(
        entry_hashtag, corpus.user_of_post[entry_post], recent, hidden_entries
    )
    sums = np.zeros((len(hashtags), message_vectors.shape[1]), np.float32)
    np.add.at(sums, entry_hashtag, message_vectors[entry_message])
    author_weights = weights[authors]
    return Audience(
        hashtags=hashtags.astype(np.int32),
        messages=message_vectors,
        entry_message=entry_message.astype(np.int32),
        entry_hashtag=entry_hashtag,
        entry_recent=recent,
        entry_tags=(np.diff(corpus.hashtag_offsets)[entry_post] - 1).astype(np.float32),
        context_norm=np.linalg.norm(sums, axis=1),
        text_mean=text_mean,
        author_text=_centred(profile[authors], text_mean),
        author_names=_unit(np.asarray(author_weights @ names, np.float32)),
        author_taste=_unit(np.asarray(author_weights @ taste, np.float32)),
        author_tags=author_weights,
        idf=idf,
        taste=taste,
        names=names,
        users_of_tag=np.log1p(users_of_tag).astype(np.float32),
        hidden_entries=hidden_entries,
        **pairs,
        hidden_norms=_hidden_norms(
            hidden_entries, entry_hashtag, entry_message, message_vectors, sums
        ),
    )


def _recent_entries(episode: Episode, hashtags: np.ndarray, posts: Rows) -> np.ndarray:
    """Which context posts are of the future part; without one, those of the newest split."""
    if not episode.future.any():
        splits = episode.corpus.split_of_post
        return splits[posts.values] == splits[episode.contexts.values].max()
    start = episode.contexts.offsets[:-1][hashtags] - posts.offsets[:-1]
    return episode.future[np.arange(len(posts.values)) + start[posts.row_of_value]]


def _centred_names(names: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Unit vectors of all names, less the mean of the used ones."""
    names = _unit(np.asarray(names, np.float32))
    return _unit(names - names[used].mean(axis=0)) if len(used) else names


def names_from_messages(episode: Episode, vectors: np.ndarray) -> np.ndarray:
    """Stands in for vectors of hashtags' names: the mean vector of the known posts of each.

    Returns:
        float32 `[hashtags of the corpus, d]`; zeros for a hashtag that no known post has.
    """
    corpus = episode.corpus
    posts = np.sort(episode.history.values)
    rows = Rows(corpus.hashtag_offsets, corpus.hashtag_values).take(posts)
    by_tag = Rows.from_pairs(rows.values, posts[rows.row_of_value], len(corpus.hashtags))
    sums = np.zeros((len(by_tag), vectors.shape[1]), np.float32)
    filled = np.flatnonzero(by_tag.lengths)
    if len(filled):
        texts = _unit(np.asarray(vectors, np.float32))[corpus.message_of_post[by_tag.values]]
        sums[filled] = np.add.reduceat(texts, by_tag.offsets[:-1][filled], axis=0)
    return sums / np.maximum(by_tag.lengths, 1)[:, None].astype(np.float32)


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


def _newest(history: Rows, length: int) -> tuple[np.ndarray, np.ndarray]:
    """The newest posts of every user, and the users of these posts."""
    users = history.row_of_value
    from_end = history.offsets[1:][users] - np.arange(len(users))
    keep = from_end <= length
    return history.values[keep], users[keep]


def _text_profiles(
    episode: Episode, vectors: Any, history_length: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Mean unit vector of each user's newest messages, and the mean over users who have any."""
    posts, users = _newest(episode.history, history_length)
    sums = np.zeros((len(episode.corpus.users), vectors.shape[1]), np.float32)
    rows = episode.corpus.message_of_post[posts]
    if len(rows):
        first = np.flatnonzero(np.r_[True, np.diff(users) != 0])
        sums[users[first]] = np.add.reduceat(_unit(np.asarray(vectors[rows])), first, axis=0)
    counts = np.bincount(users, minlength=len(sums))
    profiles = sums / np.maximum(counts, 1)[:, None].astype(np.float32)
    active = counts > 0
    return profiles, profiles[active].mean(axis=0) if active.any() else profiles[0]


def _taste(weights: scipy.sparse.csr_matrix, width: int, seed: int) -> np.ndarray:
    """Right singular vectors, float32 `[hashtags, k]`; as many as the matrix has, at most."""
    limit = min(weights.shape) - 1
    width = min(width, limit)
    if width < 1 or weights.nnz == 0:
        return np.zeros((weights.shape[1], 1), np.float32)
    start = np.random.default_rng(seed).uniform(-1, 1, min(weights.shape))
    _, values, right = scipy.sparse.linalg.svds(weights.astype(np.float64), k=width, v0=start)
    right = right[values > 1e-6 * values.max()]
    return np.ascontiguousarray(right.T).astype(np.float32)


def _hidden_entries(episode: Episode, hashtags: np.ndarray, posts: Rows) -> np.ndarray:
    place = np.full(len(episode.corpus.hashtags), -1, np.int64)
    place[hashtags] = np.arange(len(hashtags))
    hidden = episode.hidden[place[episode.hidden[:, 1]] >= 0]
    entries = posts.offsets[:-1][place[hidden[:, 1]]] + hidden[:, 2]
    return np.stack([hidden[:, 0].astype(np.int64), entries], axis=1)


def _author_pairs(
    entry_hashtag: Any, entry_user: Any, recent: Any, hidden_entries: Any
) -> tuple[np.ndarray, dict]:
    """The corpus users who wrote, int `[A]`; the attributes of `Audience` about their pairs."""
    width = np.int64(entry_user.max() + 1)
    pairs, pair_of_entry, per_pair = np.unique(
        entry_hashtag * width + entry_user, return_inverse=True, return_counts=True
    )
    authors, pair_author = np.unique(pairs % width, return_inverse=True)
    pair_recent = np.zeros(len(pairs), np.float32)
    np.maximum.at(pair_recent, pair_of_entry, recent)
    return authors, {
        "pair_author": pair_author.astype(np.int32),
        "pair_hashtag": (pairs // width).astype(np.int32),
        "pair_recent": pair_recent,
        "hidden_pairs": _hidden_pairs(hidden_entries, pair_of_entry, per_pair),
    }


def _hidden_pairs(hidden_entries: Any, pair_of_entry: Any, per_pair: Any) -> np.ndarray:
    """Pairs (user, author pair) of which every message is hidden."""
    count = np.int64(len(per_pair))
    keys, hidden = np.unique(
        hidden_entries[:, 0] * count + pair_of_entry[hidden_entries[:, 1]], return_counts=True
    )
    keys = keys[hidden == per_pair[keys % count]]
    return np.stack([keys // count, keys % count], axis=1)


def _hidden_norms(
    hidden_entries: Any, entry_hashtag: Any, entry_message: Any, vectors: Any, sums: Any
) -> Any:
    count = np.int64(len(sums))
    keys, place = np.unique(
        hidden_entries[:, 0] * count + entry_hashtag[hidden_entries[:, 1]], return_inverse=True
    )
    order = np.argsort(place, kind="stable")
    norms = np.zeros(len(keys), np.float32)
    bounds = np.searchsorted(place[order], np.arange(len(keys) + 1))
    for index, key in enumerate(keys):
        entries = hidden_entries[order[bounds[index] : bounds[index + 1]], 1]
        rest = sums[key % count] - vectors[entry_message[entries]].sum(axis=0)
        norms[index] = np.linalg.norm(rest)
    return np.stack([keys // count, keys % count], axis=1), norms


def _centred(profiles: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Unit rows of the profiles less their mean; a row without history stays zero."""
    empty = np.all(profiles == 0, axis=1, keepdims=True)
    return _unit(np.where(empty, 0, profiles - mean))


def _unit(vectors: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(norms, 1e-9)).astype(np.float32)


def _check_rows(name: str, table: np.ndarray, rows: int) -> None:
    if table.ndim != 2 or len(table) != rows:
        raise DataError(f"`{name}` must have {rows} rows, found shape {list(table.shape)}.")
