"""Options of a training: whether XLA really compiles the step."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfhashtag.training.options import TrainingOptions


class Interpreted(keras.layers.Layer):
    """Runs Python in the step, which XLA cannot compile."""

    def call(self, x):
        return tf.ensure_shape(tf.py_function(lambda value: value, [x], tf.float32), x.shape)


def fitted(xla: bool, layer: keras.layers.Layer) -> float:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, "tanh"), layer])
    model.set_weights([np.linspace(-1, 1, 6).reshape(3, 2), np.zeros(2)])
    tf.config.experimental.enable_op_determinism()  # as every training does
    TrainingOptions(xla=xla).compile(model, optimizer=keras.optimizers.SGD(0.1), loss="mse")
    return model.fit(np.eye(3), np.ones((3, 2)), epochs=3, verbose=0).history["loss"][-1]


def test_xla_compiles_the_step_and_trains_as_without():
    keras.utils.set_random_seed(0)  # determinism asks for a seed
    with pytest.raises(tf.errors.InvalidArgumentError, match="compil"):
        fitted(True, Interpreted())
    assert np.isfinite(fitted(False, Interpreted()))
    plain = keras.layers.Identity()
    assert fitted(True, plain) == pytest.approx(fitted(False, plain), rel=1e-6)
