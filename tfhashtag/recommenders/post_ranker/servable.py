"""The recommended model of posts behind raw strings and pictures."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tfhashtag.layers.picture_pooling import mean_of_pictures
from tfhashtag.recommenders.post_ranker.posts_at import ALWAYS
from tfhashtag.retrieval.graph_post_search import GraphPostSearch, constant
from tfhashtag.tasks.posts.servable import Answer, PostsServable

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

    def __init__(self, recommender: Any) -> None:
        moment, corpus = recommender.present.moment, recommender.corpus
        self.timed = moment.uses is not None
        self.count = recommender.settings.data.other_posts
        self.users = [corpus.users[user] for user in moment.users]
        self.searches = {
            kind: GraphPostSearch(vectors.unit, vectors.row, moment.user_of_post)
            for kind, vectors in moment.kinds.items()
        }

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

    def __call__(self, query: Answer, training: bool = False) -> tf.Tensor:
        """float32 `[B, L]`."""
        signals, found = self.signals(query)
        logits = self.model(signals, training=training)
        count = self.signals.count
        every = tf.tile(self.floor, [tf.shape(query["users"])[0]])
        scores = tf.tensor_scatter_nd_update(every, found["all"][:, None], logits)
        return tf.reshape(scores, [-1, count])

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
    if context.timed:
        servable.limits = (*servable.limits, CLOCK)
    return servable
