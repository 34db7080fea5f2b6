"""The one training loop: phases of epochs, patience, the best weights, checkpoints, resuming."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import keras
import tensorflow as tf

from tfhashtag.errors import ArtifactError
from tfhashtag.training.monitor import EpochProgress, Groups, TrainingMonitor

Show = Callable[[int], AbstractContextManager[EpochProgress]]
"""From the number of an epoch's batches to a context that gives its progress bar."""


@dataclasses.dataclass(frozen=True)
class Phase:
    """Epochs that train the same variables with one optimizer.

    Attributes:
        name: stands in the log.
        epochs: at most so many.
        begin: makes what is trained anew, or compiles it, and gives its variables by name; those
            of `model` are the weights.
        run: trains one epoch and gives its figures. Called with the number of the epoch in the
            phase, its number over all phases as they are configured, and what shows its progress.
            Its batches must depend on nothing else.
        measure: figures of the valid split after an epoch; None: none are taken.
        watched: the figure of `measure` that says how good an epoch is; the higher the better.
        as_long_as_best: whether it has as many epochs as were best in the phases before.
    """

    name: str
    epochs: int
    begin: Callable[[], Groups]
    run: Callable[[int, int, Show], Mapping[str, float]]
    measure: Callable[[], Mapping[str, float]] | None = None
    watched: str = ""
    as_long_as_best: bool = False


class Trainer:
    """Trains through phases and leaves the variables as they were best.

    An epoch is the unit of everything: the checkpoint after it holds every variable and where the
    training stood, so that a resumed training gives the result of an uninterrupted one to the last
    digit. A phase that is watched ends when `patience` epochs brought nothing better.

    Args:
        monitor: where state and figures go.
        patience: epochs without a better figure before a phase ends; 0: never.
        keep_best: whether the weights of the best epoch are the result, not those of the last.
    """

    def __init__(self, monitor: TrainingMonitor, patience: int = 0, keep_best: bool = True) -> None:
        self.monitor = monitor
        self.patience = patience
        self.keep_best = keep_best
        self._state: dict[str, Any] = {
            "phase": 0,
            "epoch": 0,
            "best": -1.0,
            "best_epoch": 0,
            "since": 0,
        }

    def fit(self, phases: Sequence[Phase]) -> None:
        """Trains to the end, from the monitor's checkpoint where there is one.

        Raises:
            ArtifactError: the checkpoint is damaged, or of another configuration.
        """
        resumed = self.monitor.resumes
        self.monitor.keeps_best = self.keep_best or any(part.as_long_as_best for part in phases)
        if resumed:
            self._state = self._saved_state()
            name = phases[self._state["phase"]].name
            self.monitor.say(f"resumed: {name}, {self._state['epoch']} epochs done")
        groups: Groups = {}
        for number in range(self._state["phase"], len(phases)):
            groups = phases[number].begin()
            if resumed:
                self.monitor.state(groups)
                resumed = False
            else:
                self.monitor.agree(groups)
                if number > self._state["phase"]:
                    self._state |= {"phase": number, "epoch": 0, "since": 0}
            before = sum(phase.epochs for phase in phases[:number])
            self._fit(phases[number], groups, before)
        if self.keep_best and groups:
            self.monitor.restore_best(groups["model"])

    def _saved_state(self) -> dict[str, Any]:
        found = self.monitor.state()
        if not self._state.keys() <= found.keys():
            raise ArtifactError(
                f"{self.monitor.folder}: its checkpoint is of a version before. Train again."
            )
        return {name: found[name] for name in self._state}

    def _fit(self, phase: Phase, groups: Groups, before: int) -> None:
        """One phase, from where the state says."""
        state = self._state
        limit = state["best_epoch"] if phase.as_long_as_best else phase.epochs
        while state["epoch"] < limit:
            epoch = state["epoch"]
            show = functools.partial(self.monitor.epoch, phase.name, epoch, phase.epochs)
            figures = dict(phase.run(epoch, before + epoch, show))
            stop = False
            if phase.measure is not None:
                figures |= self.monitor.measured(phase.measure)
                self._judge(figures[phase.watched], epoch, groups)
                stop = bool(self.patience) and state["since"] >= self.patience
            state["epoch"] = limit if stop else epoch + 1
            self.monitor.checkpoint(groups, state, phase.name, epoch, before + epoch, figures)

    def _judge(self, value: float, epoch: int, groups: Groups) -> None:
        """Notes whether an epoch was the best so far, over all phases."""
        state = self._state
        better = state["best_epoch"] == 0 or value > state["best"]
        state["since"] = 0 if better else state["since"] + 1
        if better:
            state["best"], state["best_epoch"] = value, epoch + 1
            if self.keep_best:
                self.monitor.keep_best(groups["model"])


def weights_of(model: keras.Model) -> list[Any]:
    """Weights and states of random generators, without the running figures of `fit`."""
    figures = {id(variable) for variable in model.metrics_variables}
    return [variable for variable in model.variables if id(variable) not in figures]


def deterministic(seed: int) -> None:
    """Makes everything that this process draws and computes from here on depend on the seed alone.

    Args:
        seed: of the settings.
    """
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
