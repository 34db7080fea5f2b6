"""What a training shows and writes while it runs: progress bar, TensorBoard, a line an epoch."""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf
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
from tfhashtag.training.checkpoint import read_meta, save_state


class Interruption:
    """Turns Ctrl-C into a `KeyboardInterrupt` at the next batch; a second one acts at once.

    An interrupt inside a running TensorFlow step can be lost or leave threads behind; between two
    steps it cannot.
    """

    def __init__(self):
        self._pending = False

    @contextlib.contextmanager
    def awaited(self) -> Iterator[None]:
        """Catches the signal in this block; does nothing outside of the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def remember(number, frame):
            if self._pending:
                raise KeyboardInterrupt
            self._pending = True
            print("\nStopping after this batch; Ctrl-C again stops at once.", file=sys.stderr)

        before = signal.signal(signal.SIGINT, remember)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
            self._pending = False

    def check(self) -> None:
        """Raises `KeyboardInterrupt` where Ctrl-C was pressed."""
        if self._pending:
            raise KeyboardInterrupt


interruption = Interruption()


class EpochProgress(keras.callbacks.Callback):
    """A bar over the batches of one epoch, with the phase's name and the newest loss."""

    def __init__(self, progress: Progress, task: TaskID):
        super().__init__()
        self._progress, self._task = progress, task

    def on_train_batch_end(self, batch, logs=None):
        """Moves the bar on by one batch; stops where Ctrl-C was pressed."""
        interruption.check()
        loss = (logs or {}).get("loss")
        self._progress.update(
            self._task, completed=batch + 1, note="" if loss is None else f"loss {float(loss):.4f}"
        )


class TrainingMonitor:
    """The one place where a training reports: terminal, TensorBoard and `training.jsonl`.

    The lines of all epochs stand in each checkpoint as well, and `training.jsonl` begins with those
    of the checkpoint that is resumed: a run that is killed at any point and resumed has one line an
    epoch.

    Args:
        run: the `Run` that is trained.
        show: whether to draw a progress bar on stderr.
    """

    def __init__(self, run, show: bool = True):
        self._run = run
        self._lines: list[dict[str, Any]] = []
        if run.checkpoint.is_file():
            meta = read_meta(run.checkpoint)
            if "lines" not in meta:
                raise ArtifactError(
                    f"{run.checkpoint}: no `lines` in it; a version before wrote it. Train again."
                )
            self._lines = meta["lines"]
        run.restart_log(self._lines)
        self._console = Console(stderr=True, quiet=not show)
        self._writer = tf.summary.create_file_writer(str(run.folder / "tensorboard"))
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._console,
            transient=True,
        )

    @contextlib.contextmanager
    def epoch(self, phase: str, epoch: int, epochs: int, steps: int) -> Iterator[EpochProgress]:
        """Shows one epoch; gives the Keras callback that moves the bar."""
        with self._progress:
            task = self._progress.add_task(f"{phase} {epoch + 1}/{epochs}", total=steps, note="")
            try:
                yield EpochProgress(self._progress, task)
            finally:
                self._progress.remove_task(task)

    def checkpoint(
        self,
        groups: Mapping[str, Sequence[Any]],
        state: Mapping[str, Any],
        phase: str,
        epoch: int,
        step: int,
        values: dict[str, float],
    ) -> None:
        """Ends an epoch: saves what `save_state` takes with the lines so far, then reports."""
        line = {"phase": phase, "epoch": epoch, **values}
        save_state(self._run.checkpoint, groups, {**state, "lines": [*self._lines, line]})
        self.report(phase, epoch, step, values)

    def report(self, phase: str, epoch: int, step: int, values: dict[str, float]) -> None:
        """Writes the figures of one epoch; `step` counts epochs over all phases."""
        interruption.check()
        figures = "  ".join(f"{name} {value:.4f}" for name, value in values.items())
        self._console.print(f"{phase} {epoch + 1}: {figures}", highlight=False)
        with self._writer.as_default():
            for name, value in values.items():
                tf.summary.scalar(f"{phase}/{name}", value, step=step)
        self._writer.flush()
        self._lines.append({"phase": phase, "epoch": epoch, **values})
        self._run.log(self._lines[-1])

    def say(self, text: str) -> None:
        """Prints one line."""
        interruption.check()
        self._console.print(text, highlight=False)
