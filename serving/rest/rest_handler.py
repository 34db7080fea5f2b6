"""What the REST API answers, apart from HTTP."""

import logging
import re
import traceback
from collections.abc import Callable
from urllib.parse import unquote

import grpc
from google.protobuf import json_format
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, model_pb2

from tfhashtag.export.signatures import DEFAULT_SIGNATURE
from tfhashtag.serving.model_store import ModelStore
from tfhashtag.serving.rest.json_request import as_tensor, read_inputs, signature_name
from tfhashtag.serving.rest.json_response import write_outputs
from tfhashtag.serving.rest.json_text import parse_json
from tfhashtag.serving.rest.rest_answer import RestAnswer
from tfhashtag.serving.status import RequestError, invalid, not_found

logger = logging.getLogger(__name__)

_NAME = r"(?P<name>[^/:]+)"
_CHOICE = r"(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_ASK = re.compile(
    rf"/v1/models/{_NAME}{_CHOICE}:(?P<method>classify|regress|predict)", re.IGNORECASE
)
_TELL = re.compile(rf"/v1/models(?:/{_NAME})?{_CHOICE}(?:/(?P<part>metadata))?", re.IGNORECASE)


class RestHandler:
    """Answers requests by verb, path and body as TensorFlow Serving does.

    Args:
        store: the loaded models.
        timeout: seconds that a run may take.
        metrics: gives the page for Prometheus; None for no such page.
        metrics_path: where it is.
    """

    def __init__(
        self,
        store: ModelStore,
        timeout: float = 30.0,
        metrics: Callable[[], bytes] | None = None,
        metrics_path: str | None = None,
    ):
        self._store = store
        self._timeout = timeout
        self._metrics = metrics
        self._metrics_path = metrics_path

    def answer(self, verb: str, path: str, body: bytes = b"") -> RestAnswer:
        """The answer, also when the request is wrong or the server fails.

        Args:
            verb: GET, POST ...
            path: as sent, without the query.
            body: as sent, without its encoding.
        """
        try:
            return self._answer(verb, path, body)
        except RequestError as error:
            return RestAnswer.of_error(error)
        except Exception as error:
            # Without the message, which may hold what the user sent.
            frames = "".join(traceback.format_tb(error.__traceback__))
            logger.error("%s %s failed: %s\n%s", verb, path, type(error).__name__, frames)
            return RestAnswer.of_error(
                RequestError(grpc.StatusCode.INTERNAL, f"{type(error).__name__} in the server")
            )

    def _answer(self, verb: str, path: str, body: bytes) -> RestAnswer:
        malformed = f"Malformed request: {verb} {path}"
        if self._metrics is not None and path == self._metrics_path:
            if verb != "GET":
                raise invalid(malformed)
            return RestAnswer(200, self._metrics(), "text/plain; version=0.0.4; charset=utf-8")
        if not path.lower().startswith("/v1/"):
            raise not_found(malformed)
        if verb == "POST" and (found := _ASK.fullmatch(path)):
            spec = _spec(found)
            if found["method"].lower() == "predict":
                return RestAnswer(200, self._predict(spec, body))
            return RestAnswer(200, self._examples(spec, found["method"].lower(), body))
        if verb == "GET" and (found := _TELL.fullmatch(path)):
            if not found["name"]:
                raise invalid("Missing model name in request.")
            tell = self._metadata if found["part"] else self._status
            return RestAnswer(200, tell(_spec(found)).encode())
        raise invalid(malformed)

    def _predict(self, spec: model_pb2.ModelSpec, body: bytes) -> bytes:
        document = parse_json(body)
        spec.signature_name = signature_name(document)
        with self._store.use(spec) as servable:
            key = spec.signature_name or DEFAULT_SIGNATURE
            if key not in servable.signatures:
                raise invalid(f'Serving signature name: "{key}" not found in signature def')
            arrays, rows = read_inputs(document, servable.signatures[key].inputs)
            inputs = {name: as_tensor(array) for name, array in arrays.items()}
            outputs = servable.predict(inputs, key, timeout=self._timeout)
        return write_outputs(outputs, rows)

    def _status(self, spec: model_pb2.ModelSpec) -> str:
        return json_format.MessageToJson(
            get_model_status_pb2.GetModelStatusResponse(
                model_version_status=self._store.statuses(spec)
            ),
            always_print_fields_with_no_presence=True,
        )

    def _metadata(self, spec: model_pb2.ModelSpec) -> str:
        signatures = get_model_metadata_pb2.SignatureDefMap()
        with self._store.use(spec) as servable:
            resolved = model_pb2.ModelSpec(name=servable.name)
            resolved.version.value = servable.version
            for key, signature in servable.signatures.items():
                signatures.signature_def[key].CopyFrom(signature)
        parts = (
            json_format.MessageToJson(
                part, always_print_fields_with_no_presence=True, preserving_proto_field_name=True
            )
            for part in (resolved, signatures)
        )
        return '{{\n"model_spec":{},\n"metadata": {{"signature_def": {}}}\n}}\n'.format(*parts)


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
