"""Features of words: by plain loops, from what a user may see and nothing else."""

import sys

import numpy as np
import pytest
import scipy.sparse

from tfhashtag.corpus.vocabulary import MessageWords, Vocabulary
from tfhashtag.errors import ArtifactError, ConfigError
from tfhashtag.recommenders.lambdamart.word_features import FEATURES, PairDocuments, word_features
from tfhashtag.recommenders.lambdamart.word_vectors import LdaVectors, TfidfVectors
from tfhashtag.tasks.users.episode import evaluation_episode

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
RNG = np.random.default_rng(0)


class AsTheyAre:
    """Counts themselves as vectors."""

    def transform(self, counts):
        return counts


@pytest.fixture(scope="module")
def episode(make_corpus):
    rng = np.random.default_rng(0)
    posts = [
        (
            f"u{rng.integers(6)}",
            " ".join(f"w{word}" for word in rng.integers(0, 12, 3)),
            [f"{tag}" for tag in rng.integers(0, 20, 2)],
            split,
        )
        for split in (0, 2)
        for _ in range(60)
    ]
    posts.append(("newcomer", "w0 w1", ["0", "1", "2"], 2))
    return evaluation_episode(make_corpus(posts), protocol="full", minimum_contexts=1)


@pytest.fixture(scope="module")
def words(episode):
    vocabulary = Vocabulary.of_messages(episode.corpus.messages, 10)
    return MessageWords.of_messages(vocabulary, episode.corpus.messages)


def test_documents_hold_what_a_user_may_see(episode, words):
    documents = PairDocuments.of_episode(episode, words, history_length=4)
    lists, message = episode.candidates, episode.corpus.message_of_post
    apart = 0
    pairs = zip(lists.user_of_value, lists.hashtags.values, strict=True)
    for place, (user, tag) in enumerate(pairs):
        newest = message[episode.history[user][-4:]]
        seen = message[episode.visible_contexts(user, tag)]
        apart += len(seen) < episode.contexts.lengths[tag]
        found = documents.users[documents.user[place]].toarray()[0]
        assert found.tolist() == words.bags(newest).tolist()
        found = documents.hashtags[documents.hashtag[place]].toarray()[0]
        assert found.tolist() == words.bags(seen).tolist()
    assert apart > 3


def test_features_by_loops():
    users, hashtags = RNG.poisson(0.6, (4, 7)), RNG.poisson(0.8, (5, 7))
    users[3], hashtags[4] = 0, 0
    user, hashtag = (part.ravel() for part in np.meshgrid(np.arange(4), np.arange(5)))
    documents = PairDocuments(
        scipy.sparse.csr_matrix(users), scipy.sparse.csr_matrix(hashtags), user, hashtag
    )
    found = word_features(documents, AsTheyAre())
    assert found.shape == (20, len(FEATURES)) and found.dtype == np.float32
    for row, (u, h) in enumerate(zip(user, hashtag, strict=True)):
        x, y = users[u].astype(float), hashtags[h].astype(float)
        if not x.any() or not y.any():
            assert not found[row].any()
            continue
        x, y = x / np.sqrt(sum(x * x)), y / np.sqrt(sum(y * y))
        products = [a * b for a, b in zip(x, y, strict=True)]
        shared = [p for p in products if p > 0]
        expected = {
            "cosine": sum(products),
            "bhattacharyya": sum(
                np.sqrt(a * b) for a, b in zip(x / sum(x), y / sum(y), strict=True)
            ),
            "largest_product": max(products),
            "mean_product": sum(shared) / max(len(shared), 1),
            "shared": len(shared),
            "shared_of_user": len(shared) / sum(x > 0),
            "shared_of_hashtag": len(shared) / sum(y > 0),
            "hashtag_at_top_of_user": y[list(x).index(max(x))],
            "user_at_top_of_hashtag": x[list(y).index(max(y))],
        }
        np.testing.assert_allclose(found[row], [expected[f] for f in FEATURES], atol=1e-6)


def counts_of_two_themes(documents=40):
    """Documents of words 0-5 and of words 6-11, in turn."""
    counts = np.zeros((documents, 12), np.int64)
    for row in range(documents):
        counts[row, 6 * (row % 2) : 6 * (row % 2) + 6] = RNG.poisson(2.0, 6) + 1
    return scipy.sparse.csr_matrix(counts)


@pytest.mark.parametrize("vectors", [LdaVectors(2, 10), TfidfVectors()], ids=["lda", "tfidf"])
def test_themes_are_told_apart_and_vectors_restore(vectors):
    counts = counts_of_two_themes()
    with pytest.raises(ArtifactError, match="call `fit` or `restore`"):
        type(vectors)().transform(counts)
    vectors.fit(counts)
    user, hashtag = np.array([0, 0, 1, 1]), np.array([2, 3, 2, 3])
    documents = PairDocuments(counts, counts, user, hashtag)
    cosine = word_features(documents, vectors)[:, 0]
    assert min(cosine[0], cosine[3]) > 0.6
    assert max(cosine[1], cosine[2]) < 0.4
    again = LdaVectors(2, 10) if isinstance(vectors, LdaVectors) else TfidfVectors()
    again.restore(vectors.arrays())
    expected, found = vectors.transform(counts).toarray(), again.transform(counts).toarray()
    assert np.array_equal(expected, found)
    one = vectors.transform(counts[5:6]).toarray()
    np.testing.assert_allclose(one[0], expected[5], atol=1e-9)  # batch equals single
    assert vectors.transform(scipy.sparse.csr_matrix((1, 12))).nnz == 0


def test_mistakes_are_named(monkeypatch):
    with pytest.raises(ConfigError, match="`topics` must be at least 2, found 1"):
        LdaVectors(topics=1)
    with pytest.raises(ArtifactError, match="expected 3 topics"):
        LdaVectors(topics=3).restore(
            {"components": np.ones((2, 5)), "exp_dirichlet": np.ones((2, 5))}
        )
    monkeypatch.setitem(sys.modules, "sklearn.feature_extraction.text", None)
    with pytest.raises(ConfigError, match=r"tfhashtag\[baselines\]"):
        TfidfVectors().fit(counts_of_two_themes())
