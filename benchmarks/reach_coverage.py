"""How often the interval of the reach of choices holds what is true, on made corpora.

    python benchmarks/reach_coverage.py [--seeds 12] [--posts 8000] [--users 300]

Of each seed a corpus whose hashtags have known effects (`data synth --reach`), ranked by rules,
which need no training: `random` and `popular` of users, `post_popularity` and `post_own` of posts.
What `run.reach` estimates from the choices of the test posts at a weight is compared with the
effect that one of the first five hashtags truly has, each as likely, over the queries of these
posts. An interval of 95 % should hold it 95 times of 100; the count has a spread of its own, which
is told.
"""

import argparse
import math
import pathlib
import tempfile

import numpy as np

import tfhashtag as th
from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.synthetic_reach import synthetic_reach, write_synthetic_reach
from tfhashtag.reach.model import reach_of_posts
from tfhashtag.runs.reach import Moment, Pools, blend_of
from tfhashtag.runs.reach_report import _QUERIES, _first, _Logged

RULES, WEIGHTS = ("random", "popular", "post_popularity", "post_own"), (0.0, 0.5, 1.0)


def true_values(run, effects):
    """What the first five of each weight truly add, a value a weight, in logs."""
    moment = Moment.of(run)
    reach = reach_of_posts(moment.corpus, moment.split(Split.TRAIN))
    posts = np.flatnonzero(moment.split(Split.TEST) & np.isfinite(reach))
    model = moment.learned()
    blend = blend_of(Pools.ranked(run, moment, Split.VALID, _QUERIES, 0), model.effects)
    pools = Pools.ranked(run, moment, Split.TEST, _QUERIES, 0)
    true = pools.effects(np.array([effects[name] for name in moment.corpus.hashtags]))
    row = _Logged.of(run, pools, posts).row
    for weight in WEIGHTS:
        shares = blend.distribution(pools.scores, pools.effects(model.effects), weight)
        yield float((_first(shares) * true).sum(axis=1)[row].mean())


def measured(rule, seed, posts, users):
    """True value, estimate, low and high of each weight, float `[weights, 4]`."""
    made = synthetic_reach(posts, users, seed)
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        write_synthetic_reach(made, place / "corpus")
        run = th.train(rule, place / "corpus", place / "run")
        rows = run.reach(weights=WEIGHTS).result["weights"]
        true = list(true_values(run, made.effects))
    found = [[row["estimate"], row["low"], row["high"]] for row in rows]
    return np.column_stack([true, np.array(found, float)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--posts", type=int, default=8000)
    parser.add_argument("--users", type=int, default=300)
    given = parser.parse_args()
    print("| rule | weight | held | true | estimate less true | half width |")
    print("|---|---|---|---|---|---|")
    total = []
    for rule in RULES:
        every = [measured(rule, seed, given.posts, given.users) for seed in range(given.seeds)]
        for place, weight in enumerate(WEIGHTS):
            true, estimate, low, high = np.stack([one[place] for one in every], axis=1)
            held = (low <= true) & (true <= high)  # what nobody chose has no interval: not held
            total.append(held)
            error = estimate - true
            print(
                f"| `{rule}` | {weight:g} | {held.sum()} of {len(held)} | {true.mean():.3f} | "
                f"{np.nanmean(error):+.3f} ± {np.nanstd(error, ddof=1):.3f} | "
                f"{np.nanmean(high - low) / 2:.3f} |",
                flush=True,
            )
    share, count = np.mean(total), np.size(total)
    spread = math.sqrt(share * (1 - share) / count)
    print(f"\nheld {np.sum(total)} of {count}: {share:.3f} ± {spread:.3f} (0.95 is right)")


if __name__ == "__main__":
    main()
