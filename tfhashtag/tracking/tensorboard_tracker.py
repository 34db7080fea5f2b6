"""TensorBoard: hyper-parameters in its HParams, hashtags in its projector, figures as curves."""

import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tfhashtag.errors import TrackingError
from tfhashtag.files import atomic_writer, write_text
from tfhashtag.tracking.tracker import Tracked, Tracker

_FOLDER = "tensorboard"


class TensorBoard(Tracker):
    """Event files in a folder; without a target in `tensorboard/` of what is tracked.

    There a training writes its curves anyway; with a target they are written there as well.
    """

    def __init__(self, target: str = "") -> None:
        self._target = target
        self.name = f"tensorboard:{target}" if target else "tensorboard"

    def start(
        self,
        name: str,
        folder: pathlib.Path,
        parameters: Mapping[str, Any],
        tags: Mapping[str, str],
        key: str = "",
        parent: Tracked | None = None,
    ) -> "TensorBoardTracked":
        """See `Tracker.start`; the key is the folder, as seen from `folder` without a target."""
        fresh = not key
        if fresh and parent is not None:
            key = f"{parent.key}/{name}"
        elif fresh:
            key = str(pathlib.Path(self._target).absolute() / name) if self._target else _FOLDER
        curves = bool(self._target) or parent is not None
        found = TensorBoardTracked(folder / key, key, curves)
        if fresh:
            found.begin(parameters, tags)
        return found


class TensorBoardTracked(Tracked):
    """A folder of event files.

    Args:
        folder: made where it is missing.
        key: see `TensorBoard.start`.
        curves: whether figures of epochs are written.

    Raises:
        TrackingError: the folder cannot be made or written.
    """

    def __init__(self, folder: pathlib.Path, key: str, curves: bool) -> None:
        import tensorflow as tf

        self.key = key
        self._folder, self._curves = folder, curves
        self.kept_in = key if os.path.isabs(key) else ""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._writer = tf.summary.create_file_writer(str(folder))
        except (OSError, tf.errors.OpError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise TrackingError(f"`--track tensorboard`: {folder}: {reason:.200}.") from error

    def begin(self, parameters: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        """Writes the settings for HParams, and the facts as a text."""
        import tensorflow as tf
        from tensorboard.plugins.hparams import api

        plain = {key: _plain(value) for key, value in parameters.items()}
        with self._writer.as_default():
            if plain:
                api.hparams(plain, trial_id=self.key)
            lines = ["| | |", "|---|---|", *(f"| {key} | {value} |" for key, value in tags.items())]
            tf.summary.text("about", "\n".join(lines), step=0)
        self._writer.flush()

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """See `Tracked.metrics`."""
        import tensorflow as tf

        with self._writer.as_default():
            for name, value in values.items():
                tf.summary.scalar(name, value, step=step)
        self._writer.flush()

    def epoch(self, values: Mapping[str, float], step: int) -> None:
        """See `Tracked.epoch`; a training writes its own curves in the folder of its run."""
        if self._curves:
            self.metrics(values, step)

    def files(self, paths: Iterable[pathlib.Path], folder: str = "") -> None:
        """They lie beside the event files already."""

    def model(self, run: Any) -> None:
        """TensorBoard keeps no models."""

    def vectors(self, names: Sequence[str], vectors: np.ndarray, about: Sequence[int]) -> None:
        """Writes hashtags.tsv, metadata.tsv and what the projector reads to find them."""
        folder = self._folder
        with atomic_writer(folder / "hashtags.tsv") as file:
            for row in vectors:
                file.write("\t".join(f"{value:.6g}" for value in row) + "\n")
        with atomic_writer(folder / "metadata.tsv") as file:
            file.write("hashtag\ttrain posts\n")
            for name, count in zip(names, about, strict=True):
                file.write(f"{' '.join(name.split())}\t{count}\n")
        lines = (
            "embeddings {",
            '  tensor_name: "hashtags"',
            '  tensor_path: "hashtags.tsv"',
            '  metadata_path: "metadata.tsv"',
            "}",
        )
        write_text(folder / "projector_config.pbtxt", "\n".join(lines) + "\n")

    def end(self, complete: bool = True) -> None:
        """Closes the event file."""
        self._writer.close()


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str) else str(value)
