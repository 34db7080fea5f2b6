"""Coherence against plain loops and against another library."""

import itertools
import math

import numpy as np
import pytest
import scipy.sparse
from gensim.models.coherencemodel import CoherenceModel

from tfhashtag.errors import DataError
from tfhashtag.recommenders.engagement.topic_quality import diversity, npmi_coherence, top_words

RNG = np.random.default_rng(0)
DOCUMENTS = RNG.poisson(0.5, size=(60, 12))
DOCUMENTS[:, 10] = 1
DOCUMENTS[:, 11] = 2  # with word 10 in every document
DOCUMENTS[:30, 0], DOCUMENTS[30:, 1] = 0, 0  # never together
TOPICS = np.array([[0, 1, 2, 3], [4, 5, 6, 7], [10, 11, 2, 8]])


def npmi_by_loops(a, b):
    count = len(DOCUMENTS)
    with_a = sum(row[a] > 0 for row in DOCUMENTS) / count
    with_b = sum(row[b] > 0 for row in DOCUMENTS) / count
    both = sum(row[a] > 0 and row[b] > 0 for row in DOCUMENTS) / count
    if both == 0:
        return -1.0
    if both == 1:
        return 0.0
    return math.log(both / (with_a * with_b)) / -math.log(both)


def test_coherence_equals_plain_loops():
    found = npmi_coherence(TOPICS, scipy.sparse.csr_matrix(DOCUMENTS))
    for topic, value in zip(TOPICS, found, strict=True):
        pairs = [npmi_by_loops(a, b) for a, b in itertools.combinations(topic, 2)]
        assert value == pytest.approx(np.mean(pairs), abs=1e-12)
    assert npmi_by_loops(0, 1) == -1 and npmi_by_loops(10, 11) == 0


def test_coherence_equals_gensim():
    """Its window of 10,000 words is the whole document; it takes 1e-12 for a pair never seen."""
    ids = [[str(word) for word in np.repeat(np.arange(12), row)] for row in DOCUMENTS]
    topics = TOPICS[:2]  # neither always together, which there has no convention
    from gensim.corpora import Dictionary

    model = CoherenceModel(
        topics=[[str(word) for word in topic] for topic in topics],
        texts=ids,
        dictionary=Dictionary(ids),
        coherence="c_npmi",
        window_size=10_000,
        processes=1,
    )
    found = npmi_coherence(topics, scipy.sparse.csr_matrix(DOCUMENTS))
    theirs = model.get_coherence_per_topic()
    assert found[1] == pytest.approx(theirs[1], abs=1e-9)
    # log(1e-12) / -log(1e-12) comes near to -1 but for the logarithms of the two words.
    shares = [(DOCUMENTS[:, word] > 0).mean() for word in (0, 1)]
    unseen = (math.log(1e-12) - math.log(math.prod(shares))) / -math.log(1e-12)
    assert found[0] + (unseen + 1) / 6 == pytest.approx(theirs[0], abs=1e-9)


def test_counts_do_not_matter():
    once = npmi_coherence(TOPICS, scipy.sparse.csr_matrix(np.minimum(DOCUMENTS, 1)))
    assert np.array_equal(once, npmi_coherence(TOPICS, scipy.sparse.csr_matrix(DOCUMENTS)))


def test_top_words_and_diversity():
    distributions = np.array([[0.2, 0.5, 0.3, 0.0], [0.1, 0.1, 0.2, 0.6]])
    assert top_words(distributions, 3).tolist() == [[1, 2, 0], [3, 2, 0]]
    assert diversity(top_words(distributions, 3)) == pytest.approx(4 / 6)
    assert top_words(distributions, 25).shape == (2, 4)


def test_refuses_what_has_no_pairs():
    with pytest.raises(DataError, match="`documents` is empty"):
        npmi_coherence(TOPICS, scipy.sparse.csr_matrix((0, 12)))
    with pytest.raises(DataError, match=r"\[topics, 2 or more\]"):
        npmi_coherence(TOPICS[:, :1], scipy.sparse.csr_matrix(DOCUMENTS))
