"""Metrics against plain loops, against chance, and by their names."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfhashtag.corpus.candidates import Candidates
from tfhashtag.corpus.rows import Rows
from tfhashtag.errors import ConfigError, DataError
from tfhashtag.evaluation import evaluate
from tfhashtag.metrics import default_metrics, parse_metric, rank
from tfhashtag.tasks.users.episode import evaluation_episode

LISTS = st.lists(
    st.lists(st.tuples(st.integers(0, 3), st.integers(-2, 2)), max_size=9), min_size=1, max_size=5
)


def candidates_of(lists):
    """Lists of (label, score) as candidates and scores."""
    candidates = Candidates(
        np.arange(len(lists)),
        Rows.from_lists([np.arange(len(row)) for row in lists]),
        [label for row in lists for label, _ in row],
    )
    return candidates, np.array([score for row in lists for _, score in row], float)


def by_hand(name, labels, k):
    """The metric of labels in ranked order, as its definition reads."""
    relevant = sum(label > 0 for label in labels)
    top = labels[:k]
    if relevant == 0:
        return 0.0
    hits = [i + 1 for i, label in enumerate(top) if label > 0]
    dcg, ideal = (
        sum((2**label - 1) / math.log2(i + 2) for i, label in enumerate(order[:k]))
        for order in (labels, sorted(labels, reverse=True))
    )
    return {
        "P": len(hits) / k,
        "Recall": len(hits) / relevant,
        "HitRate": float(bool(hits)),
        "MRR": 1 / hits[0] if hits else 0.0,
        "MAP": sum((found + 1) / place for found, place in enumerate(hits)) / relevant,
        "nDCG": dcg / ideal,
    }[name]


@given(LISTS, st.integers(0, 5), st.integers(1, 11))
@settings(deadline=None)
def test_metrics_equal_their_definitions(lists, seed, k):
    candidates, scores = candidates_of(lists)
    ranking = rank(candidates, scores, seed)
    ranked = [ranking.labels[ranking.row == row].tolist() for row in range(len(lists))]
    for metric in [*default_metrics((k,)), parse_metric("ndcg"), parse_metric(f"mrr@{k}")]:
        cutoff = metric.k or len(scores) + 1
        expected = [by_hand(metric.title, labels, cutoff) for labels in ranked]
        np.testing.assert_allclose(metric(candidates, scores, seed), expected, atol=1e-12)


@given(LISTS, st.integers(0, 5), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_the_order_of_candidates_has_no_influence(lists, seed, random):
    candidates, scores = candidates_of(lists)
    order = []
    for row in range(len(lists)):
        part = list(range(*candidates.hashtags.offsets[row : row + 2]))
        random.shuffle(part)
        order += part
    order = np.array(order, int)
    shuffled = Candidates(
        candidates.users,
        Rows(candidates.hashtags.offsets, candidates.hashtags.values[order]),
        candidates.labels[order],
    )
    first = rank(candidates, scores, seed)
    second = rank(shuffled, scores[order], seed)
    assert candidates.hashtags.values[first.order].tolist() == (
        shuffled.hashtags.values[second.order].tolist()
    )
    assert np.all(np.diff(scores[first.order])[np.diff(first.row) == 0] <= 0)


@pytest.mark.parametrize("positives_first", [True, False])
def test_a_constant_scorer_gets_chance(positives_first):
    users, size = 4000, 20
    labels = np.zeros((users, size), np.int8)
    labels[:, 0 if positives_first else -1] = 1
    candidates = Candidates(
        np.arange(users), Rows.from_lists([np.arange(size)] * users), labels.ravel()
    )
    chance = np.mean(1 / np.arange(1, size + 1))
    found = parse_metric("map")(candidates, np.zeros(users * size), seed=1)
    # Four standard errors of the mean of one over a uniform rank.
    assert found.mean() == pytest.approx(chance, abs=4 * 0.23 / math.sqrt(users))
    assert parse_metric("p@5")(candidates, np.zeros(users * size)).mean() == pytest.approx(
        1 / size, abs=0.006
    )


def test_chance_and_ceiling_on_the_twitter_data(howyoutag_corpus):
    lists = evaluation_episode(howyoutag_corpus).candidates
    constant = [parse_metric("map")(lists, np.zeros(len(lists.labels)), s).mean() for s in range(3)]
    assert np.mean(constant) == pytest.approx(0.067, abs=0.003)
    assert parse_metric("map")(lists, lists.labels).mean() == pytest.approx(0.759, abs=0.0005)
    assert parse_metric("p@5")(lists, lists.labels).mean() == pytest.approx(0.253, abs=0.0005)
    assert parse_metric("ndcg@5")(lists, lists.labels).mean() == pytest.approx(0.759, abs=0.0005)


def test_seeds_break_ties_differently():
    candidates, scores = candidates_of([[(0, 0)] * 50])
    orders = [rank(candidates, scores, seed).order.tolist() for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert orders[0] != sorted(orders[0])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite(bad):
    candidates, scores = candidates_of([[(0, 0), (1, 0)]])
    scores[1] = bad
    with pytest.raises(DataError, match=r"1 values that are not finite.*user 0, hashtag 1"):
        rank(candidates, scores)


def test_scores_that_are_not_aligned():
    candidates, scores = candidates_of([[(0, 0), (1, 0)]])
    with pytest.raises(DataError, match="aligned with the 2 candidates"):
        rank(candidates, scores[:1])


@pytest.mark.parametrize(
    "name, printed",
    [("ndcg@5", "nDCG@5"), ("nDCG@10", "nDCG@10"), ("MAP", "MAP"), ("p@1", "P@1"), ("mrr", "MRR"),
     ("hitrate@9", "HitRate@9"), ("Recall@3", "Recall@3"), ("map@2", "MAP@2")],
)  # fmt: skip
def test_metrics_by_name(name, printed):
    assert parse_metric(name).name == printed


@pytest.mark.parametrize(
    "name, message",
    [
        ("ndgc@5", "unknown.*Did you mean `nDCG`"),
        ("p@0", "the cut-off must be a whole number"),
        ("p@x", "the cut-off must be a whole number"),
        ("p@", "the cut-off must be a whole number"),
        ("p", "`P` needs a cut-off, such as `P@5`"),
        ("hitrate", "`HitRate` needs a cut-off"),
    ],
)
def test_names_that_are_wrong(name, message):
    with pytest.raises(ConfigError, match=message):
        parse_metric(name)


def test_f1_is_that_of_the_means():
    """2PR / (P + R) of P@2 and Recall@2 averaged over all lists, not the mean of F1 of lists."""
    candidates, scores = candidates_of([[(1, 5), (0, 4), (1, 3)], [(0, 2), (1, 1)], [(0, 1)]])
    found = evaluate(candidates, scores, metrics=[parse_metric("F1@2")])["averages"]
    precision, recall = (1 / 2 + 1 / 2 + 0) / 3, (1 / 2 + 1 + 0) / 3
    assert found["all"]["F1@2"] == pytest.approx(2 * precision * recall / (precision + recall))
    precision, recall = (1 / 2 + 1 / 2) / 2, (1 / 2 + 1) / 2
    expected = 2 * precision * recall / (precision + recall)
    assert found["answerable"]["F1@2"] == pytest.approx(expected)


def test_precision_has_one_class_under_two_names():
    assert type(parse_metric("precision@5")) is type(parse_metric("p@5"))
