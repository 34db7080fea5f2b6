"""What is served, and by which versions: the part of a `ModelStore` that requests read."""

import contextlib
import pathlib
import threading
from collections.abc import Callable, Iterator, Mapping

import grpc
from tensorflow_serving.apis import get_model_status_pb2, model_pb2

from tfhashtag.serving.runtime.servable import Servable
from tfhashtag.serving.status import RequestError, failed_precondition, invalid, not_found
from tfhashtag.serving.versions.model_config import ModelConfig, ModelServerConfig
from tfhashtag.serving.versions.version_record import State, VersionRecord


class VersionTable:
    """The models of a configuration, their labels, and a record of every version there ever was.

    Any thread may call anything at any time: one lock is held for a look-up or a change, and never
    while a model is loaded, run or closed. What is decided from several calls needs a caller that
    is the only one who changes anything.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._models: dict[str, ModelConfig] = {}
        self._labels: dict[str, dict[str, int]] = {}
        self._records: dict[str, dict[int, VersionRecord]] = {}

    @property
    def models(self) -> dict[str, ModelConfig]:
        """The models that shall be served, by name."""
        with self._lock:
            return dict(self._models)

    @property
    def known(self) -> set[str]:
        """Names of all models that there ever were."""
        with self._lock:
            return set(self._records)

    def records(self, name: str) -> dict[int, VersionRecord]:
        """The versions of a model."""
        with self._lock:
            return dict(self._records.get(name, {}))

    def in_state(self, name: str, state: int) -> set[int]:
        """The versions of a model that are in a state."""
        with self._lock:
            return self._in_state(name, state)

    @contextlib.contextmanager
    def use(self, spec: model_pb2.ModelSpec) -> Iterator[Servable]:
        """See `ModelStore.use`."""
        with self._lock:
            record = self._find(spec)
            record.users += 1
            servable = record.servable
        try:
            if servable is None:
                raise RequestError(grpc.StatusCode.INTERNAL, "The version has no servable")
            yield servable
        finally:
            with self._lock:
                record.users -= 1
                if not record.users and record.state == State.UNLOADING:
                    self._changed.notify_all()

    def statuses(self, spec: model_pb2.ModelSpec) -> list[get_model_status_pb2.ModelVersionStatus]:
        """See `ModelStore.statuses`."""
        with self._lock:
            version = self._asked_version(spec)
            records = self._records.get(spec.name, {})
            if version is not None and version not in records:
                raise not_found(f"Could not find version {version} of model {spec.name}")
            if not records:
                raise not_found(f"Could not find any versions of model {spec.name}")
            asked = sorted(records, reverse=True) if version is None else [version]
            return [records[version].status() for version in asked]

    def adopt(self, config: ModelServerConfig, allow_unavailable: bool = True) -> None:
        """Makes a configuration that was checked the one that holds.

        Args:
            config: the configuration.
            allow_unavailable: take labels of versions that are not available.

        Raises:
            RequestError: FAILED_PRECONDITION for a label of a version that is not available;
                nothing is changed then. One that the label had before may stay if labels of
                unavailable versions are allowed.
        """
        models = {model.name: ModelConfig() for model in config.model_config_list.config}
        for model in config.model_config_list.config:
            models[model.name].CopyFrom(model)
        with self._lock:
            for model in models.values():
                self._check_labels(model, allow_unavailable)
            self._models = models
            self._labels = {name: dict(model.version_labels) for name, model in models.items()}

    def note(self, name: str, version: int, folder: pathlib.Path) -> None:
        """Makes a new record, in state START."""
        with self._lock:
            self._records.setdefault(name, {})[version] = VersionRecord(version, folder)

    def move(self, record: VersionRecord, state: int, servable: Servable | None = None) -> None:
        """Gives a record a state, and the servable that it has from then on."""
        with self._lock:
            record.servable = servable
            record.state = state
            self._changed.notify_all()

    def fail(
        self, record: VersionRecord, code: grpc.StatusCode, message: str, files: frozenset
    ) -> None:
        """Ends a record because its version, as its files were, does not load."""
        with self._lock:
            record.code, record.message, record.failed_files = code.value[0], message, files
            record.state = State.END
            self._changed.notify_all()

    def forget_failures(self) -> None:
        """Lets versions that failed be tried again, though their files are the same."""
        with self._lock:
            for versions in self._records.values():
                for record in versions.values():
                    record.failed_files = None

    def wait_for(self, condition: Callable[[], bool], seconds: float | None = None) -> bool:
        """Waits until a condition of states and users holds; whether it does.

        Args:
            condition: called with the lock held.
            seconds: at most; None for ever.
        """
        with self._lock:
            return self._changed.wait_for(condition, seconds)

    def wake(self) -> None:
        """Has those who wait look at their conditions again."""
        with self._lock:
            self._changed.notify_all()

    def is_used(self) -> bool:
        """Whether any request runs; for `wait_for`."""
        return any(
            record.users for versions in self._records.values() for record in versions.values()
        )

    # What follows is called with the lock held.

    def _in_state(self, name: str, state: int) -> set[int]:
        records = self._records.get(name, {}).values()
        return {record.version for record in records if record.state == state}

    def _asked_version(self, spec: model_pb2.ModelSpec) -> int | None:
        if not spec.name:
            raise invalid("ModelSpec has no name specified.")
        choice = spec.WhichOneof("version_choice")
        if choice == "version_label":
            label = spec.version_label
            if label not in self._labels.get(spec.name, {}):
                raise invalid(f"Unrecognized servable version label: {label}")
            return self._labels[spec.name][label]
        return spec.version.value if choice == "version" else None

    def _find(self, spec: model_pb2.ModelSpec) -> VersionRecord:
        version = self._asked_version(spec)
        available = self._in_state(spec.name, State.AVAILABLE)
        if version is None:
            asked, version = f"Latest({spec.name})", max(available, default=-1)
        else:
            asked = f"Specific({spec.name}, {version})"
        if version not in available:
            raise not_found(f"Servable not found for request: {asked}")
        return self._records[spec.name][version]

    def _check_labels(self, model: ModelConfig, allow_unavailable: bool) -> None:
        former: Mapping[str, int] = self._labels.get(model.name, {})
        for label, version in model.version_labels.items():
            if allow_unavailable and former.get(label, version) == version:
                continue
            if version not in self._in_state(model.name, State.AVAILABLE):
                raise failed_precondition(
                    f"Request to assign label to version {version} of model {model.name}, "
                    "which is not currently available for inference"
                )
