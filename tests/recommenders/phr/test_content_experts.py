"""Experts in the head of PHR: a switch, and none where it is off."""

import keras
import numpy as np
import pytest

from tfhashtag.errors import ConfigError
from tfhashtag.recommenders.phr.compose import compose
from tfhashtag.recommenders.phr.settings import PhrNetwork
from tfhashtag.tasks.posts.settings import PostData

RNG = np.random.default_rng(0)
POSTS = {
    "text": RNG.normal(size=(4, 5)).astype("float32"),
    "has_text": np.array([True, True, False, True]),
    "proposals": RNG.normal(size=(4, 8, 6)).astype("float32"),
    "has_image": np.array([True, True, True, False]),
    "image_mask": np.array([[True, True], [True, False], [False, True], [False, False]]),
}


def model(experts, sides=("visual", "textual")):
    keras.utils.set_random_seed(0)
    network = PhrNetwork(
        proposals=4, features=6, projection=6, slots=3, heads=1, hidden=8, text="encoder",
        graph="none", sides=list(sides), experts=experts,
    )  # fmt: skip
    return compose(network, PostData(), 7, 5, 6, 2, ())


def test_the_gate_reads_what_kind_of_content_it_is():
    made = model(3)
    assert made(POSTS).shape == (4, 7)
    experts = made.head.experts
    kind = np.asarray(experts.kind(POSTS))
    assert kind.shape == (4, 3 + 2 * 16)
    assert (kind[:, 0] != 0).tolist() == [True, True, False, False]  # agreement needs both
    assert kind[:, 1].tolist() == [1, 1, 0, 1] and kind[:, 2].tolist() == [1, 1, 1, 0]
    weights = np.asarray(experts.mixture.weights_of(kind))
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)
    assert np.ptp(weights, axis=0).max() > 1e-3
    made(POSTS, training=True)
    assert len(made.losses) == 2  # of agreement and of balance
    again = type(made).from_config(made.get_config())
    again.set_weights(made.get_weights())
    np.testing.assert_array_equal(again(POSTS), made(POSTS))


def test_switched_off_nothing_is_added():
    names = {weight.path for weight in model(0).weights}
    assert not any("experts" in name for name in names)
    assert any("head/hidden" in name for name in names)
    with pytest.raises(ConfigError, match=r"`network\.experts` is 2: their gate reads"):
        model(2, ("textual", "others"))
