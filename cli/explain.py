"""`tfhashtag explain`: what a trained model looked at, and what carried its scores."""

import pathlib
from typing import Any

import click

from tfhashtag.cli.output import emit, fields, json_output, listed, text, thing
from tfhashtag.cli.paths import UserPath
from tfhashtag.cli.progress import counting


@click.command("explain")
@click.argument("run", type=UserPath())
@click.option("--post", metavar="POST_ID", help="Models of posts: a post of the run's corpus.")
@click.option("--user", help="Models of users: a user of the run's corpus.")
@click.option("--hashtag", help="Models of users: the hashtag to explain for the user.")
@click.option(
    "--out",
    required=True,
    type=UserPath(path_type=pathlib.Path),
    metavar="FOLDER|FILE",
    help="Folder of explanation.html, explanation.json and the figures; or one file of its "
    "numbers and texts as rows: .jsonl, .csv or .parquet.",
)
@click.option("--k", type=click.IntRange(1), help="Models of posts: how many hashtags; default 9.")
@click.option(
    "--data",
    type=UserPath(exists=True, file_okay=False, path_type=pathlib.Path),
    help="Models of posts: the corpus folder, whose picture is shown beneath its regions.",
)
@click.option(
    "--split",
    type=click.Choice(["now", "valid", "test"]),
    help="Models of users: the moment: as `recommend` (now, the default), or of an evaluation.",
)
@json_output(
    fields(
        files=listed(text(), "that were written"),
        explanation=fields(
            title=text("what is explained"),
            facts=listed(text(), "sentences"),
            about=thing("the same for programs"),
            panels=listed(thing("kind, key, title and what it shows")),
        ),
    )
)
def command(
    run: Any, post: Any, user: Any, hashtag: Any, out: Any, k: Any, data: Any, split: Any
) -> None:
    """Explains scores of the trained RUN: heat maps of attention, and the parts of each score.

    With a model of posts give --post; with a model of users --user and --hashtag.

    \b
    Examples:
      tfhashtag explain run --user ann --hashtag coffee --out why
      tfhashtag explain posts --post 17 --out why.csv
    """
    from tfhashtag import door
    from tfhashtag.files import check_new_folder

    as_rows = out.suffix in (".jsonl", ".csv", ".parquet")
    if out.suffix in (".html", ".json", ".png"):
        raise click.UsageError(
            f"--out {out}: expected a folder, which gets explanation.html and the figures, or a "
            "file of rows that ends in .jsonl, .csv or .parquet."
        )
    if not as_rows:
        check_new_folder(out)
    opened = door.load(run)
    kind = f"{run} is a model of {opened.task.name} ({opened.settings.model})"
    if opened.task.name == "posts":
        if post is None or user or hashtag or split:
            raise click.UsageError(
                f"{kind}: give --post, and neither --user, --hashtag nor --split."
            )
        asked = {"post": post, "k": 9 if k is None else k, "pictures": data}
    else:
        if post is not None or k is not None or data or user is None or hashtag is None:
            raise click.UsageError(
                f"{kind}: give --user and --hashtag, and neither --post, --k nor --data."
            )
        asked = {"user": user, "hashtag": hashtag, "split": split or "now"}
    with counting(f"explaining with {run}"):
        found = opened.explain(**asked)
        paths = [found.write_rows(out)] if as_rows else found.write(out)
    emit({"files": [str(path) for path in paths], "explanation": found.to_json()})
    if len(paths) == 1:
        click.echo(f"{paths[0]}: {len(found.rows()):,} rows")
        return
    click.echo(f"{paths[0]}, {', '.join(path.name for path in paths[1:])} beside it")
