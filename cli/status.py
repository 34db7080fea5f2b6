"""`tfhashtag status`: a run over time."""

from typing import Any

import click

from tfhashtag.cli.paths import UserPath


@click.command("status")
@click.argument("run", type=UserPath())
@click.option("--plot", type=UserPath(), metavar="FILE.png", help="Draw the figures over time.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object instead of a table.")
def command(run: Any, plot: Any, as_json: Any) -> None:
    """What came into RUN when, how well the model ranked it before, and whether training again
    would pay."""
    import json

    from rich.console import Console

    from tfhashtag import door

    found = door.load(run).status()
    if as_json:
        told = {"state": found.state, "kept": found.kept, "advice": found.advice}
        told |= {"updates": found.rows, "figures": found.figures}
        click.echo(json.dumps(told, ensure_ascii=False))
    else:
        Console().print(found)
        click.echo(found.advice)
    if plot:
        click.echo(str(found.plot(plot)), err=as_json)
