"""Tests of what is retrieved of a large catalogue, against the signals of all its hashtags."""

import numpy as np
import pytest
import tensorflow as tf

from tests.recommenders.audience.test_signals import (
    AUDIENCE,
    COUNT,
    EPISODE,
    USERS,
    VECTORS,
    state_and_signals,
    trained_model,
)
from tfhashtag.layers.tree_ensemble import Tree
from tfhashtag.recommenders.audience import looks as module
from tfhashtag.recommenders.audience.looks import FIRST_LOOK, Looks
from tfhashtag.recommenders.audience.model import FEATURES, AudienceModel
from tfhashtag.recommenders.audience.scoring import AudienceScoring, user_inputs
from tfhashtag.recommenders.audience.servable import AudienceServingHead
from tfhashtag.recommenders.audience.signals import (
    SIGNALS,
    SUM_SIGNALS,
    USER_SIGNALS,
    AudienceSignals,
)
from tfhashtag.training.boosting import Boosting, regression_trees

FIRST = [SIGNALS.index(name) for name in FIRST_LOOK]
SUMS = [SIGNALS.index(name) for name in SUM_SIGNALS]


@pytest.fixture(scope="module")
def model():
    found, lists = trained_model()
    every = lists.features["all"]
    how = Boosting(trees=150, leaves=15, learning_rate=0.1, seed=0)
    found.trees.assign_trees(regression_trees(every, np.tanh(found(every)), how))
    found.fit_first_look([(every, np.array(found(every)), lists.offsets)])
    found.grow_second_look(every)
    return found


def looks_of(model):
    return Looks(AudienceSignals(AUDIENCE), AUDIENCE, model)


def both_looks(model, state, signals):
    """What the looks give for signals `[B, N, S]`."""
    alone = np.repeat(np.array(state["alone"])[:, None], signals.shape[1], axis=1)
    rows = np.concatenate([signals[..., SUMS], alone], axis=-1)
    return signals[..., FIRST] @ model.first_look.numpy(), model.second_look(rows).numpy()


def best_of(first, second, candidates, ranked):
    """The places that are left of a list, in plain loops."""
    some = sorted(range(len(first)), key=lambda at: -first[at])[:candidates]
    return sorted(some, key=lambda at: -second[at])[:ranked]


def test_looks_are_made_of_signals(model):
    state, signals = state_and_signals(range(USERS), hide=False)
    first, second = both_looks(model, state, signals)
    looks = looks_of(model)
    np.testing.assert_allclose(looks.first(state), first, atol=1e-4)
    np.testing.assert_allclose(looks.first_of(signals[..., SUMS]), first, atol=1e-4)
    places = tf.constant(np.tile(np.arange(COUNT)[::-1], (USERS, 1)), tf.int32)
    found = looks.signals.sum_signals(state, places).numpy()[:, ::-1]
    np.testing.assert_allclose(found, signals[..., SUMS], atol=2e-5)
    np.testing.assert_allclose(looks.second(state, places).numpy()[:, ::-1], second, atol=1e-4)
    assert second.std() > 0.1 * first.std()  # trees were grown


def test_fewer_numbers_a_hashtag_keep_what_differs_most(model, monkeypatch):
    state, signals = state_and_signals(range(USERS), hide=False)
    exact = signals[..., FIRST] @ model.first_look.numpy()
    errors = []
    for directions in (1, 3, 256):
        monkeypatch.setattr(module, "_DIRECTIONS", directions)
        looks = looks_of(model)
        assert looks.sketch.shape == (COUNT, min(directions, looks.basis.shape[0]) + 3)
        lost = np.array(looks.first(state)) - exact
        # What is the same for all hashtags of a user moves nobody.
        errors.append((lost - lost.mean(axis=1, keepdims=True)).std())
    assert errors[0] > errors[1] > 100 * errors[2]


def test_what_is_retrieved_is_what_each_user_may_see(model):
    scoring = AudienceScoring(VECTORS, 4)
    looks = scoring.looks(model, AUDIENCE)
    found = scoring.retrieved(looks, EPISODE, AUDIENCE, 5)
    state, shown = state_and_signals(range(USERS))
    first, second = both_looks(model, state, shown)
    _, unhidden = both_looks(model, state, state_and_signals(range(USERS), hide=False)[1])
    assert not np.allclose(second, unhidden, atol=1e-2)  # else nothing was shown about hiding
    lists = EPISODE.candidates.hashtags
    for user in range(USERS):
        some = slice(*lists.offsets[user : user + 2])
        at = np.searchsorted(AUDIENCE.hashtags, lists.values[some])
        wanted = best_of(first[user, at], second[user, at], 5, 5)
        wanted += [p for p in np.argsort(-first[user, at], kind="stable") if p not in wanted]
        assert np.argsort(found[some]).tolist() == wanted
    # Of a few users at a time the same.
    few = AudienceScoring(VECTORS, 4, block_pairs=1)
    again = few.retrieved(few.looks(model, AUDIENCE), EPISODE, AUDIENCE, 5)
    assert np.array_equal(found, again)
    # What is retrieved is ranked as it is without; the rest comes after it, in the same order.
    scores, kept = scoring.scores(model, EPISODE, AUDIENCE, (5, 3)), found < 3
    whole = scoring.scores(model, EPISODE, AUDIENCE)
    np.testing.assert_allclose(scores[kept], whole[kept], atol=1e-4)
    assert scores[kept].min() > scores[~kept].max()
    for first_row, last_row in zip(lists.offsets[:-1], lists.offsets[1:], strict=True):
        rest = np.argsort(-scores[first_row:last_row])[3:]
        assert found[first_row:last_row][rest].tolist() == list(range(3, last_row - first_row))


def test_the_weights_of_the_first_look_by_hand():
    """A logit that is a sum of those signals, and anything that is the same for a whole list."""
    rng = np.random.default_rng(0)
    weights = rng.normal(size=len(FIRST_LOOK))
    features = rng.normal(size=(60, FEATURES))
    logits = features[:, FIRST] @ weights + np.repeat(rng.normal(size=3), 20)
    model = AudienceModel(members=2, hidden=(4,), trees=0)
    model.fit_first_look([(features, logits, np.array([0, 20, 40, 60]))], least=0.0)
    np.testing.assert_allclose(model.first_look, weights, atol=1e-5)


def test_the_second_look_learns_what_trees_say_and_no_sum():
    """By few trees, of fewer signals, and not in proportion."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(2000, FEATURES)).astype(np.float32)
    names, tags = SIGNALS.index("name_max"), 2 * len(SIGNALS) + USER_SIGNALS.index("tags")
    model = AudienceModel(members=2, hidden=(4,))
    model.trees.assign_trees([Tree([tags, names], [0.0, 0.5], [-1, -2], [1, -3], [0.0, -1.0, 4.0])])
    model.grow_second_look(features)
    found = model.second_look(features[:, [*SUMS, *range(2 * len(SIGNALS), FEATURES)]]).numpy()
    wanted = np.where(features[:, tags] <= 0, 0.0, np.where(features[:, names] <= 0.5, -1.0, 4.0))
    assert np.corrcoef(found, wanted)[0, 1] > 0.95


def test_what_is_hidden_is_seen_no_better_than_the_rest(model, monkeypatch):
    """All by the same sketch: what its own look loses, a hashtag loses where some is hidden."""
    monkeypatch.setattr(module, "_DIRECTIONS", 1)
    scoring = AudienceScoring(VECTORS, 4)
    looks = scoring.looks(model, AUDIENCE, model.first_look)
    assert not looks.closer
    found = scoring.retrieved(looks, EPISODE, AUDIENCE, 5)
    state, shown = state_and_signals(range(USERS))
    _, whole = state_and_signals(range(USERS), hide=False)
    exact = [both_looks(model, state, signals)[0] for signals in (shown, whole)]
    wanted = np.array(looks.first(state)) + exact[0] - exact[1]
    assert not np.allclose(wanted, exact[0], atol=1e-2)
    lists = EPISODE.candidates.hashtags
    for user in range(USERS):
        some = slice(*lists.offsets[user : user + 2])
        at = np.searchsorted(AUDIENCE.hashtags, lists.values[some])
        order = np.argsort(-wanted[user, at], kind="stable")
        assert np.argsort(found[some]).tolist() == order.tolist()


@pytest.mark.parametrize("trees", [150, 0])
def test_a_server_ranks_what_is_retrieved(model, trees):
    if not trees:  # then there is no second look, and all of the first are ranked
        grown, model = model, AudienceModel(members=2, hidden=(6,), trees=0, seed=3)
        model.first_look.assign(grown.first_look)
    messages, mask, tags = user_inputs(EPISODE, np.arange(USERS), 4)
    vectors = VECTORS[np.maximum(messages, 0)]
    whole, some = (AudienceServingHead(model, AUDIENCE, widths) for widths in (None, (5, 3)))
    ranked = tf.function(some.ranked)
    state = whole.user_state(vectors, mask, tags)
    places, logits = (np.array(value) for value in whole.ranked(state, 2))
    assert places.tolist() == [list(range(COUNT))] * USERS
    first, second = both_looks(model, state, state_and_signals(range(USERS), hide=False)[1])
    # As many as are asked for, up to the candidates.
    for k, count in ((2, 3), (4, 4), (COUNT + 1, 5)) if trees else ((2, 5), (COUNT + 1, 5)):
        found, values = (np.array(value) for value in ranked(state, tf.constant(k)))
        assert found.shape == (USERS, count)
        np.testing.assert_allclose(values, np.take_along_axis(logits, found, axis=1), atol=1e-4)
        for user in range(USERS):
            by = second[user] if trees else first[user]
            assert found[user].tolist() == best_of(first[user], by, 5, count)
    alone = whole.logits_of(state, tf.constant(found))  # named by a request
    np.testing.assert_allclose(alone, values, atol=1e-4)
