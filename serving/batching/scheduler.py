"""Requests of many clients in one run of the graph, as in TensorFlow Serving."""

import itertools
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

import grpc
import numpy as np

from tfhashtag.serving.batching.parameters import BatchingParameters
from tfhashtag.serving.batching.rows import Feeds, batch_rows, merge
from tfhashtag.serving.status import RequestError, failed_precondition, invalid

if TYPE_CHECKING:
    from tfhashtag.serving.metrics import ServingMetrics

BatchKey = tuple[tuple[str, ...], tuple[str, ...]]
Run = Callable[[BatchKey, Feeds, float | None], list[np.ndarray]]
WhenGone = Callable[[Callable[[], None]], bool]

# With `pad_variable_length_inputs`, lists up to this length are filled up to any other such one.
_SHORT = 16
_DEADLINE = grpc.StatusCode.DEADLINE_EXCEEDED
# Codes by which a graph says that what it was fed is wrong; others would come again.
_FAULTS_OF_DATA = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.INTERNAL,
)


class _Task:
    """One request in a queue; `finished` is held until there is an answer."""

    __slots__ = ("deadline", "entered", "error", "feeds", "finished", "outputs", "rows")

    def __init__(self, feeds: Feeds, rows: int, deadline: float | None) -> None:
        self.feeds = feeds
        self.rows = rows
        self.deadline = deadline
        self.entered = time.monotonic()
        self.outputs: list[np.ndarray] | None = None
        self.error: Exception | None = None
        self.finished = threading.Lock()
        self.finished.acquire()


class _Batch:
    """Tasks that will run together."""

    __slots__ = ("layout", "rows", "tasks")

    def __init__(self, layout: Hashable) -> None:
        self.layout = layout
        self.rows = 0
        self.tasks: list[_Task] = []


class BatchScheduler:
    """Queues in front of one servable, and the threads that empty them.

    There is a queue for every set of inputs and outputs. Its requests are gathered in order: a
    batch runs when it is full, or a thread is free and its oldest request has waited
    `batch_timeout_micros`. Requests whose shapes differ beyond the first dimension are never put
    together unless `pad_variable_length_inputs` says so; they go into batches of their own.
    (TensorFlow Serving puts them together and fails all of them.)

    Args:
        parameters: sizes and times.
        run: `(key, feeds, seconds or None) -> outputs`, called from several threads.
        model: name of the model, for metrics.
        metrics: where to count; None for nowhere.
    """

    def __init__(
        self,
        parameters: BatchingParameters,
        run: Run,
        model: str = "",
        metrics: "ServingMetrics | None" = None,
    ) -> None:
        self._parameters = parameters
        self._timeout = parameters.batch_timeout_micros / 1e6
        self._run = run
        self._model = model
        self._metrics = metrics
        # Every queue in here has a batch; the first one was served longest ago.
        self._queues: OrderedDict[BatchKey, deque[_Batch]] = OrderedDict()
        self._changed = threading.Condition()
        self._closed = False
        self._threads = [
            threading.Thread(
                target=self._work, name=f"{parameters.thread_pool_name}-{number}", daemon=True
            )
            for number in range(parameters.num_batch_threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(
        self,
        key: BatchKey,
        feeds: Feeds,
        timeout: float | None = None,
        when_gone: WhenGone | None = None,
    ) -> list[np.ndarray]:
        """Runs one request together with others and waits for its part of the answer.

        Args:
            key: stands for the set of inputs and the set of outputs.
            feeds: name to array; the first dimensions are equal.
            timeout: seconds until the request is given up, the time in the queue included.
            when_gone: takes what is to be called when nobody waits for the answer any more, and
                gives False where nobody does already; then the request leaves the queue.

        Raises:
            RequestError: INVALID_ARGUMENT for what cannot be in a batch, UNAVAILABLE for a full
                queue, CANCELLED where the client left the queue, RESOURCE_EXHAUSTED where the
                time ended in the queue, DEADLINE_EXCEEDED where it ended during the run, and what
                the run raises.
        """
        rows = batch_rows(feeds)
        if rows > self._parameters.max_batch_size:
            raise invalid(
                f"Task size {rows} is larger than maximum input batch size "
                f"{self._parameters.max_batch_size}"
            )
        task = _Task(feeds, rows, None if timeout is None else time.monotonic() + timeout)
        self._enqueue(key, task)
        if when_gone is not None and not when_gone(lambda: self._leave(key, task)):
            self._leave(key, task)
        if not task.finished.acquire(timeout=-1 if timeout is None else timeout):
            raise self._give_up(key, task)
        if task.error is not None:
            raise task.error
        if task.outputs is None:
            raise RequestError(grpc.StatusCode.INTERNAL, "The batch ended without an answer")
        return task.outputs

    def close(self) -> None:
        """Takes no more requests, runs those that wait, and ends the threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _enqueue(self, key: BatchKey, task: _Task) -> None:
        layout = self._layout(task.feeds)
        with self._changed:
            if self._closed:
                raise RequestError(grpc.StatusCode.UNAVAILABLE, "The model is being unloaded")
            queue = self._queues.get(key)
            if queue is None:
                queue = self._queues[key] = deque()
            batch = queue[-1] if queue else None
            if (
                batch is None
                or batch.layout != layout
                or batch.rows + task.rows > self._parameters.max_batch_size
            ):
                if len(queue) >= self._parameters.max_enqueued_batches:
                    raise RequestError(
                        grpc.StatusCode.UNAVAILABLE,
                        "The batch scheduling queue to which this task was submitted is full",
                    )
                batch = _Batch(layout)
                queue.append(batch)
            batch.tasks.append(task)
            batch.rows += task.rows
            # A thread has to know of a batch that began, to time it, and of one that is full.
            if len(batch.tasks) == 1 or batch.rows >= self._parameters.max_batch_size:
                self._changed.notify()
        if self._metrics is not None:
            self._metrics.queued(self._model, 1)

    def _layout(self, feeds: Feeds) -> Hashable:
        """What must be equal for two requests to be put together."""
        if self._parameters.pad_variable_length_inputs:
            # One long list would make every short one of its batch as long.
            return tuple(
                (name, array.dtype, tuple(max(_SHORT, _power_of_two(n)) for n in array.shape[1:]))
                for name, array in feeds.items()
            )
        return tuple((name, array.dtype, array.shape[1:]) for name, array in feeds.items())

    def _give_up(self, key: BatchKey, task: _Task) -> RequestError:
        if not self._take_out(key, task):
            return RequestError(_DEADLINE, "Deadline exceeded")
        return RequestError(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "Run() timeout exceeded while waiting in batching queue",
        )

    def _leave(self, key: BatchKey, task: _Task) -> None:
        """Ends a request whose client is gone, if it still waits."""
        if self._take_out(key, task):
            _finish([task], RequestError(grpc.StatusCode.CANCELLED, "The client is gone"))

    def _take_out(self, key: BatchKey, task: _Task) -> bool:
        """Whether a task was in the queue; it is not any more."""
        with self._changed:
            queue = self._queues.get(key, ())
            batch = next((batch for batch in queue if task in batch.tasks), None)
            if batch is None:
                return False
            batch.tasks.remove(task)
            batch.rows -= task.rows
            if not batch.tasks:
                self._queues[key].remove(batch)
                if not self._queues[key]:
                    del self._queues[key]
        if self._metrics is not None:
            self._metrics.queued(self._model, -1)
        return True

    def _work(self) -> None:
        while (found := self._next()) is not None:
            key, tasks = found
            if self._metrics is not None:
                self._metrics.queued(self._model, -len(tasks))
            self._process(key, tasks)

    def _next(self) -> tuple[BatchKey, list[_Task]] | None:
        """Waits for a batch that is ready; None when there will be none."""
        with self._changed:
            while True:
                now = time.monotonic()
                wait = None
                for key, queue in self._queues.items():
                    batch = queue[0]
                    left = batch.tasks[0].entered + self._timeout - now
                    full = len(queue) > 1 or batch.rows >= self._parameters.max_batch_size
                    if full or left <= 0 or self._closed:
                        queue.popleft()
                        if queue:
                            self._queues.move_to_end(key)
                        else:
                            del self._queues[key]
                        if self._queues:
                            # This thread will be busy; another one sees to the rest.
                            self._changed.notify()
                        return key, batch.tasks
                    wait = left if wait is None else min(wait, left)
                if self._closed:
                    return None
                self._changed.wait(wait)

    def _process(self, key: BatchKey, tasks: list[_Task]) -> None:
        now = time.monotonic()
        try:
            self._run_together(key, tasks, now)
        except RequestError as error:
            if self._metrics is not None:
                self._metrics.record_batch_failure(self._model, error.code.name)
            separate = self._parameters.separate_failures and error.code in _FAULTS_OF_DATA
            if separate and len(tasks) > 1:
                for task in tasks:
                    self._process(key, [task])
                return
            _finish(tasks, error)
        except Exception as error:
            # The threads outlive whatever comes; each request says what it was.
            _finish(tasks, error)
        else:
            _finish(tasks, None)

    def _run_together(self, key: BatchKey, tasks: list[_Task], now: float) -> None:
        rows = [task.rows for task in tasks]
        padded = self._parameters.padded(sum(rows))
        if self._metrics is not None:
            self._metrics.record_batch(
                self._model, rows, [now - task.entered for task in tasks], padded
            )
        deadlines = [task.deadline for task in tasks]
        # The run may take as long as the most patient request does.
        seconds = None if None in deadlines else max(filter(None, deadlines)) - now
        outputs = self._run(key, merge([task.feeds for task in tasks], padded - sum(rows)), seconds)
        for output in outputs:
            if output.ndim == 0:
                raise failed_precondition("Batched output tensor has 0 dimensions")
            if output.shape[0] != padded:
                raise failed_precondition(
                    "Batched output tensor's 0th dimension does not equal the sum of the 0th "
                    "dimension sizes of the input tensors"
                )
        ends = list(itertools.accumulate(rows))
        for task, end in zip(tasks, ends, strict=True):
            task.outputs = [output[end - task.rows : end] for output in outputs]


def _power_of_two(size: int) -> int:
    """The next one that is not smaller."""
    return 1 << max(size - 1, 0).bit_length()


def _finish(tasks: list[_Task], error: Exception | None) -> None:
    for task in tasks:
        task.error = error
        task.finished.release()
