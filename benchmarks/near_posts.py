"""Search for others' posts as the recommended model of posts asks for it: cost and recall.

python benchmarks/near_posts.py CORPUS --text-encoder NAME [--queries 2048 --near 300 --cut 0.7]

What is known is an imitated future of the corpus, cut at a share of every user's train posts; asked
about are posts that lay ahead. Prints CPU seconds of the inverted file (built, first search with
its tracing, second search) and of the exact search, and the share of the exact best 10, 50 and
`--near` that the inverted file finds.
"""

import argparse
import resource

import numpy as np

from tfhashtag.corpus.store import read_corpus
from tfhashtag.recommenders.configuration import load_settings
from tfhashtag.recommenders.post_ranker.posts_at import UnitTexts, imitated_moment
from tfhashtag.recommenders.registry import read_vectors
from tfhashtag.retrieval.exact_post_index import ExactPostIndex
from tfhashtag.retrieval.inverted_post_index import InvertedPostIndex
from tfhashtag.retrieval.post_search import PostQueries


def told(what, make):
    before = resource.getrusage(resource.RUSAGE_SELF)
    found = make()
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{what}: {cpu:.1f} CPU s, peak {after.ru_maxrss // 1024} MiB", flush=True)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus")
    parser.add_argument("--text-encoder", required=True)
    parser.add_argument("--queries", type=int, default=2048)
    parser.add_argument("--near", type=int, default=300)
    parser.add_argument("--cut", type=float, default=0.7)
    arguments = parser.parse_args()
    settings = load_settings("posts", [f"text_encoder={arguments.text_encoder}"])
    corpus = read_corpus(arguments.corpus)
    vectors = read_vectors(arguments.corpus, corpus, settings).texts
    known, ahead = imitated_moment(corpus, arguments.cut, 1.0, 0.05, 0)
    texts = UnitTexts(known, vectors)
    queries = PostQueries.of_corpus(known, ahead[: arguments.queries], vectors)
    index = told("inverted file", lambda: InvertedPostIndex(known, texts, recall=0.95))
    table = index.index.table
    print(f"{len(table)} posts, {index.index.probes} of {table.cells} cells, {index.recall}")
    for turn in ("first", "second"):
        found = told(f"{turn} search", lambda: index.search(queries, arguments.near, "others"))[0]
    exact = ExactPostIndex(known, texts)
    wanted = told("exact search", lambda: exact.search(queries, arguments.near, "others"))[0]
    for count in sorted({10, 50, arguments.near}):
        both = zip(found[:, :count], wanted[:, :count], strict=True)
        share = np.mean([len(np.intersect1d(*pair)) / count for pair in both])
        print(f"recall@{count} {share:.4f}")


if __name__ == "__main__":
    main()
