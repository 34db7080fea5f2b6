"""The tables and figures of a paper on anybody's posts, as one call."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tfhashtag.comparison.comparison import Comparison, summaries_of, tables_of
from tfhashtag.comparison.foreign import files_of_run, measure_run
from tfhashtag.comparison.job import ask, train_and_rank, write_truth
from tfhashtag.comparison.outcome import Outcome
from tfhashtag.comparison.own_process import run_module
from tfhashtag.comparison.report import check_report, write_report
from tfhashtag.comparison.run_comparison import run_comparison
from tfhashtag.comparison.settings_of import SettingsOf
from tfhashtag.comparison.studies import study_of
from tfhashtag.comparison.study import Study
from tfhashtag.comparison.system import System, find_system
from tfhashtag.comparison.tables import write_tables
from tfhashtag.corpus.corpus import Corpus
from tfhashtag.corpus.store import read_corpus
from tfhashtag.errors import ArtifactError, ComparisonError, ConfigError, DataError
from tfhashtag.files import check_new_folder, exclusive_lock, write_json, write_text
from tfhashtag.settings import dump_settings, flat
from tfhashtag.tasks import Queries


def compare(
    study: str,
    data: str | os.PathLike,
    out: str | os.PathLike,
    *,
    config: str | None = None,
    systems: Iterable[str] | None = None,
    seeds: int = 3,
    overrides: Sequence[str] = (),
    runs: Sequence[str] = (),
    against: str | None = None,
    say: Callable[[str], None] = lambda line: None,
    moved: Callable[[int, int], None] = lambda done, total: None,
    note: Callable[[str], None] = lambda line: None,
    apart: bool = True,
) -> Comparison:
    """Trains and ranks with every system of a paper's tables, and says how they compare.

    All read the same frozen vectors and are asked the same; whatever is chosen in training is
    chosen on the valid split. The seed of a run is that of everything the system draws, and of
    the order of equal scores. A comparison that was interrupted goes on where it stopped when it
    is called again, inside a training too.

    ```
    OUT/report.html                        everything, one file, opens without a network
    OUT/tables.csv, tables.md, tables.tex  the tables, protocols and averages one by one
    OUT/comparison.json                    the same for programs, and the data of figures
    OUT/figure*.png, figure*.svg           the figures
    OUT/timing.json, memory.json           seconds of every system by step, peak of a process in MiB
    OUT/qrels/[PROTOCOL/]                  the truth about what is asked
    OUT/runs/SYSTEM/seed-N/                metrics.json, run.trec, qrels.trec, per_query.parquet
    OUT/runs/SYSTEM/seed-N/training/       the run folder, for eval, explain and export
    ```

    Where a task has several protocols, each has a folder for its three files, and those of the
    others than the first are packed (`.gz`).

    Args:
        study: `"engagement"`, Tables 2 and 3 and Figures 4 to 7 of the engagement paper (EMNLP
            2021); or `"phr"`, Tables 2 to 5 and the figures of the thesis (2024).
        data: corpus folder, encoded as the configurations say.
        out: folder of all results.
        config: configuration of the reference in place of the study's.
        systems: names of the study's systems, or of any configuration of the same task; default
            all of the study.
        seeds: how many, from the configuration's `seed` on.
        overrides: `"key=value"` for all systems that have the key, `"SYSTEM:key=value"` for one.
        runs: `"NAME=PATH"`, systems of elsewhere by their TREC runs of the lists in `OUT/qrels`,
            see `tfhashtag.comparison.foreign.foreign_system`.
        against: name of the system that the others are tested against; default the paper's.
        say: called with a line about each result.
        moved: called with the number of results that are there, and of all.
        note: called with a line about what is going on.
        apart: train each system in a process of its own, so that memory stays bounded and a crash
            takes no other system with it; False: all in this one, for a debugger.

    Returns:
        The tables; call its `check` to learn of systems that failed.

    Raises:
        ConfigError, DataError, ArtifactError: before anything is trained: an unknown system or
            key, a corpus that is not encoded, results of other settings in `out`, a library for
            the report that is missing.
    """
    check_report()
    if seeds < 1:
        raise ConfigError(f"`seeds` must be at least 1, found {seeds}.")
    plan, data, out = study_of(study, config), pathlib.Path(data), pathlib.Path(out)
    corpus = read_corpus(data)
    settings = SettingsOf(plan, systems, corpus, overrides, runs)
    if against is not None:
        plan.against = find_system(against, settings.systems, "--against").name
    queries = {
        protocol: ask(plan, corpus, settings.reference.data, protocol)
        for protocol in plan.task.protocols
    }
    _check_data(data, plan, settings, queries)
    work = _Work(plan, data, out, settings, queries, note, apart)
    ranked = [system for system in settings.systems if system.name not in settings.missing]
    identities = {system: work.identity(system, corpus) for system in ranked}
    check_new_folder(out, own=("qrels", "runs"))
    numbers = [settings.reference.seed + number for number in range(seeds)]
    for system in settings.systems:
        if system.run:
            files_of_run(system, plan, numbers)  # what is missing is said before a training
    out.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(out, f"{out}: another comparison is at work there; wait for it to end."):
        check_same_corpus(out / "qrels", corpus)
        for protocol, asked in queries.items():
            write_truth(plan, asked, out / "qrels", protocol)
        outcomes = run_comparison(identities, numbers, out / "runs", work, say, moved)
        check_any(out, outcomes)
        say("writing tables, figures and report")
        views = {view: summaries_of(plan, view, settings, outcomes) for view in plan.views}
        tables = tables_of(plan, settings, views)
        found = Comparison(
            plan, data, out, corpus, settings, numbers, queries, outcomes, views, tables
        )
        write_tables(out, tables, plan.metrics, plan.against, found.footnote)
        write_json(out / "comparison.json", found.as_json())
        write_json(out / "timing.json", found.times)
        write_json(out / "memory.json", found.memory)
        write_report(out / "report.html", found)
    return found


def check_same_corpus(folder: pathlib.Path, corpus: Corpus) -> None:
    """Refuses to mix, under the lock, what was asked of one corpus with results of another."""
    path = folder / "corpus.json"
    if not path.is_file():
        folder.mkdir(exist_ok=True)
        write_json(path, {"data_digest": corpus.digest})
    if json.loads(path.read_text(encoding="utf-8"))["data_digest"] != corpus.digest:
        raise ArtifactError(
            f"{folder.parent}: a comparison over another corpus was begun there; give another "
            "folder, or delete it."
        )


def check_any(out: pathlib.Path, outcomes: Sequence[Outcome]) -> None:
    """Where every system failed there is nothing to report, and no report stays of before."""
    if outcomes and all(outcome.error for outcome in outcomes):
        (out / "report.html").unlink(missing_ok=True)
        raise ComparisonError(
            f"{out}: every system failed. First: {outcomes[0].error}\nThe same command tries "
            "again; tracebacks are in runs/*/*/failed.txt."
        )


@dataclasses.dataclass(frozen=True)
class _Work:
    """Trains, goes on with what was interrupted, and ranks, each time in a process of its own.

    Graphs, tables and optimisers of one system after the other would pile up in one process: no
    library gives all of it back. A process does, and one that is killed takes no other with it.
    """

    study: Study
    data: pathlib.Path
    out: pathlib.Path
    settings: SettingsOf
    queries: Mapping[str, Queries]
    note: Callable[[str], None]
    apart: bool

    def __call__(self, system: System, seed: int, folder: pathlib.Path) -> None:
        """The work of one system with one seed."""
        if system.run:
            measure_run(system, self.study, self.queries, seed, folder, self.out / "qrels")
            return
        settings = self.settings[system.name].model_copy(update={"seed": seed})
        write_text(folder / "settings.yaml", dump_settings(settings))
        job = {
            "study": self.study.name,
            "system": system.name,
            "seed": seed,
            "data": str(self.data.absolute()),
            "folder": str(folder.absolute()),
            "qrels": str((self.out / "qrels").absolute()),
        }
        if self.apart:
            log = folder / "training" / "training.jsonl"
            run_module("tfhashtag.comparison.job", job, folder, lambda: self.note(_newest(log)))
            return
        import keras

        # Variables are named by what the process made before; a checkpoint must not know that.
        keras.backend.clear_session()  # and collects what the system before left
        train_and_rank(job)

    def identity(self, system: System, corpus: Corpus) -> dict[str, Any]:
        """What decides a result beside the seed; told here is which vectors are not encoded."""
        from tfhashtag.recommenders.registry import read_vectors

        if system.run:
            least = flat(self.settings.reference.model_dump())[self.study.least]
            digest = self.settings[system.name].sha256
            return {"data_digest": corpus.digest, "run": digest, self.study.least: least}
        settings = self.settings[system.name].model_copy(update={"seed": 0})
        read = read_vectors(self.data, corpus, settings)
        return {**read.identity, "settings": settings.model_dump()}


def _check_data(
    data: pathlib.Path,
    study: Study,
    settings: SettingsOf,
    queries: Mapping[str, Queries],
) -> None:
    """Refuses before any training a corpus with nothing to be found."""
    if not any(np.any(asked.truth.positives) for asked in queries.values()):
        least = flat(settings.reference.model_dump())[study.least]
        raise DataError(
            f"{data}: no {study.task.query} of the test split has a hashtag to find under "
            f"`{study.least}` = {least}; there is nothing to compare on. Split the corpus anew, or "
            "lower it."
        )


def _newest(log: pathlib.Path) -> str:
    """The last line of a training's log, for people."""
    try:
        lines = log.read_text(encoding="utf-8").splitlines()
        record = json.loads(lines[-1])
    except (OSError, ValueError, IndexError):  # not there yet, or a line half written
        return ""
    if "epoch" not in record:
        return "ranking"
    text = f"{record.get('phase', 'epoch')} {record['epoch'] + 1}"
    valid = [
        f"valid {name.removeprefix('valid_')} {value:.4f}"
        for name, value in record.items()
        if name.startswith("valid_") and isinstance(value, float)
    ]
    return ", ".join([text, *valid])
