"""Experts for kinds of content: PHR with and without, on made posts and on posts with pictures.

    python benchmarks/phr_experts.py made WORK [--seeds 3] [--split valid]
    python benchmarks/phr_experts.py cmkp WORK --posts posts.jsonl

`made`: half of the posts are led by their picture, whose hashtags they have, and show words of any
theme; half by their text, with a picture of any theme. Which half a post is of stands in its first
word. `cmkp`: see `phr_cmkp.py`. WORK keeps corpus and runs; what is there is not made again.
"""

import dataclasses
import pathlib

import click
import numpy as np
from phr_cmkp import METRICS, NETWORK, SYSTEMS, corpus_folder, trained

import tfhashtag as th
from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.corpus.store import read_corpus, write_corpus
from tfhashtag.corpus.synthetic_posts import SOURCES, synthetic_posts
from tfhashtag.encoders import encode_images, load_image_encoder
from tfhashtag.evaluation.post_metrics import post_averages
from tfhashtag.tasks.posts.labels import PostLabels

EXPERTS = (0, 4)
MADE = (
    "image_encoder=pixels", "data.visual_share=0.5", "network.sides=[visual, textual]",
    "network.residual=false", "network.dropout=0.3", "training.epochs=30", "training.patience=8",
)  # fmt: skip


def made_folder(work: pathlib.Path) -> pathlib.Path:
    """Picture-led and text-led posts, encoded."""
    folder = work / "corpus"
    if folder.is_dir():
        return folder
    made = synthetic_posts(
        2400, 100, 0, picture=2, text=2, habit=0, similar=0, noise=0.2, picture_size=24,
        without_picture=0, without_text=0, newcomers=0,
    )  # fmt: skip
    write_corpus(led(made.corpus, made.sources), folder, made.pictures)
    corpus = read_corpus(folder)
    th.encode(corpus, "minilm", progress=False)
    encode_images(folder, corpus, load_image_encoder("pixels", proposals=9), progress=False)
    return folder


def led(corpus: Corpus, sources: np.ndarray) -> Corpus:
    """The posts with the hashtags of one of both alone, and a first word that says which."""
    by_picture = np.random.default_rng(0).random(len(corpus)) < 0.5
    posts, tags = corpus.taggings()
    other = np.where(by_picture[posts], SOURCES.index("text"), SOURCES.index("picture"))
    kept = sources != other
    words = np.where(by_picture, "look", "read")
    texts = [
        f"{word} {corpus.messages[message]}"
        for word, message in zip(words, corpus.message_of_post, strict=True)
    ]
    messages = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    counts = np.bincount(posts[kept], minlength=len(corpus))
    return dataclasses.replace(
        corpus,
        messages=list(messages),
        message_of_post=np.array([messages[text] for text in texts], np.int32),
        hashtag_values=tags[kept],
        hashtag_offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
    )


@click.command()
@click.argument("data", type=click.Choice(["made", "cmkp"]))
@click.argument("work", type=click.Path(file_okay=False, path_type=pathlib.Path))
@click.option("--posts", type=click.Path(exists=True, dir_okay=False, path_type=pathlib.Path))
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1))
@click.option("--split", type=click.Choice(["valid", "test"]), default="valid", show_default=True)
def main(data, work, posts, seeds, split):
    """Prints mean and deviation over seeds as a Markdown table, a row a number of experts."""
    work.mkdir(parents=True, exist_ok=True)
    if data == "made":
        folder, switches = made_folder(work), MADE
    else:
        folder = corpus_folder(posts, work)
        switches = (*NETWORK["true"], *SYSTEMS["text + image"], "network.proposals=5")
    corpus = read_corpus(folder)
    labels = PostLabels.of_corpus(corpus, 5)
    asked = labels.answerable(np.flatnonzero(corpus.split_of_post == Split[split.upper()]))
    click.echo(f"{len(corpus):,} posts, {len(labels)} labels, {len(asked)} asked ({split})\n")
    click.echo("| experts | " + " | ".join(METRICS) + " |\n" + "|---" * (len(METRICS) + 1) + "|")
    for experts in EXPERTS:
        runs = []
        for seed in range(seeds):
            chosen = (*switches, f"network.experts={experts}", f"seed={seed}")
            run = trained(folder, work / f"experts-{experts}-{seed}", {split: asked}, chosen)
            runs.append(post_averages(run[split]))
        cells = [
            f"{np.mean([run[name] for run in runs]):.4f} ± "
            f"{np.std([run[name] for run in runs], ddof=min(1, seeds - 1)):.4f}"
            for name in METRICS
        ]
        click.echo(f"| {experts} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
