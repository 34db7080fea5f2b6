"""A client of this server and of any TensorFlow Serving."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tfhashtag.errors import ServingError
from tfhashtag.export.signatures import DEFAULT_SIGNATURE
from tfhashtag.serving.config.client_tls import ClientTls
from tfhashtag.serving.port_probe import what_listens
from tfhashtag.serving.runtime.tensors import make_tensor, parse_tensor

# gRPC takes more for this many.
MAXIMUM_ATTEMPTS = 5
_LAST_PORT = 65535
_ADDRESS = re.compile(r"(\[[^\[\]]+\]|[^\s:/\[\]]+):(?P<port>[0-9]{1,5})")
SIGNATURE_FIELD = "signature_def"

_READY = "that stands in the server's line `Ready: gRPC at ...`"
_FOUND = {
    "nobody": "nothing listens there. Start `tfhashtag serve MODELS`, or give the address "
    f"{_READY}.",
    "unknown host": "no host of that name is known. Check it.",
    "out of reach": "it cannot be reached. Check the address and the network.",
    "silent": "takes connections and does not answer, as a server does while it loads its models. "
    "Wait for its line `Ready: ...`, or give a longer time-out.",
    "HTTP": "answers HTTP, as the REST port does; this client speaks gRPC. Give the port "
    f"{_READY}.",
    "TLS": "speaks TLS. Give `--tls`, or `--ca PEM` for a certificate of your own.",
    "gRPC": "speaks gRPC without TLS. Leave out what is said of TLS.",
    "something else": f"answers, but neither gRPC nor HTTP. Give the port {_READY}.",
}
_STATES = get_model_status_pb2.ModelVersionStatus.State


class ServingClient:
    """Sends requests to a model server.

    A request that the server does not take (UNAVAILABLE) is sent again after 0.1 s, then after
    twice the time and so on, within its deadline. Other failures are final: such a request may have
    been run.

    Args:
        address: `HOST:PORT`.
        timeout: deadline of each request with its repetitions, seconds.
        message_mib: largest answer, MiB.
        attempts: how often a request is sent at most, 1 to 5.
        tls: None for a server without TLS.

    Raises:
        ServingError: `address` is no HOST:PORT, `attempts` is out of range, or a file of `tls`
            cannot be used.

    Example:

    >>> with ServingClient("127.0.0.1:8500") as client:  # doctest: +SKIP
    ...     client.predict("engagement", {"history": [["what a match tonight"]]})["hashtags"]
    """

    def __init__(
        self,
        address: str,
        timeout: float = 10.0,
        message_mib: int = 64,
        attempts: int = 4,
        tls: ClientTls | None = None,
    ) -> None:
        if not 1 <= attempts <= MAXIMUM_ATTEMPTS:
            raise ServingError(f"`attempts` is {attempts}; expected 1 to {MAXIMUM_ATTEMPTS}.")
        _check_address(address)
        self.address = address
        self._tls = tls is not None
        self.timeout = timeout
        limit = message_mib * 2**20
        options = [
            ("grpc.max_receive_message_length", limit),
            ("grpc.max_send_message_length", limit),
            # Larger requests are not sent again.
            ("grpc.per_rpc_retry_buffer_size", limit),
            ("grpc.service_config", _service_config(attempts)),
        ]
        if tls is None:
            self._channel = grpc.insecure_channel(address, options)
        else:
            options += tls.options()
            self._channel = grpc.secure_channel(address, tls.credentials(), options)
        self._prediction = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._model = model_service_pb2_grpc.ModelServiceStub(self._channel)
        self._signatures: dict[tuple[str, int | str | None], dict[str, Any]] = {}

    def predict(
        self,
        model: str,
        inputs: Mapping[str, Any],
        signature: str = DEFAULT_SIGNATURE,
        version: int | None = None,
        output_filter: Sequence[str] = (),
        label: str | None = None,
    ) -> dict[str, np.ndarray]:
        """Runs a signature.

        Args:
            model: name of the model.
            inputs: name to array, sent as it is, or to nested lists, which get the declared type.
            signature: which callable.
            version: None for the newest.
            output_filter: outputs wanted; empty for all.
            label: of the version, instead of its number.

        Returns:
            Output name to array; strings are object arrays of bytes.

        Raises:
            ServingError: with the status and the message of the server, or an input does not fit
                the signature.
        """
        request = predict_pb2.PredictRequest(output_filter=output_filter)
        _address_model(request, model, version, label)
        request.model_spec.signature_name = signature
        for name, value in inputs.items():
            array = value
            if not isinstance(value, np.ndarray):
                declared = self._declared(model, version, label, signature)
                array = _as_declared(declared, name, value)
            request.inputs[name].CopyFrom(make_tensor(array))
        try:
            response = self._call(self._prediction.Predict, request)
        except ServingError:
            # The next version may have other signatures.
            self._signatures.pop((model, label or version), None)
            raise
        return {name: parse_tensor(proto) for name, proto in response.outputs.items()}

    def metadata(
        self, model: str, version: int | None = None, label: str | None = None
    ) -> dict[str, Any]:
        """The signatures: `{"version": int, "signatures": {name: {"inputs": .., "outputs": ..}}}`.

        Each input and output is `{"dtype": str, "shape": [int or None, ...] or None}`.

        Raises:
            ServingError: with the status and the message of the server.
        """
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=[SIGNATURE_FIELD])
        _address_model(request, model, version, label)
        response = self._call(self._prediction.GetModelMetadata, request)
        found = get_model_metadata_pb2.SignatureDefMap()
        response.metadata[SIGNATURE_FIELD].Unpack(found)
        return {
            "version": response.model_spec.version.value,
            "signatures": {
                name: {
                    "inputs": {key: _describe(info) for key, info in signature.inputs.items()},
                    "outputs": {key: _describe(info) for key, info in signature.outputs.items()},
                }
                for name, signature in sorted(found.signature_def.items())
                if name != "__saved_model_init_op"
            },
        }

    def status(
        self, model: str, version: int | None = None, label: str | None = None
    ) -> list[dict[str, Any]]:
        """`[{"version", "state", "error"}, ...]`, newest first; `error` is empty when all is well.

        Raises:
            ServingError: with the status and the message of the server.
        """
        request = get_model_status_pb2.GetModelStatusRequest()
        _address_model(request, model, version, label)
        response = self._call(self._model.GetModelStatus, request)
        return [
            {
                "version": entry.version,
                "state": _STATES.Name(entry.state),
                "error": entry.status.error_message,
            }
            for entry in response.model_version_status
        ]

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def __enter__(self) -> "ServingClient":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _call(self, method: grpc.UnaryUnaryMultiCallable, request: Any) -> Any:
        try:
            return method(request, timeout=self.timeout)
        except grpc.RpcError as error:
            code, details = error.code(), error.details()
            if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                raise ServingError(self._unanswered(code.name, details)) from error
            told = f"`{self.address}` answered {code.name}: {details}"
            if code == grpc.StatusCode.NOT_FOUND:
                told += self._models(request.model_spec.name)
            raise ServingError(told) from error

    def _unanswered(self, code: str, details: str) -> str:
        """Why no answer came, by what listens at the address, and what to do."""
        found, where = what_listens(self.address), f"`{self.address}`"
        if found == ("TLS" if self._tls else "gRPC"):
            if code == "UNAVAILABLE":
                taken = f"the server at {where} did not take the request ({code}): {details}"
                names = ", or check certificates and names" if self._tls else ""
                return f"{taken}. Try again later{names}."
            late = f"{where} gave no answer within {self.timeout:g} s ({code})"
            return f"{late}. Give it a longer time-out."
        return f"{where}: {_FOUND[found]}"

    def _models(self, name: str) -> str:
        """What a server says of a model of which it has not what was asked for."""
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = name
        try:
            states = self._model.GetModelStatus(request, timeout=self.timeout)
        except grpc.RpcError:
            return ". The names of its models stand in its line `Ready: ...`."
        versions = ", ".join(
            f"version {entry.version} {_STATES.Name(entry.state)}"
            for entry in states.model_version_status
        )
        return f". Of `{name}` it has {versions}."

    def _declared(
        self, model: str, version: int | None, label: str | None, signature: str
    ) -> dict[str, Any]:
        key = (model, label or version)
        if key not in self._signatures:
            self._signatures[key] = self.metadata(model, version, label)["signatures"]
        signatures = self._signatures[key]
        if signature not in signatures:
            raise ServingError(
                f"model `{model}` at `{self.address}` has no signature `{signature}`; it has "
                f"{', '.join(f'`{name}`' for name in signatures)}."
            )
        return signatures[signature]["inputs"]


def _check_address(address: str) -> None:
    found = _ADDRESS.fullmatch(address)
    if found is None or not 1 <= int(found["port"]) <= _LAST_PORT:
        raise ServingError(
            f"`{address}` is not the address of a server; expected HOST:PORT with its gRPC port, "
            "e.g. `127.0.0.1:8500`."
        )


def _address_model(request: Any, model: str, version: int | None, label: str | None) -> None:
    if version is not None and label is not None:
        raise ServingError(
            f"`version` is {version} and `label` is `{label}`; expected one of the two."
        )
    request.model_spec.name = model
    if version is not None:
        request.model_spec.version.value = version
    if label is not None:
        request.model_spec.version_label = label


def _service_config(attempts: int) -> str:
    config: dict[str, Any] = {"name": [{}]}
    if attempts > 1:
        config["retryPolicy"] = {
            "maxAttempts": attempts,
            "initialBackoff": "0.1s",
            "maxBackoff": "2s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": ["UNAVAILABLE"],
        }
    return json.dumps({"methodConfig": [config]})


def parse_input(text: str) -> tuple[str, Any]:
    """`NAME=JSON` as name and value.

    >>> parse_input('history=["a", "b"]')
    ('history', ['a', 'b'])
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ServingError(f'input `{text}`: expected NAME=JSON, e.g. history=\'["a", "b"]\'.')
    try:
        return name, json.loads(value)
    except json.JSONDecodeError as error:
        raise ServingError(
            f"input `{name}`: `{value}` is not JSON ({error.msg} at column {error.colno}). Quote "
            f'it for the shell: {name}=\'["a", "b"]\'.'
        ) from error


def _as_declared(declared: dict[str, Any], name: str, value: Any) -> np.ndarray:
    if name not in declared:
        raise ServingError(
            f"the signature has no input `{name}`; it has "
            f"{', '.join(f'`{known}`' for known in sorted(declared))}."
        )
    dtype = tf.as_dtype(declared[name]["dtype"])
    try:
        array = np.array(value)
    except ValueError as error:
        raise ServingError(f"input `{name}`: the lists have unequal lengths; pad them.") from error
    kind = array.dtype.kind
    empty = array.size == 0
    if dtype == tf.string:
        fits = kind in "US" or empty
        array = np.array(value, dtype=object)
    elif dtype == tf.bool:
        fits = kind == "b" or empty
    elif dtype.is_integer:
        fits = kind in "iu" or empty
        if fits and not empty:
            fits = dtype.min <= array.min() and array.max() <= dtype.max
    else:
        fits = kind in "iuf" or empty
    if not fits:
        raise ServingError(
            f"input `{name}`: `{json.dumps(value, default=str)[:60]}` does not fit the declared "
            f"type {dtype.name}."
        )
    if dtype != tf.string:
        array = array.astype(dtype.as_numpy_dtype)
    shape = declared[name]["shape"]
    if shape is not None and len(shape) == array.ndim + 1:
        array = array[None]
    return array


def _describe(info: meta_graph_pb2.TensorInfo) -> dict[str, Any]:
    shape = None
    if not info.tensor_shape.unknown_rank:
        shape = [None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim]
    return {"dtype": tf.as_dtype(info.dtype).name, "shape": shape}
