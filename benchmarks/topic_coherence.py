"""Coherence and diversity of the neural topic model's topics beside those of LDA.

    python benchmarks/topic_coherence.py DATA [--topics 50 --topics 100] [--seeds 3]

DATA is a corpus folder that `tfhashtag encode` has been over. The topic model is trained by the
phase `topics` alone, from random weights and from clusters of hashtags; LDA learns from the same
hashtags. All are judged by the same train messages; nothing but the train split is read. Beside the
figures over all words stand those that pass over the 100 most frequent.
"""

import json
import pathlib
import tempfile
import time

import click
import numpy as np
import rich.console
import rich.table

from tfhashtag.recommenders.engagement.topic_documents import topic_documents
from tfhashtag.recommenders.engagement.topics import measure_topics
from tfhashtag.recommenders.lambdamart.word_vectors import LdaVectors
from tfhashtag.runs.train import train
from tfhashtag.training.options import TrainingOptions

COLUMNS = ("NPMI", "diversity", "NPMI -100", "diversity -100", "KL", "seconds")
FREQUENT = 100


@click.command()
@click.argument("data", type=click.Path(exists=True))
@click.option("--text-encoder", default="minilm", show_default=True)
@click.option("--topics", multiple=True, default=(50, 100), type=click.IntRange(2), help="K.")
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1))
@click.option("--epochs", default=20, show_default=True, type=click.IntRange(0))
@click.option("--rate", default=1e-3, show_default=True, help="Of Adam.")
@click.option("--untrained/--no-untrained", default=True, help="Also the clusters themselves.")
def main(data, text_encoder, topics, seeds, epochs, rate, untrained):
    """Prints mean and deviation over the seeds so far, after each."""
    systems = [("NTM, from clusters", "clusters", epochs), ("NTM, random start", "random", epochs)]
    if untrained:
        systems.insert(0, ("clusters, no training", "clusters", 0))
    for count in topics:
        found: dict[str, list] = {}
        for seed in range(seeds):
            for name, start, length in systems:
                figures, inputs = _neural(data, text_encoder, count, seed, start, length, rate)
                found.setdefault(name, []).append(figures)
            found.setdefault("LDA", []).append(_lda(count, seed, *inputs))
            _show(f"K = {count}, {seed + 1} seeds", found)


def _neural(data, text_encoder, count, seed, start, epochs, rate):
    overrides = [
        f"text_encoder={text_encoder}", f"seed={seed}", f"network.topics={count}",
        f"network.topic_start={start}", f"training.epochs.topics={epochs}",
        f"training.topic_learning_rate={rate}", "training.epochs.warmup=0",
        "training.epochs.joint=0", "network.start=random", "network.hidden=8",
        "network.head_hidden=8",
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        run = train(
            "full",
            data,
            pathlib.Path(folder) / "run",
            overrides=overrides,
            options=TrainingOptions(progress=False),
        )
        seconds = time.monotonic() - started
        lines = (run.folder / "training.jsonl").read_text().splitlines() if epochs else []
        divergences = [line["topic_kl"] for line in map(json.loads, lines) if "topic_kl" in line]
        recommender = run.recommender
        minimum = run.settings.data.minimum_contexts
        documents, messages = topic_documents(run.corpus, recommender.words, minimum)
    words = recommender.vocabulary.words
    rows = np.asarray(recommender.model.topic_model.topic_words(frequencies=True))
    figures = [*_quality(rows, words, messages), *(divergences or [np.nan])[-1:], seconds]
    return figures, (documents, messages, words)


def _lda(count, seed, documents, messages, words):
    started = time.monotonic()
    lda = LdaVectors(count, seed=seed)
    lda.fit(documents)
    seconds = time.monotonic() - started
    return [*_quality(lda.topic_words(), words, messages), np.nan, seconds]


def _quality(distributions, words, messages) -> list[float]:
    measured = (measure_topics("", distributions, words, messages, n) for n in (0, FREQUENT))
    return [figure for topics in measured for figure in (topics.coherence, topics.diversity)]


def _show(title, found):
    table = rich.table.Table("model", *COLUMNS, title=title)
    for name, rows in found.items():
        means, deviations = np.mean(rows, axis=0), np.std(rows, axis=0)
        pairs = zip(means, deviations, strict=True)
        table.add_row(name, *("" if np.isnan(m) else f"{m:.3f} ± {d:.3f}" for m, d in pairs))
    rich.console.Console(width=140).print(table)


if __name__ == "__main__":
    main()
