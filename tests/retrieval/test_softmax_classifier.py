"""The classifier beside scikit-learn's, and a sample of classes beside all of them."""

import numpy as np
from sklearn.linear_model import LogisticRegression

from tfhashtag.retrieval import softmax_classifier as module
from tfhashtag.retrieval.softmax_classifier import softmax_classifier

RNG = np.random.default_rng(0)


def blobs(groups, each, width):
    truth = np.repeat(np.arange(groups), each)
    vectors = RNG.normal(size=(groups * each, width)) + 2 * RNG.normal(size=(groups, width))[truth]
    return vectors.astype("float32"), truth


def accuracy(vectors, truth, weights, bias):
    return np.mean((vectors @ weights + bias).argmax(axis=1) == truth)


def test_as_good_as_scikit_learn_on_what_it_has_not_seen():
    vectors, truth = blobs(20, 60, 8)
    seen = np.arange(len(truth)) % 2 == 0
    weights, bias = softmax_classifier(vectors, np.flatnonzero(seen), truth[seen], 20)
    theirs = LogisticRegression(max_iter=1000).fit(vectors[seen], truth[seen])
    ours = accuracy(vectors[~seen], truth[~seen], weights, bias)
    assert ours >= theirs.score(vectors[~seen], truth[~seen]) - 0.02


def test_without_anything_to_go_by_the_shares_are_the_frequencies():
    vectors = np.zeros((400, 3), "float32")
    rows = np.concatenate([np.arange(400), np.arange(100)])
    groups = np.repeat([0, 1], [400, 100])  # a quarter of the vectors are of both
    weights, bias = softmax_classifier(vectors, rows, groups, 3)
    chances = np.exp(bias) / np.exp(bias).sum()
    assert not weights.any()
    np.testing.assert_allclose(chances, [0.875, 0.125, 0], atol=0.03)


def test_a_sample_of_classes_learns_what_all_teach(monkeypatch):
    vectors, truth = blobs(40, 60, 8)
    rows = np.arange(len(truth))
    whole = accuracy(vectors, truth, *softmax_classifier(vectors, rows, truth, 400))
    monkeypatch.setattr(module, "_CLASSES", 60)
    weights, bias = softmax_classifier(vectors, rows, truth, 400)
    assert accuracy(vectors, truth, weights, bias) >= whole - 0.03
    chances = np.exp(vectors @ weights + bias)
    unused = chances[:, 40:].sum(axis=1) / chances.sum(axis=1)
    assert unused.mean() < 0.05  # each of the 360 was drawn, and pressed down by its share


def test_a_step_that_every_class_takes_part_in_moves_them_as_adamw_does(monkeypatch):
    vectors, truth = blobs(30, 40, 8)
    rows = np.arange(len(truth))
    whole = softmax_classifier(vectors, rows, truth, 30)
    monkeypatch.setattr(module, "_CLASSES", 20)
    found = softmax_classifier(vectors, rows, truth, 30)
    assert accuracy(vectors, truth, *found) > 0.9
    for one, other in zip(found, whole, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_many_vectors_are_seen_less_often(monkeypatch):
    vectors, truth = blobs(3, 400, 4)
    steps = []
    fit = module._Fit.step
    monkeypatch.setattr(module._Fit, "step", lambda self, *a: (steps.append(1), fit(self, *a)))
    monkeypatch.setattr(module, "_LEAST_STEPS", 1)
    for most, expected in ((300, 12), (5, 4), (1, 2)):  # of two batches: six, two, one time
        monkeypatch.setattr(module, "_MOST_STEPS", most)
        softmax_classifier(vectors, np.arange(len(truth)), truth, 3)
        assert len(steps) == expected
        steps.clear()


def test_nothing_known_and_same_seed_same_weights():
    nothing = np.zeros(0, int)
    weights, bias = softmax_classifier(np.zeros((4, 2), "float32"), nothing, nothing, 3)
    assert weights.shape == (2, 3) and np.isfinite(bias).all()
    vectors, truth = blobs(3, 20, 4)
    found = [softmax_classifier(vectors, np.arange(60), truth, 3) for _ in range(2)]
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
