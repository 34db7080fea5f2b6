"""Trained runs of one system, one a seed, beside BERT-SIM with the same encoder on the same lists.

    python benchmarks/beside_bert_sim.py RUN [RUN ...] [--split test] [--protocol sampled]

A run is ranked with the lists of its own seed. Users are paired: their values are averaged over
the seeds, and the difference is tested over the users (paired t-test, two-sided, and a bootstrap
interval).
"""

import click
import numpy as np
import rich.console
import rich.table

from tfhashtag.corpus.corpus import Split
from tfhashtag.evaluation import compare_paired, per_user
from tfhashtag.recommenders.rules.users import BertSimilarity
from tfhashtag.runs.run import Run
from tfhashtag.tasks.users.episode import evaluation_episode

METRICS = ("MAP", "P@5", "nDCG@5")


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(exists=True))
@click.option("--split", type=click.Choice(["valid", "test"]), default="test", show_default=True)
@click.option("--protocol", type=click.Choice(["sampled", "full"]), default="sampled")
def main(runs, split, protocol):
    """Prints mean and deviation over the runs, and what the tests over users say."""
    ours: dict[str, list[np.ndarray]] = {name: [] for name in METRICS}
    theirs: dict[str, list[np.ndarray]] = {name: [] for name in METRICS}
    for folder in runs:
        run = Run.open(folder)
        seed = run.settings.seed
        episode = evaluation_episode(run.corpus, Split[split.upper()], protocol, seed)
        for found, scores in (
            (ours, run.recommender.score_episode(episode)),
            (theirs, BertSimilarity(run.data.texts).score(episode)),
        ):
            values = per_user(episode.candidates, np.asarray(scores), seed=seed)
            for name in METRICS:
                found[name].append(values[name])
    table = rich.table.Table(
        title=f"{split}, {protocol}, average all, {len(runs)} seeds",
        caption="difference per user, users paired, each the mean of the seeds",
    )
    for heading in ("metric", "runs", "BERT-SIM", "difference", "95 % interval", "t", "p"):
        table.add_column(heading, justify="left" if heading == "metric" else "right")
    for name in METRICS:
        test = compare_paired(np.mean(ours[name], axis=0), np.mean(theirs[name], axis=0))
        table.add_row(
            name,
            _mean_and_deviation(ours[name]),
            _mean_and_deviation(theirs[name]),
            f"{test.difference:+.4f}",
            f"{test.low:+.4f} to {test.high:+.4f}",
            f"{test.statistic:.2f}",
            f"{test.p_value:.1e}",
        )
    rich.console.Console(width=110).print(table)


def _mean_and_deviation(values_of_users) -> str:
    means = [values.mean() for values in values_of_users]
    deviation = f" ± {np.std(means, ddof=1):.4f}" if len(means) > 1 else ""
    return f"{np.mean(means):.4f}{deviation}"


if __name__ == "__main__":
    main()
