"""`tfhashtag update`: new posts for a run, without training."""

from typing import Any

import click

from tfhashtag.cli.data import given_of, reading
from tfhashtag.cli.options import count, track_option
from tfhashtag.cli.output import emit, fields, json_output, optional, text, thing, whole
from tfhashtag.cli.paths import UserPath
from tfhashtag.cli.progress import counting


@click.command("update")
@click.argument("run", type=UserPath())
@click.option(
    "--posts",
    required=True,
    metavar="PATH",
    type=UserPath(),
    help="The new posts: a file, a folder or a pattern, as of `data import`.",
)
@click.option("--format", "format", metavar="FORMAT", help="Default: recognised.")
@click.option(
    "--export",
    type=UserPath(),
    metavar="MODELS/NAME",
    help="Afterwards write the next version there, which a running `serve` takes up.",
)
@count(
    "--keep-states",
    3,
    "Earlier states that stay for `rollback`, besides that of the training.",
    least=0,
)
@click.option(
    "--train", is_flag=True, help="Go on training from the weights, on new posts and some old ones."
)
@click.option(
    "--answers", is_flag=True, help="Build what answers `recommend`; else its first call does."
)
@track_option
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--skip-bad", is_flag=True, help="Count and report bad posts instead of stopping.")
@reading
@json_output(
    fields(
        run=text(),
        state=whole("number of the update"),
        posts=whole(),
        users=whole("new ones"),
        hashtags=whole("new ones"),
        encoded=whole("texts and names"),
        figures=optional(thing("of the posts, ranked before they came in")),
        trained=optional(thing("lists of new and old posts, and seconds")),
        version=optional(text("that was exported")),
    )
)
def command(
    run: Any,
    posts: Any,
    export: Any,
    train: Any,
    keep_states: Any,
    answers: Any,
    track: Any,
    quiet: Any,
    **options: Any,
) -> None:
    """Takes new posts into RUN: users, hashtags, tables and counts.

    The weights stay, or with --train go on from where they are.

    Only what is new is encoded. The posts are first ranked as a test set; `tfhashtag status` shows
    these figures over time. Posts whose id is there already are left out. A kill at any point
    leaves RUN as it was.

    \b
    Example:
      tfhashtag update run --posts today.jsonl --export models/engagement
    """
    from tfhashtag import door

    with counting(f"opening {run}", "posts", lines=True, quiet=quiet) as moved:
        done = door.load(run).update(
            posts,
            export=export,
            train=train,
            keep_states=keep_states,
            keep_answers=answers,
            track=track,
            step=moved,
            tell=lambda line: click.echo(line, err=True),
            **given_of({**options, "moved": moved}),
        )
    emit(
        {
            "run": str(run),
            "state": done.state,
            "posts": done.posts,
            "users": done.users,
            "hashtags": done.hashtags,
            "encoded": done.encoded,
            "figures": done.figures or None,
            "trained": done.trained,
            "version": str(done.version) if done.version else None,
        }
    )
    click.echo(
        f"{run}: state {done.state}, {done.posts:,} posts, {done.users:,} new users, "
        f"{done.hashtags:,} new hashtags, {done.encoded:,} encoded"
    )
    if done.figures:
        found = done.figures
        click.echo(
            f"ranked before they came in: {found['metric']} {found['value']:.4f} ± "
            f"{1.96 * found['error']:.4f} of {found['queries']:,}, popularity "
            f"{found['popular']:.4f}"
        )
    if done.trained:
        found = done.trained
        told = f"trained on {found['new']:,} lists of new posts and {found['old']:,} of old ones"
        click.echo(f"{told} in {found['seconds']} s" if found["new"] else "nothing new to train on")
    if done.version:
        click.echo(str(done.version))
