"""What a query of the recommended model costs, and a whole catalogue for all users.

python benchmarks/rank_audience.py DATA [--config engagement --users 2571]
    [--candidates 1000 --ranked 100]

DATA is an encoded corpus folder. The tables are those of the test split, the users are those to be
evaluated, weights and names are random: neither changes the cost. A query is one user with a
history of vectors, without the text encoder: `--candidates` are retrieved by a first look at the
whole catalogue, `--ranked` of them are left by a second, and ranked.
"""

import argparse
import time

import numpy as np
import tensorflow as tf

from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.store import read_corpus
from tfhashtag.encoders import load_embeddings
from tfhashtag.recommenders.audience.audience import audience_of
from tfhashtag.recommenders.audience.model import AudienceModel
from tfhashtag.recommenders.audience.scoring import user_inputs
from tfhashtag.recommenders.audience.servable import AudienceServingHead
from tfhashtag.recommenders.configuration import load_settings
from tfhashtag.tasks.users.episode import evaluation_episode


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--config", default="engagement")
    parser.add_argument("--users", type=int, default=2571)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--candidates", type=int, default=1000)
    parser.add_argument("--ranked", type=int, default=100)
    parser.add_argument("--block", type=int, default=4)
    a = parser.parse_args()
    settings = load_settings(a.config)
    corpus = read_corpus(a.data)
    vectors = load_embeddings(a.data, corpus, settings.text_encoder)
    rng = np.random.default_rng(1)
    names = rng.normal(size=(len(corpus.hashtags), vectors.shape[1])).astype("float32")
    episode = evaluation_episode(corpus, Split.TEST)
    audience = audience_of(episode, vectors, names)
    model = AudienceModel(members=settings.network.members, hidden=settings.network.hidden)
    head = AudienceServingHead(model, audience)
    retrieving = AudienceServingHead(model, audience, (a.candidates, a.ranked))
    count = min(a.ranked, a.candidates, head.count)

    @tf.function(autograph=False, reduce_retracing=True)
    def answer(vectors, mask, tags):
        return retrieving.ranked(retrieving.user_state(vectors, mask, tags), 50)

    @tf.function(autograph=False, reduce_retracing=True)
    def rank(vectors, mask, tags, places):
        return head.logits_of(head.user_state(vectors, mask, tags), places)

    def inputs(users):
        messages, mask, tags = user_inputs(episode, users, settings.data.history_length)
        read = np.asarray(vectors[np.maximum(messages, 0)], np.float32)
        return [tf.constant(value) for value in (read, mask, tags)]

    users = corpus.evaluation_users[: a.users]
    seconds = []
    for user in users[: a.queries]:
        asked = inputs(np.array([user]))
        start = time.perf_counter()
        answer(*asked)[1].numpy()
        seconds.append(time.perf_counter() - start)
    low, middle, high = np.percentile(seconds[5:], [5, 50, 95]) * 1000
    print(
        f"a query of {count} of {head.count} hashtags: p50 {middle:.1f} ms (5 %: {low:.1f}, "
        f"95 %: {high:.1f})"
    )
    start = time.perf_counter()
    for at in range(0, len(users), a.block):
        block = inputs(users[at : at + a.block])
        places = np.tile(np.arange(head.count, dtype="int32"), (len(block[0]), 1))
        rank(*block, tf.constant(places)).numpy()
    print(f"{len(users)} users x {head.count} hashtags: {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
