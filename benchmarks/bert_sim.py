"""The plain baselines on the test split: the figures that tell whether the protocol is right.

    python benchmarks/bert_sim.py DATA [--text-encoder minilm] [--protocol sampled] [--seeds 3]

DATA is a corpus folder that `tfhashtag encode` has been over.
"""

import click
import numpy as np
import rich.console

from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.store import read_corpus
from tfhashtag.encoders.vector_cache import load_embeddings
from tfhashtag.evaluation import evaluate, metrics_table
from tfhashtag.recommenders.rules.users import BertSimilarity, PopularityScorer, RandomScorer
from tfhashtag.tasks.users.episode import evaluation_episode

METRICS = ("MAP", "P@5", "nDCG@5", "Recall@5", "MRR")


@click.command()
@click.argument("data", type=click.Path(exists=True))
@click.option("--text-encoder", default="minilm", show_default=True)
@click.option("--split", type=click.Choice(["valid", "test"]), default="test", show_default=True)
@click.option("--protocol", type=click.Choice(["sampled", "full"]), default="sampled")
@click.option("--seeds", default=3, show_default=True, type=click.IntRange(1))
def main(data, text_encoder, split, protocol, seeds):
    """Prints the mean over seeds of each baseline, and counts of the lists."""
    console = rich.console.Console()
    corpus = read_corpus(data)
    vectors = load_embeddings(data, corpus, text_encoder)
    results: dict[str, list[dict]] = {}
    for seed in range(seeds):
        episode = evaluation_episode(corpus, Split[split.upper()], protocol, seed)
        lists = episode.candidates
        if seed == 0:
            console.print(
                f"{len(lists):,} users, {np.sum(lists.positives > 0):,} with a positive, "
                f"{lists.positives.mean():.2f} positives and {lists.hashtags.lengths.mean():.1f} "
                f"candidates a user, {len(episode.catalogue):,} eligible hashtags"
            )
        for name, scores in (
            ("chance", np.zeros(len(lists.labels))),
            ("random", RandomScorer(seed).score(episode)),
            ("popularity (train posts)", PopularityScorer("train").score(episode)),
            ("popularity (contexts)", PopularityScorer("contexts").score(episode)),
            (f"BERT-SIM ({text_encoder})", BertSimilarity(vectors).score(episode)),
            ("ceiling", lists.labels),
        ):
            results.setdefault(name, []).append(evaluate(lists, scores, seed=seed))
    for average in ("all", "answerable"):
        rows = {
            name: {"averages": {average: _mean([found["averages"][average] for found in runs])}}
            for name, runs in results.items()
        }
        title = f"{split}, {protocol}, average {average}, mean of {seeds} seeds"
        console.print(metrics_table(rows, average, title))


def _mean(averages):
    return {name: np.mean([values[name] for values in averages]) for name in METRICS}


if __name__ == "__main__":
    main()
