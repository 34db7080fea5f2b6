"""`tfhashtag train`: from a configuration and a corpus to a run folder."""

from typing import Any

import click

from tfhashtag.cli.paths import UserPath
from tfhashtag.cli.track import track_option


@click.command("train")
@click.argument("config", type=UserPath())
@click.option("--data", type=UserPath(), help="Corpus folder; what is not encoded is encoded.")
@click.option("--out", type=UserPath(), required=True, help="Run folder to make.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a setting.")
@click.option("--resume", is_flag=True, help="Go on with the run in --out.")
@click.option("--mixed-precision", is_flag=True, help="Compute in 16 bits where that is safe.")
@click.option("--xla", is_flag=True, help="Compile the training step with XLA.")
@click.option(
    "--strategy",
    type=click.Choice(["none", "mirrored"]),
    default="none",
    show_default=True,
    help="Spread each batch over the local devices.",
)
@track_option
@click.option("--quiet", is_flag=True, help="No progress bar.")
def command(
    config: Any,
    data: Any,
    out: Any,
    overrides: Any,
    resume: Any,
    mixed_precision: Any,
    xla: Any,
    strategy: Any,
    track: Any,
    quiet: Any,
) -> None:
    """Trains CONFIG (a name such as `engagement`, or a YAML file) on a corpus.

    Ctrl-C ends cleanly; `--resume` goes on from the last checkpoint to the same result.
    """
    from tfhashtag import door
    from tfhashtag.training.options import TrainingOptions

    if data is None and not resume:
        raise click.UsageError("--data is needed to start a run (only --resume knows it already).")
    options = TrainingOptions(
        mixed_precision=mixed_precision, xla=xla, strategy=strategy, progress=not quiet
    )
    run = door.train(
        config, data, out, overrides=overrides, resume=resume, options=options, track=track
    )
    click.echo(f"{run.folder}: complete. Next: tfhashtag eval {run.folder}")
