"""How good topics are: the coherence and the diversity of their top words."""

import numpy as np
import scipy.sparse

from tfhashtag.errors import DataError

COHERENCE_WORDS = 10
DIVERSITY_WORDS = 25


def top_words(distributions: np.ndarray, count: int) -> np.ndarray:
    """The likeliest words of each topic, the likeliest first.

    Args:
        distributions: `[K, V]`, likelihoods of words, or anything that ranks them alike.
        count: words of a topic; all V where there are fewer.

    Returns:
        Word ids, int64 `[K, min(count, V)]`; of equally likely words the smaller id first.

    Example:

    >>> top_words(np.array([[0.1, 0.6, 0.3], [0.4, 0.2, 0.4]]), 2).tolist()
    [[1, 2], [0, 2]]
    """
    return np.argsort(-np.asarray(distributions), axis=1, kind="stable")[:, :count]


def npmi_coherence(words: np.ndarray, documents: scipy.sparse.csr_matrix) -> np.ndarray:
    r"""How often the top words of each topic stand in the same documents.

    $$
    C_k = \frac{2}{N (N - 1)} \sum_{i < j} \mathrm{npmi}(w_i, w_j), \qquad
    \mathrm{npmi}(a, b) = \frac{\log \frac{p(a, b)}{p(a) \, p(b)}}{-\log p(a, b)}
    $$

    over all pairs of a topic's N top words, N = 10 by custom (Lau et al., 2014, "Machine reading
    tea leaves", Section 3; Bouma, 2009, "Normalized (pointwise) mutual information in collocation
    extraction"). \(p(a)\) is the share of documents with the word, \(p(a, b)\) of those with both,
    counted once a document and without smoothing. The two limits are Bouma's: a pair that never
    stands together has -1, one that stands together in every document (0 / 0) has 0, since neither
    word says anything of the other.

    Args:
        words: ids of the N >= 2 top words, int `[K, N]`, distinct within a topic.
        documents: the reference, counts of words `[D, V]`; only whether they are 0 counts.

    Returns:
        float64 `[K]`, each in [-1, 1]; their mean is the coherence of a model.

    Raises:
        DataError: there is no document, or a topic has fewer than two words.

    Example:

    >>> documents = scipy.sparse.csr_matrix([[1, 1, 0], [2, 1, 0], [0, 0, 1], [0, 0, 1]])
    >>> npmi_coherence(np.array([[0, 1], [0, 2]]), documents).tolist()
    [1.0, -1.0]
    """
    words = np.asarray(words)
    if documents.shape[0] == 0:
        raise DataError("`documents` is empty; coherence counts words in at least one document.")
    if words.ndim != 2 or words.shape[1] < 2:
        raise DataError(
            f"`words` must be [topics, 2 or more], found shape {words.shape}; coherence is about "
            "pairs of words."
        )
    used, places = np.unique(words, return_inverse=True)
    places = places.reshape(words.shape)
    present = (documents[:, used] > 0).astype(np.float64)
    together = (present.T @ present).toarray() / documents.shape[0]
    first, second = np.triu_indices(words.shape[1], k=1)
    a, b = places[:, first], places[:, second]
    return _npmi(np.diag(together)[a], np.diag(together)[b], together[a, b]).mean(axis=1)


def diversity(words: np.ndarray) -> float:
    """Share of distinct words among the top words of all topics, in (0, 1].

    The top 25 by custom (Dieng et al., 2020, "Topic modeling in embedding spaces", Section 6); 1
    where no two topics share a word.

    Args:
        words: ids of the top words, int `[K, N]`.

    Example:

    >>> diversity(np.array([[0, 1], [0, 2]]))
    0.75
    """
    words = np.asarray(words)
    return len(np.unique(words)) / words.size


def _npmi(first: np.ndarray, second: np.ndarray, both: np.ndarray) -> np.ndarray:
    found = np.full(both.shape, -1.0)
    found[both == 1] = 0.0
    some = (both > 0) & (both < 1)
    joint = both[some]
    found[some] = np.log(joint / (first[some] * second[some])) / -np.log(joint)
    return found
