"""`tfhashtag trending`: hashtags that rise."""

from typing import Any

import click

from tfhashtag.cli.paths import UserPath


@click.command("trending")
@click.argument("run", type=UserPath())
@click.option("--user", metavar="NAME", help="Only those that fit this user; models of users.")
@click.option("--k", default=10, show_default=True, type=click.IntRange(1), help="How many.")
@click.option(
    "--days",
    type=click.FloatRange(0, min_open=True),
    help="How long now is, compared with the four times as long before. Default: a week, or a "
    "tenth of all time. Without times: posts.",
)
@click.option(
    "--least", default=3, show_default=True, type=click.IntRange(1), help="Least users now."
)
@click.option(
    "--hash-users", type=UserPath(), metavar="KEYFILE", help="The key of an import that hashed."
)
@click.option("--json", "as_json", is_flag=True, help="A JSON list of objects instead of a table.")
def command(
    run: Any, user: Any, k: Any, days: Any, least: Any, hash_users: Any, as_json: Any
) -> None:
    """Hashtags of RUN whose share of all uses has surely risen.

    Each with its uses now and before (in as long a time), the people who use it now, the smoothed
    ratio of the shares and the interval in which it lies with 95 %; what rises most surely first.
    """
    import json

    from rich.console import Console

    from tfhashtag import door

    found = door.load(run, hash_users).trending(user, k=k, days=days, least=least)
    if as_json:
        click.echo(json.dumps(found.rows, ensure_ascii=False))
    elif len(found):
        Console().print(found)
    else:
        click.echo("nothing rises more than chance would have it")
