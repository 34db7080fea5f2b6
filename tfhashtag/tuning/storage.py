"""The trials on disk: Optuna's journal, one file that several processes append to."""

import fcntl
import json
import os
import pathlib
from typing import IO, Any, Literal

from tfhashtag.errors import ArtifactError

JOURNAL = "trials.journal"
_STARTUP = 10  # trials that are drawn at random, the configuration's own among them
_UNPRUNED = 5  # finished trials that the median of an epoch needs


class KernelLock:
    """A lock of the journal that the kernel drops with its process, as Optuna's own are not.

    Whoever gets it takes away what a process that was killed left half written at the end.

    Args:
        path: of the journal.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path
        self._file: IO[bytes]

    def acquire(self) -> bool:
        """Waits for the lock."""
        self._file = self._path.open("rb+")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        size = self._file.seek(0, os.SEEK_END)
        if size and (self._file.seek(size - 1), self._file.read(1))[1] != b"\n":
            self._file.seek(0)
            self._file.truncate(self._file.read().rfind(b"\n") + 1)
        return True

    def release(self) -> None:
        """Gives it back."""
        self._file.close()


def open_study(folder: pathlib.Path, directions: list[Literal["maximize", "minimize"]]) -> Any:
    """The `optuna.Study` of a folder, made if there is none.

    Args:
        folder: an existing one.
        directions: `maximize` or `minimize` of each figure; those of a study that is there stay.

    Raises:
        ArtifactError: its journal is damaged.
    """
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    path = folder / JOURNAL
    path.touch()
    lock: Any = KernelLock(path)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=_UNPRUNED, n_warmup_steps=0)
    try:
        lock.acquire()
        lock.release()
        return optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(path), lock)),
            study_name="tune",
            directions=directions,
            load_if_exists=True,
            pruner=pruner,
        )
    except (json.JSONDecodeError, KeyError, ValueError) as error:
        raise ArtifactError(
            f"{path}: not a readable journal of trials ({error}). Tune into another folder."
        ) from error


def sampler(seed: int, trial: int) -> Any:
    """What draws the values of a trial: the same for the same trials before, resumed or not."""
    import optuna

    seed = (seed * 100_003 + trial) % 2**32
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=_STARTUP)
