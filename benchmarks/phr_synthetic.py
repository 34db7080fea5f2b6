"""Made posts: does each part of PHR do what the thesis says it does?

    python benchmarks/phr_synthetic.py WORK [--seeds 3] [--posts 2000] [--signals picture,text]
        [--set network.residual=true --name counts]
        [--set network.label_vectors=true --name vectors]

Every hashtag of a made post has a known source: the picture, the text, the user's habit, similar
posts by others, or noise. First table, all signals on: F1@9 of PHR and its variants, and the share
of the hashtags of each source that is among the nine best. Second table: each signal is switched
off in the data, which leaves all else as it is; the advantage of PHR over the variant without the
part that reads it, with the signal and without. Expected: an advantage with it, none without.

The thesis's own model has no way from the hashtags of habit and similar posts to a label: counts
(`network.residual`) or vectors of hashtags (`network.label_vectors`) give it one.

Pictures are encoded by `pixels`, texts by a bag of words that the script makes, so nothing is
downloaded. WORK keeps corpora and runs; what is there is not made again.
"""

import pathlib

import click
import numpy as np
import rich.console
import tensorflow as tf

from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.store import read_corpus
from tfhashtag.corpus.synthetic_posts import (
    SOURCES,
    read_truth,
    synthetic_posts,
    write_synthetic_posts,
)
from tfhashtag.encoders import encode_corpus, encode_images, load_image_encoder, load_text_encoder
from tfhashtag.evaluation.post_metrics import evaluate_posts, rank_labels
from tfhashtag.runs.train import train
from tfhashtag.tasks.posts.labels import PostLabels
from tfhashtag.training.options import TrainingOptions

CUTOFF = 9
PROPOSALS = 4
WIDTH = 128  # of the bag of words
_BUCKETS = 65_536
HASHTAGS = {"picture": 2.0, "text": 2.0, "habit": 2.0, "similar": 2.0, "noise": 0.25}  # of a post
NETWORK = (
    "image_encoder=pixels",
    f"network.proposals={PROPOSALS}",
    "network.features=32",
    "network.projection=64",
    "network.slots=4",
    "network.heads=2",
    "network.text=encoder",
    "network.hidden=128",
    "network.dropout=0.3",
    "network.activation=relu",
    "data.words=12",
    "data.visual_share=0.1",
    "data.vocabulary_size=500",
    "data.oov_buckets=1",
    "training.optimizer=adam",
    "training.learning_rate=0.004",
    "training.batch_posts=64",
    "training.epochs=14",
    "training.patience=3",
)
VARIANTS = {
    "PHR": (),
    "PHR-V": ("network.sides=[textual, own, others]",),
    "PHR-T": ("network.sides=[visual, own, others]",),
    "PHR-U": ("network.sides=[visual, textual, others]",),
    "PHR-O": ("network.sides=[visual, textual, own]",),
    "PHR-MN": ("network.memory=false",),
    "PHR-PTA": ("network.post_tag_attention=false",),
    "PHR-SCA": ("network.pairing=none",),
    "PHR-TR": ("network.relations=[visual]",),
    "PHR-VR": ("network.relations=[textual]",),
}
# The variant that lacks the part that reads a signal.
LACKING = {"picture": "PHR-V", "text": "PHR-T", "habit": "PHR-U", "similar": "PHR-O"}


def bag_of_words(folder: pathlib.Path) -> pathlib.Path:
    """A SavedModel from strings to sums of random word vectors, the same every time."""
    if not folder.is_dir():
        table = np.random.default_rng(0).normal(size=(_BUCKETS, WIDTH)) / WIDTH**0.5
        module = tf.Module()
        module.table = tf.Variable(table.astype(np.float32), trainable=False)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def encode(texts):
            plain = tf.strings.regex_replace(tf.strings.lower(texts), "[^a-z0-9]+", " ")
            words = tf.strings.split(plain)
            rows = tf.ragged.map_flat_values(tf.strings.to_hash_bucket_fast, words, _BUCKETS)
            vectors = tf.ragged.map_flat_values(lambda row: tf.gather(module.table, row), rows)
            return tf.ensure_shape(tf.reduce_sum(vectors, axis=1), [None, WIDTH])

        module.__call__ = encode
        tf.saved_model.save(module, str(folder), signatures={"serving_default": encode})
    return folder


def corpus_folder(work: pathlib.Path, posts: int, seed: int, off: str) -> pathlib.Path:
    """A made and encoded corpus; `off` names the signal that it lacks, or is "none"."""
    folder = work / f"corpus-{posts}-{seed}-{off}"
    encoder = bag_of_words(work / "bag-of-words")
    if not folder.is_dir():
        strengths = HASHTAGS if off == "none" else HASHTAGS | {off: 0.0}
        users = max(posts // 20, 2)
        made = synthetic_posts(posts, users, seed, themes=6, **strengths)
        write_synthetic_posts(made, folder)
    corpus = read_corpus(folder)
    encode_corpus(folder, corpus, load_text_encoder(str(encoder)), progress=False)
    pixels = load_image_encoder("pixels", proposals=PROPOSALS)
    encode_images(folder, corpus, pixels, progress=False)
    return folder


def figures(recommender, truth, posts: np.ndarray) -> dict[str, float]:
    """F1@9 on the given posts, and the share of each source's hashtags among the nine best."""
    labels, corpus = recommender.labels, recommender.corpus
    scores = recommender.score_posts(posts)
    relevant = labels.rows.take(posts)
    found = {"F1": evaluate_posts(relevant, scores, posts=posts)["metrics"][f"F1@{CUTOFF}"]}
    ranked = rank_labels(scores, CUTOFF, posts=posts)
    hits: dict[str, list[bool]] = {source: [] for source in SOURCES}
    for row, post in enumerate(posts):
        for label in relevant[row]:
            tagging = corpus.post_ids[post], corpus.hashtags[labels.hashtags[label]]
            hits[truth.sources[tagging]].append(bool(label in ranked[row]))
    return found | {source: float(np.mean(hit)) for source, hit in hits.items() if hit}


class Laboratory:
    """Trains each (signal off, variant, seed) once and keeps its figures."""

    def __init__(self, work, posts, overrides, name):
        self.work, self.posts, self.overrides, self.name = work, posts, overrides, name

    def figures(self, off: str, variant: str, seed: int) -> dict[str, float]:
        """Of the test posts."""
        folder = corpus_folder(self.work, self.posts, seed, off)
        run = train(
            "phr_thesis",
            folder,
            self.work / "runs" / f"{self.name}-{self.posts}-{off}-{variant}-{seed}",
            overrides=[
                f"text_encoder={self.work / 'bag-of-words'}",
                *NETWORK,
                *VARIANTS[variant],
                *self.overrides,
                f"seed={seed}",
            ],
            resume=True,
            options=TrainingOptions(progress=False),
        )
        recommender = run.recommender
        test = np.flatnonzero(run.corpus.split_of_post == Split.TEST)
        return figures(recommender, read_truth(folder), recommender.labels.answerable(test))


def mean(values) -> str:
    """`mean ± deviation`, or the value alone."""
    spread = f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{spread}"


@click.command()
@click.argument("work", type=click.Path(file_okay=False, path_type=pathlib.Path))
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1))
@click.option("--posts", default=2000, show_default=True, type=click.IntRange(500))
@click.option("--variants", default=",".join(VARIANTS), help="Of the first table.")
@click.option("--signals", default=",".join(LACKING), help="Of the second table.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="For all networks.")
@click.option("--name", default="thesis", show_default=True, help="Of the runs, with --set.")
def main(work, seeds, posts, variants, signals, overrides, name):
    """Prints both tables as Markdown."""
    work = work.absolute()
    work.mkdir(parents=True, exist_ok=True)
    console = rich.console.Console(soft_wrap=True, markup=False)
    laboratory = Laboratory(work, posts, overrides, name)
    corpus = read_corpus(corpus_folder(work, posts, 0, "none"))
    console.print(f"{len(PostLabels.of_corpus(corpus, 5))} labels\n")

    columns = ["F1", *SOURCES]
    console.print("| system | " + " | ".join(columns) + " |")
    console.print("|---" * (len(columns) + 1) + "|")
    for variant in filter(None, variants.split(",")):
        found = [laboratory.figures("none", variant, seed) for seed in range(seeds)]
        cells = [mean([values[column] for values in found]) for column in columns]
        console.print(f"| {variant} | " + " | ".join(cells) + " |")

    console.print("\n| signal | variant | advantage with the signal | without it |")
    console.print("|---|---|---|---|")
    for signal in filter(None, signals.split(",")):
        variant, cells = LACKING[signal], []
        for off in ("none", signal):
            advantages = [
                laboratory.figures(off, "PHR", seed)["F1"]
                - laboratory.figures(off, variant, seed)["F1"]
                for seed in range(seeds)
            ]
            cells.append(mean(advantages))
        console.print(f"| {signal} | {variant} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
