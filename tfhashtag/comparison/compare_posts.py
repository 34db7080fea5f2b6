"""Tables 2 to 5 and the figures of the thesis (2024) on anybody's posts, as one call."""

import os
import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tfhashtag.comparison.compared import Compared
from tfhashtag.comparison.figures import check_plots, draw_cutoffs
from tfhashtag.comparison.names import chosen_names
from tfhashtag.comparison.post_report import write_post_report
from tfhashtag.comparison.post_systems import (
    NAMES,
    REFERENCE,
    RULES,
    TABLES,
    PostSettingsOf,
    post_systems,
)
from tfhashtag.comparison.post_task import PostTask
from tfhashtag.comparison.report import check_report
from tfhashtag.comparison.run_comparison import run_comparison
from tfhashtag.comparison.summary import Summary, summarize
from tfhashtag.comparison.table_files import about, figures_of, write_tables
from tfhashtag.comparison.tables import Table
from tfhashtag.corpus.store import read_corpus
from tfhashtag.errors import ArtifactError, ConfigError
from tfhashtag.evaluation.post_metrics import CUTOFFS
from tfhashtag.files import exclusive_lock, write_json

FAMILIES = ("HitRate", "Precision", "Recall", "F1")
TESTED = tuple(f"{family}@9" for family in FAMILIES)
METRICS = tuple(f"{family}@{k}" for k in CUTOFFS for family in FAMILIES)


def compare_posts(
    data: str | os.PathLike,
    out: str | os.PathLike,
    *,
    config: str | os.PathLike = "phr",
    systems: Iterable[str] | None = None,
    seeds: int = 3,
    overrides: Sequence[str] = (),
    options=None,
    say: Callable[[str], None] = lambda line: None,
) -> Compared:
    """Trains and ranks every system of the thesis's Tables 2 to 5, and the plain rules.

    All systems read the same frozen vectors, learn the same label space and rank the same test
    posts; whatever is chosen in training is chosen on the valid posts. A comparison that was
    interrupted goes on where it stopped when it is called again, inside a training too.

    ```
    OUT/report.html                        everything, one file, opens without a network
    OUT/tables.csv, tables.md, tables.tex  Tables 2 to 5
    OUT/comparison.json                    the same for programs
    OUT/figure5.png, figure5.svg           metrics over k
    OUT/runs/SYSTEM/seed-N/                metrics.json, run.trec, qrels.trec, per_query.parquet
    OUT/runs/SYSTEM/seed-N/training/       the run folder, for eval, explain and export
    ```

    Args:
        data: corpus folder, encoded with the configuration's encoders.
        out: folder of all results.
        config: of PHR; its variants are switches of it.
        systems: names out of `tfhashtag.comparison.post_systems.NAMES`; default all.
        seeds: how many, from the configuration's `seed` on.
        overrides: `"key=value"` for all systems that have the key, switches such as
            `network.memory` for PHR and its variants alone; `"SYSTEM:key=value"` for one system.
        options: `TrainingOptions`.
        say: called with a line about each result.

    Returns:
        The tables; call its `check` to learn of systems that failed.

    Raises:
        ConfigError, DataError, ArtifactError: before anything is trained: an unknown system or
            key, a corpus that is not encoded, results of other settings in `out`, a library for
            the report that is missing.
    """
    from tfhashtag.training.options import TrainingOptions

    check_plots()
    check_report()
    if seeds < 1:
        raise ConfigError(f"`seeds` must be at least 1, found {seeds}.")
    names = chosen_names(systems, NAMES)
    settings = PostSettingsOf(config, read_corpus(data), overrides)
    task = PostTask(data, settings.phr)
    out = pathlib.Path(out)
    if out.exists() and not out.is_dir():
        raise ArtifactError(f"{out}: is a file; give a folder.")
    out.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(out, f"{out}: another comparison is at work there; wait for it to end."):
        listed = post_systems(names, settings, task, options or TrainingOptions())
        numbers = [settings.phr.seed + number for number in range(seeds)]
        outcomes = run_comparison(listed, numbers, out / "runs", say)
        summaries = summarize(listed, outcomes, REFERENCE, TESTED)
        tables = _tables(summaries)
        found = Compared(
            out,
            tables,
            summaries,
            [(o.system, o.seed, o.error) for o in outcomes if o.error],
        )
        say("writing tables, figures and report")
        _write(found, settings, task, numbers)
    return found


def _tables(summaries: Sequence[Summary]) -> list[Table]:
    by_name = {row.name: row for row in summaries}
    tables = []
    for key, title, names in TABLES:
        rows = [by_name[name] for name in names if name in by_name]
        if any(row.name != REFERENCE for row in rows) or (rows and len(summaries) == 1):
            tables.append(Table(key, title, rows, TESTED, REFERENCE))
    return tables


def _write(found: Compared, settings: PostSettingsOf, task: PostTask, seeds: list[int]) -> None:
    out, tables = found.folder, found.tables
    lines = _lines(found.summaries)
    write_tables(out, tables, METRICS, REFERENCE)
    write_json(out / "comparison.json", _as_json(found, settings, task, seeds))
    if lines:
        draw_cutoffs([out / "figure5.png", out / "figure5.svg"], lines, FAMILIES, CUTOFFS, RULES)
    write_post_report(out / "report.html", found, settings, task, seeds, lines)


def _lines(summaries: Sequence[Summary]) -> list[Summary]:
    """The systems of Figure 5: those of Table 2, PHR first."""
    by_name = {row.name: row for row in summaries}
    names = (REFERENCE, "TAGNet", "MaCon", "Own + nearest", *RULES)
    rows = [by_name[name] for name in dict.fromkeys(names) if name in by_name]
    return [row for row in rows if row.means]


def _as_json(found, settings, task, seeds) -> dict[str, Any]:
    return {
        "corpus": task.corpus.name,
        "data_digest": task.corpus.digest,
        "split": "test",
        "posts": len(task.posts),
        "labels": len(task.labels),
        "seeds": seeds,
        "reference": REFERENCE,
        "settings": settings.phr.model_dump(),
        "tables": {table.key: [row.name for row in table.rows] for table in found.tables},
        "systems": {
            row.name: {**about(row), "seconds": round(row.seconds, 1), **figures_of(row)}
            for row in found.summaries
        },
    }
