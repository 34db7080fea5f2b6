"""`tfhashtag compare`: every system of a seed's tables on one corpus, with statistics."""

import click


@click.group("compare")
def command():
    """Train and rank every system of a table, with statistics and a report."""


@command.command("engagement")
@click.option(
    "--data", type=click.Path(), required=True, help="Corpus folder, encoded with `encode`."
)
@click.option("--out", type=click.Path(), required=True, help="Folder of all results.")
@click.option(
    "--systems",
    metavar="A,B,C",
    help="Names or configurations, e.g. full,lstm_att,bert_sim; default: all. The others are "
    "tested against the full model.",
)
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1))
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="[SYSTEM:]KEY=VALUE",
    help="Override a setting, of all systems that have it or of one.",
)
@click.option("--quiet", is_flag=True, help="No progress.")
def engagement_command(data, out, systems, seeds, overrides, quiet):
    """Tables 2 and 3 and Figures 4 to 7 of the engagement paper (EMNLP 2021) on your posts.

    Trains every baseline, the full model, its variants and our own model, each in a process of its
    own, and ranks with them under both protocols. Writes tables.csv, tables.md, tables.tex,
    comparison.json, figures as PNG and SVG, and report.html. Stopped, it goes on where it stopped
    when the same command is given again.
    """
    import rich.console

    from tfhashtag.comparison.compare_engagement import compare_engagement
    from tfhashtag.comparison.engagement_systems import FOOTNOTE, REFERENCE
    from tfhashtag.comparison.progress import ComparisonProgress

    with ComparisonProgress(rich.console.Console(stderr=True, quiet=quiet)) as progress:
        found = compare_engagement(
            data,
            out,
            systems=_names(systems),
            seeds=seeds,
            overrides=overrides,
            say=progress.say,
            moved=progress.moved,
            note=progress.note,
        )
    _show(found, REFERENCE, FOOTNOTE)


@command.command("phr")
@click.option(
    "--data", type=click.Path(), required=True, help="Corpus folder, encoded with `encode`."
)
@click.option("--out", type=click.Path(), required=True, help="Folder of all results.")
@click.option(
    "--systems",
    metavar="A,B,C",
    help="Default: all. PHR is what the others are tested against.",
)
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1))
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="[SYSTEM:]KEY=VALUE",
    help="Override a setting, of all systems that have it or of one.",
)
@click.option("--config", default="phr", show_default=True, help="Configuration of PHR.")
@click.option("--quiet", is_flag=True, help="No progress.")
def phr_command(data, out, systems, seeds, overrides, config, quiet):
    """Tables 2 to 5 and the figures of the thesis (2024) on your posts.

    Trains PHR, MaCon, TAGNet and PHR's variants and ranks with them and with plain rules. Writes
    tables.csv, tables.md, tables.tex, comparison.json, figure5.png, figure5.svg and report.html.
    Stopped, it goes on where it stopped when the same command is given again.
    """
    import rich.console

    from tfhashtag.comparison.compare_posts import compare_posts
    from tfhashtag.training.options import TrainingOptions

    progress = rich.console.Console(stderr=True, quiet=quiet)
    found = compare_posts(
        data,
        out,
        config=config,
        systems=_names(systems),
        seeds=seeds,
        overrides=overrides,
        options=TrainingOptions(progress=not quiet),
        say=lambda line: progress.print(line, highlight=False, markup=False, soft_wrap=True),
    )
    _show(found, "PHR")


def _names(systems):
    return None if systems is None else [name for name in systems.split(",") if name.strip()]


def _show(found, reference, footnote=""):
    """Prints the tables, what went wrong and where everything lies."""
    import rich.console
    import rich.text

    from tfhashtag.comparison.tables import legend, note, terminal

    console = rich.console.Console()
    for table in found.tables:
        console.print(terminal(table))
    for row in found.summaries:
        if note(row):
            console.print(rich.text.Text(f"{row.name}: {note(row)}"), soft_wrap=True)
    click.echo(legend(reference))
    if footnote:
        click.echo(footnote)
    click.echo(f"{found.folder / 'report.html'}, tables.csv, .md and .tex beside it")
    found.check()
