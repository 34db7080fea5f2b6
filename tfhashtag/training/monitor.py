"""What a training shows and keeps while it runs: progress bar, TensorBoard, log, checkpoints."""

import contextlib
import io
import json
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from tfhashtag.errors import ArtifactError
from tfhashtag.files import atomic_writer
from tfhashtag.training.checkpoint import load_state, packed_state, read_meta, save_state
from tfhashtag.training.event_file import EventFile
from tfhashtag.training.interruption import interruption

if TYPE_CHECKING:
    from tfhashtag.training.workers import Workers


class EpochProgress:
    """A bar over the batches of one epoch, with the phase's name and the newest loss."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Moves the bar on by one batch; stops where Ctrl-C was pressed."""
        interruption.check()
        loss = (logs or {}).get("loss")
        self._progress.update(
            self._task, completed=batch + 1, note="" if loss is None else f"loss {float(loss):.4f}"
        )


Groups = Mapping[str, Sequence[Any]]
"""Lists of Keras variables by name, such as `model` and `optimizer`."""

Watch = Callable[[str, int, Mapping[str, float]], None]
"""Gets the phase, the number of an epoch over all phases, and its figures."""


class TrainingMonitor:
    """The one place where a training reports and keeps its state.

    In the folder of a run: `checkpoints/last.npz`, the state to resume from;
    `checkpoints/best.npz`, the best weights so far; `training.jsonl`, a line an epoch;
    `tensorboard/`. Without a folder nothing is written: the best weights stay in memory.

    The lines of all epochs stand in each checkpoint as well, and `training.jsonl` begins with those
    of the checkpoint that is resumed: a run that is killed at any point and resumed has one line an
    epoch.

    Where several processes train, the chief alone has a folder: the others are told by it where
    the training stands, what it begins with and how good an epoch was.

    Args:
        folder: of the run; None to train in memory.
        show: whether to draw a progress bar on stderr.
        watch: called with the phase, the number of each epoch over all phases and its figures, when
            they are written; what it raises ends the training there.
        workers: the processes that train together, where there are several.

    Attributes:
        keeps_best: whether the trained model is that of the best epoch, not of the last.

    Raises:
        ArtifactError: the checkpoint there is damaged, or of a version before.
    """

    def __init__(
        self,
        folder: str | os.PathLike | None = None,
        show: bool = True,
        watch: Watch = lambda phase, step, values: None,
        workers: "Workers | None" = None,
    ) -> None:
        self._workers = workers
        self._told: dict[str, bytes] = {}
        self.folder = None if folder is None else pathlib.Path(folder)
        self.keeps_best = False
        self._watch = watch
        self._lines: list[dict[str, Any]] = []
        self._best: list[np.ndarray] | None = None
        self._events: EventFile | None = None
        if workers is not None:
            for name in ("last", "best"):
                self._told[name] = workers.from_chief(self._content(name))
        if self.resumes:
            self._lines = self.state().pop("lines")
        if self.folder is not None:
            self._restart_log()
            self._events = EventFile(self.folder / "tensorboard")
        self._console = Console(stderr=True, quiet=not show)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._console,
            transient=True,
            # A bar that is drawn into a file leaves an empty line there.
            disable=not (self._console.is_terminal or self._console.is_jupyter),
        )

    @property
    def resumes(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        if self.folder is None:
            return bool(self._told.get("last"))
        return self._file("last").is_file()

    def state(self, groups: Groups | None = None) -> dict[str, Any]:
        """What `checkpoint` was given last, read back; the variables of `groups` are set.

        Raises:
            ArtifactError: the checkpoint is missing, damaged or of other variables.
        """
        place = io.BytesIO(self._told["last"]) if self.folder is None else self._file("last")
        state = read_meta(place) if groups is None else load_state(place, groups)
        if "lines" not in state:
            raise ArtifactError(
                f"{place}: no `lines` in it; a version before wrote it. Train again."
            )
        return state

    @contextlib.contextmanager
    def epoch(self, phase: str, epoch: int, epochs: int, steps: int) -> Iterator[EpochProgress]:
        """Shows one epoch; gives what moves the bar."""
        with self._progress:
            task = self._progress.add_task(f"{phase} {epoch + 1}/{epochs}", total=steps, note="")
            try:
                yield EpochProgress(self._progress, task)
            finally:
                self._progress.remove_task(task)

    def checkpoint(
        self,
        groups: Groups,
        state: Mapping[str, Any],
        phase: str,
        epoch: int,
        step: int,
        values: dict[str, float],
    ) -> None:
        """Ends an epoch: saves variables and state with the lines so far, then reports."""
        if self.folder is not None:
            lines = [*self._lines, {"phase": phase, "epoch": epoch, **values}]
            save_state(self._file("last"), groups, {**state, "lines": lines})
        self.report(phase, epoch, step, values)

    def keep_best(self, variables: Sequence[Any]) -> None:
        """Keeps these values as the best so far, in place of others."""
        if self.folder is None:
            self._best = [np.array(variable) for variable in variables]
        else:
            save_state(self._file("best"), {"model": variables}, {})

    def restore_best(self, variables: Sequence[Any]) -> None:
        """Sets the variables to the best values; leaves them where none were kept."""
        if self.folder is not None and self._file("best").is_file():
            load_state(self._file("best"), {"model": variables})
        elif self._best is None and self._told.get("best"):
            load_state(io.BytesIO(self._told["best"]), {"model": variables})
        if self._best is not None:
            for variable, value in zip(variables, self._best, strict=True):
                variable.assign(value)

    def agree(self, groups: Groups) -> None:
        """Gives the variables of all processes the values that the chief's have."""
        if self._workers is not None:
            chief = self._workers.is_chief
            state = self._workers.from_chief(packed_state(groups, {}) if chief else b"")
            load_state(io.BytesIO(state), groups)

    def measured(self, measure: Callable[[], Mapping[str, float]]) -> dict[str, float]:
        """Figures of the valid split; of several processes, the chief takes them for all."""
        if self._workers is None:
            return dict(measure())
        found = dict(measure()) if self._workers.is_chief else {}
        return json.loads(self._workers.from_chief(json.dumps(found).encode()))

    def report(self, phase: str, epoch: int, step: int, values: dict[str, float]) -> None:
        """Writes the figures of one epoch; `step` counts epochs over all phases."""
        interruption.check()
        figures = "  ".join(f"{name} {value:.4f}" for name, value in values.items())
        self._console.print(f"{phase} {epoch + 1}: {figures}", highlight=False)
        self._lines.append({"phase": phase, "epoch": epoch, **values})
        if self._events is not None:
            self._events.add({f"{phase}/{name}": value for name, value in values.items()}, step)
            with self._log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(self._lines[-1]) + "\n")
        self._watch(phase, step, values)

    def result(self, name: str) -> float | None:
        """A figure of the epoch whose weights are the result: the best, or the last that has it.

        Args:
            name: as it stands in the lines of the epochs.

        Returns:
            None where no epoch has that figure.
        """
        found = [line[name] for line in self._lines if name in line]
        if not found:
            return None
        return float(max(found) if self.keeps_best else found[-1])

    def say(self, text: str) -> None:
        """Prints one line."""
        interruption.check()
        self._console.print(text, highlight=False)

    def _restart_log(self) -> None:
        """Makes the log hold the lines of the checkpoint alone, whatever a stop left there."""
        if self._lines or self._log.exists():
            with atomic_writer(self._log) as file:
                file.writelines(json.dumps(line) + "\n" for line in self._lines)

    def _content(self, name: str) -> bytes:
        """A checkpoint's file; empty where there is none."""
        file = None if self.folder is None else self._file(name)
        return file.read_bytes() if file is not None and file.is_file() else b""

    @property
    def _log(self) -> pathlib.Path:
        assert self.folder is not None
        return self.folder / "training.jsonl"

    def _file(self, name: str) -> pathlib.Path:
        assert self.folder is not None
        path = self.folder / "checkpoints" / f"{name}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path
