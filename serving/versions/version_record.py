"""What became of one version of a model."""

import pathlib
from dataclasses import dataclass

from tensorflow_serving.apis import get_model_status_pb2, status_pb2

from tfhashtag.serving.runtime.servable import Servable
from tfhashtag.serving.status import cut

State = get_model_status_pb2.ModelVersionStatus.State


@dataclass
class VersionRecord:
    """The state of a version, its servable while there is one, and who uses it.

    Belongs to a `ModelStore`; every field but the first two is read and changed under its lock.

    Args:
        version: its number.
        folder: where it was found.
        state: START, LOADING, AVAILABLE, UNLOADING, END.
        servable: while AVAILABLE and UNLOADING.
        users: requests that run on the servable.
        code: of the failure to load, a gRPC status; 0 for none.
        message: its words.
        failed_files: the fingerprint of the folder that failed to load; None for none.
    """

    version: int
    folder: pathlib.Path
    state: int = State.START
    servable: Servable | None = None
    users: int = 0
    code: int = 0
    message: str = ""
    failed_files: frozenset | None = None

    def status(self) -> get_model_status_pb2.ModelVersionStatus:
        """The record as GetModelStatus tells it."""
        return get_model_status_pb2.ModelVersionStatus(
            version=self.version,
            state=self.state,
            status=status_pb2.StatusProto(error_code=self.code, error_message=cut(self.message)),
        )
