"""`tfhashtag encode`: embeds every distinct message and image of a corpus once."""

import click


@click.command("encode")
@click.argument("data", type=click.Path())
@click.option(
    "--text-encoder",
    metavar="E",
    help="minilm, a KerasHub preset, hf://owner/model, a TF-Hub handle or a folder.",
)
@click.option(
    "--image-encoder",
    metavar="E",
    help="resnet50, a KerasHub preset, hf://owner/model, a TF-Hub handle, a folder or a .keras "
    "file.",
)
@click.option(
    "--image-weights",
    metavar="W",
    help="File of weights for the image encoder; `random` for tests. Default: its own.",
)
@click.option(
    "--proposals",
    type=click.IntRange(min=1),
    default=9,
    show_default=True,
    help="Proposals of an image, a square number: 9 is a grid of 3 x 3.",
)
@click.option(
    "--batch-tokens",
    type=click.IntRange(min=1),
    default=4096,
    show_default=True,
    help="Most tokens in a batch; less takes less memory.",
)
@click.option("--quiet", is_flag=True, help="No progress bar.")
def command(data, text_encoder, image_encoder, image_weights, proposals, batch_tokens, quiet):
    """Encodes what these encoders have not encoded yet of the corpus folder DATA.

    A text encoder takes the messages and the names of the hashtags.

    At least one of --text-encoder and --image-encoder. Can be stopped at any time: the next call
    goes on.
    """
    if not text_encoder and not image_encoder:
        raise click.UsageError("give --text-encoder, --image-encoder or both.")
    if image_weights and not image_encoder:
        raise click.UsageError("--image-weights needs --image-encoder.")
    from tfhashtag.corpus.store import read_corpus

    corpus = read_corpus(data)
    if text_encoder:
        _encode_messages(data, corpus, text_encoder, batch_tokens, quiet)
    if image_encoder:
        _encode_images(data, corpus, image_encoder, image_weights, proposals, quiet)


def _encode_messages(data, corpus, text_encoder, batch_tokens, quiet):
    from tfhashtag.encoders import encode_corpus, encode_hashtags, load_text_encoder

    encoder = load_text_encoder(text_encoder)
    for what, encode in (("messages", encode_corpus), ("hashtags", encode_hashtags)):
        if not getattr(corpus, what):
            continue
        made = encode(data, corpus, encoder, progress=not quiet, batch_tokens=batch_tokens)
        rows, width = made.vectors.shape
        click.echo(
            f"{made.folder}: {rows} {what}, vectors of width {width} "
            f"({made.encoded} encoded now, {made.reused} there before)"
        )


def _encode_images(data, corpus, image_encoder, image_weights, proposals, quiet):
    from tfhashtag.encoders import encode_images, load_image_encoder

    encoder = load_image_encoder(image_encoder, image_weights, proposals)
    made = encode_images(data, corpus, encoder, progress=not quiet)
    rows, _, width = made.vectors.shape
    click.echo(
        f"{made.folder}: {rows} images with {proposals} proposals of width {width} "
        f"({made.encoded} encoded now, {made.reused} there before)"
    )
    if made.broken:
        shown = ", ".join(made.broken[:5]) + (", ..." if len(made.broken) > 5 else "")
        click.echo(
            f"  cannot be decoded and count as no image: {len(made.broken)} ({shown})", err=True
        )
