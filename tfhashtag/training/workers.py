"""Training by several processes that each compute a share of every batch."""

import contextlib
import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfhashtag.errors import WorkerError
from tfhashtag.training.cluster import Cluster

_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.InternalError,
    tf.errors.UnknownError,
)


class Workers:
    """The processes of a training, connected: what one of them says to all.

    Every method that speaks to the others is called by all of them, in the same order.

    Args:
        cluster: who they are.
        strategy: `tf.distribute.MultiWorkerMirroredStrategy` of this process.
    """

    def __init__(self, cluster: Cluster, strategy: Any) -> None:
        self.cluster = cluster
        self.strategy = strategy

    @staticmethod
    def connected(seconds: float) -> "Workers":
        """The workers that `TF_CONFIG` names, once all are there; the same again in one process.

        Args:
            seconds: that are waited at most.

        Raises:
            ConfigError: `TF_CONFIG` is missing or wrong.
            WorkerError: somebody did not come, or this process has used TensorFlow before.
        """
        cluster = Cluster.of_environment()
        if cluster not in _CONNECTED:
            cluster.meet(seconds)
            _CONNECTED[cluster] = Workers(cluster, _strategy(cluster))
        return _CONNECTED[cluster]

    @property
    def is_chief(self) -> bool:
        """Whether this process is the one that writes."""
        return self.cluster.is_chief

    def __len__(self) -> int:
        return len(self.cluster.addresses)

    def from_chief(self, content: bytes = b"") -> bytes:
        """What the chief gives, for all; what the others give does not count."""
        (length,) = self._sum(np.array([len(content) if self.is_chief else 0]))
        words = np.zeros(-(-int(length) // 4), np.int32)
        if self.is_chief:
            words.view(np.uint8)[: len(content)] = np.frombuffer(content, np.uint8)
        return self._sum(words).tobytes()[:length] if length else b""

    def agree(self, about: Mapping[str, str]) -> None:
        """Checks that all say the same about themselves.

        Args:
            about: what is compared with what the chief says, by what it is called in messages.

        Raises:
            WorkerError: in all processes, where one differs.
        """
        chief = json.loads(self.from_chief(json.dumps(dict(about)).encode()))
        differs = np.zeros((len(self), len(about)), np.int32)
        differs[self.cluster.index] = [chief.get(name) != value for name, value in about.items()]
        found = np.argwhere(self._sum(differs))
        if len(found):
            index = int(found[0, 0])
            names = [name for place, name in enumerate(about) if [index, place] in found.tolist()]
            raise WorkerError(
                f"{self.cluster.name(index)}: {', '.join(names)} are not those of the chief. Start "
                "all workers with the same command, version and corpus."
            )

    @contextlib.contextmanager
    def told_when_lost(self, what: str) -> Iterator[None]:
        """Turns the loss of a worker into one line.

        Args:
            what: to do then, a sentence.

        Raises:
            WorkerError: a worker was lost in this block.
        """
        try:
            yield
        except _LOST as error:
            task = re.search(r"/job:(\w+)/replica:\d+/task:(\d+)", str(error))
            lost = "a worker"
            if task is not None and len(self) > 1:
                chiefs = int(task[1] == "worker" and self._has_chief_job)
                lost = self.cluster.name(int(task[2]) + chiefs)
            found = re.search(r"last error: .*?([^:\n]+)(?:\n|$)", str(error))
            reason = type(error).__name__.removesuffix("Error") if found is None else found[1]
            raise WorkerError(f"{lost} was lost ({reason.strip().lower()}). {what}") from error

    @functools.cached_property
    def _has_chief_job(self) -> bool:
        return "chief" in self.strategy.cluster_resolver.cluster_spec().jobs

    def _sum(self, values: np.ndarray) -> np.ndarray:
        """The sum over the processes; each counts once, however many devices it has."""
        if values.size == 0:
            return values
        zeros = np.zeros_like(values)
        first = self.cluster.index * len(self.strategy.extended.worker_devices)
        part = self.strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(
                values if context.replica_id_in_sync_group == first else zeros
            )
        )
        return self.strategy.experimental_local_results(self._summed(part))[0].numpy()

    @functools.cached_property
    def _summed(self) -> Callable[[Any], Any]:
        def one(part: tf.Tensor) -> tf.Tensor:
            # What comes in as it is has no device yet, and is reduced on none.
            return tf.distribute.get_replica_context().all_reduce("sum", tf.identity(part))

        return tf.function(
            lambda part: self.strategy.run(one, [part]), reduce_retracing=True, autograph=False
        )


_CONNECTED: dict[Cluster, Workers] = {}


def _strategy(cluster: Cluster) -> Any:
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:  # "... must be configured at program startup"
        raise WorkerError(
            f"{cluster.name(cluster.index)}: this process has used TensorFlow already. Training "
            "with several workers begins in a fresh one."
        ) from error
    except tf.errors.OpError as error:
        raise WorkerError(
            f"{cluster.name(cluster.index)}: TensorFlow could not connect the workers "
            f"({str(error).splitlines()[0]}). Start all of them again."
        ) from error
