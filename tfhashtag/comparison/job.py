"""One system with one seed, in a process of its own: train, rank, measure."""

import dataclasses
import gzip
import os
import pathlib
import re
import shutil
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfhashtag.comparison.outcome import write_values
from tfhashtag.comparison.own_process import work_on
from tfhashtag.comparison.run_data import complete_runs, tidy
from tfhashtag.comparison.studies import study_of
from tfhashtag.comparison.study import LISTS_SEED, Study
from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.files import atomic_writer, write_json
from tfhashtag.tasks import Queries, Ranking

POSITIVES = "positives"
SPLIT = Split.TEST


class Clock:
    """Seconds by step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._started = time.monotonic()

    def lap(self, step: str) -> None:
        """Counts the time since the last lap, or the beginning, to a step."""
        now = time.monotonic()
        self.seconds[step] = round(self.seconds.get(step, 0.0) + now - self._started, 2)
        self._started = now


def train_and_rank(job: dict[str, Any]) -> None:
    """Leaves in the job's folder a complete run, its results, and what the report shows of it.

    ```
    training/                    the run folder
    [PROTOCOL/]metrics.json, run.trec, qrels.trec
    per_query.parquet            every metric of every query
    timing.json                  seconds by step
    memory.json                  `{"peak_mib": ...}`, where the process did nothing else
    ```

    Args:
        job: `study`, `system`, `seed`, `data`, `folder`, `qrels`; the settings stand in
            `folder/settings.yaml`.
    """
    from tfhashtag.runs.train import train
    from tfhashtag.training.options import TrainingOptions

    clock = Clock()
    study, seed, folder = study_of(job["study"]), job["seed"], pathlib.Path(job["folder"])
    options = TrainingOptions(progress=False)
    clock.lap("start")
    run = train(
        folder / "settings.yaml", job["data"], folder / "training", resume=True, options=options
    )
    clock.lap("train")
    recommender = run.recommender
    clock.lap("load")
    first = not any(folder.parent.glob("seed-*/result.json"))
    results = {}
    for protocol in study.task.protocols:
        queries = ask(study, run.corpus, run.settings.data, protocol)
        queries = dataclasses.replace(queries, seed=seed)  # type: ignore[type-var]
        ranking = recommender.rank(queries)
        clock.lap(f"rank {protocol}")
        if protocol == study.task.protocols[0]:
            study.look(job["system"], recommender, queries, ranking, folder, first)
            clock.lap("look")
        results[protocol] = queries, ranking
    qrels = pathlib.Path(job["qrels"])
    keep_result(study, results, seed, recommender.probabilities, folder, qrels, clock)
    tidy(run.folder, complete_runs(folder.parent.parent))
    write_json(folder / "timing.json", clock.seconds)


def keep_result(
    study: Study,
    results: Mapping[str, tuple[Queries, Ranking]],
    seed: int,
    probabilities: bool,
    folder: pathlib.Path,
    qrels: pathlib.Path,
    clock: Clock,
) -> None:
    """Measures what a system answered, and leaves its figures and files.

    Args:
        study: what is compared.
        results: protocol to what was asked and answered.
        seed: of the result.
        probabilities: whether the sigmoid of a score is one.
        folder: of the result.
        qrels: folder of the truth.
        clock: goes on.
    """
    values: dict[str, np.ndarray] = {}
    asked = []
    for protocol, (queries, ranking) in results.items():
        measured = study.task.measure(queries, ranking, study.cutoffs)
        place, head = place_of(study, folder, protocol)
        place.mkdir(exist_ok=True)
        about = {"split": SPLIT.name.lower(), "protocol": protocol, "seed": seed}
        figures = study.task.evaluate(
            queries,
            ranking,
            study.cutoffs,
            values=measured,
            probabilities=probabilities,
        )
        write_json(place / "metrics.json", about | figures)
        ranking.write_run(place / "run.trec")
        compress(study, place / "run.trec", protocol)
        for path in place_of(study, qrels, protocol)[0].glob("qrels.trec*"):
            _link(path, place / path.name)
        values |= {f"{head}{name}": each for name, each in study.per_query(measured).items()}
        if any(view.average == "answerable" for view in study.views):
            values[f"{head}{POSITIVES}"] = queries.truth.positives.astype(np.float64)
        names = queries.names[0]
        asked = [names[query] for query in queries.truth.users]
        clock.lap("measure")
    write_values(folder, asked, values)


def ask(study: Study, corpus: Corpus, data: Any, protocol: str) -> Queries:
    """What every system of a comparison is asked.

    Args:
        study: what is compared.
        corpus: the posts.
        data: section `data` of a system's settings; what is asked is the same of all.
        protocol: out of the task's.

    Raises:
        DataError: there is nothing to ask.
    """
    return study.task.queries(corpus, data, SPLIT, protocol, LISTS_SEED)


def write_truth(study: Study, queries: Queries, folder: pathlib.Path, protocol: str) -> None:
    """Writes the truth about the lists, which is that of every system."""
    place, _ = place_of(study, folder, protocol)
    if not any(place.glob("qrels.trec*")):
        place.mkdir(parents=True, exist_ok=True)
        queries.write_qrels(place / "qrels.trec")
        compress(study, place / "qrels.trec", protocol)


def place_of(study: Study, folder: pathlib.Path, protocol: str) -> tuple[pathlib.Path, str]:
    """Folder of a protocol's files and the head of its metrics' names, where there are several."""
    if len(study.task.protocols) == 1:
        return folder, ""
    return folder / protocol, f"{protocol}/"


def compress(study: Study, path: pathlib.Path, protocol: str) -> None:
    """Packs a file of another protocol than the first: it has some hundred megabytes."""
    if protocol == study.task.protocols[0]:
        return
    with (
        path.open("rb") as source,
        atomic_writer(path.with_name(f"{path.name}.gz"), "wb") as target,
        gzip.GzipFile("", "wb", 1, target, mtime=0) as packed,  # level 1: a third, in a second
    ):
        shutil.copyfileobj(source, packed)
    path.unlink()


def _link(source: pathlib.Path, target: pathlib.Path) -> None:
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)


def _alone(job: dict[str, Any]) -> None:
    """`train_and_rank` in a process that does nothing else, whose memory is the system's."""
    train_and_rank(job)
    status = pathlib.Path("/proc/self/status")
    if (
        status.is_file()
    ):  # `ru_maxrss` begins with the parent's, and nothing else tells it elsewhere
        peak = re.search(r"VmHWM:\s+(\d+) kB", status.read_text(encoding="utf-8"))
        if peak:
            kept = {"peak_mib": round(int(peak[1]) / 1024)}
            write_json(pathlib.Path(job["folder"], "memory.json"), kept)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    work_on(_alone)
