"""`tfhashtag recommend`: the catalogue ranked for one user."""

import click


@click.command("recommend")
@click.argument("run")
@click.option("--user", help="A user of the corpus.")
@click.option(
    "--history",
    multiple=True,
    metavar="TEXT",
    help="A message of the user, oldest first; may carry its #hashtags. Repeat for more.",
)
@click.option("--k", default=10, show_default=True, type=click.IntRange(1), help="How many.")
@click.option("--new-only", is_flag=True, help="Leave out hashtags that the history holds.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def command(run, user, history, k, new_only, as_json):
    """Ranks the hashtags of RUN's corpus for a user of the corpus or for a given history."""
    import json

    if (user is None) == (not history):
        raise click.UsageError("Give either --user or at least one --history.")

    from tfhashtag.export.engagement import recommend

    ranked = recommend(run, user=user, history=list(history) or None, k=k, new_only=new_only)
    if as_json:
        click.echo(json.dumps(ranked, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"Hashtags for {user}" if user else "Hashtags for the given history")
    table.add_column("rank", justify="right")
    table.add_column("hashtag")
    table.add_column("score", justify="right")
    for rank, row in enumerate(ranked, 1):
        table.add_row(str(rank), f"#{row['hashtag']}", f"{row['score']:.4f}")
    Console().print(table)
