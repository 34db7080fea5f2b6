"""The recommended model: learns, resumes exactly, reloads, runs in every way."""

import dataclasses
import json

import numpy as np
import pytest

from tests.fixtures.training import left_by_a_kill
from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.store import read_corpus, write_corpus
from tfhashtag.errors import ArtifactError, ConfigError, DataError
from tfhashtag.evaluation import evaluate
from tfhashtag.recommenders.audience.audience import names_from_messages
from tfhashtag.recommenders.audience.recommender import AudienceRecommender
from tfhashtag.recommenders.hashtag_names import read_names, write_names
from tfhashtag.runs.train import train
from tfhashtag.tasks import UserQueries
from tfhashtag.tasks.users.episode import evaluation_episode, imitated_future
from tfhashtag.training.options import TrainingOptions

QUIET = TrainingOptions(progress=False)


def settings(encoded_corpus, *more):
    return (
        f"text_encoder={encoded_corpus[1]}",
        "data.hashtag_names=messages",
        "data.taste_width=6",
        "network.members=2",
        "network.hidden=[8]",
        "network.trees=4",
        "network.leaves=3",
        "training.futures=[[0.6, 1.0], [0.8, 1.0]]",
        "training.batch_users=4",
        "training.epochs=3",
        *more,
    )


@pytest.fixture(scope="module")
def trained(encoded_corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("audience") / "run"
    sets = settings(encoded_corpus)
    with left_by_a_kill(out.with_name("killed"), "refit", epoch=1):
        return train("engagement", encoded_corpus[0], out, overrides=sets, options=QUIET)


def epochs(run):
    lines = map(json.loads, (run.folder / "training.jsonl").read_text().splitlines())
    return [line for line in lines if "phase" in line]


def test_learns_from_the_valid_split_at_once(trained):
    """Where nothing is chosen by it."""
    assert [line["phase"] for line in epochs(trained)] == ["refit"] * 3
    assert epochs(trained)[2]["loss"] < epochs(trained)[0]["loss"]
    assert all("valid_MAP" not in line for line in epochs(trained))
    model = trained.recommender.model
    assert np.any(model.trees.values != 0) and np.all(model.shares > 0)


def test_learns_from_as_many_users_as_are_asked_for(trained):
    training = trained.settings.training.model_copy(update={"users": 1})
    few = AudienceRecommender(trained.settings.model_copy(update={"training": training}))
    few.begin(trained.data)
    whole, counts = trained.recommender.list_parts(), few.list_parts()
    assert set(counts.values()) == {1} and min(whole.values()) > 1
    lists = few.lists_of("valid", 0, None)
    assert len(lists.offsets) == counts["valid"] + 1
    assert len(few.scoring._signals.names.numpy()) == 0  # its tables are out of memory
    again = few.lists_of("valid", 0, None)
    np.testing.assert_array_equal(again.features["all"], lists.features["all"])


def test_without_a_refit_the_valid_split_is_ranked(encoded_corpus, spoilt, tmp_path):
    """And the test split is not looked at."""
    sets = settings(encoded_corpus, "training.epochs=1", "training.refit=false", "network.trees=0")
    run = train("engagement", encoded_corpus[0], tmp_path / "run", overrides=sets, options=QUIET)
    (line,) = epochs(run)
    other = train("engagement", spoilt, tmp_path / "other", overrides=sets, options=QUIET)
    assert epochs(other) == [line]
    assert line["phase"] == "futures"
    assert 0 <= line["valid_MAP"] <= 1 and 0 <= line["valid_content_MAP"] <= 1
    assert run.recommender.model.shares[1] == 0


def test_stops_early_and_fits_as_long_as_was_best(encoded_corpus, tmp_path):
    sets = settings(
        encoded_corpus, "training.patience=2", "training.epochs=12", "training.learning_rate=0.3"
    )
    run = train("engagement", encoded_corpus[0], tmp_path / "run", overrides=sets, options=QUIET)
    values = [line["valid_MAP"] for line in epochs(run) if line["phase"] == "futures"]
    best = int(np.argmax(values)) + 1
    assert len(values) == best + 2 < 12
    refit = [line for line in epochs(run) if line["phase"] == "refit"]
    assert len(refit) == best
    assert all("valid_MAP" not in line for line in refit)  # which has seen the valid split
    episode = evaluation_episode(run.corpus, Split.TEST, "full")
    scores = run.recommender.score_episode(episode)
    found = evaluate(episode.candidates, scores, seed=0)["averages"]["answerable"]["MAP"]
    chance = evaluate(episode.candidates, 0 * scores, seed=0)["averages"]["answerable"]["MAP"]
    assert found > 1.3 * chance  # and it found the theme


def test_patience_without_a_refit_is_refused(encoded_corpus, tmp_path):
    sets = settings(encoded_corpus, "training.patience=1", "training.refit=false")
    with pytest.raises(ConfigError, match="chooses the epochs of `refit`"):
        train("engagement", encoded_corpus[0], tmp_path / "run", overrides=sets, options=QUIET)


def test_learns_in_memory_as_in_a_run(trained):
    recommender = AudienceRecommender(trained.settings, QUIET)
    queries = UserQueries(evaluation_episode(trained.corpus, Split.TEST))
    with pytest.raises(ArtifactError, match="nothing is learned yet"):
        recommender.score(queries)
    recommender.fit(trained.data)
    np.testing.assert_array_equal(recommender.score(queries), trained.recommender.score(queries))


def test_resumes_to_the_same_result(trained, encoded_corpus):
    killed, sets = trained.folder.with_name("killed"), settings(encoded_corpus)
    run = train("engagement", None, killed, overrides=sets, resume=True, options=QUIET)
    assert epochs(run) == epochs(trained)
    episode = evaluation_episode(trained.corpus, Split.TEST)
    np.testing.assert_array_equal(
        run.recommender.score_episode(episode),
        trained.recommender.score_episode(episode),
    )


@pytest.mark.parametrize(
    "options",
    [
        TrainingOptions(mixed_precision=True, xla=True, progress=False),
        TrainingOptions(strategy="mirrored", progress=False),
    ],
    ids=["mixed_precision and xla", "mirrored"],
)
def test_ways_to_run(options, trained, encoded_corpus, tmp_path):
    sets = settings(encoded_corpus, "training.epochs=1")
    run = train("engagement", encoded_corpus[0], tmp_path / "run", overrides=sets, options=options)
    assert epochs(run)[0]["loss"] == pytest.approx(epochs(trained)[0]["loss"], rel=0.1)


def test_a_table_of_vectors_has_no_names(encoded_corpus, tmp_path):
    with pytest.raises(ConfigError, match="hashtag_names"):
        train(
            "engagement",
            encoded_corpus[0],
            tmp_path / "run",
            overrides=[f"text_encoder={encoded_corpus[1]}"],
            options=QUIET,
        )


def test_too_small_to_learn_from(encoded_corpus, tmp_path):
    sets = settings(encoded_corpus, "data.minimum_contexts=1000")
    with pytest.raises(DataError, match=r"No hashtag has the 1000 messages.*minimum_contexts="):
        train("engagement", encoded_corpus[0], tmp_path / "run", overrides=sets, options=QUIET)


def test_without_valid_posts_the_last_epoch_is_kept(encoded_corpus, tmp_path):
    corpus = read_corpus(encoded_corpus[0])
    splits = np.where(corpus.split_of_post == Split.VALID, Split.TRAIN, corpus.split_of_post)
    write_corpus(dataclasses.replace(corpus, split_of_post=splits), tmp_path / "corpus")
    sets = settings(encoded_corpus, "training.epochs=2")
    run = train("engagement", tmp_path / "corpus", tmp_path / "run", overrides=sets, options=QUIET)
    assert [line["phase"] for line in epochs(run)] == ["futures"] * 2
    assert "valid_MAP" not in epochs(run)[-1]
    assert run.complete and "MAP" in str(run.evaluate())


def test_names_of_another_corpus_are_refused(trained, tmp_path):
    path = tmp_path / "hashtag_names.npy"
    np.save(path, np.zeros((3, 2), np.float16))
    with pytest.raises(ArtifactError, match="another corpus"):
        read_names(path, trained.corpus, 2)
    with pytest.raises(ArtifactError, match="not readable"):
        read_names(tmp_path / "nothing.npy", trained.corpus, 2)
    names = np.arange(2 * len(trained.corpus.hashtags), dtype=np.float32).reshape(-1, 2)
    write_names(path, names)
    np.testing.assert_array_equal(read_names(path, trained.corpus, 2), names)


def test_names_from_messages_know_nothing_of_the_future(encoded_corpus):
    corpus = read_corpus(encoded_corpus[0])
    vectors = np.load(encoded_corpus[1])
    episode = imitated_future(corpus, 0.5)
    found = names_from_messages(episode, vectors)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    known = set(episode.history.values.tolist())
    compared = 0
    for hashtag in range(len(corpus.hashtags)):
        posts = [p for p in sorted(known) if hashtag in corpus.hashtags_of_post(p)]
        mean = unit[corpus.message_of_post[posts]].mean(axis=0) if posts else 0
        np.testing.assert_allclose(found[hashtag], mean, atol=1e-5)
        compared += bool(posts)
    assert compared > 10


def test_retrieval_is_told_source_by_source(trained):
    queries = UserQueries(evaluation_episode(trained.corpus, Split.TEST, "full"))
    rows = trained.recommender.retrieval_recall(queries)
    sources = ["messages", "people", "names", "popular", "all", "ranked"]
    assert [row["source"] for row in rows] == sources
    assert [row["recall"] for row in rows] == [1.0] * 6  # the catalogue is smaller than 150
    assert np.all(trained.recommender.model.first_look != 1)  # was fitted
    data = trained.settings.data.model_copy(update={"rank_whole": 0, "candidates": 5, "ranked": 3})
    settings = trained.settings.model_copy(update={"data": data})
    other = AudienceRecommender.load(trained.weights, settings, trained.data)
    rows = other.retrieval_recall(queries)
    assert [row["candidates"] for row in rows] == [5.0] * 5 + [3.0]
    whole, some = trained.recommender.score(queries), other.score(queries)
    lists = queries.truth.hashtags
    for first, last in zip(lists.offsets[:-1], lists.offsets[1:], strict=True):
        if last - first > 3:
            best = np.argsort(-some[first:last])[:3]
            np.testing.assert_allclose(some[first:last][best], whole[first:last][best], atol=1e-4)
