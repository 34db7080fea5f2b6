"""`tfhashtag encode`: embeds every distinct message and image of a corpus once."""

from typing import Any

import click

from tfhashtag.cli.engine import engine_options
from tfhashtag.cli.options import count
from tfhashtag.cli.output import emit, fields, json_output, listed, text
from tfhashtag.cli.paths import UserPath


@click.command("encode")
@click.argument("data", type=UserPath())
@click.option(
    "--text-encoder",
    metavar="E",
    help="minilm, a KerasHub preset, hf://owner/model, a TF-Hub handle or a folder.",
)
@click.option(
    "--image-encoder",
    metavar="E",
    help="auto (efficientnet-lite0, which needs no hub), resnet50, a KerasHub preset, "
    "hf://owner/model, a TF-Hub handle, a folder or a .keras file.",
)
@click.option(
    "--image-weights",
    metavar="W",
    help="File of weights for the image encoder; `random` for tests. Default: its own.",
)
@count("--proposals", 9, "Proposals of an image, a square number: 9 is a grid of 3 x 3.")
@count("--batch-tokens", 4096, "Most tokens in a batch; less takes less memory.")
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float16", "int8"]),
    help="What the vectors of texts are kept in; int8 has a scale a vector. Default: what they "
    "are kept in already, or float32.",
)
@click.option("--quiet", is_flag=True, help="No progress bar.")
@engine_options
@json_output(fields(corpus=text("its folder"), told=listed(text(), "a line a table, and oddities")))
def command(
    data: Any, text_encoder: Any, image_encoder: Any, quiet: Any, where: Any, **how: Any
) -> None:
    """Encodes what these encoders have not encoded yet of the corpus folder DATA.

    A text encoder takes the messages and the names of the hashtags.

    At least one of --text-encoder and --image-encoder. Can be stopped at any time: the next call
    goes on.

    \b
    Examples:
      tfhashtag encode corpus --text-encoder minilm
      tfhashtag encode corpus --image-encoder auto --proposals 16
    """
    if not text_encoder and not image_encoder:
        raise click.UsageError("give --text-encoder, --image-encoder or both.")
    if how["image_weights"] and not image_encoder:
        raise click.UsageError("--image-weights needs --image-encoder.")
    from tfhashtag import door

    told: list[str] = []

    def tell(line: str) -> None:
        told.append(line.strip())
        click.echo(line, err=line.startswith("  "))

    door.encode(data, text_encoder, image_encoder, progress=not quiet, tell=tell, **how, **where)
    emit({"corpus": str(data), "told": told})
