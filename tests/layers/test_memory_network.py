import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfhashtag.layers import MemoryNetwork
from tfhashtag.testing import LayerContract

RNG = np.random.default_rng(0)
PROPOSALS = RNG.normal(size=(2, 3, 6)).astype("float32")
SIZES = {"features": 4, "slots": 5, "heads": 2, "strength": 1.5}


@pytest.mark.parametrize("check", LayerContract.CHECKS)
def test_contract(check):
    contract = LayerContract(lambda **kw: MemoryNetwork(**SIZES, **kw), {"proposals": PROPOSALS})
    getattr(contract, check)()


def made(**changes):
    layer = MemoryNetwork(**{**SIZES, **changes})
    layer(PROPOSALS)
    rng = np.random.default_rng(1)
    for weight in layer.weights:
        weight.assign(rng.normal(size=weight.shape))
    return layer


def dense(layer, vector):
    kernel, bias = (np.array(w, "float64") for w in layer.weights)
    return [
        sum(vector[i] * kernel[i, o] for i in range(len(vector))) + bias[o]
        for o in range(len(bias))
    ]


def content_addressing(memory, key, strength):
    """C(M, k, beta)[i] of Graves et al. 2016: softmax over the slots of beta times the cosine."""
    powers = []
    for row in memory:
        product = sum(m * k for m, k in zip(row, key, strict=True))
        lengths = math.sqrt(sum(m * m for m in row)) * math.sqrt(sum(k * k for k in key))
        powers.append(math.exp(strength * product / lengths))
    return [power / sum(powers) for power in powers]


def by_loops(layer, proposals):
    """Equations 3 to 11, a post and a position at a time."""
    f, s, nr = layer.features, layer.slots, layer.heads
    start = np.array(layer.memory, "float64")
    found = np.zeros((*proposals.shape[:2], f))
    for b in range(proposals.shape[0]):
        for j in range(proposals.shape[1]):
            vp = dense(layer.project_dense, proposals[b, j].astype("float64"))
            keys = np.reshape(dense(layer.write_key_dense, vp), (s, f))
            content = dense(layer.content_dense, vp)
            erase = [1 / (1 + math.exp(-x)) for x in dense(layer.erase_dense, vp)]
            write = content_addressing(keys, vp, layer.strength)
            memory = np.zeros((s, f))
            for slot in range(s):
                for i in range(f):
                    kept = start[j, slot, i] * (1 - write[slot] * erase[i])
                    memory[slot, i] = kept + write[slot] * content[i]
            read_keys = np.reshape(dense(layer.read_key_dense, vp), (nr, f))
            readouts = []
            for head in range(nr):
                read = content_addressing(memory, read_keys[head], 1.0)
                readouts += [sum(read[x] * memory[x, i] for x in range(s)) for i in range(f)]
            found[b, j] = dense(layer.output_dense, readouts)
    return found


@pytest.mark.parametrize("strength", [0.0, 1.0, 7.5])
def test_equals_plain_loops(strength):
    layer = made(strength=strength)
    np.testing.assert_allclose(layer(PROPOSALS), by_loops(layer, PROPOSALS), atol=1e-4)


def test_equals_plain_loops_of_another_size():
    layer = MemoryNetwork(features=3, slots=1, heads=1)
    proposals = RNG.normal(size=(1, 5, 2)).astype("float32")
    layer(proposals)
    np.testing.assert_allclose(layer(proposals), by_loops(layer, proposals), atol=1e-5)


def projected_of(layer, proposals):
    return layer.project_dense(proposals)


def test_a_sharp_write_replaces_one_slot_and_leaves_the_others():
    layer = made(strength=1e4)
    layer.erase_dense.bias.assign(np.full(4, 1e3))  # erases all
    projected = projected_of(layer, PROPOSALS)
    memories = np.array(layer.write(projected))
    content = np.array(layer.content_dense(projected))
    changed = np.abs(memories - np.array(layer.memory)[None]).max(axis=-1) > 1e-3
    assert (changed.sum(axis=-1) == 1).all()
    written = memories[changed].reshape(content.shape)
    np.testing.assert_allclose(written, content, atol=1e-3)


def test_an_even_write_of_nothing_keeps_the_memory():
    layer = made(strength=0.0)
    layer.erase_dense.bias.assign(np.full(4, -1e3))  # erases nothing
    layer.content_dense.kernel.assign(np.zeros((4, 4)))
    layer.content_dense.bias.assign(np.arange(4.0))
    memories = np.array(layer.write(projected_of(layer, PROPOSALS)))
    expected = np.array(layer.memory)[None] + np.arange(4.0) / 5  # 5 slots share it
    np.testing.assert_allclose(memories, np.broadcast_to(expected, memories.shape), atol=1e-5)


def test_reading_is_a_mean_of_slots():
    layer = made()
    projected = projected_of(layer, PROPOSALS)
    memories = np.array(layer.write(projected))
    readouts = np.array(layer.read(projected, memories))
    assert readouts.shape == (2, 3, 2, 4)
    assert (readouts <= memories.max(axis=2)[:, :, None] + 1e-5).all()
    assert (readouts >= memories.min(axis=2)[:, :, None] - 1e-5).all()
    same = np.repeat(memories[:, :, :1], 5, axis=2)
    np.testing.assert_allclose(
        layer.read(projected, same), np.repeat(same[:, :, :1], 2, axis=2), atol=1e-5
    )


LAYER = made()


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 1), min_size=1, max_size=4), st.integers(0, 2))
def test_nothing_is_kept_from_post_to_post(posts, position):
    alone = np.array(LAYER(PROPOSALS))
    np.testing.assert_allclose(LAYER(PROPOSALS[posts]), alone[posts], atol=1e-5)
    other = PROPOSALS.copy()
    other[:, position] = 9.0
    rest = [j for j in range(3) if j != position]
    np.testing.assert_allclose(np.array(LAYER(other))[:, rest], alone[:, rest], atol=1e-5)


def test_calls_leave_the_memory_as_it_was():
    layer = made()
    before = np.array(layer.memory)
    layer(PROPOSALS, training=True)
    assert np.array_equal(before, layer.memory)


def test_positions_have_memories_of_their_own():
    layer = made()
    same = np.repeat(PROPOSALS[:, :1], 3, axis=1)
    different = np.array(layer(same))
    assert np.abs(different[:, 0] - different[:, 1]).max() > 1e-3
    memory = np.array(layer.memory)
    layer.memory.assign(np.repeat(memory[:1], 3, axis=0))
    equal = np.array(layer(same))
    np.testing.assert_allclose(equal[:, 0], equal[:, 1], atol=1e-6)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_zero_proposals_have_finite_values_and_gradients(policy):
    layer = MemoryNetwork(**SIZES, dtype=policy)
    proposals = tf.Variable(np.zeros((2, 3, 6)), dtype=layer.compute_dtype)
    with tf.GradientTape() as tape:
        values = layer(proposals)
        loss = tf.reduce_sum(tf.cast(values, tf.float32) ** 2)
    gradients = tape.gradient(loss, [proposals, *(w.value for w in layer.trainable_variables)])
    for value in (values, *gradients):
        assert np.isfinite(np.array(value, "float32")).all()
