"""`tfhashtag compare`: every system of a paper's tables on one corpus, with statistics."""

from typing import Any

import click

from tfhashtag.cli.options import NamingGroup, together, track_option
from tfhashtag.cli.output import emit, fields, json_output, listed, text, thing, whole
from tfhashtag.cli.paths import UserPath

_SCHEMA = fields(
    folder=text("of all results"),
    report=text("its page"),
    systems=listed(fields(name=text(), metrics=thing("mean over seeds by metric"))),
    failed=listed(fields(system=text(), seed=whole(), error=text())),
)


def as_json(found: Any) -> dict[str, Any]:
    """What `--json` prints of a `Comparison`."""
    return {
        "folder": str(found.folder),
        "report": str(found.folder / "report.html"),
        "systems": [
            {"name": row.name, "metrics": {k: float(v) for k, v in row.means.items()}}
            for row in found.summaries
            if row.means
        ],
        "failed": [
            {"system": system, "seed": seed, "error": error} for system, seed, error in found.failed
        ],
    }


@click.group("compare", cls=NamingGroup)
def command() -> None:
    """Train and rank every system of a table, with statistics and a report."""


# What both comparisons take.
_options = together(
    click.option(
        "--data", type=UserPath(), required=True, help="Corpus folder, encoded with `encode`."
    ),
    click.option("--out", type=UserPath(), required=True, help="Folder of all results."),
    click.option(
        "--systems",
        metavar="A,B,C",
        help="Names of systems, or any configurations of the same task; default: all of the "
        "paper. The others are tested against its model.",
    ),
    click.option("--seeds", default=3, type=click.IntRange(1)),
    click.option(
        "--against",
        metavar="SYSTEM",
        help="The system that the others are tested against; default the paper's model.",
    ),
    click.option(
        "--run",
        "runs",
        multiple=True,
        metavar="NAME=PATH",
        help="A system of elsewhere: its TREC run of the lists in OUT/qrels, or a folder with "
        "seed-N/[PROTOCOL/]run.trec. timing.json and memory.json beside are told.",
    ),
    click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="[SYSTEM:]KEY=VALUE",
        help="Override a setting, of all systems that have it or of one.",
    ),
    click.option("--quiet", is_flag=True, help="No progress."),
    track_option,
    json_output(_SCHEMA),
)


@command.command("engagement")
@_options
def engagement_command(**arguments: Any) -> None:
    """Tables 2 and 3 and Figures 4 to 7 of the engagement paper (EMNLP 2021) on your posts.

    Trains every baseline, the full model, its variants and our own model, each in a process of its
    own, and ranks with them under both protocols. Writes tables.csv, tables.md, tables.tex,
    comparison.json, figures as PNG and SVG, and report.html. Stopped, it goes on where it stopped
    when the same command is given again.

    \b
    Example:
      tfhashtag compare engagement --data corpus --out compared --systems full,lstm_att --seeds 2
    """
    _compare("engagement", **arguments)


@command.command("phr")
@_options
@click.option("--config", default="phr", help="Configuration of PHR.")
def phr_command(**arguments: Any) -> None:
    """Tables 2 to 5 and the figures of the thesis (2024) on your posts.

    Trains PHR, MaCon, TAGNet and PHR's variants, each in a process of its own, and ranks with them
    and with plain rules. Writes tables.csv, tables.md, tables.tex, comparison.json, figure5.png,
    figure5.svg and report.html. Stopped, it goes on where it stopped when the same command is
    given again.

    \b
    Example:
      tfhashtag compare phr --data corpus --out compared --systems phr,macon --seeds 2
    """
    _compare("phr", **arguments)


def _compare(study: Any, data: Any, out: Any, systems: Any, quiet: Any, **more: Any) -> None:
    """Compares; prints the tables, what went wrong and where everything lies."""
    import rich.console
    import rich.text

    from tfhashtag.comparison.progress import ComparisonProgress
    from tfhashtag.comparison.tables import legend, note, terminal
    from tfhashtag.door import compare

    names = None if systems is None else [name for name in systems.split(",") if name.strip()]
    with ComparisonProgress(rich.console.Console(stderr=True, quiet=quiet)) as progress:
        found = compare(
            study,
            data,
            out,
            systems=names,
            say=progress.say,
            moved=progress.moved,
            note=progress.note,
            **more,
        )
    console = rich.console.Console()
    for table in found.tables:
        console.print(terminal(table))
    for row in found.summaries:
        if note(row):
            console.print(rich.text.Text(f"{row.name}: {note(row)}"), soft_wrap=True)
    click.echo(legend(found.study.against))
    if found.footnote:
        click.echo(found.footnote)
    click.echo(f"{found.folder / 'report.html'}, tables.csv, .md and .tex beside it")
    emit(as_json(found))
    found.check()
