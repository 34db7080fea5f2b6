import numpy as np
import pytest

from tests.layers.pooled_checks import pooled_checks
from tfhashtag.layers import UserEncoder
from tfhashtag.testing import LayerContract

RNG = np.random.default_rng(0)
HISTORY = RNG.normal(size=(3, 4, 5)).astype("float32")
MASK = np.arange(4) < np.array([4, 2, 0])[:, None]


def pad(inputs):
    history, mask = inputs["history"], inputs["history_mask"]
    return {
        "history": np.concatenate([history, np.full((3, 2, 5), np.nan, "float32")], axis=1),
        "history_mask": np.concatenate([mask, np.zeros((3, 2), bool)], axis=1),
    }


POOLINGS = {
    "last": {},
    "attention": {"pooling": "attention", "layers": 1},
    "mean of messages": {"pooling": "mean", "layers": 0},
}


def contract(pooling="last"):
    return LayerContract(
        lambda **kw: UserEncoder(hidden=3, **POOLINGS[pooling], **kw),
        {"history": HISTORY, "history_mask": MASK},
        pad=pad,
    )


@pytest.mark.parametrize(("pooling", "check"), pooled_checks(POOLINGS, "last"))
def test_contract(check, pooling):
    getattr(contract(pooling), check)()


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_by_loops(vectors, kernel, recurrent, bias):
    """States after each vector, gates in Keras's order: input, forget, cell, output."""
    units = recurrent.shape[0]
    hidden, cell, states = np.zeros(units), np.zeros(units), []
    for vector in vectors:
        gates = vector @ kernel + hidden @ recurrent + bias
        i, f, c, o = (gates[k * units : (k + 1) * units] for k in range(4))
        cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(c)
        hidden = sigmoid(o) * np.tanh(cell)
        states.append(hidden)
    return np.array(states)


def test_equals_plain_loops():
    encoder = UserEncoder(hidden=3)
    found = np.array(encoder(HISTORY, history_mask=MASK))
    weights = [np.array(w, "float64") for w in encoder.weights]
    no_history = weights.pop(next(i for i, w in enumerate(weights) if w.shape == (6,)))
    assert np.array_equal(no_history, np.zeros(6))
    for row in range(3):
        vectors = HISTORY[row][MASK[row]].astype("float64")
        if len(vectors) == 0:
            assert np.array_equal(found[row], no_history)
            continue
        forward = lstm_by_loops(vectors, *weights[0:3])
        backward = lstm_by_loops(vectors[::-1], *weights[3:6])[::-1]
        second = np.concatenate([forward, backward], axis=1)
        last = lstm_by_loops(second, *weights[6:9])[-1]
        first = lstm_by_loops(second[::-1], *weights[9:12])[-1]
        np.testing.assert_allclose(found[row], np.concatenate([last, first]), atol=1e-6)


def test_pooled_states_equal_plain_loops():
    encoder = UserEncoder(hidden=3, layers=1, pooling="attention")
    found = np.array(encoder(HISTORY, history_mask=MASK))
    attention = np.array(encoder.attention_of(HISTORY, history_mask=MASK))
    assert attention.shape == (3, 4) and np.array_equal(attention[2], np.zeros(4))
    cells = [np.array(w, "float64") for layer in encoder.recurrent for w in layer.weights]
    kernel, bias = (np.array(w, "float64") for w in encoder.attention_dense.weights)
    vector = np.array(encoder.attention_vector, "float64")
    mean = UserEncoder(hidden=3, layers=1, pooling="mean")
    mean.build((None, None, 5))
    for weight, value in zip(mean.recurrent[0].weights, encoder.recurrent[0].weights, strict=True):
        weight.assign(value)
    means = np.array(mean(HISTORY, history_mask=MASK))
    for row in range(2):
        vectors = HISTORY[row][MASK[row]].astype("float64")
        forward = lstm_by_loops(vectors, *cells[0:3])
        backward = lstm_by_loops(vectors[::-1], *cells[3:6])[::-1]
        states = np.concatenate([forward, backward], axis=1)
        grades = [np.exp(vector @ np.tanh(state @ kernel + bias)) for state in states]
        shares = np.array(grades) / sum(grades)
        np.testing.assert_allclose(attention[row, : len(states)], shares, atol=1e-6)
        assert not attention[row, len(states) :].any()
        pooled = sum(share * state for share, state in zip(shares, states, strict=True))
        np.testing.assert_allclose(found[row], pooled, atol=1e-6)
        np.testing.assert_allclose(means[row], sum(states) / len(states), atol=1e-6)


def test_the_mean_of_messages_needs_no_lstm():
    encoder = UserEncoder(hidden=3, layers=0, pooling="mean")
    found = np.array(encoder(HISTORY, history_mask=MASK))
    np.testing.assert_allclose(found[1], (HISTORY[1, 0] + HISTORY[1, 1]) / 2, atol=1e-6)
    assert found.shape == (3, 5) and len(encoder.weights) == 1
    with pytest.raises(ValueError, match="`pooling` is 'mean'"):
        encoder.attention_of(HISTORY)


def test_a_user_without_history_gets_the_learned_vector():
    encoder = UserEncoder(hidden=3)
    encoder.build((None, None, 5))
    encoder.no_history.assign(np.arange(6))
    found = np.array(encoder(HISTORY, history_mask=MASK))
    assert np.array_equal(found[2], np.arange(6))
    assert not np.array_equal(found[1], np.arange(6))


def test_order_matters():
    encoder = UserEncoder(hidden=3)
    first, second = np.array(encoder(HISTORY[:1])), np.array(encoder(HISTORY[:1, ::-1]))
    assert np.abs(first - second).max() > 1e-3
