"""What hours, weekdays and rhythm add for models of users: which hashtags will a user take up?

    python benchmarks/users_in_time.py [--seeds 8] [--posts 6000] [--users 600]

Posts with planted trends, decay and seasons (`data synth --trends`). Boosted trees rank the lists
of the valid split, learned from the four imitated futures of `engagement`: once by what the
recommended model of users reads of a hashtag's use (posts, recent posts, their share, people), once
by the nine signals of time of `posts` besides, as at the moment of the user's last known post. The
split is by each user's own time, or by one moment for all. Mean and deviation over seeds; gains are
of the same corpus.
"""

import argparse
import dataclasses

import numpy as np

from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.splits import split_posts
from tfhashtag.corpus.synthetic_trends import synthetic_trends
from tfhashtag.corpus.trends import DAY, HashtagTimes, user_pause
from tfhashtag.recommenders.audience.settings import AudienceSettings
from tfhashtag.recommenders.user_recommender import imitated_futures, mean_average_precision
from tfhashtag.tasks.users.episode import evaluation_episode
from tfhashtag.training.lightgbm_library import load_lightgbm

CALENDAR = ("time_weekday", "time_hour", "time_pause")
SETS = ("counts", "counts, weekday, hour, pause", "counts, all nine of time")


def signals(episode):
    """What is read of each candidate, `{name: [n]}`; time is that of the user's last known post."""
    lists, corpus = episode.candidates, episode.corpus
    users, tags = lists.users[lists.hashtags.row_of_value], lists.hashtags.values.astype(np.int64)
    known = np.zeros(len(corpus), bool)
    known[episode.history.values] = True
    posts, hashtags = corpus.taggings()
    seen = known[posts]
    times = HashtagTimes.of_uses(hashtags[seen], corpus.timestamps[posts[seen]])
    last = np.zeros(len(corpus.users), np.int64)
    np.maximum.at(last, corpus.user_of_post[known], corpus.timestamps[known])
    at = np.where(last[users] > 0, last[users], times.first) + 1
    contexts = episode.contexts
    ahead = np.add.reduceat(np.append(episode.future, 0), contexts.offsets[:-1])
    ahead = np.where(contexts.lengths > 0, ahead, 0)[tags]
    count = np.maximum(episode.visible_context_counts(users, tags), 1)
    pairs = np.unique(np.stack([hashtags[seen], corpus.user_of_post[posts[seen]]]), axis=1)
    people = np.bincount(pairs[0], minlength=len(corpus.hashtags))[tags]
    return {
        "contexts": np.log(count),
        "recent": np.log1p(ahead),
        "share": ahead / count,
        "people": np.log1p(people),
        "time_weekday": times.weekly(tags, at),
        "time_hour": times.daily(tags, at),
        "time_pause": np.nan_to_num(user_pause(corpus, users, at)),
        "time_age": np.log1p(np.minimum(times.age(tags, at), 1e9) / 3600),
        "time_day": np.log1p(times.count(tags, at, DAY)),
        "time_week": np.log1p(times.count(tags, at, 7 * DAY)),
        "time_rising_day": times.rising(tags, at, DAY),
        "time_rising_week": times.rising(tags, at, 7 * DAY),
        "time_all_rising": times.rising(tags, np.full(len(tags), times.uses[-1] + 1), 7 * DAY),
    }


def measured(corpus, seed):
    """Valid MAP by each set of signals."""
    least = AudienceSettings(model="audience").data.minimum_contexts
    training = AudienceSettings(model="audience").training
    futures = list(
        imitated_futures(corpus, training.futures, training.jitter, seed, least, training.negatives)
    )
    valid = evaluation_episode(corpus, Split.VALID, minimum_contexts=least)
    valid = valid.with_candidates(valid.candidates.answerable())
    learned, asked = [signals(one) for one in futures], signals(valid)
    found = {"popularity": mean_average_precision(valid.candidates, asked["contexts"])}
    for name in SETS:
        kept = list(asked)[:4]
        kept += [] if name == SETS[0] else CALENDAR if name == SETS[1] else list(asked)[4:]
        rows = np.column_stack([np.concatenate([one[key] for one in learned]) for key in kept])
        labels = np.concatenate([one.candidates.labels for one in futures])
        sizes = np.concatenate([one.candidates.hashtags.lengths for one in futures])
        lightgbm = load_lightgbm()
        data = lightgbm.Dataset(rows, labels.astype(int), group=sizes[sizes > 0])
        how = {
            "objective": "lambdarank", "num_leaves": 15, "learning_rate": 0.08, "seed": seed,
            "lambda_l2": 5.0, "verbosity": -1, "num_threads": 1, "deterministic": True,
        }  # fmt: skip
        trees = lightgbm.train(how, data, 150)
        scores = trees.predict(np.column_stack([asked[key] for key in kept]), num_threads=1)
        found[name] = mean_average_precision(valid.candidates, scores)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--posts", type=int, default=6000)
    parser.add_argument("--users", type=int, default=600)
    given = parser.parse_args()
    names = ("popularity", *SETS)
    heads = (*names[:2], *(f"{name}: gain over counts" for name in names[2:]))
    print("| split | " + " | ".join(heads) + " |\n" + "|---" * (len(names) + 1) + "|")
    for rule in ("own-time", "global-time"):
        every = []
        for seed in range(given.seeds):
            corpus = synthetic_trends(given.posts, given.users, seed).corpus
            splits = split_posts(rule, corpus.user_of_post, seed, corpus.timestamps)
            every.append(measured(dataclasses.replace(corpus, split_of_post=splits), seed))
        cells = [np.array([one[name] for one in every]) for name in names]
        cells[2:] = [cell - cells[1] for cell in cells[2:]]
        told = [f"{np.mean(cell):.4f} ± {np.std(cell, ddof=1):.4f}" for cell in cells]
        print(f"| {rule} | " + " | ".join(told) + " |", flush=True)


if __name__ == "__main__":
    main()
