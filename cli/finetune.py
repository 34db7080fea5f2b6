"""`tfhashtag finetune`: trains a text encoder on, on the texts and hashtags of a corpus."""

from typing import Any

import click

from tfhashtag.cli.options import count
from tfhashtag.cli.output import emit, fields, json_output, number, text
from tfhashtag.cli.paths import UserPath


@click.command("finetune")
@click.argument("data", type=UserPath())
@click.option("--out", type=UserPath(), required=True, help="Folder to make, a text encoder.")
@click.option(
    "--text-encoder",
    default="minilm",
    metavar="E",
    help="minilm, mpnet, a KerasHub preset, hf://owner/model or a folder of a checkpoint.",
)
@click.option("--epochs", type=click.IntRange(1), default=2)
@count("--batch", 64, "Pairs a step; each has the others as negatives.", least=2)
@click.option("--learning-rate", type=float, default=2e-5)
@click.option("--temperature", type=float, default=0.05)
@click.option(
    "--names",
    type=click.FloatRange(0, 1),
    default=0.2,
    help="Share of pairs of a text with its hashtag's name, in place of another text.",
)
@click.option("--seed", type=click.IntRange(0), default=0)
@click.option("--resume", is_flag=True, help="Go on with what was stopped.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
@json_output(
    fields(
        encoder=text("folder"),
        before=number("share of valid pairs that are right"),
        after=number(),
    )
)
def command(data: Any, out: Any, text_encoder: Any, resume: Any, quiet: Any, **how: Any) -> None:
    """Trains a text encoder on, so that texts of a hashtag of the corpus DATA lie together.

    OUT stands for a text encoder everywhere. What is best is chosen on valid posts; test posts are
    not looked at.

    \b
    Example:
      tfhashtag finetune corpus --out tuned
      tfhashtag encode corpus --text-encoder tuned
    """
    from tfhashtag import door

    found = door.finetune(data, out, text_encoder, progress=not quiet, resume=resume, **how)
    emit({"encoder": str(out), "before": found["before"], "after": found["after"]})
    click.echo(
        f"{out}: right of the valid pairs {found['before']:.4f} before, {found['after']:.4f} after"
    )
