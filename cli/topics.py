"""`tfhashtag topics`: what the topics of a trained model are about, beside LDA."""

import pathlib
from typing import Any

import click

from tfhashtag.cli.options import count
from tfhashtag.cli.output import emit, fields, json_output, thing
from tfhashtag.cli.paths import UserPath
from tfhashtag.cli.progress import counting


@click.command("topics")
@click.argument("run", type=UserPath())
@click.option(
    "--out",
    type=UserPath(file_okay=False, path_type=pathlib.Path),
    help="Folder of topics.md, topics.csv and topics.json.",
)
@click.option(
    "--show",
    default=10,
    type=click.IntRange(0),
    metavar="N",
    help="Topics of each model on the terminal, the most coherent first; files hold all.",
)
@click.option(
    "--without",
    default=0,
    type=click.IntRange(0),
    metavar="N",
    help="Pass over the N most frequent words.",
)
@count("--passes", 10, "Of LDA.")
@count("--seed", 0, "Of LDA.", least=0)
@json_output(fields(found=thing("what topics.json holds: systems with words and coherence")))
def command(run: Any, out: Any, show: Any, without: Any, passes: Any, seed: Any) -> None:
    """Prints top words, NPMI coherence and diversity of RUN's topics and of LDA's, as many.

    \b
    Example:
      tfhashtag topics run --show 5 --out topics
    """
    import dataclasses

    import rich.console

    from tfhashtag.recommenders.engagement.topics import (
        check_has_topics,
        compare_topics,
        topic_tables,
        write_topics,
    )
    from tfhashtag.runs.run import Run

    opened = Run.open(run)
    check_has_topics(opened.settings)  # before a model is loaded
    with counting(f"comparing topics of {run} with LDA's"):
        recommender = opened.recommender
        found = compare_topics(recommender, passes=passes, seed=seed, without=without)
    emit({"found": dataclasses.asdict(found)})
    console = rich.console.Console()
    figures, *lists = topic_tables(found, show)
    console.print(figures)
    for table in lists if show else []:
        console.print(table)
    if out is not None:
        paths = write_topics(found, out)
        click.echo(f"{paths[0]}, {', '.join(path.name for path in paths[1:])} beside it")
