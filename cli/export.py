"""`tfhashtag export`: a trained model as the next version of a SavedModel."""

import click


@click.command("export")
@click.argument("run")
@click.option("--out", required=True, type=click.Path(), help="Model folder, e.g. MODELS/NAME.")
@click.option(
    "--k", default=50, show_default=True, type=click.IntRange(1), help="Hashtags in an answer."
)
@click.option("--check/--no-check", default=True, help="Load and run it in a bare process.")
def command(run, out, k, check):
    """Writes RUN as the next free version folder under --out, whole or not at all."""
    from tfhashtag.settings import PostSettings
    from tfhashtag.training.run import Run

    if isinstance(Run.open(run).settings, PostSettings):
        from tfhashtag.export.posts import export_posts as export
    else:
        from tfhashtag.export.engagement import export_engagement as export
    click.echo(str(export(run, out, k=k, check=check)))
