"""Figures of epochs as TensorBoard reads them, written without TensorFlow."""

import os
import pathlib
import socket
import time

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.summary.writer.record_writer import RecordWriter

_VERSION = "brain.Event:2"


class EventFile:
    """A new file of events in a folder; each figure is on the disk when `add` returns.

    Args:
        folder: made where it is missing.

    Example:

    >>> import tempfile
    >>> from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    >>> folder = tempfile.mkdtemp()
    >>> EventFile(folder).add({"futures/valid_MAP": 0.5}, step=2)
    >>> read = EventAccumulator(folder).Reload()
    >>> (event,) = read.Tensors("futures/valid_MAP")
    >>> event.step, event.tensor_proto.float_val[0]
    (2, 0.5)
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        # The names that TensorBoard looks for; two trainings of one moment have two.
        name = f"events.out.tfevents.{time.time_ns()}.{socket.gethostname()}.{os.getpid()}"
        self._path = folder / name
        self._write([Event(wall_time=time.time(), file_version=_VERSION)])

    def add(self, values: dict[str, float], step: int) -> None:
        """Adds the figures of an epoch, by their tags.

        Args:
            values: of any real type.
            step: the epoch.
        """
        now = time.time()
        self._write(
            [
                Event(wall_time=now, step=step, summary=scalar_pb(name, float(value)))
                for name, value in values.items()
            ]
        )

    def _write(self, events: list[Event]) -> None:
        with self._path.open("ab") as file:
            records = RecordWriter(file)
            for event in events:
                records.write(event.SerializeToString())
