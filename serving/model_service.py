"""The ModelService of TensorFlow Serving."""

from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
)

from tfhashtag.serving.answering import answering
from tfhashtag.serving.model_store import ModelStore
from tfhashtag.serving.status import invalid


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus and HandleReloadConfigRequest.

    Args:
        store: the loaded models.
    """

    def __init__(self, store: ModelStore):
        self._store = store

    @answering
    def GetModelStatus(self, request, context):
        """The states of a model's versions, newest first."""
        if not request.HasField("model_spec"):
            raise invalid("Missing ModelSpec")
        return get_model_status_pb2.GetModelStatusResponse(
            model_version_status=self._store.statuses(request.model_spec)
        )

    @answering
    def HandleReloadConfigRequest(self, request, context):
        """Replaces the configuration; answers when what is new is loaded, or with the error."""
        self._store.reload(request.config)
        response = model_management_pb2.ReloadConfigResponse()
        response.status.SetInParent()
        return response
