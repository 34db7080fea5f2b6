"""`tfhashtag rollback`: an earlier state of a run."""

from typing import Any

import click

from tfhashtag.cli.output import emit, fields, json_output, text, whole
from tfhashtag.cli.paths import UserPath


@click.command("rollback")
@click.argument("run", type=UserPath())
@click.option(
    "--to",
    required=True,
    type=click.IntRange(0),
    metavar="N",
    help="Number of an update, 0 for RUN as it was trained; `tfhashtag status` names them.",
)
@json_output(fields(run=text(), state=whole(), posts=whole()))
def command(run: Any, to: Any) -> None:
    """Goes back to how RUN was after update N; later states stay until updates prune them.

    \b
    Example:
      tfhashtag rollback run --to 0
    """
    from tfhashtag import door

    opened = door.load(run)
    opened.rollback(to)
    emit({"run": str(run), "state": to, "posts": len(opened.corpus)})
    click.echo(f"{run}: state {to}, {len(opened.corpus):,} posts")
