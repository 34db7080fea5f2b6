"""Which versions of which models are loaded."""

import contextlib
import logging
import os
import pathlib
import threading
from collections.abc import Callable, Mapping

import grpc
from google.protobuf import text_format
from tensorflow import errors as tensorflow_errors
from tensorflow_serving.apis import get_model_status_pb2, model_pb2

from tfhashtag.errors import ServingError
from tfhashtag.serving.config.watching import Watching
from tfhashtag.serving.faults import fault_message, log_fault
from tfhashtag.serving.runtime.servable import Servable
from tfhashtag.serving.status import RequestError, from_tensorflow
from tfhashtag.serving.versions.model_config import (
    ModelServerConfig,
    check_model_config,
    config_of_folder,
    first_config_of_folder,
)
from tfhashtag.serving.versions.version_folders import find_versions, fingerprint
from tfhashtag.serving.versions.version_policy import next_step, wanted_versions
from tfhashtag.serving.versions.version_record import State, VersionRecord
from tfhashtag.serving.versions.version_table import VersionTable
from tfhashtag.serving.versions.version_watcher import VersionWatcher
from tfhashtag.serving.versions.warmup_requests import replay_warmup

logger = logging.getLogger(__name__)


class ModelStore:
    """Loads and unloads the versions of models, and lends them to requests.

    The versions that a model's policy wants are loaded here and, after `start`, whenever the folder
    changes: a new version is loaded and answers its warm-up requests before an older one leaves, a
    version that fails is END with its status while the older one stays, and is tried again when
    its files change. Model folders are only read.

    Threads: `use`, `statuses`, `available` and `names` may be called by any thread at any time;
    they ask the `VersionTable`. Whoever changes what is served (the constructor, the watcher,
    `reload`, `close`) holds `_changing` from the first step to the last, so that one version is
    loaded at a time; the table's lock is taken within it, never the other way. A servable is closed
    by a thread of its own that waits until nobody uses it.

    Args:
        config: a ModelServerConfig, or MODELS, a folder in which every sub-folder with versions is
            a model, now and at every later look.
        watching: what is taken of the folders, and when they are looked at again.
        load: makes the servable of a folder, a name and a version.

    Raises:
        ServingError: there is no model, a version asked for is missing, no version of a model
            loads, or the configuration is wrong.
    """

    def __init__(
        self,
        config: ModelServerConfig | str | os.PathLike,
        watching: Watching | None = None,
        load: Callable[[pathlib.Path, str, int], Servable] = Servable,
    ) -> None:
        self._watching = watching or Watching()
        self._load_servable = load
        self._changing = threading.Lock()
        self._table = VersionTable()
        self._unloading: list[threading.Thread] = []
        self._complaints: dict[str, str] = {}
        self._closed = False
        self._cut_off = False
        self._folder: pathlib.Path | None = None
        self._watcher = VersionWatcher(self.look, self._watching.poll_seconds)
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
        return sorted(self._table.models)

    def available(self, name: str) -> list[int]:
        """Versions of a model that answer requests, newest first."""
        return sorted(self._table.in_state(name, State.AVAILABLE), reverse=True)

    def use(self, spec: model_pb2.ModelSpec) -> contextlib.AbstractContextManager[Servable]:
        """The servable that a request asks for; it is not unloaded before the block ends.

        Raises:
            RequestError: NOT_FOUND for an unknown model or version, INVALID_ARGUMENT for a spec
                without name or with an unknown label.
        """
        return self._table.use(spec)

    def statuses(self, spec: model_pb2.ModelSpec) -> list[get_model_status_pb2.ModelVersionStatus]:
        """The asked version, or all of a model that there ever were, newest first.

        Raises:
            RequestError: NOT_FOUND where there is none, INVALID_ARGUMENT for a spec without name
                or with an unknown label.
        """
        return self._table.statuses(spec)

    def look(self) -> None:
        """Looks at the folders once, and loads and unloads what changed there."""
        with self._changing:
            if self._closed:
                return
            if self._folder is not None:
                try:
                    config = config_of_folder(self._folder, self._watching.versions)
                except OSError as error:
                    self._complain("", f"`{self._folder}` cannot be read: {error.strerror}")
                    return
                self._complaints.pop("", None)
                if not self._watching.unload_missing:
                    self._keep_missing(config)
                self._table.adopt(config)
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
            served = set(self._table.models)
            self._table.adopt(config, self._watching.allow_unavailable_labels)
            self._folder = None
            self._table.forget_failures()
            self._update()
            while self._wait_for_wanted():
                self._update()
            new = sorted(set(self._table.models) - served)
            failed = [failure for name in new if (failure := self._failure(name))]
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
        self._closed = True
        self._table.wake()
        self._watcher.stop()
        with self._changing:
            for name in self._table.known:
                for record in self._table.records(name).values():
                    if record.state == State.AVAILABLE:
                        self._unload(name, record)
            threads = self._unloading
        self._table.wait_for(lambda: not self._table.is_used(), seconds)
        self._cut_off = True
        self._table.wake()
        for thread in threads:
            thread.join()

    # What follows is called with `_changing` held; `_begin` takes it.

    def _begin(self, config: ModelServerConfig | str | os.PathLike) -> None:
        with self._changing:
            if isinstance(config, str | os.PathLike):
                self._folder = pathlib.Path(config)
                config = first_config_of_folder(self._folder, self._watching.versions)
            try:
                check_model_config(config)
                self._table.adopt(config, self._watching.allow_unavailable_labels)
            except RequestError as error:
                raise ServingError(_at_start(error)) from error
            self._update()
            for name in self._table.models:
                if failure := self._failure(name):
                    raise ServingError(failure[1])

    def _keep_missing(self, config: ModelServerConfig) -> None:
        """Adds the served models whose folder is gone."""
        found = {model.name for model in config.model_config_list.config}
        for name, model in self._table.models.items():
            if name not in found and not os.path.exists(model.base_path):
                config.model_config_list.config.add().CopyFrom(model)

    def _update(self) -> None:
        """Loads and unloads until every model has what its policy wants, as far as it loads."""
        self._unloading = [thread for thread in self._unloading if thread.is_alive()]
        models = self._table.models
        for name in [*(self._table.known - set(models)), *models]:
            model = models.get(name)
            found: dict[int, pathlib.Path] = {}
            if model is not None:
                try:
                    found = find_versions(model.base_path)
                except OSError as error:
                    self._complain(name, f"`{model.base_path}` cannot be read: {error.strerror}")
                    if not (self._watching.unload_missing and isinstance(error, FileNotFoundError)):
                        continue
                else:
                    self._complaints.pop(name, None)
            wanted = wanted_versions(model.model_version_policy, found) if model else set()
            self._advance(name, {version: found[version] for version in wanted})

    def _advance(self, name: str, wanted: Mapping[int, pathlib.Path]) -> None:
        """Takes a model step by step to its wanted versions."""
        self._note(name, wanted)
        while not self._closed:
            available = self._table.in_state(name, State.AVAILABLE)
            loadable = self._table.in_state(name, State.START) & set(wanted)
            step = next_step(set(wanted), available, loadable)
            if step is None:
                return
            record = self._table.records(name)[step.version]
            if step.load:
                self._load(name, record)
            else:
                self._unload(name, record)

    def _note(self, name: str, wanted: Mapping[int, pathlib.Path]) -> None:
        """Makes a record in state START for each wanted version that is to be loaded."""
        records = self._table.records(name)
        for version, folder in wanted.items():
            old = records.get(version)
            if old is not None and old.state != State.END:
                continue
            # Only a folder that failed has a fingerprint; the same files would fail again.
            failed = old.failed_files if old is not None else None
            if failed is None or failed != fingerprint(folder):
                self._table.note(name, version, folder)
        for record in self._table.records(name).values():
            # It was noted, but before its turn came it was not wanted any more.
            if record.state == State.START and record.version not in wanted:
                self._table.move(record, State.END)

    def _load(self, name: str, record: VersionRecord) -> None:
        self._table.move(record, State.LOADING)
        logger.info("loading %s, version %d", name, record.version)
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
            self._table.move(record, State.AVAILABLE, servable)
            logger.info(
                "Model %s version %d is loaded; it answered %d warm-up requests.",
                name, record.version, requests,
            )  # fmt: skip
            return
        self._table.fail(record, code, message, files)
        logger.error("Model %s version %d does not load: %s", name, record.version, message)

    def _warmed(self, name: str, record: VersionRecord) -> tuple[Servable, int]:
        """A servable that has answered its warm-up requests, and how many these were."""
        servable = self._load_servable(record.folder, name, record.version)
        try:
            return servable, replay_warmup(servable)
        except BaseException:
            servable.close()
            raise

    def _unload(self, name: str, record: VersionRecord) -> None:
        """Lends a version no more and has it closed after its last request."""
        self._table.move(record, State.UNLOADING, record.servable)
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
        self._table.wait_for(lambda: not record.users or self._cut_off)
        try:
            if record.servable is not None:
                record.servable.close()
        except Exception as error:
            log_fault(logger, f"unloading model {name} version {record.version}", error)
        self._table.move(record, State.END)
        logger.info("Model %s version %d is unloaded.", name, record.version)

    def _wait_for_wanted(self) -> bool:
        """Waits for versions that are wanted again while they are unloaded; whether there were."""
        leaving = []
        for name, model in self._table.models.items():
            with contextlib.suppress(OSError):
                wanted = wanted_versions(model.model_version_policy, find_versions(model.base_path))
                unloading = wanted & self._table.in_state(name, State.UNLOADING)
                leaving += [self._table.records(name)[version] for version in unloading]
        self._table.wait_for(
            lambda: self._closed or all(record.state == State.END for record in leaving)
        )
        return bool(leaving) and not self._closed

    def _failure(self, name: str) -> tuple[str, str] | None:
        """Which version of a model is not available, and why; None where one is."""
        if self.available(name):
            return None
        if name in self._complaints:
            return f"name: {name}", self._complaints[name]
        records = [record for record in self._table.records(name).values() if record.message]
        if records:
            newest = max(records, key=lambda record: record.version)
            return f"name: {name} version: {newest.version}", newest.message
        model = self._table.models[name]
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
