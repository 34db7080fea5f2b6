"""Tables 2 and 3 and Figures 4 to 7 of the engagement paper (EMNLP 2021) on anybody's posts."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tfhashtag.comparison.compared import Compared
from tfhashtag.comparison.engagement_figures import FigureData, draw_figures, figure_data
from tfhashtag.comparison.engagement_report import write_engagement_report
from tfhashtag.comparison.engagement_systems import (
    FOOTNOTE,
    PUBLISHED,
    REFERENCE,
    SYSTEMS,
    TABLES,
    EngagementSettingsOf,
    chosen,
    engagement_systems,
    folder_of,
)
from tfhashtag.comparison.engagement_task import CUTOFFS, LISTS_SEED, EngagementTask, view
from tfhashtag.comparison.figures import check_plots
from tfhashtag.comparison.outcome import Outcome
from tfhashtag.comparison.report import check_report
from tfhashtag.comparison.run_comparison import run_comparison
from tfhashtag.comparison.summary import Summary, summarize
from tfhashtag.comparison.system import System
from tfhashtag.comparison.table_files import about, figures_of, write_tables
from tfhashtag.comparison.tables import Table
from tfhashtag.errors import ArtifactError, ConfigError
from tfhashtag.evaluation.evaluate import AVERAGES
from tfhashtag.files import exclusive_lock, write_json
from tfhashtag.metrics import default_metrics
from tfhashtag.tasks.users.episode import PROTOCOLS

TESTED = ("MAP", "P@5", "nDCG@5")
METRICS = tuple(metric.name for metric in default_metrics(CUTOFFS))
_WHO = {"all": "all users", "answerable": "users with a hashtag to find"}


def compare_engagement(
    data: str | os.PathLike,
    out: str | os.PathLike,
    *,
    systems: Iterable[str] | None = None,
    seeds: int = 3,
    overrides: Sequence[str] = (),
    say: Callable[[str], None] = lambda line: None,
    moved: Callable[[int, int], None] = lambda done, total: None,
    note: Callable[[str], None] = lambda line: None,
    apart: bool = True,
) -> Compared:
    """Trains and ranks with every system of the paper's Tables 2 and 3, and with our own model.

    All read the same frozen vectors and rank the same lists of the same users; whatever is chosen
    in training is chosen on the valid split. The seed of a run is that of everything the system
    draws, and of the order of equal scores; the lists stay. A comparison that was interrupted
    goes on where it stopped when it is called again, inside a training too.

    ```
    OUT/report.html                          everything, one file, opens without a network
    OUT/tables.csv, tables.md, tables.tex    Tables 2 and 3, protocols and averages one by one
    OUT/comparison.json                      the same for programs, and the data of the figures
    OUT/figure4.png ... figure7.svg          Figures 4 to 7
    OUT/timing.json                          seconds of every system by step
    OUT/qrels/PROTOCOL/                      the truth about the lists
    OUT/runs/SYSTEM/seed-N/PROTOCOL/         metrics.json, run.trec, qrels.trec (`full`: .gz)
    OUT/runs/SYSTEM/seed-N/per_query.parquet every metric of every user
    OUT/runs/SYSTEM/seed-N/training/         the run folder, for eval, explain and export
    ```

    Args:
        data: corpus folder, encoded with the configurations' text encoder.
        out: folder of all results.
        systems: names of systems or of their configurations, out of
            `tfhashtag.comparison.engagement_systems.SYSTEMS`; default all.
        seeds: how many, from the configurations' `seed` on.
        overrides: `"key=value"` for all systems that have the key, `"SYSTEM:key=value"` for one.
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
    check_plots()
    check_report()
    if seeds < 1:
        raise ConfigError(f"`seeds` must be at least 1, found {seeds}.")
    names = chosen(systems)
    settings = EngagementSettingsOf(names, overrides)
    task = EngagementTask(data, settings.minimum_contexts)
    _check_encoded(task, settings)
    out = pathlib.Path(out)
    if out.exists() and not out.is_dir():
        raise ArtifactError(f"{out}: is a file; give a folder.")
    out.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(out, f"{out}: another comparison is at work there; wait for it to end."):
        task.write_qrels(out / "qrels")
        numbers = [settings.seed + number for number in range(seeds)]
        listed = engagement_systems(names, settings, task, out / "qrels", numbers[0], note, apart)
        outcomes = run_comparison(listed, numbers, out / "runs", say, moved)
        summaries = summarize_views(listed, outcomes)
        found = Compared(
            out,
            _tables(summaries),
            summaries["sampled", "all"],
            [(o.system, o.seed, o.error) for o in outcomes if o.error],
        )
        say("writing tables, figures and report")
        figures = figure_data(task, listed, outcomes, out / "runs")
        write_tables(out, found.tables, METRICS, REFERENCE, FOOTNOTE)
        write_json(
            out / "comparison.json", _as_json(found, summaries, settings, task, numbers, figures)
        )
        times = _timing(out / "runs", found.summaries)
        write_json(out / "timing.json", times)
        draw_figures(out, figures)
        write_engagement_report(out / "report.html", found, settings, task, numbers, figures, times)
    return found


def summarize_views(
    systems: Sequence[System], outcomes: Sequence[Outcome]
) -> dict[tuple[str, str], list[Summary]]:
    """Summaries by protocol and average."""
    return {
        (protocol, average): summarize(
            systems, [view(o, protocol, average) for o in outcomes], REFERENCE, TESTED
        )
        for protocol in PROTOCOLS
        for average in AVERAGES
    }


def _tables(summaries: Mapping[tuple[str, str], list[Summary]]) -> list[Table]:
    tables = []
    for (protocol, average), rows in summaries.items():
        by_name = {row.name: row for row in rows}
        published = PUBLISHED if (protocol, average) == ("sampled", "all") else {}
        for key, title, names in TABLES:
            listed = [by_name[name] for name in names if name in by_name]
            # Table 3 alone holds its two variants; without them it says what Table 2 says.
            if not listed or (key == "table3" and not {"+ TOPICS", "W/O JOINT"} & set(by_name)):
                continue
            tables.append(
                Table(
                    f"{key}-{protocol}-{average}",
                    f"{title}, {protocol}, {_WHO[average]}",
                    listed,
                    TESTED,
                    REFERENCE,
                    published,
                )
            )
    return sorted(tables, key=lambda table: table.key[:6])


def _check_encoded(task: EngagementTask, settings: EngagementSettingsOf) -> None:
    """Refuses a corpus that is not encoded before anything is trained."""
    from tfhashtag.encoders import load_embeddings

    load_embeddings(task.data, task.corpus, settings.text_encoder)


def _timing(runs: pathlib.Path, summaries: Sequence[Summary]) -> dict[str, dict[str, float]]:
    """Mean seconds of a seed by step, for each system."""
    found = {}
    for row in summaries:
        parts = [
            json.loads((folder_of(runs, row.name, seed) / "timing.json").read_text("utf-8"))
            for seed in row.seeds
        ]
        if parts:
            found[row.name] = {
                step: round(float(np.mean([part.get(step, 0.0) for part in parts])), 1)
                for step in parts[0]
            }
    return found


def _as_json(
    found: Compared,
    summaries: Mapping[tuple[str, str], list[Summary]],
    settings: EngagementSettingsOf,
    task: EngagementTask,
    seeds: Sequence[int],
    figures: FigureData,
) -> dict[str, Any]:
    by_name = {view: {row.name: row for row in rows} for view, rows in summaries.items()}
    return {
        "corpus": task.corpus.name,
        "data_digest": task.corpus.digest,
        "split": "test",
        "users": {
            "all": len(task.users),
            "answerable": int((task.episode("sampled").candidates.positives > 0).sum()),
        },
        "seeds": list(seeds),
        "lists_seed": LISTS_SEED,
        "reference": REFERENCE,
        "tables": {table.key: [row.name for row in table.rows] for table in found.tables},
        "systems": {
            row.name: {
                **about(row),
                "drawn": SYSTEMS[row.name].drawn,
                "published": dict(SYSTEMS[row.name].published),
                "settings": settings[row.name].model_dump(),
                **{
                    protocol: {
                        average: figures_of(by_name[protocol, average][row.name])
                        for average in AVERAGES
                    }
                    for protocol in PROTOCOLS
                },
            }
            for row in found.summaries
        },
        "figures": dataclasses.asdict(figures),
    }
