"""Fit and reach in one order, and what people's choices say of another choice."""

import numpy as np
import pytest

from tfhashtag.errors import ConfigError
from tfhashtag.reach.blend import Blend, check_weight, fitted_blend
from tfhashtag.reach.counterfactual import Habits, weighted_value

SCORES = np.array([[2.0, 1.0, 0.0, -np.inf], [1.0, 0.5, -3.0, -4.0]])
EFFECTS = np.array([[0.0, 0.4, -0.1, 0.0], [0.3, -0.3, 0.1, 0.0]])


def test_the_blend_goes_from_fit_to_reach():
    blend = fitted_blend(SCORES, EFFECTS, 1.5, -1.0)
    for weight, by in ((0.0, SCORES), (1.0, np.where(np.isneginf(SCORES), -np.inf, EFFECTS))):
        shares = blend.distribution(SCORES, EFFECTS, weight)
        assert np.allclose(shares.sum(axis=1), 1) and shares[0, 3] == 0
        assert np.argsort(-shares, axis=1).tolist() == np.argsort(-by, axis=1).tolist()
    fit = 1 / (1 + np.exp(-(1.5 * SCORES[1] - 1.0)))
    half = np.sqrt(fit * np.exp(blend.exchange * EFFECTS[1]))
    assert np.allclose(blend.distribution(SCORES, EFFECTS, 0.5)[1], half / half.sum())
    assert np.allclose(blend.probability(SCORES[1]), fit)


def test_the_exchange_makes_both_spreads_equal_among_what_fits():
    blend = fitted_blend(SCORES, EFFECTS, 1.0, 0.0)
    shares = blend.distribution(SCORES, EFFECTS, 0.0)

    def spread(values):
        about = [v - np.average(v, weights=s) for v, s in zip(values, shares, strict=True)]
        rows = zip(about, shares, strict=True)
        return np.sqrt(np.mean([np.average(a**2, weights=s) for a, s in rows]))

    logs = -np.logaddexp(0, -np.where(np.isneginf(SCORES), 0, SCORES))
    assert spread(logs) == pytest.approx(spread(blend.exchange * EFFECTS))
    # What does not fit changes nothing, however far it lies.
    further = np.where(SCORES == -4.0, -400.0, SCORES)
    assert fitted_blend(further, EFFECTS, 1.0, 0.0).exchange < 1.1 * blend.exchange
    assert fitted_blend(SCORES, np.zeros_like(EFFECTS), 1.0, 0.0).exchange == 0


def test_an_empty_pool_takes_no_part():
    """Somebody who used every hashtag has nothing to be asked about."""
    scores = np.concatenate([SCORES, np.full((1, 4), -np.inf)])
    effects = np.concatenate([EFFECTS, np.zeros((1, 4))])
    blend = fitted_blend(scores, effects, 1.0, 0.0)
    assert blend.exchange == pytest.approx(fitted_blend(SCORES, EFFECTS, 1.0, 0.0).exchange)
    assert blend.distribution(scores, effects, 0.5)[2].tolist() == [0, 0, 0, 0]


def test_scores_far_below_all_others_have_no_say():
    """A hashtag that is no candidate has a probability of 0, as far as numbers go."""
    scores, effects = np.array([[3.0, 1.0, -1000.0, -1000.5]]), np.array([[0.0, 0.4, 9.0, -9.0]])
    blend = fitted_blend(scores, effects, 1.5, -1.0)
    assert blend.exchange == pytest.approx(
        fitted_blend(scores[:, :2], effects[:, :2], 1.5, -1.0).exchange
    )
    shares = blend.distribution(scores, effects, 0.5)
    assert np.isfinite(shares).all() and shares[0, 2:].max() < 1e-50


def test_very_low_scores_keep_their_order():
    shares = Blend(1.0, 0.0, 1.0).distribution(np.array([-800.0, -801.0]), np.zeros(2), 0.3)
    assert shares[0] > shares[1] > 0


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan")])
def test_a_weight_lies_between_fit_and_reach(weight):
    with pytest.raises(ConfigError, match=r"`reach` must lie between 0 .* and 1"):
        check_weight(weight)


def test_the_interval_covers_the_truth():
    """People choose the worse of two hashtags mostly; the value of the better one is asked."""
    covered = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        author = rng.integers(0, 60, 600)
        taste = rng.uniform(0.1, 0.5, 60)[author]
        better = rng.random(600) < taste
        rewards = 0.4 * better + rng.normal(0, 0.5, 600)
        logged = np.where(better, taste, 1 - taste)
        found = weighted_value(rewards, np.where(better, 0.9, 0.1), logged, author, seed=seed)
        covered += found.low <= 0.36 <= found.high
        assert found.low < found.value < found.high and found.effective < 600
    assert covered >= 53  # of 60; fewer are less likely than 1 in 100


def test_few_choices_have_wider_intervals_and_clipping_is_told():
    rng = np.random.default_rng(0)
    rewards, even = rng.normal(size=8), np.full(8, 0.5)
    few = weighted_value(rewards, even, even, np.arange(8))
    many = weighted_value(
        np.tile(rewards, 100), np.tile(even, 100), np.tile(even, 100), np.arange(800)
    )
    assert few.high - few.low > 9 * (many.high - many.low)
    assert (few.effective, few.clipped) == (8, 0)
    assert weighted_value(rewards, even, even / 50, np.arange(8), clip=20).clipped == 1
    never = weighted_value(rewards, np.array([0.0, 0.5] * 4), np.array([0.0] * 4 + [0.5] * 4),
                           np.arange(8))  # fmt: skip
    assert np.isfinite([never.value, never.low, never.high]).all() and never.clipped == 0.25
    nobody = weighted_value(rewards, np.zeros(8), even, np.arange(8))
    assert (nobody.value, nobody.low, nobody.high, nobody.effective) == (None, None, None, 0)


def test_habits_are_counts_held_towards_everybodys(make_corpus):
    posts = [("ann", "x", ["a"], 0)] * 3 + [("ann", "y", ["b"], 0), ("bob", "z", ["b"], 1)]
    corpus = make_corpus([(u, f"{t}{i}", tags, s) for i, (u, t, tags, s) in enumerate(posts)])
    habits = Habits.of(corpus, corpus.split_of_post == 0, corpus.split_of_post == 1)
    assert habits.shares.tolist() == [3.5 / 5, 1.5 / 5]
    chances = habits.chances(np.array([0, 1]), np.array([[0, 1], [1, -1]]))
    weights = np.array([3, 1]) + habits.strength * habits.shares
    assert np.allclose(chances, [weights / weights.sum(), [1, 0]])
