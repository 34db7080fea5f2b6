"""Exact search for similar posts: the 5 own and 10 others of every post of a corpus.

python benchmarks/similar_posts.py [--posts 100000 --users 10000 --width 384 --timestamps]

Vectors are random and of length 1, half of the posts are of the heaviest tenth of the users. Prints
wall and CPU seconds of the search and the peak memory of the process.
"""

import argparse
import resource
import time

import numpy as np

from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.retrieval.similar_posts import find_similar_posts


def random_corpus(arguments, rng) -> Corpus:
    a = arguments
    heavy = rng.integers(0, max(a.users // 10, 1), a.posts)
    users = np.where(rng.random(a.posts) < 0.5, heavy, rng.integers(0, a.users, a.posts))
    return Corpus(
        name="random",
        post_ids=[str(post) for post in range(a.posts)],
        users=[str(user) for user in range(a.users)],
        user_of_post=users.astype(np.int32),
        messages=[f"text {post}" for post in range(a.posts)],
        message_of_post=np.arange(a.posts, dtype=np.int32),
        hashtags=["a"],
        hashtag_offsets=np.arange(a.posts + 1, dtype=np.int64),
        hashtag_values=np.zeros(a.posts, np.int32),
        split_of_post=np.full(a.posts, Split.TRAIN, np.int8),
        evaluation_users=np.arange(a.users, dtype=np.int32),
        timestamps=np.arange(a.posts, dtype=np.int64) if a.timestamps else None,
        images=None,
        digest="",
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (("posts", 100_000), ("users", 10_000), ("width", 384)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--timestamps", action="store_true", help="only earlier posts are found")
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    corpus = random_corpus(arguments, rng)
    vectors = rng.standard_normal((arguments.posts, arguments.width), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    wall, cpu = time.perf_counter(), time.process_time()
    found = find_similar_posts(corpus, np.arange(arguments.posts), vectors)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{arguments.posts} posts x {arguments.width}: {wall:.0f} s wall, {cpu:.0f} s CPU, "
        f"peak {peak:.2f} GB; mean similarity {found.own_similarity.mean():.3f} own, "
        f"{found.others_similarity.mean():.3f} others"
    )


if __name__ == "__main__":
    main()
