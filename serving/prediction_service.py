"""The PredictionService of TensorFlow Serving."""

import grpc
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tfhashtag.serving.answering import answering
from tfhashtag.serving.model_store import ModelStore
from tfhashtag.serving.status import RequestError, invalid
from tfhashtag.serving.tensors import make_tensor

SIGNATURE_FIELD = "signature_def"


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict and GetModelMetadata; the other methods answer UNIMPLEMENTED.

    Args:
        store: the loaded models.
    """

    def __init__(self, store: ModelStore):
        self._store = store

    @answering
    def Predict(self, request, context):
        """Runs a signature; the client's deadline is the time-out of the run."""
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        remaining = context.time_remaining()
        if remaining is not None and remaining <= 0:
            raise RequestError(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline exceeded")
        with self._store.use(request.model_spec) as servable:
            key, _ = servable.signature(request.model_spec.signature_name)
            outputs = servable.predict(request.inputs, key, request.output_filter, remaining)
            response = predict_pb2.PredictResponse()
            response.model_spec.name = servable.name
            response.model_spec.version.value = servable.version
            response.model_spec.signature_name = key
        for name, array in outputs.items():
            response.outputs[name].CopyFrom(make_tensor(array))
        return response

    @answering
    def GetModelMetadata(self, request, context):
        """The signatures of a model, in an Any of SignatureDefMap."""
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != SIGNATURE_FIELD:
                raise invalid(f"Metadata field {field} is not supported")
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        with self._store.use(request.model_spec) as servable:
            response.model_spec.name = servable.name
            response.model_spec.version.value = servable.version
            for key, signature in servable.signatures.items():
                signatures.signature_def[key].CopyFrom(signature)
        response.metadata[SIGNATURE_FIELD].Pack(signatures)
        return response
