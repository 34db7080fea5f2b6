"""`tfhashtag encode`: embeds every distinct message of a corpus once."""

import click


@click.command("encode")
@click.argument("data", type=click.Path())
@click.option(
    "--text-encoder",
    required=True,
    metavar="E",
    help="minilm, a KerasHub preset, hf://owner/model, a TF-Hub handle or a folder.",
)
@click.option(
    "--batch-tokens",
    type=click.IntRange(min=1),
    default=4096,
    show_default=True,
    help="Most tokens in a batch; less takes less memory.",
)
@click.option("--quiet", is_flag=True, help="No progress bar.")
def command(data, text_encoder, batch_tokens, quiet):
    """Encodes the messages of the corpus folder DATA that this encoder has not encoded yet.

    Can be stopped at any time: the next call goes on.
    """
    from tfhashtag.data.store import read_corpus

    corpus = read_corpus(data)
    from tfhashtag.encoders import encode_corpus, load_text_encoder

    embeddings = encode_corpus(
        data,
        corpus,
        load_text_encoder(text_encoder),
        progress=not quiet,
        batch_tokens=batch_tokens,
    )
    rows, width = embeddings.vectors.shape
    click.echo(
        f"{embeddings.folder}: {rows} vectors of width {width} "
        f"({embeddings.encoded} encoded now, {embeddings.reused} there before)"
    )
