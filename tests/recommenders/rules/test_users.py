import json
import os
import pathlib

import numpy as np
import pytest

from tfhashtag.errors import ConfigError, DataError
from tfhashtag.evaluation import evaluate
from tfhashtag.recommenders.rules.users import BertSimilarity, PopularityScorer, RandomScorer
from tfhashtag.tasks.users.episode import evaluation_episode


@pytest.fixture(scope="module")
def episode(make_corpus):
    rng = np.random.default_rng(0)
    posts = [
        (f"u{rng.integers(6)}", f"t{rng.integers(30)}", [f"{t}" for t in rng.integers(0, 40, 2)], s)
        for s in (0, 2)
        for _ in range(60)
    ]
    posts.append(("newcomer", "t0", ["0", "1", "2"], 2))
    return evaluation_episode(make_corpus(posts), protocol="full", minimum_contexts=1)


def test_similarity_equals_its_definition(episode):
    corpus, lists = episode.corpus, episode.candidates
    vectors = np.random.default_rng(1).normal(size=(len(corpus.messages), 5)).astype("float32")
    scores = BertSimilarity(vectors).score(episode)
    assert scores.dtype == np.float32 and len(scores) > 10
    for user, tag, score in zip(lists.user_of_value, lists.hashtags.values, scores, strict=True):
        history = vectors[corpus.message_of_post[episode.history[user]]]
        contexts = vectors[corpus.message_of_post[episode.visible_contexts(user, tag)]]
        if len(history) == 0:
            assert corpus.users[user] == "newcomer" and score == 0
            continue
        a, b = history.mean(0), contexts.mean(0)
        assert score == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-5)


def test_popularity_counts(episode):
    corpus, lists = episode.corpus, episode.candidates
    contexts, train = PopularityScorer().score(episode), PopularityScorer("train").score(episode)
    for place, (user, tag) in enumerate(
        zip(lists.user_of_value, lists.hashtags.values, strict=True)
    ):
        assert contexts[place] == len(episode.visible_contexts(user, tag))
        assert train[place] == sum(
            tag in corpus.hashtags_of_post(post)
            for post in range(len(corpus))
            if corpus.split_of_post[post] == 0
        )


def test_random_scores_follow_the_seed(episode):
    first, again, other = (RandomScorer(seed).score(episode) for seed in (0, 0, 1))
    assert first.tolist() == again.tolist() != other.tolist()


def test_wrong_arguments(episode):
    with pytest.raises(ConfigError, match="`by` must be 'contexts' or 'train', found 'tweets'"):
        PopularityScorer("tweets")
    with pytest.raises(DataError, match="a row for each of"):
        BertSimilarity(np.zeros((2, 3))).score(episode)


def test_popularity_on_the_twitter_data(howyoutag_corpus):
    episode = evaluation_episode(howyoutag_corpus)
    found = evaluate(episode.candidates, PopularityScorer().score(episode))["averages"]["all"]
    assert found["MAP"] == pytest.approx(0.163, abs=0.006)
    assert found["P@5"] == pytest.approx(0.062, abs=0.003)
    assert found["nDCG@5"] == pytest.approx(0.160, abs=0.006)


def test_similarity_on_the_twitter_data(howyoutag_corpus):
    """With MiniLM vectors made beforehand: TFHASHTAG_VECTORS holds minilm.npy and texts.json."""
    folder = os.environ.get("TFHASHTAG_VECTORS")
    if folder is None:
        pytest.skip("TFHASHTAG_VECTORS is not set; benchmarks/bert_sim.py makes the same check")
    texts = json.loads((pathlib.Path(folder) / "texts.json").read_text(encoding="utf-8"))
    assert texts == howyoutag_corpus.messages
    vectors = np.load(pathlib.Path(folder) / "minilm.npy")
    episode = evaluation_episode(howyoutag_corpus)
    found = evaluate(episode.candidates, BertSimilarity(vectors).score(episode))["averages"]["all"]
    assert found["MAP"] == pytest.approx(0.316, abs=0.01)
    assert found["P@5"] == pytest.approx(0.118, abs=0.004)
    assert found["nDCG@5"] == pytest.approx(0.3265, abs=0.01)
