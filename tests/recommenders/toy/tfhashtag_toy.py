"""A recommender in a package of its own: hashtags by how often they were tagged in train."""

import json
import pathlib
from typing import Literal

import numpy as np
import tensorflow as tf

from tfhashtag.corpus.corpus import Split
from tfhashtag.errors import ArtifactError
from tfhashtag.explain.explanation import Column, Explanation, Items
from tfhashtag.export.warmup import WarmUpRequest
from tfhashtag.recommenders.base import Recommender
from tfhashtag.settings import RecommenderSettings, Section, setting
from tfhashtag.tasks import USERS
from tfhashtag.tasks.users.signatures import SERVING_DEFAULT, TOP_K


class ToyData(Section):
    """What it sees."""

    minimum_contexts: int = setting(5, "hashtags with fewer are not ranked", ge=1)
    history_length: int = setting(50, "newest messages of a user", ge=1)


class ToySettings(RecommenderSettings):
    """`model: toy`, popularity with a power."""

    model: Literal["toy"]
    power: float = setting(1.0, "of the counts", gt=0)
    data: ToyData = ToyData()


class ToyServable:
    """The most popular hashtags, whoever asks."""

    signatures = (SERVING_DEFAULT, TOP_K)
    requests = (
        WarmUpRequest("serving_default", {"history": [["tea"]]}),
        WarmUpRequest("top_k", {"history": [["tea"]], "k": np.int32(2)}),
    )
    limits = ("Everybody gets the same hashtags.",)

    def __init__(self, hashtags, scores, k):
        self.k, self.shapes, self.memory = k, {}, {"row": 64}
        self.hashtags = tf.Variable(hashtags, trainable=False, name="hashtags")
        self.scores = tf.Variable(scores, trainable=False, name="scores")

    def trackables(self):
        return [self.hashtags, self.scores]

    def serving_default(self, history):
        return self.top_k(history, tf.constant(self.k))

    def top_k(self, history, k):
        best = tf.math.top_k(self.scores, tf.clip_by_value(k, 1, tf.size(self.scores)))
        users = tf.ones([tf.shape(history)[0], 1], tf.int32)
        return {
            "hashtags": tf.gather(self.hashtags, best.indices[None] * users),
            "scores": best.values[None] * tf.cast(users, tf.float32),
        }


class ToyRecommender(Recommender):
    """Ranks by the number of train posts."""

    Settings = ToySettings
    task = USERS

    def fit(self, data, monitor=None):
        posts, hashtags = data.corpus.taggings()
        train = data.corpus.split_of_post[posts] == Split.TRAIN
        counts = np.bincount(hashtags[train], minlength=len(data.corpus.hashtags))
        self.data, self.weights = data, (counts / counts.max()) ** self.settings.power
        if monitor is not None:
            monitor.say("counted")

    def score(self, queries):
        return self.weights[queries.truth.hashtags.values].astype(np.float32)

    def servable(self, k=50):
        return ToyServable(self.data.corpus.hashtags, self.weights.astype(np.float32), k)

    def explain(self, query, hashtag=None, *, split="test", **more):
        weight = float(self.weights[self.data.corpus.hashtags.index(hashtag)])
        columns = [Column("signal", ["how often it was tagged"], "name"), Column("value", [weight])]
        panel = Items(key="signals", title="What carried the score", columns=columns)
        return Explanation(f"#{hashtag} for {query}", [], [panel], {"score": weight})

    def save(self, folder):
        path = pathlib.Path(folder) / "weights.json"
        path.write_text(json.dumps(self.weights.tolist()))

    def restore(self, data, folder):
        try:
            weights = json.loads((pathlib.Path(folder) / "weights.json").read_text())
        except (OSError, ValueError) as error:
            raise ArtifactError(f"{folder}: not readable: {error}. Train again.") from error
        self.data, self.weights = data, np.array(weights)
