"""Metrics of posts against plain loops and against an independent library on the written files."""

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfhashtag.corpus.candidates import Candidates
from tfhashtag.corpus.rows import Rows
from tfhashtag.errors import DataError
from tfhashtag.evaluation import compare_paired
from tfhashtag.evaluation.post_metrics import evaluate_posts, per_post, rank_labels
from tfhashtag.metrics import parse_metric
from tfhashtag.tasks import PostQueries
from tfhashtag.tasks.posts.labels import PostLabels

SCORES = st.sampled_from([0.0, -0.0, 1.0, 1 + 1e-12, -3.5, 1e-45, 0.25, 1e30])


@st.composite
def problems(draw):
    labels = draw(st.integers(1, 12))
    posts = draw(st.integers(1, 6))
    scores = draw(st.lists(st.lists(SCORES, min_size=labels, max_size=labels), min_size=posts,
                           max_size=posts))  # fmt: skip
    sets = st.lists(st.integers(0, labels - 1), unique=True, max_size=labels)
    relevant = draw(st.lists(sets, min_size=posts, max_size=posts))
    return np.array(scores), relevant


@pytest.fixture(scope="module")
def corpus(make_corpus):
    """Names whose order is not that of the labels: ties by name must not get their way."""
    names = [f"tag{i} %" for i in np.random.default_rng(0).permutation(12)]
    return make_corpus([("u", "text", names, 0) for _ in range(6)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("trec")


@given(problems(), st.integers(0, 9), st.booleans())
@settings(max_examples=150, deadline=None)
def test_equal_to_ir_measures_on_the_files(corpus, folder, problem, seed, single):
    scores, relevant = problem
    scores = scores.astype(np.float32) if single else scores
    if not any(relevant):
        with pytest.raises(DataError, match="no post with a label"):
            evaluate_posts(Rows.from_lists(relevant), scores)
        return
    rows = Rows.from_lists(relevant + [[]] * (6 - len(relevant)))
    labels = PostLabels(np.arange(scores.shape[1]), rows)
    posts = np.arange(len(scores))
    queries = PostQueries(corpus, posts, labels, seed)
    queries.ranking(scores, 9).write_run(folder / "run")
    queries.write_qrels(folder / "qrels")
    result = evaluate_posts(labels.rows.take(posts), scores, (1, 3, 9), seed)
    assert result["posts"] == sum(bool(row) for row in relevant)
    assert result["labels"] == scores.shape[1]
    qrels = list(ir_measures.read_trec_qrels(str(folder / "qrels")))
    run = list(ir_measures.read_trec_run(str(folder / "run")))
    theirs = {"HitRate": "Success", "Precision": "P", "Recall": "R"}
    for ours, name in theirs.items():
        for k in (1, 3, 9):
            measure = ir_measures.parse_measure(f"{name}@{k}")
            found = ir_measures.calc_aggregate([measure], qrels, run)[measure]
            assert result["metrics"][f"{ours}@{k}"] == pytest.approx(found, abs=1e-9), (ours, k)


@given(problems(), st.integers(0, 3))
@settings(deadline=None)
def test_equal_to_loops(problem, seed):
    scores, relevant = problem
    ranked = rank_labels(scores, 99, seed)
    values = per_post(Rows.from_lists(relevant), scores, (1, 5), seed)
    answerable = [post for post, row in enumerate(relevant) if row]
    for place, post in enumerate(answerable):
        order = ranked[post].tolist()
        assert sorted(order) == list(range(scores.shape[1]))
        assert np.all(np.diff(scores[post, order]) <= 0)
        for k in (1, 5):
            hits = len(set(order[:k]) & set(relevant[post]))
            assert values[f"HitRate@{k}"][place] == (hits > 0)
            assert values[f"Precision@{k}"][place] == hits / k
            assert values[f"Recall@{k}"][place] == hits / len(relevant[post])
    assert all(len(value) == len(answerable) for value in values.values())


def test_f1_is_that_of_the_averages():
    relevant = Rows.from_lists([[0], [1, 2, 3, 4]])
    metrics = evaluate_posts(relevant, np.array([[9, 0, 0, 0, 0], [0, 9, 8, 1, 2]]), (3,))[
        "metrics"
    ]
    precision, recall = (1 / 3 + 1) / 2, (1 + 3 / 4) / 2
    assert metrics["F1@3"] == pytest.approx(2 * precision * recall / (precision + recall))


def test_a_constant_scorer_gets_the_score_of_chance():
    relevant = Rows.from_lists([[0]] * 4000)
    constant = evaluate_posts(relevant, np.zeros((4000, 20)), (5,))["metrics"]["HitRate@5"]
    assert abs(constant - 0.25) < 0.03
    other = evaluate_posts(relevant, np.zeros((4000, 20)), (5,), seed=1)["metrics"]["HitRate@5"]
    assert other != constant


def test_blocks_rank_as_the_whole():
    scores = np.random.default_rng(0).integers(0, 3, (50, 30)).astype(np.float32)
    posts = np.arange(50) * 3
    whole = rank_labels(scores, 9, 5, posts)
    parts = [rank_labels(scores[i : i + 7], 9, 5, posts[i : i + 7]) for i in range(0, 50, 7)]
    assert np.array_equal(np.concatenate(parts), whole)
    shuffle = np.random.default_rng(1).permutation(50)
    assert np.array_equal(rank_labels(scores[shuffle], 9, 5, posts[shuffle]), whole[shuffle])


def test_rankings_in_place_of_scores():
    relevant = Rows.from_lists([[0, 3], [], [2]])
    scores = np.random.default_rng(0).normal(size=(3, 4))
    ranked = np.full((3, 9), -1)
    ranked[:, :4] = rank_labels(scores, 9)
    assert evaluate_posts(relevant, scores) == evaluate_posts(
        relevant, rankings=ranked, label_count=4
    )


def test_per_post_values_can_be_compared():
    relevant = Rows.from_lists([[0]] * 30 + [[]])
    good = np.tile([1.0, 0.0, 0.0], (31, 1))
    chance = np.random.default_rng(0).normal(size=(31, 3))
    first, second = (per_post(relevant, scores, (1,))["HitRate@1"] for scores in (good, chance))
    assert compare_paired(first, second).p_value < 0.01


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({}, "one of"),
        ({"scores": np.zeros((2, 3)), "rankings": np.zeros((2, 3))}, "one of"),
        ({"scores": np.zeros((3, 3))}, "2 posts"),
        ({"scores": np.zeros(3)}, "found shape"),
        ({"scores": np.array([[0, 1], [2, np.nan]])}, "row 1, label 1"),
        ({"scores": np.zeros((2, 3)), "cutoffs": (0,)}, "at least 1"),
        ({"scores": np.zeros((2, 3)), "posts": np.arange(3)}, "`posts`"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(DataError, match=message):
        per_post(Rows.from_lists([[0], [1]]), **arguments)


def test_lines_of_the_files(make_corpus, tmp_path):
    corpus = make_corpus([("u", "a", ["x y", "z"], 0), ("u", "b", [], 0), ("v", "a", ["z"], 2)])
    labels = PostLabels.of_corpus(corpus, 1)
    scores = np.float32([[0.5, 0.25], [0, 0.1]])
    queries = PostQueries(corpus, np.array([0, 2]), labels)
    queries.ranking(scores, 1).write_run(tmp_path / "run")
    queries.write_qrels(tmp_path / "qrels")
    assert (tmp_path / "run").read_text().splitlines() == [
        "0 Q0 x%20y 1 0.5 tfhashtag",
        "2 Q0 z 1 0.100000001 tfhashtag",
    ]
    assert (tmp_path / "qrels").read_text().splitlines() == ["0 0 x%20y 1", "0 0 z 1", "2 0 z 1"]
    with pytest.raises(DataError, match="2 posts, 2 labels"):
        queries.ranking(scores[:1])


@pytest.mark.parametrize("name", ["MAP@3", "MAP", "nDCG@3", "nDCG", "MRR", "HitRate@2", "P@2"])
def test_posts_have_the_metrics_of_users(name):
    """The best few of each post give what whole lists of the same scores give."""
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(8, 6))
    labels = [np.flatnonzero(rng.random(6) < 0.4) for _ in range(8)]
    metric = parse_metric(name)
    (found,) = per_post(Rows.from_lists(labels), scores, metrics=[metric]).values()
    relevant = np.concatenate([np.isin(np.arange(6), row) for row in labels])
    lists = Candidates(np.arange(8), Rows.from_lists([np.arange(6)] * 8), relevant.astype(np.int8))
    whole = metric(lists, scores.ravel())
    np.testing.assert_allclose(found, whole[[len(row) > 0 for row in labels]])
