"""One trial, in a process of its own: train, stop where it is worse than others, measure."""

import os
import pathlib
import statistics
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfhashtag.comparison.own_process import work_on
from tfhashtag.files import scratch_directory, write_json

RESULT = "result.json"
LOG = "training.jsonl"
_ASKED = 30  # questions whose median time is the latency


def run_trial(job: dict[str, Any]) -> None:
    """Trains a trial; goes on where it was stopped. Leaves `result.json` in its folder.

    Args:
        job: `folder` with `settings.yaml`, `data`, `study` (a folder), `trial` (its number),
            `against` (None, `latency` or `size`).
    """
    import optuna

    from tfhashtag.corpus.store import read_corpus
    from tfhashtag.recommenders.configuration import load_settings
    from tfhashtag.recommenders.registry import read_vectors, recommender_class
    from tfhashtag.training.interruption import interruption
    from tfhashtag.training.monitor import TrainingMonitor
    from tfhashtag.training.options import TrainingOptions
    from tfhashtag.tuning.storage import open_study

    folder = pathlib.Path(job["folder"])
    settings = _without_refit(load_settings(folder / "settings.yaml"))
    kind = recommender_class(settings.model)
    watched, against = kind.task.watched, job["against"]
    study = open_study(pathlib.Path(job["study"]), ["maximize"])
    frozen = study.trials[job["trial"]]
    trial = optuna.trial.Trial(study, frozen._trial_id)
    told = set(frozen.intermediate_values)

    def watch(phase: str, step: int, values: Mapping[str, float]) -> None:
        if watched not in values or against is not None:
            return
        if step not in told:
            trial.report(values[watched], step)
        if trial.should_prune():
            raise optuna.TrialPruned

    started = time.monotonic()
    corpus = read_corpus(job["data"])
    data = read_vectors(job["data"], corpus, settings)
    recommender = kind.seeded(settings, TrainingOptions(progress=False))
    monitor = TrainingMonitor(folder, False, watch)
    try:
        with interruption.awaited():
            recommender.fit(data, monitor)
    except optuna.TrialPruned:
        found: dict[str, Any] = {"state": "pruned"}
    else:
        found = {"state": "complete", watched: monitor.result(watched)}
        if against is not None:
            found[against] = _MEASURES[against](recommender)
    found["seconds"] = round(time.monotonic() - started, 2)
    write_json(folder / RESULT, found)


def _without_refit(settings: Any) -> Any:
    """Settings that learn nothing from the valid split, which a trial is judged by."""
    training: Any = getattr(settings, "training", None)
    if not getattr(training, "refit", None) or getattr(training, "patience", None):
        return settings  # with patience, a refit comes after what is judged
    return settings.model_copy(update={"training": training.model_copy(update={"refit": False})})


def latency(recommender: Any) -> float:
    """Milliseconds to rank one question of the valid split, the median of some."""
    from tfhashtag.corpus.corpus import Split

    data = recommender.data
    queries = recommender.task.queries(data.corpus, recommender.settings.data, Split.VALID)
    seconds = []
    for place in range(min(_ASKED, len(queries))):
        asked = queries.take(np.array([place]))
        recommender.rank(asked)  # what is built once does not count
        started = time.perf_counter()
        recommender.rank(asked)
        seconds.append(time.perf_counter() - started)
    return 1000 * statistics.median(seconds)


def size(recommender: Any) -> float:
    """Megabytes of the files of the trained model."""
    with scratch_directory() as folder:
        recommender.save(folder)
        return sum(file.stat().st_size for file in folder.rglob("*")) / 1e6


_MEASURES = {"latency": latency, "size": size}
UNITS = {"latency": "ms", "size": "MB"}

if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    work_on(run_trial)
