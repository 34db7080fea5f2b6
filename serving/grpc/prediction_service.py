"""The PredictionService of TensorFlow Serving."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NoReturn

import grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    inference_pb2,
    model_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from tfhashtag.export.signatures import DEFAULT_SIGNATURE
from tfhashtag.serving.grpc.calls import counted, with_status
from tfhashtag.serving.runtime.servable import Servable
from tfhashtag.serving.runtime.tensors import fill_tensor
from tfhashtag.serving.status import RequestError, invalid
from tfhashtag.serving.versions.model_store import ModelStore

if TYPE_CHECKING:
    from tfhashtag.serving.metrics import ServingMetrics

SIGNATURE_FIELD = "signature_def"
CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"

_KINDS = {"Classify": ("classification", CLASSIFY), "Regress": ("regression", REGRESS)}


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict and GetModelMetadata, and what the methods for `tf.Example`s say without one.

    Classify, Regress and MultiInference refuse signatures that are not theirs, as a stock server
    does. Our exports have none that is; a model of somebody else that has one gets UNIMPLEMENTED.

    Args:
        store: the loaded models.
        metrics: where requests are counted; None for nowhere.
    """

    def __init__(self, store: ModelStore, metrics: "ServingMetrics | None" = None) -> None:
        self._store = store
        self.metrics = metrics

    def model_name(self, request: Any) -> str:
        """The model that a request asks for; empty where it is not served."""
        spec = request.model_spec if hasattr(request, "model_spec") else _first_spec(request)
        return spec.name if spec.name in self._store.names else ""

    @counted("predict")
    @with_status
    def Predict(
        self, request: predict_pb2.PredictRequest, context: grpc.ServicerContext
    ) -> predict_pb2.PredictResponse:
        """Runs a signature; the client's deadline is the time-out of the run."""
        _check_spec(request)
        remaining = context.time_remaining()
        if remaining is not None and remaining <= 0:
            raise RequestError(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline exceeded")
        spec = request.model_spec
        with self._store.use(spec) as servable:
            outputs = servable.predict(
                request.inputs,
                spec.signature_name,
                request.output_filter,
                remaining,
                when_gone=context.add_callback,
            )
            response = predict_pb2.PredictResponse()
            response.model_spec.name = servable.name
            response.model_spec.version.value = servable.version
            response.model_spec.signature_name = spec.signature_name or DEFAULT_SIGNATURE
        for name, array in outputs.items():
            fill_tensor(response.outputs[name], array)
        return response

    @counted("classify")
    @with_status
    def Classify(
        self, request: classification_pb2.ClassificationRequest, context: grpc.ServicerContext
    ) -> NoReturn:
        """Says that the signature is not one for Classify."""
        _check_spec(request)
        refuse_examples(self._store, request.model_spec, "Classify")

    @counted("regress")
    @with_status
    def Regress(
        self, request: regression_pb2.RegressionRequest, context: grpc.ServicerContext
    ) -> NoReturn:
        """Says that the signature is not one for Regress."""
        _check_spec(request)
        refuse_examples(self._store, request.model_spec, "Regress")

    @counted("multi_inference")
    @with_status
    def MultiInference(
        self, request: inference_pb2.MultiInferenceRequest, context: grpc.ServicerContext
    ) -> NoReturn:
        """Says what is wrong with the first task that is not for Classify or Regress."""
        with self._store.use(_first_spec(request)) as servable:
            _check_tasks(servable, request.tasks)
        raise _not_here("MultiInference")

    @counted("get_model_metadata")
    @with_status
    def GetModelMetadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest, context: grpc.ServicerContext
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """The signatures of a model, in an Any of SignatureDefMap."""
        _check_spec(request)
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != SIGNATURE_FIELD:
                raise invalid(f"Metadata field {field} is not supported")
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        with self._store.use(request.model_spec) as servable:
            response.model_spec.name = servable.name
            response.model_spec.version.value = servable.version
            signatures = get_model_metadata_pb2.SignatureDefMap(signature_def=servable.signatures)
        response.metadata[SIGNATURE_FIELD].Pack(signatures)
        return response


def _check_spec(request: Any) -> None:
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")


def _first_spec(request: inference_pb2.MultiInferenceRequest) -> model_pb2.ModelSpec:
    return request.tasks[0].model_spec if request.tasks else model_pb2.ModelSpec()


def refuse_examples(store: ModelStore, spec: model_pb2.ModelSpec, method: str) -> NoReturn:
    """Says that a signature is not one for `method`, Classify or Regress, which is not here.

    Raises:
        RequestError: INVALID_ARGUMENT with the words of TensorFlow Serving, or UNIMPLEMENTED.
    """
    with store.use(spec) as servable:
        _check_method(servable, spec, method)
    raise _not_here(method)


def _check_method(servable: Servable, spec: model_pb2.ModelSpec, method: str) -> None:
    kind, wanted = _KINDS[method]
    key = spec.signature_name or DEFAULT_SIGNATURE
    if key not in servable.signatures:
        raise invalid(f"No signature was found with the name: {key}")
    found = servable.signatures[key].method_name
    if found != wanted:
        raise invalid(f"Expected {kind} signature method_name to be {wanted}. Was: {found}")


def _check_tasks(servable: Servable, tasks: Iterable[inference_pb2.InferenceTask]) -> None:
    seen: set[str] = set()
    for task in tasks:
        spec = task.model_spec
        key = spec.signature_name or DEFAULT_SIGNATURE
        if not spec.name:
            raise invalid("Found ModelSpec with an empty model name.")
        if spec.name != servable.name:
            raise invalid(
                "All ModelSpecs in a MultiInferenceRequest must access the same model name."
            )
        if key in seen:
            raise invalid(f"Duplicate evaluation of signature: {key}")
        seen.add(key)
        if key not in servable.signatures:
            raise invalid(f"Requested signature not found in model graph: {key}")
        if task.method_name == CLASSIFY:
            _check_method(servable, spec, "Classify")
        elif task.method_name == REGRESS:
            _check_method(servable, spec, "Regress")
        else:
            raise _unimplemented(f"Unsupported signature method_name: {task.method_name}")


def _unimplemented(message: str) -> RequestError:
    return RequestError(grpc.StatusCode.UNIMPLEMENTED, message)


def _not_here(method: str) -> RequestError:
    return _unimplemented(f"{method} of `tf.Example`s is not implemented by this server")
