"""What a place that experiments are told to can do, and which places there are."""

import abc
import importlib
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tfhashtag.errors import ConfigError
from tfhashtag.settings import nearest

_KINDS = {
    "mlflow": "mlflow_tracker:MlflowTracker",
    "tensorboard": "tensorboard_tracker:TensorBoard",
}


class Tracked(abc.ABC):
    """One training, trial, system or study, as a place keeps it.

    Attributes:
        key: finds it again, see `Tracker.start`.
        kept_in: folder on this machine, outside of what is tracked, that its files are kept in;
            `""` for none.
    """

    key: str = ""
    kept_in: str = ""

    @abc.abstractmethod
    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Figures of an evaluation, or of a step of it."""

    def epoch(self, values: Mapping[str, float], step: int) -> None:
        """Figures of an epoch of a training."""
        self.metrics(values, step)

    @abc.abstractmethod
    def files(self, paths: Iterable[pathlib.Path], folder: str = "") -> None:
        """Keeps those of the files and folders that are there."""

    @abc.abstractmethod
    def model(self, run: Any) -> None:
        """Keeps the model of a complete `Run` in a form that can be loaded and served."""

    @abc.abstractmethod
    def vectors(self, names: Sequence[str], vectors: np.ndarray, about: Sequence[int]) -> None:
        """Vectors of hashtags, float32 `[n, width]`, with the number of their train posts."""

    @abc.abstractmethod
    def end(self, complete: bool = True) -> None:
        """It is complete, or was stopped and may go on."""


class Tracker(abc.ABC):
    """A place.

    Args:
        target: what stands after the colon: a URI or a folder, or "" for its default.

    Attributes:
        name: as `--track` takes it, with its target.
    """

    name: str

    @abc.abstractmethod
    def __init__(self, target: str = "") -> None: ...

    @abc.abstractmethod
    def start(
        self,
        name: str,
        folder: pathlib.Path,
        parameters: Mapping[str, Any],
        tags: Mapping[str, str],
        key: str = "",
        parent: Tracked | None = None,
    ) -> Tracked:
        """Begins one, or goes on with one.

        Args:
            name: for people.
            folder: of what is tracked.
            parameters: settings by dotted keys.
            tags: facts, such as the digest of the data.
            key: of one that was begun before; "" for a new one.
            parent: what it is a part of.

        Raises:
            TrackingError: the place cannot be reached or written.
        """


def trackers_of(track: str | Iterable[str]) -> list[Tracker]:
    """The places that `--track` names.

    Args:
        track: `mlflow`, `mlflow:URI`, `tensorboard`, `tensorboard:FOLDER`; one or several.

    Raises:
        ConfigError: an unknown one, or its library is not installed.

    Example:

    >>> trackers_of("wandb")
    Traceback (most recent call last):
    ...
    tfhashtag.errors.ConfigError: `track` is 'wandb', expected mlflow, mlflow:URI, tensorboard or \
tensorboard:FOLDER.
    """
    found = []
    for text in [track] if isinstance(track, str) else track:
        kind, _, target = text.partition(":")
        if kind not in _KINDS:
            raise ConfigError(
                f"`track` is {text!r}, expected mlflow, mlflow:URI, tensorboard or "
                f"tensorboard:FOLDER.{nearest(kind, _KINDS)}"
            )
        module, name = _KINDS[kind].split(":")
        tracker = getattr(importlib.import_module(f"{__package__}.{module}"), name)
        found.append(tracker(os.path.expanduser(target)))
    return found
