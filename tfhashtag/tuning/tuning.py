"""What a tuning found."""

import functools
import pathlib
from collections.abc import Sequence
from typing import Any

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.files import atomic_writer, write_json
from tfhashtag.records import Records
from tfhashtag.settings import as_yaml, dump_settings
from tfhashtag.tuning.job import UNITS
from tfhashtag.tuning.space import SearchSpace

_ENOUGH = 4  # complete trials that importances need
_STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "stopped"}


class Tuning(Records):
    """The trials of a tuning, best first, as a table.

    Args:
        folder: of its files.
        space: what was tried.
        trials: of Optuna, in the order of their numbers.
        corpus: the posts.
        watched: the figure of the valid split.
        against: the other figure, or None.

    Attributes:
        folder, space, watched, against: as given.
        corpus, digest: name and digest of the corpus.
        trials: those that have begun.
        complete: those that came to their end, best first.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        space: SearchSpace,
        trials: Sequence[Any],
        corpus: Corpus,
        watched: str,
        against: str | None,
    ) -> None:
        self.folder, self.space = folder, space
        self.corpus, self.digest = corpus.name, corpus.digest
        self.watched, self.against = watched, against
        self.trials = [trial for trial in trials if trial.state.name in _STATES]
        done = [trial for trial in self.trials if trial.state.name == "COMPLETE"]
        self.complete = sorted(done, key=lambda trial: (*self._key(trial), trial.number))
        others = [trial for trial in self.trials if trial not in done]
        super().__init__(
            [self._row(trial) for trial in [*self.complete, *others]],
            f"Trials of {space.settings.model} on {corpus.name}",
        )

    @property
    def best(self) -> Any:
        """The best trial, of Optuna: highest `watched`."""
        return self.complete[0]

    @property
    def config(self) -> pathlib.Path:
        """File of the best configuration, which `train` takes."""
        return self.folder / "best.yaml"

    @property
    def as_configured(self) -> Any:
        """The trial of the configuration as it stands, or None where it was not tried."""
        own = self.space.as_configured()
        return next((trial for trial in self.complete if trial.params == own), None)

    @functools.cached_property
    def front(self) -> list[Any]:
        """Trials of which none is as good in both figures and better in one; best quality first."""
        if self.against is None:
            return self.complete[:1]
        found: list[Any] = []
        for trial in sorted(self.complete, key=lambda one: (-one.values[0], one.values[1])):
            if not found or trial.values[1] < found[-1].values[1]:
                found.append(trial)
        return found

    @functools.cached_property
    def importances(self) -> dict[str, float]:
        """Setting to its share of what makes trials good, by PED-ANOVA; empty for few trials."""
        import optuna

        tried = {
            key
            for key in (one.key for one in self.space.dimensions)
            if len({str(trial.params[key]) for trial in self.complete}) > 1
        }
        if len(self.complete) < _ENOUGH or not tried:
            return {}
        study = optuna.create_study(direction="maximize")
        study.add_trials(
            [
                optuna.trial.create_trial(
                    params={key: trial.params[key] for key in tried},
                    distributions={key: trial.distributions[key] for key in tried},
                    value=trial.values[0],
                )
                for trial in self.complete
            ]
        )
        evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=0.25)
        found = optuna.importance.get_param_importances(study, evaluator=evaluator)
        return {key: float(value) for key, value in found.items()}

    def values_of(self, trial: Any) -> dict[str, Any]:
        """The tried settings of a trial: dotted key to value."""
        given = {one.key: one for one in self.space.dimensions}
        return {key: given[key].value(value) for key, value in trial.params.items()}

    def as_json(self) -> dict[str, Any]:
        """What tuning.json holds."""
        return {
            "model": self.space.settings.model,
            "corpus": self.corpus,
            "figure": self.watched,
            "against": self.against,
            "space": self.space.as_json(),
            "best": self.best.number,
            "front": [trial.number for trial in self.front],
            "importances": self.importances,
            "trials": [
                {
                    "trial": trial.number,
                    "state": _STATES[trial.state.name],
                    "figures": self._figures(trial),
                    "epochs": {
                        str(step): value
                        for step, value in sorted(trial.intermediate_values.items())
                    },
                    "seconds": trial.user_attrs.get("seconds"),
                    "error": trial.user_attrs.get("error"),
                    "settings": self.values_of(trial),
                }
                for trial in self.trials
            ],
        }

    def for_trackers(self) -> dict[str, Any]:
        """What `tfhashtag.tracking.told.tell_study` takes."""
        return {
            "name": f"tune {self.space.settings.model}",
            "parameters": {one.key: one.text() for one in self.space.dimensions},
            "tags": {"corpus": self.corpus, "data_digest": self.digest, "figure": self.watched},
            "files": [self.folder / name for name in ("report.html", "best.yaml", "tuning.json")],
            "parts": [
                {
                    "name": f"trial-{trial.number:04d}",
                    "parameters": self.values_of(trial),
                    "metrics": self._figures(trial),
                    "epochs": {
                        step: {self.watched: value}
                        for step, value in sorted(trial.intermediate_values.items())
                    },
                }
                for trial in self.trials
                if trial.state.name != "RUNNING"
            ],
        }

    def write(self) -> None:
        """Writes tuning.json, best.yaml and, of two figures, front/."""
        write_json(self.folder / "tuning.json", self.as_json())
        self._write_config(self.config, self.best)
        if self.against is not None:
            front = self.folder / "front"
            front.mkdir(exist_ok=True)
            wanted = {f"{trial.number:04d}.yaml": trial for trial in self.front}
            for name, trial in wanted.items():
                self._write_config(front / name, trial)
            for path in front.glob("*.yaml"):
                if path.name not in wanted:
                    path.unlink()

    def _write_config(self, path: pathlib.Path, trial: Any) -> None:
        settings = self.space.with_values(self.values_of(trial))
        figures = f"{self.watched} {trial.values[0]:.4f}"
        with atomic_writer(path) as file:
            file.write(f"# Trial {trial.number} of a tuning on {self.corpus}: {figures}.\n")
            file.write(dump_settings(settings))

    @property
    def _others(self) -> list[str]:
        return [] if self.against is None else [self.against]

    def _figures(self, trial: Any) -> dict[str, float]:
        if trial.state.name != "COMPLETE":  # of one that was ended, Optuna has the last epoch's
            return {}
        return dict(zip([self.watched, *self._others], trial.values, strict=True))

    def _key(self, trial: Any) -> tuple[float, ...]:
        return (-trial.values[0], *trial.values[1:])

    def _row(self, trial: Any) -> dict[str, Any]:
        figures = self._figures(trial)
        named = {
            name if name == self.watched else f"{name}, {UNITS[name]}": value
            for name, value in figures.items()
        }
        given = self.values_of(trial)
        return {
            "trial": trial.number,
            "state": _STATES[trial.state.name],
            **named,
            **{self._short[key]: _shown(value) for key, value in given.items()},
        }

    @functools.cached_property
    def _short(self) -> dict[str, str]:
        """Heads of columns: the last parts of the keys, where they tell them apart."""
        lasts = [one.key.rpartition(".")[2] for one in self.space.dimensions]
        whole = len({*lasts}) < len(lasts)
        return {
            one.key: one.key if whole else last
            for one, last in zip(self.space.dimensions, lasts, strict=True)
        }


def _shown(value: Any) -> str:
    """A setting for people: floats with four figures."""
    return f"{value:.4g}" if isinstance(value, float) else as_yaml(value)
