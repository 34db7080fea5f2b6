"""What every layer of this library keeps, and any layer used with it should keep, as one call."""

import contextlib
import json
import pathlib
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

Arrays = Mapping[str, np.ndarray]
_STATE_WARNINGS = ("does not have a `build()`", "unbuilt state")


class LayerContract:
    """Checks a Keras layer from all sides; each check raises AssertionError with what differed.

    Args:
        make: makes a fresh layer, e.g. `lambda **kw: UserEncoder(hidden=4, **kw)`. It must pass
            `dtype` on to the layer.
        inputs: arrays by the names of `call`'s arguments, in their order, batch axis first. They
            must hold finite values; use a batch of at least two.
        pad: gives the same inputs with more padding, or None for a layer without masks.
        unpad: cuts the output for padded inputs back to that for unpadded ones; the default
            changes nothing.
        untrained: names of weights that a fit step need not change, since their gradient is zero
            for a reason.

    Attributes:
        CHECKS: names of the checks, for tests that run them one by one.

    Example:

    >>> from tfhashtag.layers import EngagementHead
    >>> rng = np.random.default_rng(0)
    >>> contract = LayerContract(
    ...     lambda **kw: EngagementHead(hidden=3, **kw),
    ...     {"embeddings": rng.normal(size=(2, 3, 4)), "user": rng.normal(size=(2, 5))},
    ... )
    >>> contract.check_config()
    >>> contract.check_shapes()
    """

    CHECKS = (
        "check_config",
        "check_shapes",
        "check_fit",
        "check_padding",
        "check_batch_of_one",
        "check_dtype_policies",
        "check_xla",
        "check_gradients",
        "check_save_and_load",
        "check_saved_model",
    )

    def __init__(
        self,
        make: Callable[..., keras.Layer],
        inputs: Arrays,
        pad: Callable[[Arrays], Arrays] | None = None,
        unpad: Callable[[Any], Any] = lambda outputs: outputs,
        untrained: tuple[str, ...] = (),
    ) -> None:
        self.make = make
        self.inputs = {
            name: np.asarray(value, "float32") if _is_float(value) else np.asarray(value)
            for name, value in inputs.items()
        }
        self.pad = pad
        self.unpad = unpad
        self.untrained = untrained

    def check_all(self) -> None:
        """Every check of `CHECKS`."""
        for check in self.CHECKS:
            getattr(self, check)()

    def check_config(self) -> None:
        """The configuration survives JSON, and makes a layer with an equal one."""
        layer = self.make(dtype="float32")
        config = layer.get_config()
        copied = json.loads(json.dumps(config))
        _equal(copied, config, "`get_config()` after a round trip through JSON")
        again = type(layer).from_config(copied)
        _equal(again.get_config(), config, "`get_config()` of the layer made by `from_config`")
        text = json.dumps(keras.saving.serialize_keras_object(layer))
        loaded = keras.saving.deserialize_keras_object(json.loads(text))
        _equal(type(loaded), type(layer), "the class after serialisation (is it registered?)")

    def check_shapes(self) -> None:
        """Symbolic and eager calls agree in shape and dtype; `build` makes every weight."""
        with _no_unbuilt_state():
            layer, outputs = self._built("float32")
            model = self._functional(layer)
            before = len(layer.weights)
            symbolic = keras.tree.flatten(model.output)
            eager = keras.tree.flatten(outputs)
            _equal(len(symbolic), len(eager), "the number of symbolic outputs")
            for spec, value in zip(symbolic, eager, strict=True):
                _equal(tuple(spec.shape[1:]), tuple(value.shape[1:]), "a symbolic shape")
                _equal(spec.dtype, keras.backend.standardize_dtype(value.dtype), "a dtype")
            _equal(len(layer.weights), before, "the number of weights after the second call")
        if not layer.built:
            raise AssertionError(f"`{layer.name}` was called and is still not built.")
        for sublayer in layer._flatten_layers(include_self=False):
            if not sublayer.built:
                raise AssertionError(f"the sublayer `{sublayer.name}` was never built.")

    def check_fit(self) -> None:
        """One step of training moves every trainable weight, and leaves all of them finite."""
        layer, outputs = self._built("float32")
        model = self._functional(layer)
        rng = np.random.default_rng(1)
        targets = keras.tree.map_structure(lambda x: rng.normal(size=x.shape), outputs)
        losses = keras.tree.map_structure(lambda x: "mse", outputs)
        sgd = keras.optimizers.SGD(1.0)
        model.compile(optimizer=sgd, loss=losses, jit_compile=False)
        before = [np.array(v) for v in layer.trainable_variables]
        with _no_unbuilt_state():
            model.train_on_batch(dict(self.inputs), targets)
        for variable, old in zip(layer.trainable_variables, before, strict=True):
            new = np.array(variable)
            if not np.isfinite(new).all():
                raise AssertionError(f"`{variable.path}` is not finite after a step.")
            if variable.name not in self.untrained and np.array_equal(new, old):
                raise AssertionError(f"`{variable.path}` did not change: it has no gradient.")

    def check_padding(self) -> None:
        """More padding, whatever is in it, changes nothing."""
        if self.pad is None:
            return
        layer, outputs = self._built("float32")
        padded = self.unpad(layer(**self.pad(self.inputs)))
        _close(padded, outputs, "the output for padded inputs", 1e-6)

    def check_batch_of_one(self) -> None:
        """Each row of a batch gets what it gets alone."""
        layer, outputs = self._built("float32")
        for row in range(len(next(iter(self.inputs.values())))):
            alone = layer(**{name: value[row : row + 1] for name, value in self.inputs.items()})
            whole = keras.tree.map_structure(lambda x, r=row: x[r : r + 1], outputs)
            _close(alone, whole, f"the output for row {row} alone", 1e-5)

    def check_dtype_policies(
        self, tolerances: Mapping[str, float] = {"mixed_float16": 0.02, "mixed_bfloat16": 0.15}
    ) -> None:
        """Half precision keeps float32 weights, gives half-precision outputs, near the exact."""
        layer, outputs = self._built("float32")
        for policy, tolerance in tolerances.items():
            half, _ = self._built(policy)
            for variable, source in zip(half.weights, layer.weights, strict=True):
                if variable.dtype == "float32":
                    variable.assign(source)
                elif not variable.dtype.startswith(("int", "uint")):
                    raise AssertionError(f"`{variable.path}` is {variable.dtype} under {policy}.")
            values = half(**self.inputs)
            for value in keras.tree.flatten(values):
                _equal(
                    keras.backend.standardize_dtype(value.dtype),
                    half.compute_dtype,
                    f"an output's dtype under {policy}",
                )
            _close(values, outputs, f"the output under {policy}", tolerance)

    def check_xla(self) -> None:
        """Compiled by XLA or not: the same outputs and gradients."""
        layer, outputs = self._built("float32")
        weights = [v.value for v in layer.trainable_variables]
        factors = self._factors(outputs)

        def step() -> Any:
            with tf.GradientTape() as tape:
                values = layer(**{k: tf.constant(v) for k, v in self.inputs.items()})
                loss = _weighted_sum(values, factors)
            gradients = tape.gradient(
                loss, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO
            )
            return values, [tf.convert_to_tensor(gradient) for gradient in gradients]

        compiled = tf.function(step, jit_compile=True, autograph=False)()
        _close(compiled, step(), "outputs or gradients under XLA", 2e-5)

    def check_gradients(self, epsilon: float = 1e-6, directions: int = 3) -> None:
        """Gradients of weights and float inputs against central differences in float64."""
        layer = self.make(dtype="float64")
        inputs = {
            name: tf.Variable(value, dtype=tf.float64) if _is_float(value) else tf.constant(value)
            for name, value in self.inputs.items()
        }
        outputs = layer(**inputs)
        factors = self._factors(outputs)
        variables = [v.value for v in layer.trainable_variables]
        variables += [v for v in inputs.values() if isinstance(v, tf.Variable)]
        rng = np.random.default_rng(2)
        for variable in variables:  # away from symmetric points such as zero biases
            variable.assign_add(rng.normal(scale=0.05, size=variable.shape))

        @tf.function(autograph=False)
        def loss_and_gradients() -> Any:
            with tf.GradientTape() as tape:
                loss = _weighted_sum(layer(**inputs), factors)
            gradients = tape.gradient(
                loss, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
            )
            return loss, [tf.convert_to_tensor(gradient) for gradient in gradients]

        _, gradients = loss_and_gradients()
        for variable, gradient in zip(variables, gradients, strict=True):
            exact = np.array(gradient)
            for _ in range(directions):
                direction = rng.normal(size=variable.shape)
                variable.assign_add(epsilon * direction)
                above = float(loss_and_gradients()[0])
                variable.assign_sub(2 * epsilon * direction)
                below = float(loss_and_gradients()[0])
                variable.assign_add(epsilon * direction)
                measured = (above - below) / (2 * epsilon)
                expected = float(np.sum(exact * direction))
                if not np.isclose(measured, expected, rtol=1e-4, atol=1e-6):
                    raise AssertionError(
                        f"`{variable.name}`: gradient {expected}, finite difference {measured}."
                    )

    def check_save_and_load(self) -> None:
        """A model with this layer, saved as `.keras` and loaded, gives the same output."""
        layer, outputs = self._built("float32")
        with tempfile.TemporaryDirectory() as folder, _no_unbuilt_state():
            path = pathlib.Path(folder) / "model.keras"
            self._functional(layer).save(path)
            loaded = keras.saving.load_model(path)
            _close(loaded(dict(self.inputs)), outputs, "the output after loading", 1e-6)

    def check_saved_model(self) -> None:
        """Exported as a SavedModel and loaded without Keras, it gives the same output."""
        layer, outputs = self._built("float32")
        model = self._functional(layer)
        with tempfile.TemporaryDirectory() as folder, _no_unbuilt_state():
            archive = keras.export.ExportArchive()
            archive.track(model)
            archive.add_endpoint(
                "serve",
                lambda inputs: model(inputs, training=False),
                input_signature=[
                    {
                        name: tf.TensorSpec((None, *value.shape[1:]), value.dtype, name=name)
                        for name, value in self.inputs.items()
                    }
                ],
            )
            archive.write_out(folder, verbose=False)
            loaded = tf.saved_model.load(folder)
            values = loaded.serve({k: tf.constant(v) for k, v in self.inputs.items()})
            _close(
                keras.tree.flatten(values),
                keras.tree.flatten(outputs),
                "the output of the SavedModel",
                1e-5,
            )

    def _built(self, policy: str) -> tuple[keras.Layer, Any]:
        keras.utils.set_random_seed(0)
        layer = self.make(dtype=policy)
        outputs = layer(**self.inputs)
        for value in keras.tree.flatten(outputs):
            if not np.isfinite(np.array(value, "float32")).all():
                raise AssertionError(f"`{layer.name}` gives values that are not finite ({policy}).")
        return layer, outputs

    def _functional(self, layer: keras.Layer) -> keras.Model:
        symbolic = {
            name: keras.Input(value.shape[1:], dtype=str(value.dtype), name=name)
            for name, value in self.inputs.items()
        }
        return keras.Model(symbolic, layer(**symbolic))

    @staticmethod
    def _factors(outputs: Any) -> list[np.ndarray]:
        rng = np.random.default_rng(3)
        return [rng.normal(size=value.shape) for value in keras.tree.flatten(outputs)]


@contextlib.contextmanager
def _no_unbuilt_state() -> Iterator[None]:
    """Keras's warnings about state that `build` did not make become errors."""
    with warnings.catch_warnings(record=True, action="always") as caught:
        yield
    for warning in caught:
        if any(part in str(warning.message) for part in _STATE_WARNINGS):
            raise AssertionError(f"Keras warns: {warning.message}")


def _weighted_sum(outputs: Any, factors: Any) -> Any:
    values = keras.tree.flatten(outputs)
    return tf.add_n(
        [tf.reduce_sum(v * tf.cast(f, v.dtype)) for v, f in zip(values, factors, strict=True)]
    )


def _is_float(value: Any) -> bool:
    return np.issubdtype(np.asarray(value).dtype, np.floating)


def _equal(found: Any, expected: Any, what: str) -> None:
    if found != expected:
        raise AssertionError(f"{what}: expected {expected!r}, found {found!r}.")


def _close(found: Any, expected: Any, what: str, tolerance: float) -> None:
    found, expected = keras.tree.flatten(found), keras.tree.flatten(expected)
    _equal(len(found), len(expected), f"the number of tensors in {what}")
    for left, right in zip(found, expected, strict=True):
        np.testing.assert_allclose(
            np.array(left, "float64"),
            np.array(right, "float64"),
            rtol=tolerance,
            atol=tolerance,
            err_msg=what,
        )
