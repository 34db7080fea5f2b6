import math

import numpy as np
import pytest

from tfhashtag.layers import MemoryNetwork, PicturePooling
from tfhashtag.layers.picture_pooling import mean_of_pictures
from tfhashtag.testing import LayerContract

RNG = np.random.default_rng(0)
READ = RNG.normal(size=(3, 6, 4)).astype("float32")  # three pictures of two cells
MASK = np.array([[True, True, False], [True, False, False], [True, True, True]])


def padded(inputs):
    more = RNG.normal(size=(3, 4, 4)).astype("float32")
    mask = np.concatenate([inputs["image_mask"], np.zeros((3, 2), bool)], axis=1)
    return {"read": np.concatenate([inputs["read"], more], axis=1), "image_mask": mask}


@pytest.mark.parametrize("check", LayerContract.CHECKS)
def test_contract(check):
    contract = LayerContract(
        lambda **kw: PicturePooling(2, weighted=True, **kw),
        {"read": READ, "image_mask": MASK},
        pad=padded,
    )
    getattr(contract, check)()


def by_loops(read, mask, query):
    found = np.zeros((len(read), 2, 4))
    for b in range(len(read)):
        there = [p for p in range(3) if mask[b, p]]
        scores = [
            sum(read[b, 2 * p + j, i] * query[i] / 2 for j in range(2) for i in range(4))
            for p in there
        ]
        total = sum(map(math.exp, scores))
        for p, score in zip(there, scores, strict=True):
            found[b] += math.exp(score) / total * read[b, 2 * p : 2 * p + 2]
    return found


@pytest.mark.parametrize("weighted", [True, False])
def test_against_loops(weighted):
    layer = PicturePooling(2, weighted)
    layer(READ, MASK)
    query = RNG.normal(size=4) if weighted else np.zeros(4)
    if weighted:
        layer.query.assign(query)
    np.testing.assert_allclose(layer(READ, MASK), by_loops(READ, MASK, query), rtol=1e-5)
    order = [2, 0, 1]
    turned = READ.reshape(3, 3, 2, 4)[:, order].reshape(READ.shape)
    np.testing.assert_allclose(layer(turned, MASK[:, order]), layer(READ, MASK), atol=1e-6)
    dirty = READ.copy()
    dirty[0, 4:] = np.nan  # masked
    np.testing.assert_array_equal(layer(dirty, MASK), layer(READ, MASK))


def test_one_picture_is_itself_to_the_bit_and_none_is_zeros():
    layer = PicturePooling(2, weighted=True)
    layer(READ, MASK)
    layer.query.assign(RNG.normal(size=4))
    one = np.ones((3, 1), bool)
    np.testing.assert_array_equal(layer(READ[:, :2], one), READ[:, :2])
    np.testing.assert_array_equal(layer(READ, MASK & [[True, False, False]]), READ[:, :2])
    assert not np.any(layer(READ, np.zeros_like(MASK)))
    assert layer(READ[:0], MASK[:0]).shape == (0, 2, 4)
    with pytest.raises(ValueError, match="`proposals` must be an integer of at least 1, found 0"):
        PicturePooling(0)


def test_mean_of_pictures():
    pictures = READ.reshape(3, 3, 2, 4).mean(axis=2)
    expected = [pictures[b][MASK[b]].mean(axis=0) for b in range(3)]
    np.testing.assert_allclose(mean_of_pictures(READ, MASK), expected, atol=1e-6)
    assert not np.any(mean_of_pictures(np.zeros_like(READ), np.zeros_like(MASK)))
    one = mean_of_pictures(READ[:, :2], np.ones((3, 1), bool))
    np.testing.assert_array_equal(one, mean_of_pictures(READ[:, :2]))


def test_the_memory_reads_each_picture_as_it_would_alone():
    layer = MemoryNetwork(features=5, slots=3, heads=2)
    alone = [layer(READ[:, at : at + 2]) for at in (0, 2, 4)]
    np.testing.assert_allclose(layer(READ), np.concatenate(alone, axis=1), atol=1e-6)
