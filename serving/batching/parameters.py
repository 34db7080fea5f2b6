"""The batching file of TensorFlow Serving, as its `--batching_parameters_file` reads it."""

import itertools
import os
from dataclasses import dataclass, field

from tfhashtag.errors import ServingError
from tfhashtag.serving.config.private_message import make_message, read_message

_WRAPPED = {
    **dict.fromkeys(
        ["max_batch_size", "batch_timeout_micros", "max_enqueued_batches", "num_batch_threads"], int
    ),
    "thread_pool_name": str,
}
_MESSAGE = make_message(
    "BatchingParameters",
    {
        **{name: {"value": kind} for name, kind in _WRAPPED.items()},
        "allowed_batch_sizes": [int],
        "pad_variable_length_inputs": bool,
    },
)


@dataclass(frozen=True)
class BatchingParameters:
    """How requests are gathered to batches; the defaults are those of TensorFlow Serving.

    Args:
        max_batch_size: most rows of a batch, and of a request.
        batch_timeout_micros: how long the oldest request of a batch waits for others,
            microseconds; with 0 only those are gathered that came while all threads were busy.
        max_enqueued_batches: batches that may wait in a queue; a request beyond is refused.
        num_batch_threads: batches of a model that run at the same time.
        thread_pool_name: name of these threads.
        allowed_batch_sizes: increasing; a batch is filled up to the next one. Empty allows all.
        pad_variable_length_inputs: fill up the shorter inputs of a batch, as TensorFlow Serving
            does, with the first element of the shorter one, which a model may take for data.
        separate_failures: not of the file. When a batch of several requests fails by what is in it,
            run them one by one, so that each gets its own answer. TensorFlow Serving fails all of
            them with one status, whose words can quote another client's data; False does so too.

    Raises:
        ServingError: a number is out of range, or the last allowed size is not `max_batch_size`.

    Example:

    >>> BatchingParameters(max_batch_size=8, allowed_batch_sizes=(2, 8)).padded(3)
    8
    """

    max_batch_size: int = 1000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    num_batch_threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    thread_pool_name: str = "batch_threads"
    allowed_batch_sizes: tuple[int, ...] = ()
    pad_variable_length_inputs: bool = False
    separate_failures: bool = True

    def __post_init__(self) -> None:
        for name, least in (
            ("max_batch_size", 1),
            ("batch_timeout_micros", 0),
            ("max_enqueued_batches", 1),
            ("num_batch_threads", 1),
        ):
            if getattr(self, name) < least:
                raise ServingError(f"`{name}` is {getattr(self, name)}; expected {least} or more.")
        sizes = self.allowed_batch_sizes
        if not sizes:
            return
        if sizes[0] < 1 or any(left >= right for left, right in itertools.pairwise(sizes)):
            raise ServingError(
                f"`allowed_batch_sizes` are {list(sizes)}; expected positive, increasing numbers."
            )
        if sizes[-1] != self.max_batch_size:
            raise ServingError(
                "Last entry in `allowed_batch_sizes` must match `max_batch_size`; last entry was "
                f"{sizes[-1]}; expected {self.max_batch_size}."
            )

    @property
    def requests(self) -> int:
        """Requests of one row that fill every batch that can run and the next one."""
        return self.max_batch_size * (self.num_batch_threads + 1)

    def padded(self, rows: int) -> int:
        """The size at which a batch of `rows` rows runs: the next allowed one."""
        return next((size for size in self.allowed_batch_sizes if size >= rows), rows)


def read_batching_parameters(path: str | os.PathLike) -> BatchingParameters:
    """Reads a batching file: the text format of `tensorflow.serving.BatchingParameters`.

    What the file leaves out has the default.

    Raises:
        ServingError: the file cannot be read, is not in that format, or holds a wrong number.

    Example:

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "batching.txt")
    >>> _ = path.write_text("max_batch_size { value: 32 } batch_timeout_micros { value: 1000 }")
    >>> read_batching_parameters(path).max_batch_size
    32
    """
    message = read_message(path, _MESSAGE, "max_batch_size { value: 32 }")
    given = {name: getattr(message, name).value for name in _WRAPPED if message.HasField(name)}
    try:
        return BatchingParameters(
            **given,
            allowed_batch_sizes=tuple(message.allowed_batch_sizes),
            pad_variable_length_inputs=message.pad_variable_length_inputs,
        )
    except ServingError as error:
        raise ServingError(f"`{path}`: {error}") from error
