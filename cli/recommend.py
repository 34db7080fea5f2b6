"""`tfhashtag recommend`: hashtags ranked for one user, or for one post."""

import pathlib

import click


@click.command("recommend")
@click.argument("run")
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
    type=click.Path(exists=True, dir_okay=False, path_type=pathlib.Path),
    help="Models of posts: file of the post's picture.",
)
@click.option("--k", default=10, show_default=True, type=click.IntRange(1), help="How many.")
@click.option("--new-only", is_flag=True, help="Leave out hashtags that the history holds.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def command(run, user, history, text, image, k, new_only, as_json):
    """Ranks the hashtags of RUN's corpus.

    With an engagement model for a user of the corpus or for a given history; with a model of posts
    for a post: its --text, its --image or both, and its --user if the corpus knows them.
    """
    import json

    from tfhashtag.recommenders.post_settings import PostSettings
    from tfhashtag.runs.run import Run

    settings = Run.open(run).settings
    if isinstance(settings, PostSettings):
        ranked = _for_post(run, settings.model, user, history, text, image, k, new_only)
        title = "Hashtags for the post"
    else:
        ranked = _for_user(run, settings, user, history, text, image, k, new_only)
        title = f"Hashtags for {user}" if user else "Hashtags for the given history"
    if as_json:
        click.echo(json.dumps(ranked, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title)
    table.add_column("rank", justify="right")
    table.add_column("hashtag")
    table.add_column("score", justify="right")
    for rank, row in enumerate(ranked, 1):
        table.add_row(str(rank), f"#{row['hashtag']}", f"{row['score']:.4f}")
    Console().print(table)


def _for_user(run, settings, user, history, text, image, k, new_only):
    from tfhashtag.errors import ConfigError
    from tfhashtag.recommenders.audience.settings import AudienceSettings
    from tfhashtag.recommenders.engagement.settings import EngagementSettings

    if not isinstance(settings, AudienceSettings | EngagementSettings):
        raise ConfigError(
            f"{run}: is of model {settings.model}, which ranks the lists of an evaluation alone "
            "(`tfhashtag eval`). To recommend, give a run of `engagement`, `engagement_paper` or a "
            "model of posts."
        )
    if text is not None or image is not None:
        raise click.UsageError(
            f"--text and --image are for models of posts; {run} is of model {settings.model}. Give "
            "--user or --history."
        )
    if (user is None) == (not history):
        raise click.UsageError("Give either --user or at least one --history.")
    from tfhashtag.runs.recommend import recommend

    return recommend(run, user=user, history=list(history) or None, k=k, new_only=new_only or None)


def _for_post(run, model, user, history, text, image, k, new_only):
    if history or new_only:
        raise click.UsageError(
            f"--history and --new-only are for engagement models; {run} is of model {model}. Give "
            "--text, --image or both, and --user."
        )
    if text is None and image is None:
        raise click.UsageError("Give the post's --text, its --image or both.")
    from tfhashtag.runs.recommend import recommend

    content = None if image is None else image.read_bytes()
    return recommend(run, text=text or "", image=content, user=user, k=k)
