"""`tfhashtag forget`: posts are taken out of a corpus or a run."""

from typing import Any

import click

from tfhashtag.cli.output import emit, fields, json_output, listed, text, whole
from tfhashtag.cli.paths import UserPath


@click.command("forget")
@click.argument("folder", metavar="RUN|CORPUS", type=UserPath())
@click.option("--user", metavar="NAME", help="All posts of this user.")
@click.option("--post", metavar="ID", help="The post of this id.")
@click.option("--before", metavar="DATE", help="Everything before 2026-01-31, or a time, in UTC.")
@click.option("--keep", metavar="DAYS", help="Everything but the last so many days: 365d.")
@click.option(
    "--mentions", is_flag=True, help="With --user, posts of others with @NAME, or its hash, too."
)
@click.option(
    "--hash-users",
    metavar="KEYFILE",
    type=UserPath(),
    help="NAME is hashed with the key of the import first.",
)
@click.option(
    "--retrain",
    is_flag=True,
    help="Queue the training of RUN anew on what is left, so that the weights forget, too; `train "
    "--resume` begins it. May be given later, alone.",
)
@click.option(
    "--copies",
    is_flag=True,
    help="Also in what RUN gave away on this machine: exports are written anew and the old ones "
    "deleted (deleted alone where RUN waits for its training: nothing is served then), as are "
    "rankings and models that --track told. May be given later, alone.",
)
@json_output(
    fields(
        folder=text(),
        posts=whole("that are gone"),
        users=whole(),
        hashtags=whole(),
        removed=listed(text(), "files that may name people"),
        told=listed(text()),
    )
)
def command(folder: Any, **options: Any) -> None:
    """Takes posts out of texts, vectors, tables, states, logs and pages of a RUN or a CORPUS.

    A kill at any point leaves the folder whole, with the posts or without them. Rankings,
    explanations and checkpoints in RUN are removed. What was learned from the posts stays in the
    weights; --retrain queues their training anew, which the second command begins.

    \b
    Examples:
      tfhashtag forget run --user ann --copies --retrain
      tfhashtag train run/config.yaml --out run --resume
      tfhashtag forget corpus --keep 365d
    """
    from tfhashtag import door

    done = door.forget(folder, **options)
    names = ("posts", "users", "hashtags", "removed", "told")
    emit({"folder": str(folder), **{name: getattr(done, name) for name in names}})
    click.echo(
        f"{folder}: {done.posts:,} posts, {done.users:,} users and {done.hashtags:,} hashtags are "
        "gone"
    )
    if done.removed:
        click.echo(f"  removed, as it may name people: {', '.join(done.removed)}")
    for line in done.told:
        click.echo(f"  {line}")
