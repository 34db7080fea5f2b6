"""Ranking a whole catalogue with the recommended model against its bare matrix products.

python benchmarks/rank_audience.py DATA [--config engagement --users 2571 --repeat 3 --block 64]

DATA is an encoded corpus folder. The catalogue is that of the test split, the users are those to be
evaluated, weights and names are random: neither changes the cost. "Bare" is every product of the
same shapes, block by block in this process: users with messages, authors, hashtag names and
hashtags (the sparse ones as well), and the layers of the networks; no gather, segment, z-score or
ReLU.
"""

import argparse

import numpy as np
import tensorflow as tf
from timing import best_of

from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.store import read_corpus
from tfhashtag.encoders import load_embeddings
from tfhashtag.recommenders.audience.audience import audience_of
from tfhashtag.recommenders.audience.model import (
    FEATURES,
    AudienceModel,
    catalogue_statistics,
    features_of,
)
from tfhashtag.recommenders.audience.scoring import user_inputs
from tfhashtag.recommenders.audience.signals import AudienceSignals
from tfhashtag.recommenders.configuration import load_settings
from tfhashtag.tasks.users.episode import evaluation_episode


def ranking(signals, model, inputs):
    @tf.function(autograph=False, reduce_retracing=True)
    def rank(vectors, mask, tags):
        state = signals.user_state(vectors, mask, tags)
        found = signals.signals(state)
        statistics = catalogue_statistics(found, state["new"])
        return model(features_of(found, state["alone"], statistics), training=False)

    return lambda: [rank(*block).numpy() for block in inputs]


def bare_products(signals, model, inputs):
    """The same products on the same constants, nothing between them."""
    audience = signals.audience
    shape = [len(audience.author_text), len(audience.idf)]
    author_tags = tf.SparseTensor(signals.author_tag_indices, signals.author_tag_values, shape)

    def product(table, users):
        return tf.reduce_sum(tf.matmul(table, users, transpose_b=True)[:1])

    @tf.function(autograph=False, reduce_retracing=True)
    def run(users, taste, weights, own_names, part_weight, part_taste, features):
        found = [
            product(signals.messages, users),
            product(signals.centred, users),
            product(signals.author_text, users),
            product(signals.author_names, users),
            product(signals.author_taste, taste),
            product(signals.hashtag_names, users),
            product(signals.hashtag_names, users),
            product(own_names, signals.hashtag_names),
            tf.reduce_sum(tf.einsum("bt,btk->bk", part_weight, part_taste)),
            *(tf.sparse.sparse_dense_matmul(author_tags, weights)[0, 0] for _ in range(2)),
        ]
        hidden = features[None]
        for kernel in model.scorer.kernels:
            hidden = tf.matmul(hidden, kernel)
        found.append(tf.reduce_sum(tf.matmul(hidden, model.scorer.logit_kernel)[:, :1]))
        found.append(tf.reduce_sum(tf.matmul(features, model.scorer.shortcut)[:1]))
        return tf.add_n(found)

    rng = np.random.default_rng(0)

    def normal(*size):
        return tf.constant(rng.normal(size=size).astype("float32"))

    blocks = []
    for vectors, _, tags in inputs:
        users, width = tags.shape
        distinct = len(np.unique(np.maximum(tags, 0)))
        blocks.append(
            (
                normal(users, vectors.shape[-1]),
                normal(users, signals.taste.shape[1]),
                normal(shape[1], users),
                normal(distinct, vectors.shape[-1]),
                normal(users, width),
                normal(users, width, signals.taste.shape[1] + vectors.shape[-1]),
            )
        )
    features = normal(len(inputs[0][2]) * signals.count, FEATURES)
    last = normal(len(inputs[-1][2]) * signals.count, FEATURES)
    fed = [features] * (len(inputs) - 1) + [last]
    return lambda: [run(*block, f).numpy() for block, f in zip(blocks, fed, strict=True)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--config", default="engagement")
    parser.add_argument("--users", type=int, default=2571)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--block", type=int, default=64)
    a = parser.parse_args()
    settings = load_settings(a.config)
    corpus = read_corpus(a.data)
    vectors = np.asarray(load_embeddings(a.data, corpus, settings.text_encoder))
    names = np.random.default_rng(1).normal(size=(len(corpus.hashtags), vectors.shape[1]))
    episode = evaluation_episode(corpus, Split.TEST)
    audience = audience_of(episode, vectors, names, taste_width=settings.data.taste_width)
    signals = AudienceSignals(audience)
    model = AudienceModel(members=settings.network.members, hidden=settings.network.hidden)
    users = corpus.evaluation_users[: a.users]
    inputs = []
    for start in range(0, len(users), a.block):
        messages, mask, tags = user_inputs(
            episode, users[start : start + a.block], settings.data.history_length
        )
        block = (vectors[np.maximum(messages, 0)], mask, tags)
        inputs.append(tuple(tf.constant(value) for value in block))
    bare = best_of(bare_products(signals, model, inputs), a.repeat)
    whole = best_of(ranking(signals, model, inputs), a.repeat)
    print(f"{len(users)} users x {signals.count} hashtags, {len(audience.messages)} messages")
    print(f"bare products {bare:.2f} s   ranking {whole:.2f} s   ratio {whole / bare:.2f}")


if __name__ == "__main__":
    main()
