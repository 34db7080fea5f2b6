"""`tfhashtag data`: corpora are downloaded, imported, made and described."""

import click

from tfhashtag.errors import TfHashtagError


@click.group("data")
def command():
    """Download, import, make and describe corpora."""


@command.command("download")
@click.argument("name")
@click.option("--out", required=True, type=click.Path(), help="Folder for the files.")
@click.option("--url", help="Base address instead of the authors' repository.")
def download_command(name, out, url):
    """Fetches the public dataset NAME (howyoutag) and checks its pinned sums."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    from tfhashtag.data.downloading import download

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        tasks = {}

        def show(file, done, total):
            if file not in tasks:
                tasks[file] = bar.add_task(file, total=total)
            bar.update(tasks[file], completed=done, total=total)

        paths = download(name, out, url=url, progress=show)
    click.echo(f"{out}: {', '.join(path.name for path in paths)}")
    click.echo(f"Next: tfhashtag data import {name} {out} --out CORPUS")


@command.command("import")
@click.argument("source_format", metavar="FORMAT")
@click.argument("path", type=click.Path())
@click.option("--out", required=True, type=click.Path(), help="Corpus folder to make.")
@click.option("--skip-bad", is_flag=True, help="Count and report bad posts instead of stopping.")
@click.option("--keep-hashtags-in-text", is_flag=True, help="Do not take a post's #tags out of it.")
@click.option("--name", help="Name of the corpus; default that of PATH.")
@click.option(
    "--split",
    type=click.Choice(["own-time", "global-time", "random-90-10"]),
    help="Split 80/10/10 by each user's time (default), by all time, or at random as in the "
    "thesis; also in place of the source's own splits.",
)
@click.option("--split-seed", default=0, show_default=True, type=click.IntRange(0))
def import_command(
    source_format, path, out, skip_bad, keep_hashtags_in_text, name, split, split_seed
):
    """Reads PATH in FORMAT (howyoutag, macon, jsonl, csv, parquet) and writes a corpus folder.

    Images and given proposals of posts come along: an image is a path relative to PATH's folder.
    """
    from tfhashtag.data.importing import import_posts

    report = import_posts(
        source_format,
        path,
        out,
        skip_bad=skip_bad,
        keep_hashtags_in_text=keep_hashtags_in_text,
        name=name,
        split=split,
        split_seed=split_seed,
    )
    click.echo(f"{out}: {report.posts:,} posts")
    for what, count in report.counted.items():
        click.echo(f"  {what}: {count:,}")
    for reason, count in report.skipped.items():
        click.echo(f"  skipped, {reason}: {count:,}, first {report.examples[reason]}", err=True)


@command.command("synth")
@click.option("--out", required=True, type=click.Path(), help="Corpus folder to make.")
@click.option("--posts", default=4000, show_default=True, type=click.IntRange(1))
@click.option("--users", default=200, show_default=True, type=click.IntRange(1))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
def synth_command(out, posts, users, seed):
    """Makes a corpus in which what users will tag can be learned."""
    from tfhashtag.data.store import write_corpus
    from tfhashtag.data.synthetic import synthetic_corpus

    corpus = synthetic_corpus(posts, users, seed)
    write_corpus(corpus, out)
    click.echo(
        f"{out}: {len(corpus):,} posts, {len(corpus.users):,} users, "
        f"{len(corpus.hashtags):,} hashtags"
    )


@command.command("stats")
@click.argument("folder", metavar="DIR")
@click.option("--plot", type=click.Path(), help="Also draw Figure 3, as PNG or SVG.")
def stats_command(folder, plot):
    """Prints Table 1 of the engagement paper for the corpus in DIR."""
    import pathlib

    from rich.console import Console
    from rich.table import Table

    from tfhashtag.data.statistics import plot_statistics, statistics_of
    from tfhashtag.data.store import read_corpus

    if plot and pathlib.Path(plot).suffix.lower() not in (".png", ".svg"):
        raise TfHashtagError(f"--plot {plot}: expected a name that ends with .png or .svg.")
    statistics = statistics_of(read_corpus(folder))
    table = Table("", "value", title=f"Table 1, {folder}")
    table.columns[1].justify = "right"
    for row in statistics.rows():
        table.add_row(*row)
    Console().print(table)
    if plot:
        plot_statistics(statistics, plot)
        click.echo(plot)
