"""What the REST API answers, apart from HTTP."""

import functools
import json
import logging
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import unquote

import grpc
from google.protobuf import json_format
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, model_pb2

from tfhashtag import __version__
from tfhashtag.export.signatures import DEFAULT_SIGNATURE
from tfhashtag.serving.faults import fault_message, log_fault
from tfhashtag.serving.grpc.prediction_service import refuse_examples
from tfhashtag.serving.rest.json_examples import check_examples
from tfhashtag.serving.rest.json_request import read_inputs, signature_name
from tfhashtag.serving.rest.json_response import write_outputs
from tfhashtag.serving.rest.json_text import parse_json
from tfhashtag.serving.rest.open_api import PATH as OPEN_API
from tfhashtag.serving.rest.open_api import open_api
from tfhashtag.serving.rest.rest_answer import RestAnswer
from tfhashtag.serving.status import RequestError, invalid, not_found
from tfhashtag.serving.versions.model_store import ModelStore

if TYPE_CHECKING:
    from tfhashtag.serving.metrics import ServingMetrics

logger = logging.getLogger(__name__)

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_ALIVE = RestAnswer(200, b'{"status": "ok"}')
_NAME = r"(?P<name>[^/:]+)"
_CHOICE = r"(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_ASK = re.compile(rf"/v1/models/{_NAME}{_CHOICE}:(?P<api>classify|regress|predict)", re.IGNORECASE)
_TELL = re.compile(rf"/v1/models(?:/{_NAME})?{_CHOICE}(?:/(?P<part>metadata))?", re.IGNORECASE)


class RestHandler:
    """Answers requests by verb, path and body as TensorFlow Serving does.

    Args:
        store: the loaded models.
        timeout: seconds that a run may take.
        metrics: where requests are counted; None for nowhere.
        metrics_path: where Prometheus finds them; None for nowhere.
        most_values: values that the JSON of a request may hold; None for any number.
    """

    def __init__(
        self,
        store: ModelStore,
        timeout: float = 30.0,
        metrics: "ServingMetrics | None" = None,
        metrics_path: str | None = None,
        most_values: int | None = None,
    ) -> None:
        self._store = store
        self._timeout = timeout
        self._metrics = metrics
        self._own = {
            "/healthz": lambda: _ALIVE,
            "/readyz": self._readiness,
            OPEN_API: lambda: RestAnswer(200, json.dumps(open_api(store, __version__)).encode()),
        }
        if metrics is not None and metrics_path is not None:
            self._own[metrics_path] = lambda: RestAnswer(200, metrics.expose(), METRICS_TYPE)
        self._most_values = most_values
        self._apis: dict[str, Callable[[model_pb2.ModelSpec, bytes], bytes]] = {
            "predict": self._predict,
            "classify": functools.partial(self._examples, "Classify"),
            "regress": functools.partial(self._examples, "Regress"),
            "get_model_status": self._status,
            "get_model_metadata": self._metadata,
        }

    def answer(self, verb: str, path: str, body: bytes = b"") -> RestAnswer:
        """The answer, also when the request is wrong or the server fails.

        Args:
            verb: GET, POST ...
            path: as sent, without the query.
            body: as sent, without its encoding.
        """
        if verb == "GET" and path in self._own:
            return self._own[path]()
        try:
            api, spec = _parse(verb, path)
        except RequestError as error:
            return RestAnswer.of_error(error)
        began = time.perf_counter()
        code = grpc.StatusCode.OK
        try:
            return RestAnswer(200, self._apis[api](spec, body))
        except RequestError as error:
            code = error.code
            return RestAnswer.of_error(error)
        except Exception as error:
            log_fault(logger, api, error)
            code = grpc.StatusCode.INTERNAL
            return RestAnswer.of_error(RequestError(code, fault_message(error)))
        finally:
            if self._metrics is not None:
                name = spec.name if spec.name in self._store.names else ""
                seconds = time.perf_counter() - began
                self._metrics.record(name, api, code.name, seconds, "REST")

    def _readiness(self) -> RestAnswer:
        """Whether every model answers."""
        missing = [name for name in self._store.names if not self._store.available(name)]
        if not missing:
            return _ALIVE
        words = f"No version available of: {', '.join(missing)}"
        return RestAnswer.of_error(RequestError(grpc.StatusCode.UNAVAILABLE, words))

    def _predict(self, spec: model_pb2.ModelSpec, body: bytes) -> bytes:
        until = time.monotonic() + self._timeout
        document = parse_json(body, self._most_values)
        spec.signature_name = signature_name(document)
        with self._store.use(spec) as servable:
            key = spec.signature_name or DEFAULT_SIGNATURE
            if key not in servable.signatures:
                raise invalid(f'Serving signature name: "{key}" not found in signature def')
            arrays, rows = read_inputs(document, servable.signatures[key].inputs)
            left = until - time.monotonic()
            if left <= 0:
                raise RequestError(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline exceeded")
            outputs = servable.predict(arrays, key, timeout=left)
        return write_outputs(outputs, rows)

    def _examples(self, method: str, spec: model_pb2.ModelSpec, body: bytes) -> bytes:
        document = parse_json(body, self._most_values)
        spec.signature_name = signature_name(document)
        check_examples(document)
        refuse_examples(self._store, spec, method)

    def _status(self, spec: model_pb2.ModelSpec, _: bytes) -> bytes:
        return json_format.MessageToJson(
            get_model_status_pb2.GetModelStatusResponse(
                model_version_status=self._store.statuses(spec)
            ),
            always_print_fields_with_no_presence=True,
        ).encode()

    def _metadata(self, spec: model_pb2.ModelSpec, _: bytes) -> bytes:
        with self._store.use(spec) as servable:
            resolved = model_pb2.ModelSpec(name=servable.name)
            resolved.version.value = servable.version
            signatures = get_model_metadata_pb2.SignatureDefMap(signature_def=servable.signatures)
        parts = (
            json_format.MessageToJson(
                part, always_print_fields_with_no_presence=True, preserving_proto_field_name=True
            )
            for part in (resolved, signatures)
        )
        text = '{{\n"model_spec":{},\n"metadata": {{"signature_def": {}}}\n}}\n'.format(*parts)
        return text.encode()


def _parse(verb: str, path: str) -> tuple[str, model_pb2.ModelSpec]:
    """The name of the API and the model that are meant."""
    malformed = f"Malformed request: {verb} {path}"
    if not path.lower().startswith("/v1/"):
        raise not_found(malformed)
    if verb == "POST" and (found := _ASK.fullmatch(path)):
        return found["api"].lower(), _spec(found)
    if verb == "GET" and (found := _TELL.fullmatch(path)):
        if not found["name"]:
            raise invalid("Missing model name in request.")
        return "get_model_metadata" if found["part"] else "get_model_status", _spec(found)
    raise invalid(malformed)


def _spec(found: re.Match[str]) -> model_pb2.ModelSpec:
    spec = model_pb2.ModelSpec(name=unquote(found["name"]))
    if found["version"]:
        version = int(found["version"])
        if version >= 2**63:
            raise invalid(f"Failed to convert version: {found['version']} to numeric.")
        spec.version.value = version
    if found["label"]:
        spec.version_label = unquote(found["label"])
    return spec
