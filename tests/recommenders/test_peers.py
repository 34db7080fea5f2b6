"""Every system of the engagement paper's comparison: trains, finds the theme, saves, reloads."""

import shutil

import numpy as np
import pytest

from tfhashtag.corpus.candidates import Candidates
from tfhashtag.corpus.corpus import Split
from tfhashtag.errors import ArtifactError, ConfigError, DataError
from tfhashtag.evaluation import evaluate
from tfhashtag.recommenders.configuration import load_settings, parse_settings
from tfhashtag.runs.train import train
from tfhashtag.settings import dump_settings
from tfhashtag.tasks.users.episode import evaluation_episode
from tfhashtag.training.options import TrainingOptions

QUIET = TrainingOptions(progress=False)
TREES = (
    "data.vocabulary_size=60",
    "training.futures=[[0.5, 0.8], [0.7, 1.0]]",
    "training.leaf_pairs=5",
    "training.trees=20",
)
NEURAL = (
    "data.contexts_length=6",
    "data.history_length=10",
    "data.negatives=5",
    "network.head_hidden=48",
    "training.batch_users=16",
)
LSTM = (*NEURAL, "network.hidden=12")
TOPICS = ("data.vocabulary_size=60", "network.topics=4", "network.topic_hidden=8")
PLAIN = ("training.epochs.joint=2",)
PHASES = ("training.epochs.topics=1", "training.epochs.warmup=1")
SYSTEMS = {
    "random": (),
    "popular": (),
    "popular_contexts": (),
    "bert_sim": (),
    "cf": ("training.factors=4",),
    "lda": (*TREES, "data.topics=4"),
    "tfidf": TREES,
    "mlp": (*NEURAL, *PLAIN),
    "lstm": (*LSTM, *PLAIN),
    "lstm_att": (*LSTM, *PLAIN),
    "topics": (*LSTM, *TOPICS, *PHASES, "training.epochs.joint=1"),
    "without_joint": (*LSTM, *TOPICS, *PHASES),
    "full": (*LSTM, *TOPICS, *PHASES, "training.epochs.joint=1"),
}
RULES = ("random", "popular", "popular_contexts", "bert_sim")
BLIND = ("random", "popular", "popular_contexts")  # know nothing of a user


# The other neural ones are made of the same parts: see test_model_switches and test_train.
TRAINED = [name for name in SYSTEMS if name not in ("lstm", "without_joint", "full")]
# `test_train` trains the topics, too, and resumes; `mlp` and `lstm_att` are the other fast twins.
SLOW = ("topics",)


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in TRAINED],
)
def trained(request, encoded_corpus, tmp_path_factory):
    """Name and complete run of each system."""
    if request.param in ("lda", "tfidf"):
        pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    if request.param == "cf":
        pytest.importorskip("implicit", reason="implicit is not installed")
    out = tmp_path_factory.mktemp("peers") / request.param
    sets = (f"text_encoder={encoded_corpus[1]}", *SYSTEMS[request.param])
    run = train(request.param, encoded_corpus[0], out, overrides=sets, options=QUIET)
    return request.param, run


def test_trains_evaluates_and_finds_the_theme(trained):
    name, run = trained
    found = run.evaluate(split="test", protocol="full").result["averages"]["answerable"]["MAP"]
    episode = evaluation_episode(run.corpus, Split.TEST, "full")
    equal = np.zeros(len(episode.candidates.labels))
    chance = evaluate(episode.candidates, equal, seed=0)["averages"]["answerable"]["MAP"]
    if name in BLIND:
        assert 0 < found < 1
    else:
        assert found > 1.3 * chance


def test_batch_equals_single_and_what_is_saved_scores_the_same(trained, tmp_path):
    name, run = trained
    first = run.recommender
    episode = evaluation_episode(run.corpus, Split.TEST, "full")
    scores = first.score_episode(episode)
    assert scores.dtype == np.float32
    assert len(scores) == len(episode.candidates.hashtags.values) > 20
    first.save(tmp_path)
    second = type(first).load(tmp_path, run.settings, run.data)
    assert np.array_equal(second.score_episode(episode), scores)
    if name == "random":
        return
    lists = episode.candidates
    for user in (0, 5):
        start, stop = lists.hashtags.offsets[user : user + 2]
        assert stop > start
        alone = Candidates(
            lists.users[user : user + 1], lists.hashtags.take([user]), lists.labels[start:stop]
        )
        single = second.score_episode(episode.with_candidates(alone))
        np.testing.assert_allclose(single, scores[start:stop], rtol=1e-4, atol=1e-5)


def test_damaged_weights_are_named(trained, tmp_path):
    name, run = trained
    if name in RULES:
        assert not list(run.weights.iterdir())  # there is nothing to learn
        return
    shutil.copytree(run.weights, tmp_path / "weights")
    for path in (tmp_path / "weights").iterdir():
        path.write_bytes(b"{")
    with pytest.raises(ArtifactError, match="weights"):
        run.new_recommender().restore(run.data, tmp_path / "weights")


@pytest.mark.parametrize("name", SYSTEMS)
def test_shipped_configuration_reads_back_equal(name, tmp_path):
    settings = load_settings(name, ["seed=3"])
    path = tmp_path / "config.yaml"
    path.write_text(dump_settings(settings), encoding="utf-8")
    assert load_settings(path) == settings
    assert parse_settings(settings.model_dump(), "here") == settings


def test_topics_to_train_need_topics():
    with pytest.raises(ConfigError, match=r"takes four units .* is 3"):
        load_settings("engagement_paper", ["network.head_hidden=3"])
    with pytest.raises(ConfigError, match=r"network.features: .*multiple of 2, found 301"):
        load_settings("phr", ["network.features=301"])
    with pytest.raises(ConfigError, match=r"`network.topics` is null.* must be 0, not 20"):
        load_settings("full", ["network.topics=null"])


def test_trees_need_something_to_learn(encoded_corpus, tmp_path):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    sets = (f"text_encoder={encoded_corpus[1]}", *TREES)
    many = (*sets, "data.minimum_contexts=1000")
    with pytest.raises(DataError, match=r"1000 messages.*minimum_contexts=17"):
        train("tfidf", encoded_corpus[0], tmp_path / "small", overrides=many, options=QUIET)
