"""Which versions of which models are loaded."""

import contextlib
import os
import pathlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import grpc
from tensorflow_serving.apis import get_model_status_pb2, model_pb2, status_pb2

from tfhashtag.errors import ServingError
from tfhashtag.serving.servable import Servable
from tfhashtag.serving.status import RequestError, cut, invalid, not_found

State = get_model_status_pb2.ModelVersionStatus.State


def find_versions(base: str | os.PathLike) -> dict[int, pathlib.Path]:
    """Version number to folder for every `BASE/<int>/saved_model.pb`; other names are ignored.

    Leading zeros are allowed; of `2` and `002` the longer name counts.
    """
    return {
        int(entry.name): entry
        for entry in sorted(pathlib.Path(base).iterdir(), key=lambda entry: len(entry.name))
        if entry.name.isascii()
        and entry.name.isdigit()
        and int(entry.name) < 2**63
        and (entry / "saved_model.pb").is_file()
    }


@dataclass
class VersionRecord:
    """What became of one version: its state, and its servable while it is available."""

    version: int
    state: int
    servable: Servable | None = None
    code: int = 0
    message: str = ""

    def status(self) -> get_model_status_pb2.ModelVersionStatus:
        """The record as GetModelStatus tells it."""
        return get_model_status_pb2.ModelVersionStatus(
            version=self.version,
            state=self.state,
            status=status_pb2.StatusProto(error_code=self.code, error_message=cut(self.message)),
        )


class ModelStore:
    """The models of a folder: `MODELS/NAME/<version>/saved_model.pb`.

    The newest version of each model is loaded, or the ones asked for. Requests take a servable with
    `use` and give it back at the end of the block, so that a version can one day be unloaded
    while others run.

    Args:
        folder: MODELS, the folder of the model folders.
        versions: by model name, the versions to load; a model not named gets its newest.
        load: makes the servable of a folder, a name and a version.

    Raises:
        ServingError: there is no model, a version asked for is missing, or no version of a model
            loads.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        versions: dict[str, Sequence[int]] | None = None,
        load: Callable[[pathlib.Path, str, int], Servable] = Servable,
    ):
        self.folder = pathlib.Path(folder)
        self._load_servable = load
        self._lock = threading.Lock()
        self._records: dict[str, dict[int, VersionRecord]] = {}
        found = self._find()
        for name, wanted in (versions or {}).items():
            missing = set(wanted) - set(found.get(name, {}))
            if missing:
                have = f"has versions {sorted(found[name])}" if name in found else "does not exist"
                raise ServingError(
                    f"`{self.folder / name}`: version {min(missing)} was asked for, but the model "
                    f"{have}."
                )
        for name, available in found.items():
            for version in (versions or {}).get(name, [max(available)]):
                self._load(name, version, available[version])
            records = self._records[name].values()
            if not any(record.servable for record in records):
                raise ServingError(next(record.message for record in records))

    @property
    def names(self) -> list[str]:
        """Model names, sorted."""
        return sorted(self._records)

    def available(self, name: str) -> list[int]:
        """Versions of a model that answer requests, newest first."""
        records = self._records.get(name, {}).values()
        return sorted((r.version for r in records if r.state == State.AVAILABLE), reverse=True)

    @contextlib.contextmanager
    def use(self, spec: model_pb2.ModelSpec) -> Iterator[Servable]:
        """The servable that a request asks for, for the length of the block.

        Raises:
            RequestError: NOT_FOUND for an unknown model or version, INVALID_ARGUMENT for a spec
                without name or with an unknown label.
        """
        if not spec.name:
            raise invalid("ModelSpec has no name specified.")
        choice = spec.WhichOneof("version_choice")
        if choice == "version_label":
            raise invalid(f"Unrecognized servable version label: {spec.version_label}")
        with self._lock:
            versions = self.available(spec.name)
            if choice == "version":
                asked = f"Specific({spec.name}, {spec.version.value})"
                version = spec.version.value
            else:
                asked = f"Latest({spec.name})"
                version = versions[0] if versions else -1
            if version not in versions:
                raise not_found(f"Servable not found for request: {asked}")
            servable = self._records[spec.name][version].servable
        if servable is None:
            raise RequestError(grpc.StatusCode.INTERNAL, f"{asked} is available but not loaded")
        yield servable

    def statuses(self, spec: model_pb2.ModelSpec) -> list[get_model_status_pb2.ModelVersionStatus]:
        """The asked version, or all of a model, newest first.

        Raises:
            RequestError: NOT_FOUND where there is none.
        """
        if not spec.name:
            raise invalid("ModelSpec has no name specified.")
        choice = spec.WhichOneof("version_choice")
        if choice == "version_label":
            raise invalid(f"Unrecognized servable version label: {spec.version_label}")
        with self._lock:
            records = dict(self._records.get(spec.name, {}))
        if choice == "version":
            version = spec.version.value
            records = {version: records[version]} if version in records else {}
            if not records:
                raise not_found(f"Could not find version {version} of model {spec.name}")
        if not records:
            raise not_found(f"Could not find any versions of model {spec.name}")
        return [records[version].status() for version in sorted(records, reverse=True)]

    def close(self) -> None:
        """Unloads everything; no request may be running."""
        with self._lock:
            for versions in self._records.values():
                for record in versions.values():
                    if record.servable is not None:
                        record.servable.close()
                        record.servable = None
                        record.state = State.END

    def _find(self) -> dict[str, dict[int, pathlib.Path]]:
        folder = self.folder
        if not folder.is_dir():
            raise ServingError(
                f"`{folder}` is not a folder; expected one with models, "
                f"`{folder}/NAME/1/saved_model.pb`. `tfhashtag export` writes them."
            )
        found = {
            entry.name: versions
            for entry in sorted(folder.iterdir())
            if entry.is_dir()
            and not entry.name.startswith(".")
            and (versions := find_versions(entry))
        }
        if found:
            return found
        if find_versions(folder):
            raise ServingError(
                f"`{folder}` holds versions of one model; give the folder above it: "
                f"`{folder.absolute().parent}`."
            )
        raise ServingError(
            f"`{folder}`: no model found; expected `{folder}/NAME/1/saved_model.pb`. "
            "`tfhashtag export` writes them."
        )

    def _load(self, name: str, version: int, folder: pathlib.Path) -> None:
        record = VersionRecord(version, State.LOADING)
        with self._lock:
            self._records.setdefault(name, {})[version] = record
        try:
            servable = self._load_servable(folder, name, version)
        except ServingError as error:
            with self._lock:
                record.state = State.END
                record.code = grpc.StatusCode.INTERNAL.value[0]
                record.message = str(error)
            return
        with self._lock:
            record.servable = servable
            record.state = State.AVAILABLE
