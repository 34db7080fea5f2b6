"""Which versions of which models are loaded."""

import contextlib
import logging
import os
import pathlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

import grpc
from google.protobuf import text_format
from tensorflow import errors as tensorflow_errors
from tensorflow_serving.apis import get_model_status_pb2, model_pb2

from tfhashtag.errors import ServingError
from tfhashtag.serving.answering import fault_message, log_fault
from tfhashtag.serving.model_config import (
    ModelConfig,
    ModelServerConfig,
    check_model_config,
    config_of_folder,
    first_config_of_folder,
)
from tfhashtag.serving.servable import Servable
from tfhashtag.serving.status import (
    RequestError,
    failed_precondition,
    from_tensorflow,
    invalid,
    not_found,
)
from tfhashtag.serving.version_folders import find_versions, fingerprint
from tfhashtag.serving.version_policy import next_step, wanted_versions
from tfhashtag.serving.version_record import State, VersionRecord
from tfhashtag.serving.version_watcher import VersionWatcher
from tfhashtag.serving.warm_up import warm_up

logger = logging.getLogger(__name__)


class ModelStore:
    """Loads and unloads the versions of models, and lends them to requests.

    The versions that a model's policy wants are loaded here and, after `start`, whenever the folder
    changes: a new version is loaded and answers its warm-up requests before an older one leaves, a
    version that fails is END with its status while the older one stays, and is tried again when
    its files change. Model folders are only read.

    Threads: `use`, `statuses`, `available` and `names` may be called by any thread at any time;
    they hold `_lock` for a look-up and never while a model is loaded, run or closed. Whoever
    changes what is served (the constructor, the watcher, `reload`, `close`) holds `_changing` from
    the first step to the last, so that one version is loaded at a time; `_lock` is taken within
    `_changing`, never the other way. A servable is closed by a thread of its own that waits until
    nobody uses it, and holds no lock while it closes.

    Args:
        config: a ModelServerConfig, or MODELS, a folder in which every sub-folder with versions is
            a model, now and at every later look.
        versions: with a folder, the versions of a model to load instead of its newest.
        load: makes the servable of a folder, a name and a version.
        poll_seconds: how often `start` has the folders looked at; 0 for never.
        allow_unavailable_labels: let labels point to versions that are not available, as
            TensorFlow Serving's `--allow_version_labels_for_unavailable_models` does, so that a
            configuration may have some from the beginning.

    Raises:
        ServingError: there is no model, a version asked for is missing, no version of a model
            loads, or the configuration is wrong.
    """

    def __init__(
        self,
        config: ModelServerConfig | str | os.PathLike,
        versions: Mapping[str, Sequence[int]] | None = None,
        load: Callable[[pathlib.Path, str, int], Servable] = Servable,
        poll_seconds: float = 1.0,
        allow_unavailable_labels: bool = False,
    ):
        self._load_servable = load
        self._allow_unavailable_labels = allow_unavailable_labels
        self._changing = threading.Lock()
        self._lock = threading.Lock()
        self._drained = threading.Condition(self._lock)
        # Under `_changing`, and for who only reads under `_lock`.
        self._models: dict[str, ModelConfig] = {}
        self._labels: dict[str, dict[str, int]] = {}
        self._records: dict[str, dict[int, VersionRecord]] = {}
        self._unloading: list[threading.Thread] = []
        self._complaints: dict[str, str] = {}
        self._closed = False
        self._cut_off = False
        self._folder: pathlib.Path | None = None
        self._versions = dict(versions or {})
        self._watcher = VersionWatcher(self.look, poll_seconds)
        try:
            self._begin(config)
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Starts to look for changes of the folders."""
        self._watcher.start()

    @property
    def names(self) -> list[str]:
        """Names of the models that shall be served, sorted."""
        with self._lock:
            return sorted(self._models)

    def available(self, name: str) -> list[int]:
        """Versions of a model that answer requests, newest first."""
        with self._lock:
            return sorted(self._available(name), reverse=True)

    @contextlib.contextmanager
    def use(self, spec: model_pb2.ModelSpec) -> Iterator[Servable]:
        """The servable that a request asks for; it is not unloaded before the block ends.

        Raises:
            RequestError: NOT_FOUND for an unknown model or version, INVALID_ARGUMENT for a spec
                without name or with an unknown label.
        """
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
                    self._drained.notify_all()

    def statuses(self, spec: model_pb2.ModelSpec) -> list[get_model_status_pb2.ModelVersionStatus]:
        """The asked version, or all of a model that there ever were, newest first.

        Raises:
            RequestError: NOT_FOUND where there is none, INVALID_ARGUMENT for a spec without name
                or with an unknown label.
        """
        with self._lock:
            version = self._asked_version(spec)
            records = self._records.get(spec.name, {})
            if version is not None and version not in records:
                raise not_found(f"Could not find version {version} of model {spec.name}")
            if not records:
                raise not_found(f"Could not find any versions of model {spec.name}")
            asked = sorted(records, reverse=True) if version is None else [version]
            return [records[version].status() for version in asked]

    def look(self) -> None:
        """Looks at the folders once, and loads and unloads what changed there."""
        with self._changing:
            if self._closed:
                return
            if self._folder is not None:
                try:
                    config = config_of_folder(self._folder, self._versions)
                except OSError as error:
                    self._complain("", f"`{self._folder}` cannot be read: {error.strerror}")
                    return
                self._complaints.pop("", None)
                self._adopt(config, {})
            self._update()

    def reload(self, config: ModelServerConfig) -> None:
        """Serves what `config` says, and nothing else.

        Returns when all that is new is loaded and what is left out answers no more. A model that
        stays is loaded again only where another version is wanted; what failed is tried again.

        Raises:
            RequestError: INVALID_ARGUMENT for a configuration that is wrong, FAILED_PRECONDITION
                for a label of a version that is not available: nothing is changed then. UNKNOWN:
                the configuration holds, but no version of a model that is new could be loaded.
        """
        check_model_config(config)
        with self._changing:
            if self._closed:
                raise RequestError(grpc.StatusCode.UNAVAILABLE, "The server is being stopped")
            labels = self._checked_labels(config)
            new = {model.name for model in config.model_config_list.config} - set(self._models)
            self._folder = None
            self._adopt(config, labels)
            self._forget_failures()
            self._update()
            while self._wait_for_wanted():
                self._update()
            failed = [failure for name in sorted(new) if (failure := self._failure(name))]
        if failed:
            listed = "".join(f"{{{{{what}}} due to error: {why}}}, " for what, why in failed)
            raise RequestError(
                grpc.StatusCode.UNKNOWN,
                f"{len(failed)} model(s) did not become available: {{{listed}}}",
            )

    def close(self, seconds: float | None = None) -> None:
        """Lends nothing any more, waits for the requests that run, and unloads everything.

        Args:
            seconds: after which the requests that still run are cut off; None for never.
        """
        with self._lock:
            self._closed = True
            self._drained.notify_all()
        self._watcher.stop()
        with self._changing:
            for name, versions in list(self._records.items()):
                for record in versions.values():
                    if record.state == State.AVAILABLE:
                        self._unload(name, record)
            threads = self._unloading
        with self._lock:
            self._drained.wait_for(lambda: not self._in_use(), seconds)
            self._cut_off = True
            self._drained.notify_all()
        for thread in threads:
            thread.join()

    # What follows, up to `_in_use`, is called with `_lock` held.

    def _available(self, name: str) -> set[int]:
        records = self._records.get(name, {}).values()
        return {record.version for record in records if record.state == State.AVAILABLE}

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
        available = self._available(spec.name)
        if version is None:
            asked, version = f"Latest({spec.name})", max(available, default=-1)
        else:
            asked = f"Specific({spec.name}, {version})"
        if version not in available:
            raise not_found(f"Servable not found for request: {asked}")
        return self._records[spec.name][version]

    def _in_use(self) -> bool:
        return any(
            record.users for versions in self._records.values() for record in versions.values()
        )

    # What follows is called with `_changing` held and `_lock` free; `_begin` takes it.

    def _begin(self, config: ModelServerConfig | str | os.PathLike) -> None:
        with self._changing:
            if not isinstance(config, ModelServerConfig):
                self._folder = pathlib.Path(config)
                config = first_config_of_folder(self._folder, self._versions)
                labels: dict[str, dict[str, int]] = {}
            else:
                try:
                    check_model_config(config)
                    labels = self._checked_labels(config)
                except RequestError as error:
                    raise ServingError(_at_start(error)) from error
            self._adopt(config, labels)
            self._update()
            for name in self._models:
                if failure := self._failure(name):
                    raise ServingError(failure[1])

    def _adopt(self, config: ModelServerConfig, labels: dict[str, dict[str, int]]) -> None:
        """Makes a configuration that was checked the one that holds."""
        models = {}
        for model in config.model_config_list.config:
            models[model.name] = ModelConfig()
            models[model.name].CopyFrom(model)
        with self._lock:
            self._models = models
            self._labels = labels

    def _checked_labels(self, config: ModelServerConfig) -> dict[str, dict[str, int]]:
        with self._lock:
            for model in config.model_config_list.config:
                old = self._labels.get(model.name, {})
                for label, version in model.version_labels.items():
                    is_new = old.get(label, version) == version
                    if self._allow_unavailable_labels and is_new:
                        continue
                    if version not in self._available(model.name):
                        raise failed_precondition(
                            f"Request to assign label to version {version} of model {model.name}, "
                            "which is not currently available for inference"
                        )
        return {model.name: dict(model.version_labels) for model in config.model_config_list.config}

    def _update(self) -> None:
        """Loads and unloads until every model has what its policy wants, as far as it loads."""
        self._unloading = [thread for thread in self._unloading if thread.is_alive()]
        for name in [*(set(self._records) - set(self._models)), *self._models]:
            model = self._models.get(name)
            found: dict[int, pathlib.Path] = {}
            if model is not None:
                try:
                    found = find_versions(model.base_path)
                except OSError as error:
                    # A folder that is out of reach for a moment takes no model away.
                    self._complain(name, f"`{model.base_path}` cannot be read: {error.strerror}")
                    continue
                self._complaints.pop(name, None)
            wanted = wanted_versions(model.model_version_policy, found) if model else set()
            self._advance(name, {version: found[version] for version in wanted})

    def _advance(self, name: str, wanted: dict[int, pathlib.Path]) -> None:
        """Takes a model step by step to its wanted versions."""
        self._note(name, wanted)
        while not self._closed:
            with self._lock:
                records = self._records.get(name, {})
                available = self._available(name)
                loadable = {v for v in wanted if records[v].state == State.START}
            step = next_step(set(wanted), available, loadable)
            if step is None:
                return
            if step.load:
                self._load(name, records[step.version])
            else:
                self._unload(name, records[step.version])

    def _forget_failures(self) -> None:
        """Lets versions that failed be tried again, though their files are the same."""
        with self._lock:
            for versions in self._records.values():
                for record in versions.values():
                    record.failed_files = None

    def _note(self, name: str, wanted: dict[int, pathlib.Path]) -> None:
        """Makes a record in state START for each wanted version that is to be loaded."""
        for version, folder in wanted.items():
            old = self._records.get(name, {}).get(version)
            if old is not None and old.state != State.END:
                continue
            # Only a folder that failed has a fingerprint; the same files would fail again.
            failed = old.failed_files if old is not None else None
            if failed is not None and failed == fingerprint(folder):
                continue
            with self._lock:
                self._records.setdefault(name, {})[version] = VersionRecord(version, folder)
        with self._lock:
            for record in self._records.get(name, {}).values():
                # It was noted, but before its turn came it was not wanted any more.
                if record.state == State.START and record.version not in wanted:
                    record.state = State.END

    def _load(self, name: str, record: VersionRecord) -> None:
        with self._lock:
            record.state = State.LOADING
        # Before the load: what is changed while it is under way leads to another one.
        files = fingerprint(record.folder)
        try:
            servable, requests = self._warmed(name, record)
        except (ServingError, RequestError) as error:
            code, message = _code(error), str(error)
        except Exception as error:
            log_fault(logger, f"loading model {name} version {record.version}", error)
            code, message = grpc.StatusCode.INTERNAL, fault_message(error)
        else:
            with self._lock:
                record.servable = servable
                record.state = State.AVAILABLE
            logger.info(
                "Model %s version %d is loaded; it answered %d warm-up requests.",
                name, record.version, requests,
            )  # fmt: skip
            return
        with self._lock:
            record.code, record.message, record.failed_files = code.value[0], message, files
            record.state = State.END
        logger.error("Model %s version %d does not load: %s", name, record.version, message)

    def _warmed(self, name: str, record: VersionRecord) -> tuple[Servable, int]:
        """A servable that has answered its warm-up requests, and how many these were."""
        servable = self._load_servable(record.folder, name, record.version)
        try:
            return servable, warm_up(servable)
        except BaseException:
            servable.close()
            raise

    def _unload(self, name: str, record: VersionRecord) -> None:
        """Lends a version no more and has it closed after its last request."""
        with self._lock:
            record.state = State.UNLOADING
        thread = threading.Thread(
            target=self._close_unused,
            args=(name, record),
            name=f"unload {name} {record.version}",
            daemon=True,
        )
        self._unloading.append(thread)
        thread.start()

    def _close_unused(self, name: str, record: VersionRecord) -> None:
        """What the thread does that unloads a version."""
        with self._lock:
            self._drained.wait_for(lambda: not record.users or self._cut_off)
            servable = record.servable
        try:
            if servable is not None:
                servable.close()
        except Exception as error:
            log_fault(logger, f"unloading model {name} version {record.version}", error)
        with self._lock:
            record.servable = None
            record.state = State.END
            self._drained.notify_all()
        logger.info("Model %s version %d is unloaded.", name, record.version)

    def _wait_for_wanted(self) -> bool:
        """Waits for versions that are wanted again while they are unloaded; whether there were."""
        leaving = []
        for name, model in self._models.items():
            with contextlib.suppress(OSError):
                wanted = wanted_versions(model.model_version_policy, find_versions(model.base_path))
                records = self._records.get(name, {})
                leaving += [
                    records[version]
                    for version in wanted
                    if version in records and records[version].state == State.UNLOADING
                ]
        with self._lock:
            self._drained.wait_for(
                lambda: self._closed or all(record.state == State.END for record in leaving)
            )
            return bool(leaving) and not self._closed

    def _failure(self, name: str) -> tuple[str, str] | None:
        """Which version of a model is not available, and why; None where one is."""
        with self._lock:
            if self._available(name):
                return None
            records = [record for record in self._records.get(name, {}).values() if record.message]
        if name in self._complaints:
            return f"name: {name}", self._complaints[name]
        if records:
            newest = max(records, key=lambda record: record.version)
            return f"name: {name} version: {newest.version}", newest.message
        model = self._models[name]
        policy = text_format.MessageToString(model.model_version_policy, as_one_line=True)
        wanted = f" that `{policy}` wants" if policy else ""
        return (
            f"name: {name}",
            f"model `{name}` has no version{wanted}; expected "
            f"`{model.base_path}/<version>/saved_model.pb`.",
        )

    def _complain(self, name: str, words: str) -> None:
        """Logs what is wrong with a folder, once."""
        if self._complaints.get(name) != words:
            self._complaints[name] = words
            logger.error("Model folder: %s", words)


def _code(error: ServingError | RequestError) -> grpc.StatusCode:
    if isinstance(error, RequestError):
        return error.code
    if isinstance(error.__cause__, tensorflow_errors.OpError):
        return from_tensorflow(error.__cause__).code
    return grpc.StatusCode.INTERNAL


def _at_start(error: RequestError) -> str:
    if error.code != grpc.StatusCode.FAILED_PRECONDITION:
        return error.message
    return (
        f"{error.message}: at the start none is. Allow labels for unavailable models, or give the "
        "labels by HandleReloadConfigRequest."
    )
