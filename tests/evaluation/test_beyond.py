"""Figures beside accuracy: against RecTools, against loops over definitions, and what must hold."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fixtures.oracles import oracle
from tfhashtag.corpus.rows import Rows
from tfhashtag.evaluation.beyond import (
    DEFINITIONS,
    Usage,
    beyond_accuracy,
    expected_calibration_error,
)

HASHTAGS, USERS, K = 12, 6, 4


@st.composite
def asked(draw):
    """Uses, ranked lists and who asked; some hashtags and users are new, some lists short."""
    uses = draw(
        st.lists(st.lists(st.integers(0, HASHTAGS - 3), max_size=8), min_size=USERS, max_size=USERS)
    )
    lists = draw(
        st.lists(st.lists(st.integers(0, HASHTAGS - 1), max_size=K, unique=True), min_size=1)
    )
    askers = draw(st.lists(st.integers(-1, USERS - 1), min_size=len(lists), max_size=len(lists)))
    best = np.array([each + [-1] * (K - len(each)) for each in lists])
    posts = np.array([len(each) for each in uses])
    usage = Usage(Rows.from_lists(uses), posts, np.arange(HASHTAGS), HASHTAGS)
    return uses, best, np.array(askers), usage


@pytest.fixture(scope="module")
def rectools():
    """RecTools lies in a folder of its own: it asks for an older NumPy than TensorFlow does."""
    with oracle("rectools.metrics") as found:
        yield found


@settings(max_examples=25)
@given(asked())
def test_rectools_says_the_same(rectools, made):
    import pandas as pd

    uses, best, _, usage = made
    rows = [
        (query, tag, rank + 1)
        for query, each in enumerate(best)
        for rank, tag in enumerate(each)
        if tag >= 0
    ]
    if not rows or not any(uses):
        return
    lists = pd.DataFrame(rows, columns=["user_id", "item_id", "rank"])
    known = [(user, tag) for user, each in enumerate(uses) for tag in each]
    before = pd.DataFrame(known, columns=["user_id", "item_id"])
    found = beyond_accuracy(best, np.full(len(best), -1), usage)
    coverage = rectools.CatalogCoverage(k=K, normalize=True).calc(lists, range(HASHTAGS))
    assert found[f"Coverage@{K}"] == pytest.approx(coverage)
    novelty = rectools.MeanInvUserFreq(k=K).calc(lists, before.drop_duplicates())
    assert found[f"Novelty@{K}"] == pytest.approx(novelty, abs=1e-9)
    popularity = rectools.AvgRecPopularity(k=K, normalize=True).calc(lists, before)
    assert found[f"Popularity@{K}"] == pytest.approx(popularity)


@settings(max_examples=25)
@given(asked())
def test_loops_over_the_definitions_say_the_same(made):
    uses, best, askers, usage = made
    found = beyond_accuracy(best, askers, usage)
    vectors = np.array([[tag in each for each in uses] for tag in range(HASHTAGS)], float)

    def distance(a, b):
        lengths = np.linalg.norm(vectors[a]) * np.linalg.norm(vectors[b])
        return 1 - vectors[a] @ vectors[b] / lengths if lengths else 1.0

    lists = [[tag for tag in each if tag >= 0] for each in best]
    apart = [
        np.mean([distance(a, b) for a, b in itertools.combinations(each, 2)])
        for each in lists
        if len(each) > 1
    ]
    assert found[f"Diversity@{K}"] == pytest.approx(np.mean(apart) if apart else 0)

    counts = [sum(each.count(tag) for each in lists) for tag in range(HASHTAGS)]
    apart = sum(abs(a - b) for a in counts for b in counts)
    gini = apart / (2 * (HASHTAGS - 1) * sum(counts)) if sum(counts) else 0
    assert found[f"Gini@{K}"] == pytest.approx(gini)

    popular = [sum(each.count(tag) for each in uses) for tag in range(HASHTAGS)]
    asking = [
        (each, uses[user])
        for each, user in zip(lists, askers, strict=True)
        if user >= 0 and uses[user] and each
    ]
    theirs = [np.mean([popular[tag] for tag in each]) for each, _ in asking]
    own = [np.mean([popular[tag] for tag in each]) for _, each in asking]
    lift = np.mean(theirs) / np.mean(own) - 1 if asking else 0
    assert found[f"PopularityLift@{K}"] == pytest.approx(lift)

    from scipy.spatial.distance import jensenshannon

    def shares(tags):
        return [np.mean([usage.groups[tag] == group for tag in tags]) for group in range(3)]

    apart = [jensenshannon(shares(each), shares(mine), 2) ** 2 for each, mine in asking]
    expected = np.nanmean(apart) if apart else 0
    assert found[f"Miscalibration@{K}"] == pytest.approx(expected, abs=1e-7)
    assert {name.split("@")[0] for name in found} | {"ECE"} == set(DEFINITIONS)


@settings(max_examples=25)
@given(asked(), st.randoms())
def test_numbering_and_order_of_queries_change_nothing(made, random):
    uses, best, askers, usage = made
    before = beyond_accuracy(best, askers, usage)
    number = np.array(random.sample(range(HASHTAGS), HASHTAGS))
    order = random.sample(range(len(best)), len(best))
    renamed = Rows.from_lists([number[each] for each in uses])
    after = beyond_accuracy(
        np.where(best >= 0, number[best], -1)[order],
        askers[order],
        Usage(renamed, usage.posts, number, HASHTAGS),
    )
    assert after == pytest.approx(before)


def test_head_and_tail_have_a_fifth_of_the_uses_each():
    counts = [40, 20, 10, 10, 10, 4, 3, 2, 1, 0]
    usage = Usage(
        Rows.from_lists([np.repeat(np.arange(10), counts)]), np.array([100]), np.arange(10), 10
    )
    assert usage.groups.tolist() == [0, 1, 1, 1, 1, 2, 2, 2, 2, 2]
    assert np.flatnonzero(usage.tail).tolist() == [5, 6, 7, 8]
    assert np.flatnonzero(usage.new).tolist() == [9]


@pytest.mark.parametrize("catalogue", [[], [0], [0, 1]])
def test_nothing_known_and_nothing_listed_is_defined(catalogue):
    usage = Usage(Rows.from_lists([[], []]), np.zeros(2, int), np.array(catalogue, int), 2)
    found = beyond_accuracy(np.full((2, 3), -1), np.array([0, -1]), usage)
    assert all(math.isfinite(value) for value in found.values())


def test_calibration_of_probabilities_that_come_true_and_of_others():
    rng = np.random.default_rng(0)
    logits = rng.normal(-2, 2, 200_000)
    truth = rng.random(len(logits)) < 1 / (1 + np.exp(-logits))
    error, bins = expected_calibration_error(logits, truth)
    assert error < 0.004 and sum(each["pairs"] for each in bins) == len(logits)
    assert expected_calibration_error(logits + 3, truth)[0] > 0.3
    lists = [abs(each["probability"] - each["share"]) * each["pairs"] for each in bins]
    assert error == pytest.approx(sum(lists) / len(logits))


def test_extreme_scores_are_no_warning():
    error, _ = expected_calibration_error(np.array([-1e4, 1e4]), np.array([0, 1]))
    assert error == 0
