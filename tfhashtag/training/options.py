"""How a training runs, as opposed to what it trains: nothing here changes the configuration."""

import contextlib
import dataclasses
import functools
from typing import Any

from tfhashtag.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """Switches of the command line.

    Attributes:
        mixed_precision: compute in 16 bits (float16 with a GPU, bfloat16 without), variables and
            losses in 32.
        xla: compile the training step.
        strategy: `"none"`, or `"mirrored"` for all local devices.
        progress: show a progress bar on stderr.
        prepared: folder of lists that `tfhashtag prepare` wrote, in place of working them out.
    """

    mixed_precision: bool = False
    xla: bool = False
    strategy: str = "none"
    progress: bool = True
    prepared: str | None = None

    @property
    def of_the_result(self) -> dict[str, bool | str]:
        """The options on which the trained weights depend, by name."""
        return {
            "mixed_precision": self.mixed_precision,
            "xla": self.xla,
            "strategy": self.strategy,
            "prepared": self.prepared is not None,
        }

    @property
    def dtype_policy(self) -> str:
        """Name of the Keras dtype policy."""
        import tensorflow as tf

        if not self.mixed_precision:
            return "float32"
        gpu = bool(tf.config.list_physical_devices("GPU"))
        return "mixed_float16" if gpu else "mixed_bfloat16"

    def scope(self) -> contextlib.AbstractContextManager:
        """Context in which the model and its optimiser are made.

        Raises:
            ConfigError: unknown strategy.
        """
        strategy = self._strategy
        return contextlib.nullcontext() if strategy is None else strategy.scope()

    def compile(self, model: Any, **arguments: Any) -> None:
        """`model.compile(**arguments)`, its training step by XLA if that was asked for."""
        import tensorflow as tf

        model.compile(jit_compile=False, **arguments)
        if self.xla:
            # Told to compile it itself, Keras does not where operations must be deterministic.
            step = type(model).train_step.__get__(model)
            model.train_step = tf.function(step, jit_compile=True, autograph=False)

    @functools.cached_property
    def _strategy(self) -> Any:
        # One object for the model and its optimizer: variables of two strategies do not mix.
        import tensorflow as tf

        if self.strategy == "none":
            return None
        if self.strategy == "mirrored":
            return tf.distribute.MirroredStrategy()
        raise ConfigError(f"`strategy` is {self.strategy!r}, expected `none` or `mirrored`.")
