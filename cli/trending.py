"""`tfhashtag trending`: hashtags that rise."""

from typing import Any

import click

from tfhashtag.cli.options import count
from tfhashtag.cli.output import emit, json_output, listed, thing
from tfhashtag.cli.paths import UserPath


@click.command("trending")
@click.argument("run", type=UserPath())
@click.option("--user", metavar="NAME", help="Only those that fit this user; models of users.")
@count("--k", 10, "How many.")
@click.option(
    "--days",
    type=click.FloatRange(0, min_open=True),
    help="How long now is, compared with the four times as long before. Default: a week, or a "
    "tenth of all time. Without times: posts.",
)
@count("--least", 3, "Least users now.")
@click.option(
    "--hash-users", type=UserPath(), metavar="KEYFILE", help="The key of an import that hashed."
)
@json_output(listed(thing("a hashtag with its uses now and before, ratio and interval")))
def command(run: Any, user: Any, k: Any, days: Any, least: Any, hash_users: Any) -> None:
    """Hashtags of RUN whose share of all uses has surely risen.

    Each with its uses now and before (in as long a time), the people who use it now, the smoothed
    ratio of the shares and the interval in which it lies with 95 %; what rises most surely first.

    \b
    Example:
      tfhashtag trending run --days 7 --user ann
    """
    from rich.console import Console

    from tfhashtag import door

    found = door.load(run, hash_users).trending(user, k=k, days=days, least=least)
    emit(found.rows)
    if len(found):
        Console().print(found)
    else:
        click.echo("nothing rises more than chance would have it")
