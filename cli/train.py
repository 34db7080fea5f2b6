"""`tfhashtag train`: from a configuration and a corpus to a run folder."""

from typing import Any

import click

from tfhashtag.cli.options import overriding, track_option
from tfhashtag.cli.output import emit, fields, flag, json_output, optional, text, thing, whole
from tfhashtag.cli.paths import ConfigPath, UserPath, command_line


@click.command("train")
@click.argument("config", type=ConfigPath())
@click.option("--data", type=UserPath(), help="Corpus folder; what is not encoded is encoded.")
@click.option("--out", type=UserPath(), required=True, help="Run folder to make.")
@overriding
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with the run in --out, or begin the training that `forget --retrain` queued.",
)
@click.option("--mixed-precision", is_flag=True, help="Compute in 16 bits where that is safe.")
@click.option("--xla", is_flag=True, help="Compile the training step with XLA.")
@click.option(
    "--strategy",
    type=click.Choice(["none", "mirrored", "multi_worker"]),
    default="none",
    help="Spread each batch over the local devices (mirrored), or over the processes that "
    "TF_CONFIG names (multi_worker): each is started with the same command on an encoded corpus, "
    "and the first alone writes.",
)
@click.option(
    "--worker-timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=300.0,
    metavar="SECONDS",
    help="How long to wait for the other workers at the start.",
)
@click.option(
    "--prepared", type=UserPath(), metavar="DIR", help="What `tfhashtag prepare` wrote for it."
)
@track_option
@json_output(
    fields(
        run=text("folder of the run"),
        model=text("its recommender"),
        complete=flag(),
        epochs=whole("lines of training.jsonl that are epochs"),
        last=optional(thing("figures of the last epoch")),
    )
)
@click.option("--quiet", is_flag=True, help="No progress bar.")
def command(
    config: Any,
    data: Any,
    out: Any,
    overrides: Any,
    resume: Any,
    track: Any,
    quiet: Any,
    **how: Any,
) -> None:
    """Trains CONFIG (a name such as `engagement`, or a YAML file) on a corpus.

    Ctrl-C ends cleanly; `--resume` goes on from the last checkpoint to the same result.

    \b
    Examples:
      tfhashtag train engagement --data corpus --out run --set training.epochs=2
      tfhashtag train engagement --out run --resume
    """
    import json

    from tfhashtag import door
    from tfhashtag.training.options import TrainingOptions

    if data is None and not resume:
        raise click.UsageError("--data is needed to start a run (only --resume knows it already).")
    options = TrainingOptions(progress=not quiet, **how)
    run = door.train(
        config, data, out, overrides=overrides, resume=resume, options=options, track=track
    )
    log = run.log_file.read_text(encoding="utf-8") if run.log_file.is_file() else ""
    lines = [json.loads(line) for line in log.splitlines()]
    epochs = [line for line in lines if "epoch" in line]
    emit(
        {
            "run": str(run.folder),
            "model": run.settings.model,
            "complete": run.complete,
            "epochs": len(epochs),
            "last": epochs[-1] if epochs else None,
        }
    )
    if run.complete:
        click.echo(f"{run.folder}: complete. Next: {command_line('eval', run.folder)}")
    else:
        click.echo(f"{run.folder}: trained along; the chief has written the run.")
