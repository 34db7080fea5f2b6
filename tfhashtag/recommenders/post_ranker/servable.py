"""The recommended model of posts behind raw strings and pictures."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from tfhashtag.explain.contributions import largest_first
from tfhashtag.layers.picture_pooling import mean_of_pictures
from tfhashtag.recommenders.post_ranker.explanation import groups_of, parts_of, words_of
from tfhashtag.recommenders.post_ranker.posts_at import ALWAYS
from tfhashtag.retrieval.shared_tables import constant
from tfhashtag.tasks.posts.servable import Answer, PostsServable

_THINGS = {"text": "text", "picture": "pictures"}
_SIMILAR = 10  # posts of each kind that an explanation shows

CLOCK = (
    "The moment of a post is that of the server's clock, in UTC. Rates of hashtags are those right "
    "after the newest post that the model knows; weekday and hour are of the moment."
)


class RankerContext:
    """Finds what `PostSignals` takes of a post: its user and similar posts of others.

    Posts are asked about at a moment after all train posts: that of the clock of whoever answers,
    where the moment is read.

    Args:
        recommender: a trained `PostRankerRecommender`.

    Attributes:
        clock: gives seconds since 1970 in the graph.
    """

    clock: Callable[[], tf.Tensor] = staticmethod(tf.timestamp)
    cell = padded = 0  # of pictures their mean is read

    def __init__(self, recommender: Any) -> None:
        at, corpus = recommender.present, recommender.corpus
        moment = at.moment
        self.timed = moment.uses is not None
        self.count = recommender.settings.data.other_posts
        self.users = [corpus.users[user] for user in moment.users]
        self.searches = {kind: at.graph_search(kind) for kind in moment.kinds}

    def trackables(self) -> list[Any]:
        """What the SavedModel must hold."""
        return [table for search in self.searches.values() for table in search.trackables()]

    def __call__(self, post: Answer, texts: tf.Tensor, users: tf.Tensor) -> Answer:
        """See `PostContext`."""
        found = {
            "texts": texts,
            "tokens": post["tokens"],
            "users": tf.where(users >= 0, users, len(self.users)),
            "times": tf.fill(tf.shape(users), tf.constant(ALWAYS, tf.int64)),
            "text": post["text"],
        }
        if self.timed:
            found["moments"] = tf.fill(tf.shape(users), tf.cast(self.clock(), tf.int64))
        if "picture" in self.searches:
            found["picture"] = mean_of_pictures(post["proposals"], post.get("image_mask"))
        for kind, search in self.searches.items():
            _, _, near, similarity = search(found[kind], None, users, own=1, others=self.count)
            found[f"{kind}_near"], found[f"{kind}_similarity"] = near, similarity
        return found


class RankerAnswers(tf.Module):
    """Logits of every hashtag: those of the candidates, the others below them.

    Args:
        recommender: a trained `PostRankerRecommender`.
    """

    def __init__(self, recommender: Any) -> None:
        super().__init__(name="ranker_answers")
        self.model, self.signals = recommender.model, recommender.present.signals
        self.floor = constant("floor", recommender.floor)
        self.held = self.signals.trackables()
        self._signals = tf.function(self.signals, autograph=False)  # for answers and reasons

    def __call__(self, query: Answer, training: bool = False) -> tf.Tensor:
        """float32 `[B, L]`."""
        signals, found = self._signals(query)
        logits = self.model(signals, training=training)
        count = self.signals.count
        every = tf.tile(self.floor, [tf.shape(query["users"])[0]])
        scores = tf.tensor_scatter_nd_update(every, found["all"][:, None], logits)
        return tf.reshape(scores, [-1, count])

    def explain(self, query: Answer, labels: tf.Tensor) -> Answer:
        """What `tfhashtag explain` says of signals, and others' posts of like text and picture."""
        signals, found = self._signals(query)
        wanted = tf.cast(labels, tf.int64)
        wanted += tf.range(tf.size(wanted, tf.int64)) * self.signals.count
        keys = found["all"]
        place = tf.clip_by_value(tf.searchsorted(keys, wanted), 0, tf.size(keys) - 1)
        known = (labels >= 0) & (tf.gather(keys, place) == wanted)
        features = tf.gather(signals, place)
        names, groups = groups_of(self.signals.signals)
        values = tf.gather(features, [group[0] for group in groups], axis=1)
        parts = parts_of(self.model, self.signals.signals, features)
        told = largest_first(names, [words_of(name) for name in names], values, parts)
        similar = [self._similar(kind, query, labels) for kind in self.signals.kinds]
        return {
            "known": known,
            **told,
            **{name: tf.concat([one[name] for one in similar], axis=1) for name in similar[0]},
        }

    def _similar(self, kind: str, query: Answer, labels: tf.Tensor) -> Answer:
        """The closest of others' posts that have a label."""
        near, similarity = query[f"{kind}_near"], query[f"{kind}_similarity"]
        tags = tf.gather(self.signals.table("labels_of_post"), tf.maximum(near, 0))
        has = tf.reduce_any(tags == labels[:, None, None], axis=2) & (near >= 0)
        number = tf.range(1, tf.shape(near)[1] + 1)
        ranked = tf.where(has, -tf.cast(number, tf.float32), -np.inf)
        ranked = tf.pad(ranked, [[0, 0], [0, _SIMILAR]], constant_values=-np.inf)
        at = tf.math.top_k(ranked, _SIMILAR)
        is_one = at.values > -np.inf
        chosen = tf.minimum(at.indices, tf.shape(near)[1] - 1)
        tags = tf.gather(tags, chosen, batch_dims=1)
        return {
            "similar": tf.where(is_one[..., None], tags, -1),
            "similar_by": tf.where(is_one, kind, ""),
            "similarity": tf.where(is_one, tf.gather(similarity, chosen, batch_dims=1), 0.0),
            "place": tf.where(is_one, chosen + 1, 0),
        }

    def represent(self, query: Answer) -> Answer:
        """`post`: unit vectors of text and picture, and of who writes: their mean, their taste."""
        return {"post": self.signals.embedding(query)}


def post_ranker_servable(recommender: Any, k: int = 50) -> PostsServable:
    """A trained `post_ranker` as it is exported: see `PostsServable.of_labels`."""
    context = RankerContext(recommender)
    servable = PostsServable.of_labels(
        recommender.data,
        recommender.labels,
        recommender.word_ids,
        RankerAnswers(recommender),
        context,
        k,
    )
    told = [
        index.told(f"Posts of similar {_THINGS[kind]}")
        for kind, index in recommender.present.inverted.items()
    ]
    servable.limits = (*servable.limits, *((CLOCK,) if context.timed else ()), *told)
    return servable
