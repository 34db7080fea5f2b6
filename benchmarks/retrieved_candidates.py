"""What retrieval loses: the recommended model of users over its candidates against all hashtags.

python benchmarks/retrieved_candidates.py RUN [--candidates 1000 --ranked 100 --first 20]
    [--users 1000 --split test --seed 0]

Lists are those of the `full` protocol, every hashtag that a user has not used, of those who take up
a new one among USERS users, drawn by the seed. Each list is ranked whole, and of its best
CANDIDATES of the first look the RANKED best of the second alone, the others after them. Prints the
share of the whole ranking's FIRST hashtags that are among those, and MAP (over these users) of both
rankings.
"""

import argparse

import numpy as np

from tfhashtag.corpus.corpus import Split
from tfhashtag.evaluation import evaluate
from tfhashtag.runs.run import Run
from tfhashtag.tasks.users.episode import evaluation_episode


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("--candidates", type=int, default=1000)
    parser.add_argument("--ranked", type=int, default=100)
    parser.add_argument("--first", type=int, default=20)
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--split", choices=["valid", "test"], default="test")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    recommender = Run.open(arguments.run).recommender
    least = recommender.settings.data.minimum_contexts
    split = Split[arguments.split.upper()]
    episode = evaluation_episode(
        recommender.corpus, split, "full", arguments.seed, least, users=arguments.users
    )
    episode = episode.with_candidates(episode.candidates.answerable())
    lists, audience = episode.candidates, recommender.audience(episode)
    scoring, model = recommender.scoring, recommender.model
    widths = arguments.candidates, arguments.ranked
    place = scoring.retrieved(scoring.looks(model, audience), episode, audience, widths[0])
    kept = place < min(widths)
    whole = scoring.scores(model, episode, audience)
    some = scoring.scores(model, episode, audience, widths)
    shares = []
    for first, last in zip(lists.hashtags.offsets[:-1], lists.hashtags.offsets[1:], strict=True):
        best = np.argsort(-whole[first:last], kind="stable")[: arguments.first]
        shares.append(kept[first:last][best].mean())
    error = np.std(shares) / len(shares) ** 0.5
    print(
        f"{len(lists)} users, {len(audience.hashtags)} hashtags, {widths[0]} candidates, "
        f"{widths[1]} ranked: {np.mean(shares):.4f} ± {error:.4f} of the first {arguments.first} "
        "are among them"
    )
    for name, scores in (("all", whole), ("candidates", some)):
        found = evaluate(lists, scores, seed=0)["averages"]["all"]["MAP"]
        print(f"MAP, {name} ranked: {found:.4f}")


if __name__ == "__main__":
    main()
