"""What a Prometheus server reads, under the names of TensorFlow Serving."""

import functools
from typing import Any

from tfhashtag.errors import ServingError

_PREFIX = ":tensorflow:serving:"
_BATCHING = f"{_PREFIX}batching_session:"


class ServingMetrics:
    """The counters of one server, in a registry of their own.

    Latencies are microseconds and their buckets are those of TensorFlow Serving, so that its
    dashboards work. `loaded_versions`, `queued_requests`, `refused_requests`
    and `batch_failures` are ours.

    Raises:
        ServingError: `prometheus-client` is not installed.

    Example:

    >>> metrics = ServingMetrics()
    >>> metrics.record("posts", "predict", "OK", 0.002)
    >>> b':tensorflow:serving:request_count{model_name="posts",status="OK"} 1.0' in metrics.expose()
    True
    """

    def __init__(self) -> None:
        try:
            import prometheus_client as prometheus
        except ModuleNotFoundError as error:
            raise ServingError(
                "The server needs `prometheus-client`: pip install 'tfhashtag[serve]'."
            ) from error
        self._generate = prometheus.generate_latest
        self._registry = prometheus.CollectorRegistry()
        for name in ("ProcessCollector", "PlatformCollector", "GCCollector"):
            getattr(prometheus, name)(registry=self._registry)
        counter = functools.partial(prometheus.Counter, registry=self._registry)
        gauge = functools.partial(prometheus.Gauge, registry=self._registry)
        histogram = functools.partial(prometheus.Histogram, registry=self._registry)
        latency_buckets = [10 * 1.8**power for power in range(33)]
        model = ["model_name"]
        self._requests = counter(
            f"{_PREFIX}request_count", "The total number of requests.", [*model, "status"]
        )
        self._request_latency = histogram(
            f"{_PREFIX}request_latency",
            "Distribution of wall time (in microseconds) for a request.",
            [*model, "API", "entrypoint"],
            buckets=latency_buckets,
        )
        self._runtime_latency = histogram(
            f"{_PREFIX}runtime_latency",
            "Distribution of wall time (in microseconds) for Tensorflow runtime.",
            [*model, "API", "runtime"],
            buckets=latency_buckets,
        )
        self._count_batches(counter, histogram)
        self._failures = counter(
            f"{_PREFIX}batch_failures", "Batches that failed as a whole.", [*model, "status"]
        )
        self._warm_up = histogram(
            f"{_PREFIX}model_warmup_latency",
            "Distribution of wall time (in microseconds) for warming up the model.",
            ["model_path", "status"],
            buckets=latency_buckets,
        )
        self._queued = gauge(f"{_PREFIX}queued_requests", "Requests that wait in queues.", model)
        self._refused = counter(
            f"{_PREFIX}refused_requests",
            "Requests that would have waited too long.",
            ["entrypoint"],
        )
        self._loaded = gauge(
            f"{_PREFIX}loaded_versions", "1 for every loaded version.", [*model, "version"]
        )

    def _count_batches(self, counter: Any, histogram: Any) -> None:
        model, sizes = ["model_name"], [2**power for power in range(15)]
        self._queuing_latency = histogram(
            f"{_BATCHING}queuing_latency",
            "Distribution of wall time spent (in microseconds) in queuing",
            model,
            buckets=[100 * 1.2**power for power in range(52)],
        )
        self._input_size = histogram(
            f"{_BATCHING}input_batch_size", "Rows of a request.", model, buckets=sizes
        )
        self._batch_size = histogram(
            f"{_BATCHING}processed_batch_size",
            "Rows of a batch, padding included.",
            model,
            buckets=sizes,
        )
        self._padding = histogram(
            f"{_BATCHING}padding_size",
            "Rows added to reach an allowed batch size.",
            model,
            buckets=[0, *sizes],
        )
        self._runs = counter(f"{_BATCHING}wrapped_run_count", "Batches that were run.", model)

    def record(
        self, model: str, api: str, status: str, seconds: float, entrypoint: str = "GRPC"
    ) -> None:
        """Counts a request.

        Args:
            model: name of a model that is served; for any other give `""`, since each name that
                was ever recorded stays in the answer.
            api: `predict`, `classify`, `regress`, `multi_inference`, `get_model_metadata`, ...
            status: gRPC code, e.g. `OK`.
            seconds: how long it took.
            entrypoint: `GRPC` or `REST`.
        """
        self._requests.labels(model, status).inc()
        self._request_latency.labels(model, api, entrypoint).observe(seconds * 1e6)

    def record_run(self, model: str, seconds: float) -> None:
        """Counts a run of a model's graph."""
        self._runtime_latency.labels(model, "Predict", "TF1").observe(seconds * 1e6)

    def record_batch(self, model: str, rows: list[int], waited: list[float], padded: int) -> None:
        """Counts a batch.

        Args:
            model: its name.
            rows: rows of each request.
            waited: seconds that each request spent in the queue.
            padded: rows that are run.
        """
        self._runs.labels(model).inc()
        self._batch_size.labels(model).observe(padded)
        self._padding.labels(model).observe(padded - sum(rows))
        for count, seconds in zip(rows, waited, strict=True):
            self._input_size.labels(model).observe(count)
            self._queuing_latency.labels(model).observe(seconds * 1e6)

    def record_batch_failure(self, model: str, status: str) -> None:
        """Counts a batch that failed."""
        self._failures.labels(model, status).inc()

    def record_warm_up(self, folder: str, status: str, seconds: float) -> None:
        """Counts how long a version took to answer its warm-up requests, or to fail at one."""
        self._warm_up.labels(folder, status).observe(seconds * 1e6)

    def record_refusal(self, entrypoint: str) -> None:
        """Counts a request that was sent away before it was read: `GRPC` or `REST`."""
        self._refused.labels(entrypoint).inc()

    def queued(self, model: str, change: int) -> None:
        """Requests entered (positive) or left a queue."""
        self._queued.labels(model).inc(change)

    def loaded(self, model: str, version: int, is_loaded: bool) -> None:
        """A version was loaded or unloaded."""
        if is_loaded:
            self._loaded.labels(model, str(version)).set(1)
        else:
            self._loaded.remove(model, str(version))

    def expose(self) -> bytes:
        """Everything in the text format of Prometheus."""
        text = self._generate(self._registry)
        # The library ends counters with `_total`; dashboards for TensorFlow Serving expect none.
        for counter in (self._requests, self._runs, self._failures, self._refused):
            (family,) = counter.describe()
            name = family.name.encode()
            text = text.replace(name + b"_total", name)
        return text
