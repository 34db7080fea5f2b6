"""Ranking 1,488 hashtags for 2,571 users against the bare matrix products of the same shapes.

python benchmarks/rank_catalogue.py [--users 2571 --hashtags 1488 --contexts 30 --width 384
                                     --hidden 768 --topics 100 --repeat 3]

Both run in this process, block by block with the same blocks, on random numbers. "Bare" is: the
users' two projections, keys and values of all messages, users x keys, weights x values, and the
head's product with its output vector; no gather, mask, softmax, tanh or ReLU.
"""

import argparse

import numpy as np
import tensorflow as tf
from timing import best_of

from tfhashtag.recommenders.engagement.catalogue import score_catalogue
from tfhashtag.recommenders.engagement.compose import compose
from tfhashtag.recommenders.engagement.settings import EngagementNetwork

BLOCK_USERS, BLOCK_HASHTAGS = 256, 16


def bare_products(arguments, rng, jit):
    a = arguments

    def normal(*shape):
        return tf.constant(rng.normal(size=shape).astype("float32"))

    blocks = -(-a.users // BLOCK_USERS)
    users = [normal(BLOCK_USERS, 2 * a.hidden) for _ in range(blocks)]
    query, user_part = normal(2 * a.hidden, a.hidden), normal(2 * a.hidden, a.hidden)
    key, topic_key = normal(a.width, a.hidden), normal(a.topics, a.hidden)
    value, out = normal(a.width, a.hidden), normal(a.hidden, 1)
    topics = normal(BLOCK_HASHTAGS, a.topics)
    messages = normal(BLOCK_HASHTAGS * a.contexts, a.width)
    weights = normal(BLOCK_HASHTAGS, BLOCK_USERS, a.contexts)

    @tf.function(jit_compile=jit)
    def keys_and_values():
        return messages @ key, topics @ topic_key, messages @ value

    @tf.function(jit_compile=jit)
    def queries(block):
        return block @ query, block @ user_part

    @tf.function(jit_compile=jit)
    def products(block, keys, values):
        scores = tf.matmul(block, keys, transpose_b=True)
        mixed = weights @ tf.reshape(values, (BLOCK_HASHTAGS, a.contexts, a.hidden))
        return scores, tf.reshape(mixed, (-1, a.hidden)) @ out

    def run():
        projected = [queries(block)[0] for block in users]
        for _ in range(-(-a.hashtags // BLOCK_HASHTAGS)):
            keys, _, values = keys_and_values()
            for block in projected:
                results = products(block, keys, values)
        return [r.numpy() for r in results]

    return run


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (
        ("users", 2571),
        ("hashtags", 1488),
        ("contexts", 30),
        ("width", 384),
        ("hidden", 768),
        ("topics", 100),
        ("repeat", 3),
    ):
        parser.add_argument(f"--{name}", type=int, default=value)
    a = parser.parse_args()
    rng = np.random.default_rng(0)
    network = EngagementNetwork(topics=a.topics, hidden=a.hidden)
    model = compose(network, message_width=a.width, vocabulary_size=100)
    model.message_vectors = rng.normal(size=(20_000, a.width))
    users = rng.normal(size=(a.users, 2 * a.hidden)).astype("float32") * 0.3
    contexts = rng.integers(0, 20_000, size=(a.hashtags, a.contexts)).astype("int32")
    topics = rng.normal(size=(a.hashtags, a.topics)).astype("float32")
    exclude = rng.integers(0, [a.users, a.hashtags, a.contexts], size=(20_000, 3))
    ours = best_of(
        lambda: score_catalogue(
            model,
            users,
            contexts,
            topics,
            exclude=exclude,
            block_users=BLOCK_USERS,
            block_hashtags=BLOCK_HASHTAGS,
        ),
        a.repeat,
    )
    bare = {jit: best_of(bare_products(a, rng, jit), a.repeat) for jit in (False, True)}
    fastest = min(bare.values())
    print(f"bare products, TensorFlow ops  {bare[False]:8.2f} s")
    print(f"bare products, XLA             {bare[True]:8.2f} s")
    print(f"score_catalogue                {ours:8.2f} s  = {ours / fastest:.2f} x the faster bare")


if __name__ == "__main__":
    main()
