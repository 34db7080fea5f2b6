"""The contract finds each fault that it is there to find."""

import keras
import numpy as np
import pytest
from keras import ops

from tfhashtag.testing import LayerContract

X = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")


@keras.saving.register_keras_serializable(package="test")
class Good(keras.layers.Layer):
    def __init__(self, units=2, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, x_shape):
        self.kernel = self.add_weight(shape=(x_shape[-1], self.units), name="kernel")

    def call(self, x):
        return ops.tanh(ops.matmul(x, self.kernel))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable(package="test")
class ForgetsUnits(Good):
    def get_config(self):
        return {**super().get_config(), "units": 2}


@keras.saving.register_keras_serializable(package="test")
class NeverBuilt(Good):
    def build(self, x_shape):
        super().build(x_shape)
        self.forgotten = keras.layers.Dense(3)


@keras.saving.register_keras_serializable(package="test")
class NoGradient(Good):
    def call(self, x):
        return super().call(x) * 0 + ops.stop_gradient(super().call(x))


@keras.saving.register_keras_serializable(package="test")
class WrongGradient(Good):
    def call(self, x):
        return super().call(x) + ops.stop_gradient(super().call(x))


@keras.saving.register_keras_serializable(package="test")
class FullPrecision(Good):
    def call(self, x):
        return ops.cast(super().call(x), "float32")


@keras.saving.register_keras_serializable(package="test")
class ReadsOthers(Good):
    def call(self, x):
        return super().call(x) + ops.mean(x)


@keras.saving.register_keras_serializable(package="test")
class NotFinite(Good):
    def call(self, x):
        return super().call(x) / 0.0


def contract(cls, **config):
    return LayerContract(lambda **kw: cls(**config, **kw), {"x": X})


def test_a_good_layer_passes_all():
    contract(Good).check_all()


@pytest.mark.parametrize(
    "cls, config, check, words",
    [
        (ForgetsUnits, {"units": 3}, "check_save_and_load", None),
        (NeverBuilt, {}, "check_shapes", "never built"),
        (NoGradient, {}, "check_fit", "did not change"),
        (WrongGradient, {}, "check_gradients", "finite difference"),
        (FullPrecision, {}, "check_dtype_policies", "dtype under mixed_float16"),
        (ReadsOthers, {}, "check_batch_of_one", "alone"),
        (NotFinite, {}, "check_shapes", "not finite"),
    ],
)
def test_a_faulty_layer_fails_where_it_should(cls, config, check, words):
    faulty = contract(cls, **config)
    if words is None:
        with pytest.raises((AssertionError, ValueError)):
            faulty.check_config()
            faulty.check_save_and_load()
    else:
        with pytest.raises(AssertionError, match=words):
            getattr(faulty, check)()


def test_padding_that_is_read_is_found():
    faulty = LayerContract(
        keras.layers.GlobalAveragePooling1D,
        {"inputs": X[:, :, None]},
        pad=lambda inputs: {"inputs": np.pad(inputs["inputs"], ((0, 0), (0, 1), (0, 0)))},
    )
    with pytest.raises(AssertionError, match="padded inputs"):
        faulty.check_padding()
