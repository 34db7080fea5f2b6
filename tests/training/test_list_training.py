"""Lists laid end to end train as padded lists would."""

import contextlib

import numpy as np
import pytest

from tfhashtag.layers import ScorerEnsemble
from tfhashtag.layers.standardizer import Standardizer
from tfhashtag.losses import ListwiseSoftmax
from tfhashtag.training.list_training import CandidateLists, Head, ListSchedule, ListTraining
from tfhashtag.training.options import TrainingOptions

LISTS = CandidateLists(
    {"all": np.random.default_rng(0).normal(size=(9, 3)).astype("float32")},
    np.array([0, 3, 5, 5, 6, 9]),
    np.array([0, 1, 1, 0, 1, 1, 0, 0, 0], "float32"),
)


class _Bar:
    def on_train_batch_end(self, batch, logs):
        assert np.isfinite(logs["loss"])


@contextlib.contextmanager
def show(steps):
    assert steps == 1
    yield _Bar()


def test_usable_lists_have_both_kinds():
    assert LISTS.usable.tolist() == [[0, 3], [3, 5]]  # empty, all positive and all negative are not


def test_loss_is_that_of_padded_lists():
    import keras

    scorer, standardizer = ScorerEnsemble(members=2, hidden=(4,)), Standardizer()
    model = keras.Sequential([standardizer, scorer])
    model.build((None, 3))

    def logits(features, training=None):
        return scorer(standardizer(features), training=training)

    training = ListTraining(
        model,
        {"all": Head(standardizer, logits)},
        [LISTS],
        ListSchedule(lists=2, epochs=2, learning_rate=1e-2, weight_decay=0.0),
        seed=3,
        options=TrainingOptions(progress=False),
    )
    found = np.asarray(logits(LISTS.features["all"]))
    padded = np.stack([found[:3], np.pad(found[3:5], [[0, 1], [0, 0]])])
    labels = np.array([[0, 1, 1], [0, 1, 0]], "float32")
    mask = np.array([[True, True, True], [True, True, False]])
    wanted = np.mean([float(ListwiseSoftmax()(labels, padded[..., at], mask)) for at in range(2)])
    # Each positive counts its share of its list.
    assert training.epoch(0, show)["loss"] == pytest.approx(wanted, rel=1e-5)
    assert training.epoch(1, show)["loss"] < wanted
