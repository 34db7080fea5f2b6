"""One version of a model, loaded and run as TensorFlow Serving does it."""

import functools
import os
import pathlib
import threading
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2
from tensorflow.python.client import pywrap_tf_session
from tensorflow.python.saved_model import loader_impl

from tfhashtag.errors import ServingError
from tfhashtag.export.signatures import DEFAULT_SIGNATURE
from tfhashtag.export.text_ops import load_text_ops
from tfhashtag.serving.batching.parameters import BatchingParameters
from tfhashtag.serving.batching.rows import Feeds
from tfhashtag.serving.batching.scheduler import BatchKey, BatchScheduler, WhenGone
from tfhashtag.serving.runtime.limits import Limits
from tfhashtag.serving.runtime.memory import MemoryBudget, MemoryCost
from tfhashtag.serving.runtime.signature_call import Inputs, SignatureCall
from tfhashtag.serving.status import (
    RequestError,
    failed_precondition,
    from_tensorflow,
    invalid,
    without_nodes,
)

if TYPE_CHECKING:
    from tfhashtag.serving.metrics import ServingMetrics


class Servable:
    """A SavedModel in a graph session: what a request gets here it gets from a stock server.

    The loader restores variables, hands the assets to their tables and runs the init op. An export
    that only Python can run loads, and fails with code 9 at the first request, as it would there.

    Args:
        folder: the version folder; it holds `saved_model.pb`.
        name: model name, for answers.
        version: version number, for answers.
        batching: gather requests to batches; None runs each by itself.
        limits: what a request may hold; None for no limits.
        budget: memory that requests may take together; None for any.
        metrics: where runs and batches are counted; None for nowhere.

    Raises:
        ServingError: the folder holds no SavedModel that loads.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        name: str,
        version: int,
        *,
        batching: BatchingParameters | None = None,
        limits: Limits | None = None,
        budget: MemoryBudget | None = None,
        metrics: "ServingMetrics | None" = None,
    ) -> None:
        self.folder = pathlib.Path(folder)
        self.name = name
        self.version = version
        self._limits = limits
        self._budget = budget or MemoryBudget(None)
        self.metrics = metrics
        load_text_ops()
        graph = tf.Graph()
        self._session = tf.compat.v1.Session(graph=graph)
        try:
            # The public function is this one with a warning that another way exists, which is
            # not the one of a stock server.
            loader = loader_impl.SavedModelLoader(os.fspath(folder))
            meta = loader.load(self._session, [tf.saved_model.SERVING])
        except (tf.errors.OpError, RuntimeError, OSError, ValueError, KeyError) as error:
            self._session.close()
            raise ServingError(f"`{folder}` does not load: {_why(error)}") from error
        graph.finalize()
        self.signatures: Mapping[str, meta_graph_pb2.SignatureDef] = meta.signature_def
        self._outputs = {
            info.name: graph.get_tensor_by_name(info.name)._as_tf_output()
            for signature in self.signatures.values()
            for info in [*signature.inputs.values(), *signature.outputs.values()]
            if info.WhichOneof("encoding") == "name" and _is_tensor(graph, info.name)
        }
        cost = MemoryCost.of_model(self.folder, _largest_table(graph))
        self._calls = {
            key: SignatureCall(signature, self._outputs, cost)
            for key, signature in self.signatures.items()
        }
        self._scheduler = None
        if batching is not None:
            self._scheduler = BatchScheduler(batching, self._run_names, name, metrics)
        if metrics is not None:
            metrics.loaded(name, version, True)

    def close(self) -> None:
        """Runs what waits in the queues and frees the session; no request may come any more."""
        if self._scheduler is not None:
            self._scheduler.close()
        self._session.close()
        if self.metrics is not None:
            self.metrics.loaded(self.name, self.version, False)

    def signature(self, key: str) -> tuple[str, meta_graph_pb2.SignatureDef]:
        """The resolved key and the signature; an empty key is `serving_default`.

        Raises:
            RequestError: FAILED_PRECONDITION, there is none of that name.
        """
        key = key or DEFAULT_SIGNATURE
        if key not in self.signatures:
            raise failed_precondition(f'Serving signature key "{key}" not found.')
        return key, self.signatures[key]

    def predict(
        self,
        inputs: Inputs,
        signature_name: str = "",
        output_filter: Sequence[str] = (),
        timeout: float | None = None,
        trusted: bool = False,
        when_gone: WhenGone | None = None,
    ) -> dict[str, np.ndarray]:
        """Runs a signature once, alone or in a batch with other requests.

        Alone run: signatures with a scalar input, requests without rows, and requests whose shape
        contradicts the signature, so that nobody else's request fails with them.

        Args:
            inputs: every input of the signature that has no default.
            signature_name: empty for `serving_default`.
            output_filter: names of the outputs wanted; empty for all.
            timeout: seconds until the request is given up; None takes that of the limits.
            trusted: the request is not a client's; no limit holds.
            when_gone: see `BatchScheduler.submit`.

        Returns:
            Output name to array; strings are object arrays of bytes.

        Raises:
            RequestError: with the code and the words of TensorFlow Serving, or a limit.
        """
        key, _ = self.signature(signature_name)
        call = self._calls[key]
        limits = None if trusted else self._limits
        feed = call.read(inputs, limits)
        names = call.fetch_names(output_filter)
        # A client without a deadline has one of centuries in the eyes of some gRPC releases.
        if timeout is not None and timeout > threading.TIMEOUT_MAX:
            timeout = None
        if timeout is None and limits is not None:
            timeout = limits.seconds
        batch_key = tuple(feed.arrays), tuple(call.outputs[name] for name in names)
        batched = self._scheduler is not None and call.is_batchable(feed)
        with self._budget.share(feed.needed, timeout):
            if self._scheduler is not None and batched:
                values = self._scheduler.submit(batch_key, feed.arrays, timeout, when_gone)
            else:
                try:
                    values = self._run_names(batch_key, feed.arrays, timeout)
                except RequestError as error:
                    raise call.explained(error, feed.arrays) from error
        return dict(zip(names, values, strict=True))

    def _run_names(self, key: BatchKey, feeds: Feeds, timeout: float | None) -> list[np.ndarray]:
        """Runs `feeds` for `key`, the names of what is fed and of what is fetched."""
        began = time.perf_counter()
        values = self._run(
            {self._outputs[name]: array for name, array in feeds.items()},
            [self._outputs[name] for name in key[1]],
            timeout,
        )
        if self.metrics is not None:
            self.metrics.record_run(self.name, time.perf_counter() - began)
        return values

    def _run(
        self, feeds: Mapping[Any, np.ndarray], fetches: Sequence[Any], timeout: float | None
    ) -> list[np.ndarray]:
        # The public calls cast what they are fed and refuse shapes other than the declared ones; a
        # stock server does neither. This is the call beneath them, and takes a quarter of the time.
        options = None
        try:
            if timeout is not None:
                serialized = _run_options(max(int(timeout * 1000), 1))
                options = pywrap_tf_session.TF_NewBufferFromString(serialized)
            values = tf.compat.v1.Session._call_tf_sessionrun(
                self._session, options, feeds, fetches, [], None
            )
            # A scalar string comes as what it is.
            return [np.array(v, object) if isinstance(v, bytes) else v for v in values]
        except tf.errors.OpError as error:
            raise from_tensorflow(error) from error
        except UnicodeDecodeError as error:
            # An op quotes bytes of the request that are no text, and the code of its failure is
            # lost on the way to Python.
            raise invalid(without_nodes(error.object.decode("utf-8", "replace"))) from error
        finally:
            if options is not None:
                pywrap_tf_session.TF_DeleteBuffer(options)


@functools.lru_cache(1024)
def _run_options(milliseconds: int) -> bytes:
    return config_pb2.RunOptions(timeout_in_ms=milliseconds).SerializeToString()


def _why(error: Exception) -> str:
    """What is wrong with a folder that does not load, and what to do."""
    if isinstance(error, tf.errors.DataLossError | tf.errors.OutOfRangeError):
        return "its `variables/` are cut off or damaged. Copy or export the version again."
    lines = [line.strip() for line in str(error).splitlines()]
    told = [line for line in lines if line and not line.startswith("Graph execution error")]
    return f"{(told or [type(error).__name__])[0].rstrip('.')}. Export the model again."


def _largest_table(graph: tf.Graph) -> int:
    """Rows of the largest matrix among the variables."""
    shapes = (op.get_attr("shape") for op in graph.get_operations() if op.type == "VarHandleOp")
    return max((shape.dim[0].size for shape in shapes if len(shape.dim) > 1), default=0)


def _is_tensor(graph: tf.Graph, name: str) -> bool:
    # The signature of the init op names an operation.
    return ":" in name and graph.as_graph_element(name, allow_operation=False) is not None
