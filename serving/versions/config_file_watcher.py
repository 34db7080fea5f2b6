"""Following the file that says which models are served."""

import logging
import os
import pathlib

from tfhashtag.errors import ServingError
from tfhashtag.serving.status import RequestError
from tfhashtag.serving.versions.model_config import read_model_config
from tfhashtag.serving.versions.model_store import ModelStore
from tfhashtag.serving.versions.version_watcher import VersionWatcher

logger = logging.getLogger(__name__)


class ConfigFileWatcher:
    """Has a store serve what a `--model-config-file` says, when the file has changed.

    A file that cannot be read, is wrong, or names a version that does not load is logged, once, and
    what is served stays.

    Args:
        path: the file; what it holds now is served already.
        store: of the models.
        seconds: how often to look after `start`; 0 for never.
    """

    def __init__(self, path: str | os.PathLike, store: ModelStore, seconds: float) -> None:
        self._path = pathlib.Path(path)
        self._store = store
        self._seen = self._content()
        self._watcher = VersionWatcher(self.look, seconds)

    def start(self) -> None:
        """Starts to look."""
        self._watcher.start()

    def stop(self) -> None:
        """Waits for the look that is under way; there will be no other."""
        self._watcher.stop()

    def look(self, always: bool = False) -> None:
        """Looks at the file once.

        Args:
            always: take it also where it has not changed, which tries again what failed.
        """
        content = self._content()
        if content == self._seen and not always:
            return
        self._seen = content
        try:
            self._store.reload(read_model_config(self._path))
        except (ServingError, RequestError) as error:
            logger.error("The configuration of models is not taken as it is: %s", error)

    def _content(self) -> bytes | None:
        try:
            return self._path.read_bytes()
        except OSError:
            return None  # the reader says why, should it still be so
