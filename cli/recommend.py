"""`tfhashtag recommend`: hashtags ranked for one user or post, or for a file of them."""

import functools
from typing import Any

import click

from tfhashtag.cli.engine import engine_options
from tfhashtag.cli.options import count
from tfhashtag.cli.output import emit, fields, json_output, listed, number, text, whole
from tfhashtag.cli.paths import UserPath
from tfhashtag.cli.progress import counting


@click.command("recommend")
@click.argument("run", type=UserPath())
@click.option("--user", help="A user of the corpus; with a model of posts, who posts.")
@click.option(
    "--history",
    multiple=True,
    metavar="TEXT",
    help="A message of the user, oldest first; may carry its #hashtags. Repeat for more.",
)
@click.option("--text", help="Models of posts: the post's text, without its hashtags.")
@click.option(
    "--image",
    type=UserPath(exists=True, dir_okay=False),
    multiple=True,
    help="Models of posts: file of a picture or clip of the post. Repeat for more.",
)
@click.option(
    "--queries",
    type=UserPath(),
    metavar="FILE",
    help="Many at once: .jsonl, .csv or .parquet with the fields user, history (a list) or text, "
    "image (a path or a list), audio_text, user, and id.",
)
@click.option(
    "--out", type=UserPath(), metavar="FILE", help="With --queries: .jsonl, .csv or .parquet."
)
@click.option(
    "--hash-users",
    type=UserPath(),
    metavar="KEYFILE",
    help="The key of an import that hashed its users; they are named as they are called.",
)
@count("--k", 10, "How many.")
@click.option("--new-only", is_flag=True, help="Leave out hashtags that the history holds.")
@click.option(
    "--reach",
    default=0.0,
    type=click.FloatRange(0, 1),
    help="Weight of expected reach against fit, for runs whose posts carry outcomes.",
)
@engine_options
@json_output(
    {
        "anyOf": [
            listed(fields(hashtag=text(), score=number("the higher the better")), "best first"),
            listed(
                fields(
                    hashtag=text(),
                    score=number("of fit and reach together"),
                    fit=number("probability that it is right"),
                    reach=number("times the author's usual"),
                ),
                "with --reach",
            ),
            fields(file=text("that --out named"), queries=whole("how many were answered")),
        ]
    }
)
def command(
    run: Any, queries: Any, out: Any, hash_users: Any, k: Any, reach: Any, where: Any, **asked: Any
) -> None:
    """Ranks the hashtags of RUN's corpus.

    With a model of users for a user of the corpus or for a given history; with a model of posts
    for a post: its --text, its --image or both, and its --user if the corpus knows them. With
    --queries for every row of a file, one after the other, or on the executors of Spark. With
    --reach hashtags that reach more people come further up, see `tfhashtag reach`.

    \b
    Examples:
      tfhashtag recommend run --user ann --k 5
      tfhashtag recommend run --history 'flat white #coffee' --history 'library day'
      tfhashtag recommend run --queries questions.jsonl --out answers.csv
    """
    if where["engine"] != "local" and not queries:
        raise click.UsageError("--engine spark answers --queries FILE.")
    from tfhashtag import door

    opened = door.load(run, hash_users)
    if queries or out:
        if not (queries and out) or any(asked.values()):
            raise click.UsageError(
                "--queries FILE and --out FILE belong together, and stand alone."
            )
        with counting("recommend", "queries") as moved:
            seen = functools.partial(moved, "recommend")
            count = door.recommend(opened, queries, out, k, reach=reach, moved=seen, **where)
        emit({"file": str(out), "queries": count})
        click.echo(f"{out}: hashtags for {count:,} queries")
        return
    _check(opened, **asked)
    lists = {name: list(asked[name]) or None for name in ("history", "image")}
    with counting(f"asking {run}"):
        found = opened.recommend(**{**asked, **lists}, k=k, reach=reach)
    emit([{name: value for name, value in row.items() if name != "rank"} for row in found])
    from rich.console import Console

    Console().print(found)


def _check(run: Any, user: Any, history: Any, text: Any, image: Any, new_only: Any) -> None:
    """What does not belong to the run's task is wrong usage."""
    of_posts = run.task.name == "posts"
    if of_posts and (history or new_only):
        raise click.UsageError(
            f"--history and --new-only are for models of users; {run.folder} is of model "
            f"{run.settings.model}. Give --text, --image or both, and --user."
        )
    if of_posts and text is None and not image:
        raise click.UsageError("Give the post's --text, its --image or both.")
    if not of_posts and (text is not None or image):
        raise click.UsageError(
            f"--text and --image are for models of posts; {run.folder} is of model "
            f"{run.settings.model}. Give --user or --history."
        )
    if not of_posts and (user is None) == (not history):
        raise click.UsageError("Give either --user or at least one --history.")
