import itertools
import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.layers.pooled_checks import pooled_checks
from tfhashtag.layers import BiLSTM
from tfhashtag.testing import LayerContract

RNG = np.random.default_rng(0)
SIZES = {"vocabulary_size": 9, "proposals": 3, "features": 4, "embedding_width": 5}
TOKENS = np.array(
    [
        [3, 1, 4, 1, 5, 8, 2],
        [7, 2, 6, 5, 0, 0, 0],
        [4, 6, 0, 0, 0, 0, 0],
        [8, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0],
    ]
)
POOLINGS = ("segments", "first")


def pad(inputs):
    return {"tokens": np.concatenate([inputs["tokens"], np.zeros((5, 4), "int64")], axis=1)}


@pytest.mark.parametrize(("pooling", "check"), pooled_checks(POOLINGS, "segments"))
def test_contract(pooling, check):
    contract = LayerContract(
        lambda **kw: BiLSTM(pooling=pooling, **SIZES, **kw), {"tokens": TOKENS}, pad=pad
    )
    getattr(contract, check)()


def made(**changes):
    layer = BiLSTM(**{**SIZES, **changes})
    layer(TOKENS)
    rng = np.random.default_rng(1)
    for weight in layer.weights:
        weight.assign(rng.normal(size=weight.shape))
    return layer


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_states(lstm, vectors):
    """The standard LSTM, gates in the order input, forget, candidate, output."""
    kernel, recurrent, bias = (np.array(w, "float64") for w in lstm.weights)
    units = recurrent.shape[0]
    hidden = cell = np.zeros(units)
    states = []
    for vector in vectors:
        gates = vector @ kernel + hidden @ recurrent + bias
        i, f, g, o = (gates[n * units : (n + 1) * units] for n in range(4))
        cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
        hidden = sigmoid(o) * np.tanh(cell)
        states.append(hidden)
    return states


def by_loops(layer, tokens):
    table = np.array(layer.embedding.embeddings, "float64")
    found = np.zeros((len(tokens), layer.proposals, layer.features))
    for b, row in enumerate(tokens):
        vectors = [table[token] for token in row if token]
        forward = lstm_states(layer.forward_lstm, vectors)
        backward = lstm_states(layer.backward_lstm, vectors[::-1])[::-1]
        states = [np.concatenate(pair) for pair in zip(forward, backward, strict=True)]
        n, m = len(states), layer.proposals
        for j in range(m):
            if layer.pooling == "first":
                found[b, j] = states[j] if j < n else 0
            elif n:
                start = math.floor(j * n / m)
                part = states[start : max(start + 1, math.floor((j + 1) * n / m))]
                found[b, j] = sum(part) / len(part)
    return found


@pytest.mark.parametrize("cudnn", [False, True])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_equals_plain_loops(pooling, cudnn):
    layer = made(pooling=pooling, cudnn=cudnn)
    expected = by_loops(layer, TOKENS)
    for training in (False, True):
        np.testing.assert_allclose(layer(TOKENS, training=training), expected, atol=1e-5)
    assert not np.array(layer(TOKENS))[4].any()


def test_proposals_of_a_short_text():
    layer = made()
    states = np.array(layer.states(TOKENS))
    found = np.array(layer(TOKENS))
    two, one = states[2], states[3]
    np.testing.assert_allclose(found[2], [two[0], two[0], two[1]], atol=1e-6)
    np.testing.assert_allclose(found[3], [one[0], one[0], one[0]], atol=1e-6)
    first = np.array(made(pooling="first")(TOKENS))
    np.testing.assert_allclose(first[2], [two[0], two[1], two[0] * 0], atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(0, 30), st.integers(0, 3))
def test_segments_share_out_the_words(proposals, words, padding):
    layer = BiLSTM(vocabulary_size=9, proposals=proposals, features=2)
    tokens = np.array([[1] * words + [0] * (padding + 1)])
    shares = np.array(layer.shares(tokens))[0]
    assert not shares[:, words:].any()
    if not words:
        return
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)
    counts = (shares > 0).sum(axis=1)
    assert counts.max() - counts.min() <= 1
    spans = [np.flatnonzero(row) for row in shares]
    for left, right in itertools.pairwise(spans):
        assert left[0] <= right[0]
    if words >= proposals:  # a partition into contiguous parts
        assert np.concatenate(spans).tolist() == list(range(words))


def test_padding_is_not_read_by_either_direction():
    layer = made()
    short = np.array(layer(TOKENS[1:2, :4]))
    np.testing.assert_allclose(layer(TOKENS[1:2]), short, atol=1e-6)


def test_fewer_columns_than_proposals():
    layer = made(proposals=9)
    np.testing.assert_allclose(layer(TOKENS[:, :2]), by_loops(layer, TOKENS[:, :2]), atol=1e-5)


def test_a_text_without_words_gives_no_gradient():
    layer = made()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(TOKENS[4:]) * 3)
    for gradient in tape.gradient(loss, [w.value for w in layer.trainable_variables]):
        assert not np.array(tf.convert_to_tensor(gradient)).any()


@pytest.mark.parametrize("cudnn", [False, True])
def test_the_switch_decides_what_xla_may_compile(cudnn):
    layer = made(cudnn=cudnn)
    assert layer.get_config()["cudnn"] == cudnn
    if not cudnn:
        assert all(part.supports_jit for part in layer._flatten_layers())
    model = keras.Sequential([keras.Input((7,), dtype="int32"), layer])
    model.compile("sgd", "mse", jit_compile=not cudnn)
    loss = model.train_on_batch(TOKENS.astype("int32"), np.zeros((5, 3, 4), "float32"))
    assert np.isfinite(loss)


def test_the_fused_kernel_is_for_training_only():
    layer = made(cudnn=True)
    layer(TOKENS, training=True)
    assert layer.forward_lstm.use_cudnn == "auto"
    layer(TOKENS)
    assert layer.forward_lstm.use_cudnn is layer.backward_lstm.use_cudnn is False
