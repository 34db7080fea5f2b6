"""`tfhashtag compare`: every system of a seed's tables on one corpus, with statistics."""

import click


@click.group("compare")
def command():
    """Train and rank every system of a table, with statistics and a report."""


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
    import rich.text

    from tfhashtag.comparison.compare_posts import compare_posts
    from tfhashtag.comparison.tables import legend, note, terminal
    from tfhashtag.training.options import TrainingOptions

    progress = rich.console.Console(stderr=True, quiet=quiet)
    found = compare_posts(
        data,
        out,
        config=config,
        systems=None if systems is None else [name for name in systems.split(",") if name.strip()],
        seeds=seeds,
        overrides=overrides,
        options=TrainingOptions(progress=not quiet),
        say=lambda line: progress.print(line, highlight=False, markup=False, soft_wrap=True),
    )
    console = rich.console.Console()
    for table in found.tables:
        console.print(terminal(table))
    for row in found.summaries:
        if note(row):
            console.print(rich.text.Text(f"{row.name}: {note(row)}"), soft_wrap=True)
    click.echo(legend("PHR"))
    click.echo(f"{found.folder / 'report.html'}, tables.csv, .md and .tex beside it")
    found.check()
