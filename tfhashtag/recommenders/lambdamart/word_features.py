"""How a user's words and a hashtag's words match: the features of the shallow baselines."""

import dataclasses

import numpy as np
import scipy.sparse

from tfhashtag.corpus.rows import Rows
from tfhashtag.corpus.vocabulary import MessageWords
from tfhashtag.recommenders.lambdamart.word_vectors import LdaVectors, TfidfVectors
from tfhashtag.tasks.users.episode import Episode

FEATURES = (
    "cosine",
    "bhattacharyya",
    "largest_product",
    "mean_product",
    "shared",
    "shared_of_user",
    "shared_of_hashtag",
    "hashtag_at_top_of_user",
    "user_at_top_of_hashtag",
)


@dataclasses.dataclass(frozen=True)
class PairDocuments:
    """The texts of an episode's candidates: each user's and each hashtag's as one document.

    Attributes:
        users: word counts `[U, V]` of the users in `episode.candidates`.
        hashtags: word counts `[D, V]`: of hashtags, and of hashtags as single users see them.
        user: int `[pairs]`, the row of `users` of each candidate.
        hashtag: int `[pairs]`, the row of `hashtags` of each candidate.
    """

    users: scipy.sparse.csr_matrix
    hashtags: scipy.sparse.csr_matrix
    user: np.ndarray
    hashtag: np.ndarray

    @classmethod
    def of_episode(
        cls, episode: Episode, words: MessageWords, history_length: int = 50
    ) -> "PairDocuments":
        """Of the newest `history_length` messages of a user, and of all contexts that they see."""
        lists = episode.candidates
        users, hashtags = lists.user_of_value, lists.hashtags.values
        history = episode.history.padded(lists.users, history_length, keep="last")
        kept = Rows.from_lists([row[row >= 0] for row in history])
        offered, column = np.unique(hashtags, return_inverse=True)
        counts = episode.visible_context_counts(users, hashtags)
        apart = np.flatnonzero(counts < episode.contexts.lengths[hashtags])
        column = column.astype(np.int64)
        column[apart] = len(offered) + np.arange(len(apart))
        seen = [episode.visible_contexts(users[pair], hashtags[pair]) for pair in apart]
        contexts = [episode.contexts[hashtag] for hashtag in offered]
        return cls(
            word_counts(episode, kept, words),
            word_counts(episode, Rows.from_lists(contexts + seen), words),
            lists.hashtags.row_of_value,
            column,
        )


def word_counts(episode: Episode, posts: Rows, words: MessageWords) -> scipy.sparse.csr_matrix:
    """Words of each row of posts, int64 `[rows, V]`."""
    messages = episode.corpus.message_of_post[posts.values]
    shape = (len(posts), len(words.offsets) - 1)
    ones = np.ones(len(messages), np.int64)
    texts = scipy.sparse.csr_matrix((ones, (posts.row_of_value, messages)), shape)
    ones = np.ones(len(words.ids), np.int64)
    bags = scipy.sparse.csr_matrix((ones, words.ids, words.offsets), (shape[1], words.size))
    counts = scipy.sparse.csr_matrix(texts @ bags)
    counts.sort_indices()
    return counts


def word_features(documents: PairDocuments, vectors: LdaVectors | TfidfVectors) -> np.ndarray:
    r"""`FEATURES` of each pair of documents, float32 `[pairs, 9]`.

    With \(x\) and \(y\) the vectors of user and hashtag, scaled to length 1, and
    \(p_i = x_i y_i\): their cosine \(\sum_i p_i\); \(\sum_i \sqrt{\bar x_i \bar y_i}\) of the
    vectors scaled to sum 1; the largest and the mean of the \(p_i > 0\); how many there are, also
    as a share of the \(x_i > 0\) and of the \(y_i > 0\); \(y_i\) where \(x_i\) is largest, and
    the reverse. All are 0 where a document has no words. The counts of messages, popularity in
    other words, are no features.

    Args:
        documents: of the pairs.
        vectors: fitted.
    """
    if len(documents.user) == 0:
        return np.zeros((0, len(FEATURES)), np.float32)
    users, hashtags = (
        _unit(vectors.transform(part)) for part in (documents.users, documents.hashtags)
    )
    features = np.zeros((len(documents.user), len(FEATURES)), np.float32)
    tops = [np.asarray(part.argmax(axis=1)).ravel() for part in (users, hashtags)]
    sums = [np.maximum(np.asarray(part.sum(axis=1)).ravel(), 1e-12) for part in (users, hashtags)]
    sizes = [np.maximum(np.diff(part.indptr), 1) for part in (users, hashtags)]
    block = 32768
    for start in range(0, len(features), block):
        user, hashtag = (
            part[start : start + block] for part in (documents.user, documents.hashtag)
        )
        products = scipy.sparse.csr_matrix(users[user].multiply(hashtags[hashtag]))
        cosine = np.asarray(products.sum(axis=1)).ravel()
        shared = np.diff(products.indptr)
        roots = np.asarray(products.sqrt().sum(axis=1)).ravel()
        # Without words there is no largest weight either.
        some = (np.diff(users.indptr)[user] > 0) & (np.diff(hashtags.indptr)[hashtag] > 0)
        features[start : start + block] = some[:, None] * np.stack(
            [
                cosine,
                roots / np.sqrt(sums[0][user] * sums[1][hashtag]),
                products.max(axis=1).toarray().ravel(),
                cosine / np.maximum(shared, 1),
                shared,
                shared / sizes[0][user],
                shared / sizes[1][hashtag],
                np.asarray(hashtags[hashtag, tops[0][user]]).ravel(),
                np.asarray(users[user, tops[1][hashtag]]).ravel(),
            ],
            axis=1,
        )
    return features


def _unit(vectors: scipy.sparse.csr_matrix) -> scipy.sparse.csr_matrix:
    lengths = np.sqrt(np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel())
    scaled = scipy.sparse.diags(1 / np.where(lengths > 0, lengths, 1)) @ vectors
    scaled = scipy.sparse.csr_matrix(scaled)
    scaled.eliminate_zeros()
    return scaled
