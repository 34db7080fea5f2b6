"""`tfhashtag explain`: what a trained model looked at, and what carried its scores."""

import pathlib

import click


@click.command("explain")
@click.argument("run")
@click.option("--post", metavar="POST_ID", help="Models of posts: a post of the run's corpus.")
@click.option("--user", help="Engagement models: a user of the run's corpus.")
@click.option("--hashtag", help="Engagement models: the hashtag to explain for the user.")
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=pathlib.Path),
    help="Folder of explanation.html, explanation.json and the figures.",
)
@click.option("--k", type=click.IntRange(1), help="Models of posts: how many hashtags; default 9.")
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=pathlib.Path),
    help="Models of posts: the corpus folder, whose picture is shown beneath its regions.",
)
@click.option(
    "--split",
    type=click.Choice(["valid", "test"]),
    help="Engagement models: the moment of which evaluation; default test.",
)
def command(run, post, user, hashtag, out, k, data, split):
    """Explains scores of the trained RUN: heat maps of attention, and the parts of each score.

    With a model of posts give --post; with an engagement model --user and --hashtag.
    """
    from tfhashtag.explain.figures import check_plots
    from tfhashtag.explain.write import write_explanation
    from tfhashtag.recommenders.post_settings import PostSettings
    from tfhashtag.runs.run import Run

    check_plots()
    opened = Run.open(run)
    if isinstance(opened.settings, PostSettings):
        if post is None or user or hashtag or split:
            raise click.UsageError(
                f"{run} is a model of posts ({opened.settings.model}): give --post, and neither "
                "--user, --hashtag nor --split."
            )
        from tfhashtag.recommenders.phr.explanation import explain_post

        found = explain_post(run, post, 9 if k is None else k, data)
    else:
        if post is not None or k is not None or data or user is None or hashtag is None:
            raise click.UsageError(
                f"{run} is a model of users ({opened.settings.model}): give --user and --hashtag, "
                "and neither --post, --k nor --data."
            )
        found = _for_pair(opened, user, hashtag, split or "test")
    paths = write_explanation(found, out)
    click.echo(f"{paths[0]}, {', '.join(path.name for path in paths[1:])} beside it")


def _for_pair(opened, user, hashtag, split):
    if opened.settings.model == "audience":
        from tfhashtag.recommenders.audience.explanation import explain_audience

        return explain_audience(opened.folder, user, hashtag, split)
    from tfhashtag.recommenders.engagement.explanation import explain_engagement

    return explain_engagement(opened.folder, user, hashtag, split)
