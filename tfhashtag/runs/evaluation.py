"""Evaluation of a run: rank, measure, write."""

import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tfhashtag.corpus.corpus import Split
from tfhashtag.errors import ConfigError, DataError
from tfhashtag.evaluation.beyond import DEFINITIONS
from tfhashtag.files import write_json
from tfhashtag.records import Records
from tfhashtag.row_files import RowFile, format_of
from tfhashtag.runs import states
from tfhashtag.runs.time_evaluation import PROTOCOL, evaluate_over_time
from tfhashtag.tasks.base import Queries
from tfhashtag.tracking.told import RunTracking
from tfhashtag.tracking.tracker import trackers_of


class Evaluation(Records):
    """Metrics of a run, as a table.

    Args:
        result: the content of `metrics.json`.
        table: the same as rows.
        folder: of `metrics.json`, `run.trec` and `qrels.trec`.

    Attributes:
        result, folder: as given.
    """

    def __init__(self, result: dict[str, Any], table: Records, folder: pathlib.Path) -> None:
        super().__init__(table.rows, table.title)
        self.result = result
        self.folder = folder

    @property
    def beyond(self) -> Records:
        """What the lists are beside right, each figure with its meaning."""
        values = dict(self.result.get("beyond", {}))  # windows of time have none
        if "calibration" in self.result:
            values["ECE"] = self.result["calibration"]["expected_error"]
        rows = [
            {"figure": name, "value": value, "meaning": DEFINITIONS[name.split("@")[0]][0]}
            for name, value in values.items()
        ]
        return Records(rows, "Beyond accuracy")

    @property
    def slices(self) -> Records:
        """Metrics of new users, of hashtags of the tail and of new ones, where there are any."""
        found = {}
        for name, each in self.result.get("slices", {}).items():
            count = next(value for key, value in each.items() if key != "metrics")
            if count:
                found[f"{name} ({count:,})"] = each["metrics"]
        last = max(
            (int(m.split("@")[1]) for each in found.values() for m in each if "@" in m), default=0
        )
        names = [m for m in next(iter(found.values()), ()) if m.split("@")[1:] in ([], [str(last)])]
        rows = [{"metric": m, **{name: each[m] for name, each in found.items()}} for m in names]
        return Records(rows, "Where little is known")


def evaluate_run(
    run: Any,
    *,
    split: str = "test",
    protocol: str | None = None,
    candidates: str | os.PathLike | None = None,
    out: str | os.PathLike | None = None,
    cutoffs: Sequence[int] | None = None,
    seed: int = 0,
    per_query: str | os.PathLike | None = None,
    windows: int | None = None,
    start: str | None = None,
    track: str | Iterable[str] = (),
) -> Evaluation:
    """Ranks with the trained model of a run and writes metrics.json, run.trec and qrels.trec.

    Args:
        run: a complete `Run`.
        split: `"valid"` or `"test"`.
        protocol: of users `"sampled"` or `"full"`, see `tfhashtag.tasks.users.episode`; of both
            tasks `"time"`, see `tfhashtag.runs.time_evaluation`, for which neither split,
            candidates nor cut-offs count and `over_time.json` is written in place of the three.
        candidates: of users, a JSON Lines file of lists that replace the protocol's; contexts stay
            those of the split.
        out: folder of the three files; default the run folder.
        cutoffs: the k of the metrics with a cut-off, each at least 1; default the task's.
        seed: of negatives and ties.
        per_query: a file of the figures of each query, a row a query and a column a figure:
            `.jsonl`, `.csv` or `.parquet`.
        windows, start: of the protocol `"time"`, see `evaluate_over_time`; 4 windows by default.
        track: places that are told, as `tfhashtag.tracking.tracker.trackers_of` takes them; what
            was told of the run's training is added to.

    Raises:
        TrackingError: a place cannot be reached.
        ConfigError: an unknown split or protocol, a bad cut-off, or what is for another task.
        DataError: a mistake in the file of candidates, nothing to evaluate, or scores that are not
            finite.
        ArtifactError: the run is not complete.
    """
    which = judged_split(split)
    task = run.task
    chosen = tuple(task.cutoffs if cutoffs is None else cutoffs)
    if not chosen or min(chosen) < 1:
        raise ConfigError(f"`cutoffs` must be whole numbers of at least 1, found {list(chosen)}.")
    trackers = trackers_of(track)
    if per_query is not None:
        format_of(per_query, "--per-query")
    folder = results_folder(run.folder if out is None else out)
    if protocol == PROTOCOL:
        given = {"candidates": candidates, "per_query": per_query, "cutoffs": cutoffs}
        if unused := [name for name, value in given.items() if value is not None]:
            raise ConfigError(f"`{unused[0]}` does not go with `protocol` time; leave it out.")
        windowed, shown = evaluate_over_time(
            run, folder, windows=4 if windows is None else windows, start=start, seed=seed
        )
        found = Evaluation(windowed, shown, folder)
        RunTracking(trackers, run).evaluated(found)
        return found
    if windows is not None or start is not None:
        raise ConfigError(
            "`windows` and `start` are of `protocol` time; give it, or leave them out."
        )
    lists = None if candidates is None else pathlib.Path(candidates)
    queries = task.queries(run.corpus, run.settings.data, which, protocol, seed, lists)
    said = {"split": split, "seed": seed}
    if len(task.protocols) > 1:
        name = "candidates" if lists else protocol or task.protocols[0]
        said = {"split": split, "protocol": name, "seed": seed}
    _check_any(task, queries, split)
    recommender = run.recommender
    ranking = recommender.rank(queries)
    if folder == run.folder:
        states.check_unchanged(run)  # names that were forgotten meanwhile must not come back
    result = said | task.evaluate(queries, ranking, chosen, probabilities=recommender.probabilities)
    ranking.write_run(folder / "run.trec")
    queries.write_qrels(folder / "qrels.trec")
    write_json(folder / "metrics.json", result)
    if per_query is not None:
        _write_queries(per_query, task.query, queries, task.measure(queries, ranking, chosen))
    found = Evaluation(result, task.table(result, task.headline(result)), folder)
    RunTracking(trackers, run).evaluated(found)
    return found


def _write_queries(
    path: str | os.PathLike, kind: str, queries: Queries, values: Mapping[str, np.ndarray]
) -> None:
    names = [queries.names[0][query] for query in queries.truth.users]
    with RowFile(path, {kind: str, **dict.fromkeys(values, float)}, "--per-query") as write:
        for place, name in enumerate(names):
            write([{kind: name, **{metric: float(each[place]) for metric, each in values.items()}}])


def evaluate_retrieval(
    run: Any,
    *,
    split: str = "test",
    protocol: str | None = None,
    out: str | os.PathLike | None = None,
    seed: int = 0,
) -> Records:
    """How much of the truth each candidate source of a run's model names; writes retrieval.json.

    Args:
        run: a complete `Run`.
        split, out, seed: as in `evaluate_run`.
        protocol: the same; default that of the longest lists, `"full"` of users.

    Returns:
        Rows of `source`, `candidates` a query, `recall`, and `alone`, the share of the truth that
        no other source names; the last row, `all`, is the union.

    Raises:
        ConfigError: an unknown split or protocol, or a model that ranks without candidates.
        DataError: nothing to evaluate.
        ArtifactError: the run is not complete.
    """
    which = judged_split(split)
    task = run.task
    # Drawn lists are shorter than what is retrieved: every source would find all of them.
    protocol = protocol or task.protocols[-1]
    queries = task.queries(run.corpus, run.settings.data, which, protocol, seed)
    _check_any(task, queries, split)
    rows = run.recommender.retrieval_recall(queries)
    folder = results_folder(run.folder if out is None else out)
    write_json(folder / "retrieval.json", {"split": split, "sources": rows})
    return Records(rows, f"Where candidates come from: {split}, {len(queries):,} {task.name}")


def _check_any(task: Any, queries: Queries, split: str) -> None:
    if len(queries) == 0:
        raise DataError(
            f"no {task.query} of the {split} split has anything to be ranked for. After an update "
            "everything counts as known: take the protocol `time`."
        )


def judged_split(split: str) -> Split:
    """The split that a model is judged on, by its name; else a `ConfigError`."""
    if split not in ("valid", "test"):
        raise ConfigError(f"`split` must be valid or test, found {split!r}.")
    return Split[split.upper()]


def results_folder(out: str | os.PathLike) -> pathlib.Path:
    """The folder of results, made where it is missing; where a file stands, a `DataError`."""
    folder = pathlib.Path(out)
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: is a file; `--out` takes a folder.")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
