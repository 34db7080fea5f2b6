"""`tfhashtag status`: a run over time."""

from typing import Any

import click

from tfhashtag.cli.output import emit, fields, json_output, listed, text, thing, whole
from tfhashtag.cli.paths import UserPath


@click.command("status")
@click.argument("run", type=UserPath())
@click.option("--plot", type=UserPath(), metavar="FILE.png", help="Draw the figures over time.")
@json_output(
    fields(
        state=whole("number of the update"),
        kept=listed(whole(), "states that `rollback` takes"),
        advice=text("whether training again would pay"),
        training=text("which it waits for or is queued, with the command; else empty"),
        updates=listed(thing("a row an update")),
    )
)
def command(run: Any, plot: Any) -> None:
    """What came into RUN when, how well the model ranked it before, whether training again would
    pay, and whether it is queued.

    \b
    Example:
      tfhashtag status run --plot drift.png
    """
    from rich.console import Console

    from tfhashtag import door

    found = door.load(run).status()
    told = {"state": found.state, "kept": found.kept, "advice": found.advice}
    emit(told | {"training": found.training} | {"updates": found.rows, "figures": found.figures})
    Console().print(found)
    click.echo(found.advice)
    if found.training:
        click.echo(found.training)
    if plot:
        click.echo(str(found.plot(plot)))
