"""Trees for the layer are those that LightGBM grew."""

import dataclasses
import sys

import numpy as np
import pytest

from tfhashtag.errors import ConfigError
from tfhashtag.layers import TreeEnsemble
from tfhashtag.training.boosting import Boosting, boosted_trees
from tfhashtag.training.list_training import CandidateLists

HOW = Boosting(trees=12, leaves=6, learning_rate=0.3, seed=3)


def lists(seed, count=60, size=10):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count * size, 4)).astype(np.float16)
    labels = ((features[:, 0] > 0.8) & (features[:, 2] < 0.5)).astype(np.float32)
    offsets = np.arange(0, count * size + 1, size)
    return CandidateLists({"all": features}, offsets, labels)


def test_the_layer_ranks_as_lightgbm_does(monkeypatch):
    import lightgbm

    kept = []
    train = lightgbm.train

    def watched(*args):
        kept.append(train(*args))
        return kept[-1]

    monkeypatch.setattr(lightgbm, "train", watched)
    parts = [lists(0), lists(1)]
    trees = boosted_trees(parts, "all", HOW)
    assert len(trees) == 12 and max(len(tree.values) for tree in trees) == 6
    layer = TreeEnsemble(trees=12, leaves=6)
    layer.build((None, 4))
    layer.assign_trees(trees)
    unseen = lists(2)
    found = np.array(layer(unseen.features["all"]))
    wanted = kept[0].predict(unseen.features["all"].astype(np.float32))
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert found[unseen.labels > 0].mean() > found[unseen.labels == 0].mean() + 1
    # Again the same; without lists that can be learned from, nothing.
    assert boosted_trees(parts, "all", HOW) == trees
    nothing = CandidateLists(parts[0].features, parts[0].offsets, np.zeros(600, np.float32))
    assert boosted_trees([nothing], "all", HOW) == []
    # Beside lists of which there is nothing to learn, and one that is too large.
    empty = CandidateLists({}, np.zeros(1, np.int64), np.zeros(0, np.float32))
    assert boosted_trees([*parts, nothing, empty, lists(3, 1, 10_001)], "all", HOW) == trees


def test_where_lightgbm_cannot_be_loaded_no_trees_are_grown_or_it_is_told(monkeypatch):
    class WithoutOpenMP:
        def find_spec(self, name, *_):
            if name == "lightgbm":
                raise OSError("libgomp.so.1: cannot open shared object file")

    monkeypatch.delitem(sys.modules, "lightgbm", raising=False)
    monkeypatch.setattr(sys, "meta_path", [WithoutOpenMP(), *sys.meta_path])
    assert boosted_trees([lists(0)], "all", dataclasses.replace(HOW, trees=0)) == []
    with pytest.raises(ConfigError, match=r"libgomp1`, or set `network.trees` to 0"):
        boosted_trees([lists(0)], "all", HOW)
