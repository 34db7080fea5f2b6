"""How a training runs, as opposed to what it trains: nothing here changes the configuration."""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfhashtag.errors import ConfigError
from tfhashtag.training.cluster import Cluster

if TYPE_CHECKING:
    from tfhashtag.training.monitor import EpochProgress
    from tfhashtag.training.workers import Workers

STRATEGIES = ("none", "mirrored", "multi_worker")

Shares = Callable[[np.ndarray], list[tuple[np.ndarray, float]]]
"""From the rows of a batch to those of each replica of this process and what a row weighs."""


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """Switches of the command line.

    Whatever the strategy, a batch has as many rows as the settings say: each replica, a device or
    a worker, computes a share of it, and what it weighs makes the sum over replicas the mean over
    the batch.

    Attributes:
        mixed_precision: compute in 16 bits (float16 with a GPU, bfloat16 without), variables and
            losses in 32.
        xla: compile the training step.
        strategy: `"none"`, `"mirrored"` for all local devices, or `"multi_worker"` for the
            processes that `TF_CONFIG` names.
        progress: show a progress bar on stderr.
        prepared: folder of lists that `tfhashtag prepare` wrote, in place of working them out.
        worker_timeout: seconds to wait for the other workers at the start.
    """

    mixed_precision: bool = False
    xla: bool = False
    strategy: str = "none"
    progress: bool = True
    prepared: str | None = None
    worker_timeout: float = 300.0

    @property
    def of_the_result(self) -> dict[str, bool | str | int]:
        """The options on which the trained weights depend, by name."""
        found: dict[str, bool | str | int] = {
            "mixed_precision": self.mixed_precision,
            "xla": self.xla,
            "strategy": self.strategy,
            "prepared": self.prepared is not None,
        }
        if self.strategy == "multi_worker":
            found["workers"] = len(Cluster.of_environment().addresses)
        return found

    @property
    def dtype_policy(self) -> str:
        """Name of the Keras dtype policy."""
        import tensorflow as tf

        if not self.mixed_precision:
            return "float32"
        gpu = bool(tf.config.list_physical_devices("GPU"))
        return "mixed_float16" if gpu else "mixed_bfloat16"

    def check(self) -> None:
        """Nothing where the options go together.

        Raises:
            ConfigError: unknown strategy, or XLA with several workers.
        """
        if self.strategy not in STRATEGIES:
            names = ", ".join(f"`{name}`" for name in STRATEGIES)
            raise ConfigError(f"`strategy` is {self.strategy!r}, expected one of {names}.")
        if self.strategy == "multi_worker" and self.xla:
            raise ConfigError(
                "`--xla` compiles the step of one process; leave it out with `multi_worker`."
            )

    @functools.cached_property
    def workers(self) -> "Workers | None":
        """The processes that train together, connected; None where this is the only one.

        Raises:
            ConfigError, WorkerError: as `Workers.connected`.
        """
        self.check()
        if self.strategy != "multi_worker":
            return None
        from tfhashtag.training.workers import Workers

        return Workers.connected(self.worker_timeout)

    def scope(self) -> contextlib.AbstractContextManager:
        """Context in which the model and its optimiser are made.

        Raises:
            ConfigError: unknown strategy.
        """
        strategy = self._strategy
        return contextlib.nullcontext() if strategy is None else strategy.scope()

    @property
    def replicas(self) -> tuple[range, int]:
        """The numbers of the replicas of this process, and how many there are in all."""
        if self._strategy is None:
            return range(1), 1
        here = len(self._strategy.extended.worker_devices)
        first = 0 if self.workers is None else self.workers.cluster.index * here
        return range(first, first + here), self._strategy.num_replicas_in_sync

    def shares(self, rows: np.ndarray) -> list[tuple[np.ndarray, float]]:
        """The rows of a batch that each replica of this process computes, and what each weighs.

        A replica for which none is left gets one that weighs nothing.

        Example:

        >>> TrainingOptions().shares(np.arange(3))
        [(array([0, 1, 2]), 1.0)]
        """
        here, count = self.replicas
        parts = np.array_split(rows, count)
        return [
            (parts[replica], len(parts[replica]) * count / len(rows))
            if len(parts[replica])
            else (rows[:1], 0.0)
            for replica in here
        ]

    def distributed(self, parts: Sequence[Any]) -> Any:
        """One batch of a part for each replica of this process."""
        if len(parts) == 1:
            return parts[0]
        import tensorflow as tf

        first = self.replicas[0].start

        def spread(*leaves: Any) -> Any:
            return self._strategy.experimental_distribute_values_from_function(
                lambda context: leaves[context.replica_id_in_sync_group - first]
            )

        return tf.nest.map_structure(spread, *parts)

    def compile(self, model: Any, **arguments: Any) -> None:
        """`model.compile(**arguments)`, its training step by XLA if that was asked for."""
        import tensorflow as tf

        model.compile(jit_compile=False, **arguments)
        if self.xla:
            # Told to compile it itself, Keras does not where operations must be deterministic.
            step = type(model).train_step.__get__(model)
            model.train_step = tf.function(step, jit_compile=True, autograph=False)
        self._compiled.clear()

    def fit(self, model: Any, batches: Any, bar: "EpochProgress") -> dict[str, float]:
        """Trains one epoch and gives its figures.

        Args:
            model: compiled by `compile`.
            batches: `tf.data.Dataset` of what `fit` of the model takes, for each step one for each
                replica of this process, in the order of `shares`.
            bar: shows the progress.
        """
        if self._strategy is None:
            import keras

            moves = keras.callbacks.LambdaCallback(on_train_batch_end=bar.on_train_batch_end)
            history = model.fit(batches, epochs=1, shuffle=False, verbose=0, callbacks=[moves])
            return {name: float(values[-1]) for name, values in history.history.items()}
        # Keras does not take batches that are distributed already.
        (step, figures), here = self._steps(model), len(self.replicas[0])
        model.reset_metrics()
        for index, parts in enumerate(zip(*[iter(batches)] * here, strict=False)):
            step(self.distributed(parts))
            bar.on_train_batch_end(index)
        return {name: float(value) for name, value in figures().items()}

    def _steps(self, model: Any) -> tuple[Callable[[Any], Any], Callable[[], Any]]:
        """What trains on a batch, and what gives the figures so far, the mean of all replicas."""
        import tensorflow as tf

        strategy = self._strategy

        def step(batch: Any) -> None:
            strategy.run(model.train_step, args=(batch,))

        def figures() -> dict[str, Any]:
            found = strategy.run(model.get_metrics_result)
            return {name: strategy.reduce("mean", value, None) for name, value in found.items()}

        if self._compiled[:1] != [model]:
            made = [tf.function(made, reduce_retracing=True) for made in (step, figures)]
            self._compiled[:] = [model, *made]
        return self._compiled[1], self._compiled[2]

    @functools.cached_property
    def _compiled(self) -> list[Any]:
        """The model that was trained last, and its functions."""
        return []

    @functools.cached_property
    def _strategy(self) -> Any:
        # One object for the model and its optimizer: variables of two strategies do not mix.
        import tensorflow as tf

        self.check()
        if self.workers is not None:
            return self.workers.strategy
        return tf.distribute.MirroredStrategy() if self.strategy == "mirrored" else None
