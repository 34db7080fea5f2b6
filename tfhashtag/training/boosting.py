"""Boosted trees over the signals of lists, grown by LightGBM (Ke et al., 2017)."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfhashtag.layers.tree_ensemble import Tree
from tfhashtag.training.lightgbm_library import common_settings, load_lightgbm
from tfhashtag.training.list_training import CandidateLists

_LARGEST = 10_000  # candidates of a list
_BINNED = 100_000  # rows that the bounds of bins are taken from, held twice in 64 bits


@dataclasses.dataclass(frozen=True)
class Boosting:
    """How trees are grown.

    Attributes:
        trees: how many.
        leaves: of each at most.
        learning_rate: what each adds.
        seed: of the rows and features that a tree sees.
    """

    trees: int
    leaves: int
    learning_rate: float
    seed: int


def boosted_trees(parts: Sequence[CandidateLists], head: str, how: Boosting) -> list[Tree]:
    """Grows trees that rank lists, by LambdaMART's gradients (Burges, 2010).

    The same lists and seed give the same trees. Each tree sees 70 % of the rows and half of the
    features.

    Args:
        parts: lists to learn from; those without a positive or a negative are left out, and those
            of more candidates than LightGBM takes.
        head: whose features are read.
        how: how many, of which size.

    Returns:
        As many as were asked for, or fewer where nothing is left to split; none without lists.
    """
    lists = [part.usable for part in parts]
    lists = [some[some[:, 1] - some[:, 0] <= _LARGEST] for some in lists]
    sizes = [some[:, 1] - some[:, 0] for some in lists]
    count = sum(int(some.sum()) for some in sizes)
    if count == 0 or how.trees == 0:
        return []
    lightgbm = load_lightgbm()
    settings = {
        **_settings(how, count),
        "objective": "lambdarank",
        "lambdarank_truncation_level": 30,
        "lambda_l2": 5.0,
        "feature_fraction": 0.5,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
    }
    labels = [
        part.labels[first:last]
        for part, some in zip(parts, lists, strict=True)
        for first, last in some.tolist()
    ]
    data = lightgbm.Dataset(
        [
            _rows(part.features[head], some)
            for part, some in zip(parts, lists, strict=True)
            if len(some)
        ],
        np.concatenate(labels),
        group=np.concatenate(sizes),
        params=settings,
    )
    return _grown(settings, data, how)


def regression_trees(rows: np.ndarray, targets: np.ndarray, how: Boosting) -> list[Tree]:
    """Grows trees whose sum comes next to the targets, by least squares (Friedman, 2001).

    The same rows and seed give the same trees.

    Args:
        rows: float `[n, F]`.
        targets: float `[n]`.
        how: how many, of which size.

    Returns:
        As many as were asked for, or fewer where nothing is left to split; none without rows.
    """
    if len(rows) == 0 or how.trees == 0:
        return []
    settings = {**_settings(how, len(rows)), "objective": "l2"}
    return _grown(settings, load_lightgbm().Dataset(rows, targets, params=settings), how)


def _settings(how: Boosting, count: int) -> dict[str, Any]:
    """What trees of either kind are grown with, from `count` rows."""
    return {
        "learning_rate": how.learning_rate,
        "num_leaves": how.leaves,
        "min_data_in_leaf": min(50, max(count // 100, 1)),
        "max_bin": 255,
        "bin_construct_sample_cnt": _BINNED,
        "seed": how.seed,
        **common_settings(count),
    }


def _grown(settings: dict[str, Any], data: Any, how: Boosting) -> list[Tree]:
    booster = load_lightgbm().train(settings, data, how.trees)
    return [_tree(grown["tree_structure"]) for grown in booster.dump_model()["tree_info"]]


def _tree(root: Any) -> Tree:
    """A tree of LightGBM's dump."""
    found = Tree([], [], [], [], [])

    def added(node: Any) -> int:
        if "split_feature" not in node:
            found.values.append(node["leaf_value"])
            return -len(found.values)
        at = len(found.features)
        for column in found[:4]:
            column.append(0)
        found.features[at] = node["split_feature"]
        found.thresholds[at] = node["threshold"]
        found.left[at] = added(node["left_child"])
        found.right[at] = added(node["right_child"])
        return at

    added(root)
    return found


def _rows(features: np.ndarray, lists: np.ndarray) -> Any:
    """The rows of some lists, as LightGBM reads them: a few thousand at a time."""
    import lightgbm

    lengths = lists[:, 1] - lists[:, 0]
    starts = np.repeat(lists[:, 0] - np.cumsum(lengths) + lengths, lengths)
    places = starts + np.arange(len(starts))

    class Rows(lightgbm.Sequence):
        batch_size = 8192

        def __getitem__(self, at: Any) -> np.ndarray:
            return np.asarray(features[places[at]], np.float64)

        def __len__(self) -> int:
            return len(places)

    return Rows()
