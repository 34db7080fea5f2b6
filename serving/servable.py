"""One version of a model, loaded and run as TensorFlow Serving does it."""

import os
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from tfhashtag.errors import ServingError
from tfhashtag.export.signatures import DEFAULT_SIGNATURE
from tfhashtag.serving.status import failed_precondition, from_tensorflow, invalid
from tfhashtag.serving.tensors import parse_tensor
from tfhashtag.serving.text_ops import load_text_ops


class Servable:
    """A SavedModel in a graph session: what a request gets here it gets from a stock server.

    The loader restores variables, hands the assets to their tables and runs the init op. An export
    that only Python can run loads, and fails with code 9 at the first request, as it would there.

    Args:
        folder: the version folder; it holds `saved_model.pb`.
        name: model name, for answers.
        version: version number, for answers.

    Raises:
        ServingError: the folder holds no SavedModel that loads.
    """

    def __init__(self, folder: str | os.PathLike, name: str, version: int):
        self.folder = pathlib.Path(folder)
        self.name = name
        self.version = version
        load_text_ops()
        graph = tf.Graph()
        self._session = tf.compat.v1.Session(graph=graph)
        try:
            meta = tf.compat.v1.saved_model.loader.load(
                self._session, [tf.saved_model.SERVING], os.fspath(folder)
            )
        except (tf.errors.OpError, RuntimeError, OSError, ValueError, KeyError) as error:
            self._session.close()
            line = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ServingError(
                f"`{folder}` does not load: {line} Export the model again."
            ) from error
        graph.finalize()
        self.signatures: Mapping[str, meta_graph_pb2.SignatureDef] = meta.signature_def
        self._outputs = {
            info.name: graph.get_tensor_by_name(info.name)._as_tf_output()
            for signature in self.signatures.values()
            for info in [*signature.inputs.values(), *signature.outputs.values()]
            if info.WhichOneof("encoding") == "name" and _is_tensor(graph, info.name)
        }

    def close(self) -> None:
        """Frees the session; no request may be running."""
        self._session.close()

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
        inputs: Mapping[str, tensor_pb2.TensorProto],
        signature_name: str = "",
        output_filter: Sequence[str] = (),
        timeout: float | None = None,
    ) -> dict[str, np.ndarray]:
        """Runs a signature once.

        Args:
            inputs: every input of the signature that has no default.
            signature_name: empty for `serving_default`.
            output_filter: names of the outputs wanted; empty for all.
            timeout: seconds until the run is given up.

        Returns:
            Output name to array; strings are object arrays of bytes.

        Raises:
            RequestError: with the code and the words of TensorFlow Serving.
        """
        _, signature = self.signature(signature_name)
        feeds = self._feeds(signature, inputs)
        names = self._output_names(signature, output_filter)
        missing = [name for name in names if signature.outputs[name].name not in self._outputs]
        if missing:
            raise failed_precondition(
                f"Output {missing[0]} of the signature has no tensor to fetch."
            )
        options = None
        if timeout is not None:
            options = tf.compat.v1.RunOptions(timeout_in_ms=max(int(timeout * 1000), 1))
        values = self._run(
            {self._outputs[feed]: array for feed, array in feeds.items()},
            [self._outputs[signature.outputs[name].name] for name in names],
            options,
        )
        return dict(zip(names, values, strict=True))

    def _feeds(self, signature, inputs) -> dict[str, np.ndarray]:
        wanted = set(signature.inputs)
        given = set(inputs)
        missing = wanted - given - set(signature.defaults)
        if len(given) > len(wanted) or len(given | set(signature.defaults)) < len(wanted):
            raise invalid(
                f"input size does not match signature: {len(given)}!={len(wanted)} "
                f"len({_set(given)}) != len({_set(wanted)}). Sent extra: {_set(given - wanted)}. "
                f"Missing but required: {_set(missing)}."
            )
        feeds = {}
        for alias in sorted(wanted):
            info = signature.inputs[alias]
            if alias not in inputs and alias not in signature.defaults:
                raise invalid(
                    f"Signature input alias: {alias}(feed name: {info.name}) not found in request "
                    "and no default value provided. Inputs expected to be in the request "
                    f"{_set(given)}, or default input alias set: {_set(signature.defaults)}"
                )
            proto = inputs[alias] if alias in inputs else signature.defaults[alias]
            try:
                feeds[info.name] = parse_tensor(proto)
            except ValueError as error:
                raise invalid(f"tensor parsing error: {alias}") from error
        extra = given - wanted
        if extra:
            raise invalid(f"Inputs contains invalid name: {_set(extra)}")
        types = {info.name: tf.as_dtype(info.dtype) for info in signature.inputs.values()}
        for position, name in enumerate(sorted(feeds)):
            found = _type_name(feeds[name].dtype)
            expected = types[name].name
            if found != expected:
                raise invalid(
                    f"Expects arg[{position}] to be {_short(expected)} but {_short(found)} is "
                    "provided"
                )
        return feeds

    def _output_names(self, signature, output_filter) -> list[str]:
        if not output_filter:
            return sorted(signature.outputs)
        names: list[str] = []
        for alias in output_filter:
            if alias not in signature.outputs:
                raise invalid(
                    f"output tensor alias not found in signature: {alias} Outputs expected to be "
                    f"in the set {_set(signature.outputs)}."
                )
            if alias in names:
                raise invalid(f"duplicate output tensor alias: {alias}")
            names.append(alias)
        return names

    def _run(self, feeds, fetches, options) -> list[np.ndarray]:
        # `Session.run` casts what it is fed and checks declared shapes; a stock server does
        # neither. This is the call beneath it.
        serialized = None
        wrapper = tf.compat.v1.Session._call_tf_sessionrun
        try:
            if options is not None:
                serialized = _buffer(options)
            return wrapper(self._session, serialized, feeds, fetches, [], None)
        except tf.errors.OpError as error:
            raise from_tensorflow(error) from error
        finally:
            if serialized is not None:
                _free(serialized)


def _buffer(options):
    from tensorflow.python.client import pywrap_tf_session

    return pywrap_tf_session.TF_NewBufferFromString(options.SerializeToString())


def _free(buffer) -> None:
    from tensorflow.python.client import pywrap_tf_session

    pywrap_tf_session.TF_DeleteBuffer(buffer)


def _is_tensor(graph: tf.Graph, name: str) -> bool:
    # The signature of the init op names an operation.
    return ":" in name and graph.as_graph_element(name, allow_operation=False) is not None


def _set(names) -> str:
    return "{" + ",".join(sorted(names)) + "}"


def _type_name(dtype: np.dtype) -> str:
    return "string" if dtype.kind == "O" else tf.as_dtype(dtype).name


def _short(name: str) -> str:
    return {"float32": "float", "float64": "double", "float16": "half"}.get(name, name)
