"""A step over a sample of labels beside one over all of them, written out."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.fixtures.training import left_by_a_kill
from tests.recommenders.phr.conftest import QUIET
from tfhashtag.recommenders.sampled_labels import SampledLabels, among_some
from tfhashtag.runs.train import train

FEW = (
    "training.labels=6",
    "training.batch_posts=2",
    "training.epochs=2",
    "network.sides=[textual,own]",
    "network.pairing=none",
    "network.label_vectors=true",
)


@pytest.fixture(scope="module")
def run(folder, sets, tmp_path_factory):
    out = tmp_path_factory.mktemp("sampled") / "run"
    with left_by_a_kill(out.with_name("killed"), "posts"):
        return train("phr", folder / "corpus", out, overrides=(*sets, *FEW), options=QUIET)


def test_what_was_stopped_goes_on_to_the_same_weights(run, sets):
    """Moments of rows, and how often each took part, are in the checkpoint."""
    killed = run.folder.with_name("killed")
    resumed = train("phr", None, killed, overrides=(*sets, *FEW), options=QUIET, resume=True)
    ours, theirs = ((one.folder / "training.jsonl").read_text() for one in (resumed, run))
    assert ours.splitlines()[:-1] == theirs.splitlines()[:-1]
    first, second = (np.load(one.weights / "model.npz") for one in (run, resumed))
    for key in first.files:
        np.testing.assert_array_equal(first[key], second[key])


def test_a_step_is_that_of_the_whole_network_over_the_labels_that_compete(run):
    recommender = run.recommender
    model, labels = recommender.model, len(recommender.labels)
    training = recommender.settings.training.model_copy(update={"optimizer": "sgd"})
    inputs, batch = recommender.inputs_of(np.flatnonzero(run.corpus.split_of_post == 0)[:2])
    targets, number = inputs.targets(np.arange(2)), recommender._competing()
    assert targets.max() >= 0 and number < labels
    given = batch, targets, labels, number, np.random.default_rng(0)
    small, places, classes, shift = among_some(*given)
    variables = model.trainable_variables
    with tf.GradientTape() as tape:
        logits = tf.gather(model(batch), classes, axis=1) + shift
        normalizer = tf.reduce_logsumexp(logits, axis=1)
        loss = tf.reduce_mean(
            [
                sum(normalizer[post] - logits[post, place] for place in row[row >= 0])
                for post, row in enumerate(places)
            ]
        )
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    expected = [
        np.asarray(variable) - (0 if step is None else training.learning_rate * np.array(step))
        for variable, step in zip(variables, map(_dense, gradients), strict=True)
    ]
    others, before = (
        np.setdiff1d(np.arange(labels), classes),
        np.array(model.head.logits_dense.kernel),
    )
    twin = recommender._new_model(number)
    twin.head.drop.rate = twin.residual.drop.rate = 0.0
    optimizer = keras.optimizers.SGD(training.learning_rate)
    sampled = SampledLabels(model, twin, optimizer, training)
    sampled.fit([(small, places, classes, shift)], _Bar())
    for variable, values in zip(variables, expected, strict=True):
        # Penalties of the labels' weights, 10^-5 of their squares, are not in the loss above.
        np.testing.assert_allclose(np.asarray(variable), values, rtol=1e-4, atol=1e-5)
    after = np.array(model.head.logits_dense.kernel)
    np.testing.assert_array_equal(after[:, others], before[:, others])
    assert np.abs(after[:, classes] - before[:, classes]).max() > 0


def _dense(gradient):
    return None if gradient is None else tf.convert_to_tensor(gradient)


class _Bar:
    """Of no epoch that anybody looks at."""

    def on_train_batch_end(self, batch):
        pass
