"""How the vectors of a corpus lie: near neighbours, random pairs, cells that a search looks into.

python benchmarks/near_vectors.py CORPUS --text-encoder NAME [--texts 30000]

Of distinct texts, a sample of so many, and others' texts alone, as similar posts are searched for:
the similarity (cosine) of random pairs, its mean and its spread (standard deviation); that of the
1st, 10th and 300th nearest text, the median of 1,000 texts, and how many spreads above the mean it
lies; and how many of its cells an inverted file of these texts looks into for 0.95 of the 10
nearest, by its own choice. Vectors that are made for a
benchmark should lie as those of an encoder of language do, or a search costs something else.
"""

import argparse

import numpy as np

from tfhashtag.corpus.store import read_corpus
from tfhashtag.recommenders.configuration import load_settings
from tfhashtag.recommenders.registry import read_vectors
from tfhashtag.retrieval.inverted_file import InvertedFile
from tfhashtag.retrieval.inverted_table import InvertedTable
from tfhashtag.retrieval.k_means import unit
from tfhashtag.retrieval.vector_search import VectorQueries

NEAR = (1, 10, 300)
QUERIES = 1000


def figures_of(vectors, users):
    """What the docstring above says, of float32 `[n, d]` of length 1, and whose they are."""
    rng = np.random.default_rng(0)
    asked = rng.permutation(len(vectors))[:QUERIES]
    products = vectors[asked] @ vectors.T
    products[users[asked, None] == users] = -np.inf
    pairs = products[np.isfinite(products)]
    found = {"mean": pairs.mean(dtype=float), "spread": pairs.std(dtype=float)}
    for near in NEAR:
        found[near] = float(np.median(-np.partition(-products, near - 1)[:, near - 1]))
    index = InvertedFile(InvertedTable.build(vectors, dtype="float16"))
    queries = VectorQueries(vectors[asked[:512]], without=asked[:512, None].astype(np.int32))
    index = index.choose_probes(queries, 10, 0.95)
    found |= {"probes": index.probes, "cells": index.table.cells, **index.recall}
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpus")
    parser.add_argument("--text-encoder", required=True)
    parser.add_argument("--texts", type=int, default=30_000)
    arguments = parser.parse_args()
    corpus = read_corpus(arguments.corpus)
    settings = load_settings("phr", [f"text_encoder={arguments.text_encoder}"])
    vectors = read_vectors(arguments.corpus, corpus, settings).texts
    texts = np.random.default_rng(0).permutation(np.flatnonzero(~corpus.blank))
    texts = np.sort(texts[: arguments.texts])
    users = np.zeros(len(corpus.messages), np.int32)
    users[corpus.message_of_post] = corpus.user_of_post  # of a text of several users the last
    found = figures_of(unit(np.asarray(vectors[texts], np.float32)), users[texts])
    told = [f"{found['mean']:.3f} ± {found['spread']:.3f}"]
    for near in NEAR:
        above = (found[near] - found["mean"]) / found["spread"]
        told.append(f"{found[near]:.3f} ({above:.1f})")
    told.append(f"{found['probes']} of {found['cells']}")
    told.append(f"{found['probes'] / found['cells']:.3f}")
    told.append(f"{found['found']:.3f}")
    heads = ["random pairs", *(f"nearest {near}" for near in NEAR), "cells", "share", "recall@10"]
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}\n| {' | '.join(told)} |")


if __name__ == "__main__":
    main()
