"""Search for similar posts: the 5 own and 10 others of every post of a corpus.

python benchmarks/similar_posts.py [--index inverted --posts 100000 --users 10000 --width 384
    --vectors made|FILE.npy --timestamps --dtype float16 --builder numpy --recall 0.95]

`--index exact` compares everything. Made vectors lie in clusters of about 100; random ones
(`--vectors random`) have no neighbours that an index could find. `FILE.npy` (float32, a row a
text) is grown to the size: a new post lies between an old one and two of its 20 nearest.
Half of the posts are of the heaviest tenth of the users. Prints wall and CPU seconds, the peak
memory of the process, and of an inverted file the recall: what it says of itself, and that of its
answers against the exact search of 500 posts that it did not choose by.
"""

import argparse
import resource
import time

import numpy as np

from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.retrieval.exact_post_index import ExactPostIndex
from tfhashtag.retrieval.inverted_post_index import InvertedPostIndex
from tfhashtag.retrieval.post_search import PostQueries
from tfhashtag.retrieval.similar_posts import find_similar_posts

BLOCK = 8192


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


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def nearest(vectors, count):
    found = np.empty((len(vectors), count), np.int32)
    for start in range(0, len(vectors), 2048):
        products = vectors[start : start + 2048] @ vectors.T
        products[np.arange(len(products)), np.arange(start, start + len(products))] = -9
        found[start : start + 2048] = np.argpartition(-products, count, axis=1)[:, :count]
    return found


def made_vectors(arguments, rng):
    """float32 `[posts, width]`, made block by block."""
    posts, width, kind = arguments.posts, arguments.width, arguments.vectors
    if kind not in ("made", "random"):
        base = unit(np.load(kind).astype(np.float32))
        width, near = base.shape[1], nearest(base, 20)
    centres = rng.standard_normal((max(posts // 100, 1), width), dtype=np.float32)
    vectors = np.empty((posts, width), np.float32)
    for start in range(0, posts, BLOCK):
        rows = np.arange(start, min(start + BLOCK, posts))
        block = rng.standard_normal((len(rows), width), dtype=np.float32)
        if kind == "made":
            block = centres[rng.integers(0, len(centres), len(rows))] + 0.7 * block
        elif kind != "random":
            old = rows % len(base)
            share = rng.uniform(0.3, 1, (len(rows), 1)) * (rows >= len(base))[:, None]
            block = base[old] + share * sum(
                base[near[old, rng.integers(0, 20, len(rows))]] for _ in range(2)
            )
        vectors[rows] = unit(block)
    return vectors


def measured_recall(index, corpus, vectors, found, rng):
    """Recall@10 of the answers themselves, on posts that the number of probes was not chosen by."""
    posts = rng.choice(len(vectors), 500, replace=False)
    exact = ExactPostIndex(corpus, vectors)
    queries = PostQueries.of_corpus(corpus, posts, vectors)
    answers, _ = exact.search(queries, found.others.shape[1], "others")
    real = answers >= 0
    hits = (answers[:, :, None] == found.others[posts][:, None]).any(axis=2) & real
    return hits.sum() / real.sum()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (("posts", 100_000), ("users", 10_000), ("width", 384)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--timestamps", action="store_true", help="only earlier posts are found")
    parser.add_argument("--index", choices=["exact", "inverted"], default="inverted")
    parser.add_argument("--vectors", default="made")
    parser.add_argument("--dtype", choices=["float32", "float16", "int8"], default="float16")
    parser.add_argument("--builder", choices=["numpy", "faiss"], default="numpy")
    parser.add_argument("--recall", type=float, default=0.95)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    corpus = random_corpus(arguments, rng)
    vectors = made_vectors(arguments, rng)
    wall, cpu = time.perf_counter(), time.process_time()
    if arguments.index == "exact":
        index = ExactPostIndex(corpus, vectors)
    else:
        index = InvertedPostIndex(
            corpus,
            vectors,
            recall=arguments.recall,
            dtype=arguments.dtype,
            builder=arguments.builder,
        )
    built = time.perf_counter() - wall, time.process_time() - cpu
    found = find_similar_posts(corpus, np.arange(len(vectors)), vectors, index=index)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{len(vectors)} posts x {vectors.shape[1]}, {arguments.index}: {wall:.1f} s wall, "
        f"{cpu:.1f} s CPU (of it {built[0]:.1f} and {built[1]:.1f} to build), peak {peak:.2f} GB; "
        f"mean similarity {found.own_similarity.mean():.3f} own, "
        f"{found.others_similarity.mean():.3f} others"
    )
    if arguments.index == "inverted":
        print(index.told())
        recall = measured_recall(index, corpus, vectors, found, rng)
        print(f"recall@10 of the answers: {recall:.4f}")


if __name__ == "__main__":
    main()
