"""What PHR reads beside the post itself, found in the graph for posts of anybody."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfhashtag.corpus.corpus import Split
from tfhashtag.layers.picture_pooling import mean_of_pictures
from tfhashtag.memory import ROWS, let_go, rows_of
from tfhashtag.retrieval.graph_inverted_search import GraphInvertedSearch
from tfhashtag.retrieval.graph_post_search import GraphPostSearch
from tfhashtag.retrieval.graph_similar_hashtags import GraphSimilarHashtags
from tfhashtag.retrieval.inverted_post_index import InvertedPostIndex
from tfhashtag.retrieval.post_search import PostIndex
from tfhashtag.retrieval.shared_tables import constant, shareable
from tfhashtag.tasks.posts.graph_label_signals import GraphLabelSignals
from tfhashtag.tasks.posts.inputs import (
    USED_POSTS,
    HashtagSums,
    PostInputs,
    newest_posts,
    people,
)
from tfhashtag.tasks.posts.label_signals import OTHER_POSTS, OWN_POSTS
from tfhashtag.tasks.posts.picture_means import picture_means
from tfhashtag.tasks.posts.servable import Answer

_BLOCK = 1 << 14  # vectors at a time


class PhrContext:
    """Similar posts, their hashtags, signals of labels and the stored graph, for `PhrModel`.

    `PostInputs` in the graph, for posts that are asked at a moment after all train posts.

    Args:
        recommender: a trained `PostRecommender` with a `PhrModel`.
    """

    padded = 0

    def __init__(self, recommender: Any) -> None:
        corpus, data = recommender.corpus, recommender.settings.data
        visual = recommender.model.sides.get("visual")
        # What the memory reads of each slot, as measured.
        self.cell = 0 if visual is None else 3 * visual.features * (visual.slots or 2)
        self.data, self.parts = data, recommender.parts
        self.train = np.flatnonzero(corpus.split_of_post == Split.TRAIN)
        self.users, user_of_post = people(corpus, self.train)
        inputs = PostInputs(
            corpus, recommender.labels, recommender.tables, self.train, data, parts=()
        )
        self.search = _search(recommender.index, inputs, user_of_post, data.visual_share)
        self.most_used = GraphSimilarHashtags(corpus, self.train)
        self.names = constant("hashtag_vectors", self._name_vectors(inputs.tables.hashtags))
        self.used = self.signals = self.user_text = self.hashtag_sums = None
        if data.similar_vectors == "texts_and_hashtags":
            sums = HashtagSums(corpus, inputs.tables.hashtags)(np.append(self.train, -1))
            self.hashtag_sums = constant("hashtag_sums", sums)
        if "used" in self.parts:
            newest = newest_posts(corpus, self.train, user_of_post, len(self.users), USED_POSTS)
            used = self.most_used.best_ranks(tf.constant(newest), data.own_hashtags)
            self.used = constant("used_hashtags", used)
        if "signals" in self.parts:
            self.signals = GraphLabelSignals(
                recommender.labels.rows.take(self.train),
                user_of_post,
                [corpus.hashtags[hashtag] for hashtag in recommender.labels.hashtags],
            )
            means = _means(inputs.tables.text, corpus.message_of_post[self.train], user_of_post)
            self.user_text = constant("user_text", means)
        self.catalogue = {
            name: constant(f"catalogue_{name}", np.asarray(values))
            for name, values in recommender.catalogue().items()
        }

    def trackables(self) -> list[Any]:
        """What the SavedModel must hold."""
        held = [self.names, *self.catalogue.values()]
        tables = self.used, self.user_text, self.hashtag_sums
        held += [table for table in tables if table is not None]
        held += [] if self.signals is None else self.signals.trackables()
        return held + self.search.trackables() + self.most_used.trackables()

    def __call__(self, post: Answer, texts: tf.Tensor, users: tf.Tensor) -> Answer:
        """The inputs of the model, see `PostContext`."""
        data, signals = self.data, self.signals
        visual = None
        if self.search.reads_pictures:
            visual = mean_of_pictures(post["proposals"], post.get("image_mask"))
        own, own_similarity, others, others_similarity = self.search(
            post["text"],
            visual,
            users,
            own=max(data.own_posts, OWN_POSTS if signals else 1),
            others=max(data.other_posts, OTHER_POSTS if signals else 1),
        )
        inputs = dict(post)
        if signals is not None:
            near = own[:, :OWN_POSTS], own_similarity[:, :OWN_POSTS]
            far = others[:, :OTHER_POSTS], others_similarity[:, :OTHER_POSTS]
            inputs["count_signals"] = signals(texts, users, *near, *far)
            every = tf.range(signals.labels)[None]
            inputs["count_labels"] = tf.tile(every, [tf.shape(users)[0], 1])
            inputs["user_text"] = self._of_users(self.user_text, users)
        own, others = own[:, : data.own_posts], others[:, : data.other_posts]
        for side, found, count in (
            ("own", own, data.own_hashtags),
            ("others", others, data.other_hashtags),
        ):
            inputs[f"{side}_posts"] = self.search.text_vectors(found)
            inputs[f"{side}_posts_mask"] = found >= 0
            if self.hashtag_sums is not None:
                rows = tf.where(found >= 0, found, len(self.train))
                inputs[f"{side}_posts"] += tf.gather(self.hashtag_sums, rows)
            inputs |= self._named(side, self.most_used.best_ranks(found, count))
        if self.used is not None:
            nothing = len(self.most_used.hashtags)
            inputs |= self._named("used", self._of_users(self.used, users, nothing))
        if self.catalogue:
            inputs |= self._neighbours(tf.concat([own, others], axis=1), post)
        return inputs

    def _name_vectors(self, vectors: np.ndarray) -> np.ndarray:
        """Those of the hashtags in use, in 16 bits, and zeros for none behind them."""
        used = self.most_used.hashtags
        found = shareable((len(used) + 1, vectors.shape[1]), np.float16)
        found[-1] = 0
        for start in range(0, len(used), _BLOCK):
            some = used[start : start + _BLOCK]
            found[start : start + len(some)] = vectors[some]
            let_go(vectors)
        return found

    def _named(self, side: str, ranks: tf.Tensor) -> Answer:
        """Vectors of the names of hashtags, and which are real."""
        return {
            f"{side}_hashtags": tf.cast(tf.gather(self.names, ranks), tf.float32),
            f"{side}_hashtags_mask": ranks < len(self.most_used.hashtags),
        }

    @staticmethod
    def _of_users(table: tf.Tensor, users: tf.Tensor, nothing: int = 0) -> tf.Tensor:
        """Rows of a table, `nothing` for those without train posts."""
        rows = tf.gather(table, tf.maximum(users, 0))
        return tf.where((users >= 0)[:, None], rows, tf.cast(nothing, rows.dtype))

    def _neighbours(self, places: tf.Tensor, post: Answer) -> Answer:
        catalogue = {
            name: tf.gather(values, tf.maximum(places, 0))
            for name, values in self.catalogue.items()
        }
        inputs = {"neighbour_messages": catalogue["messages"]}
        for relation, has in (("visual", "has_image"), ("textual", "has_text")):
            if relation in catalogue:
                inputs[f"neighbour_{relation}"] = catalogue[relation]
                inputs[f"neighbour_{relation}_mask"] = (
                    (places >= 0) & catalogue[has] & post[has][:, None]
                )
        return inputs


def _search(
    index: PostIndex, inputs: PostInputs, user_of_post: np.ndarray, omega: float
) -> GraphPostSearch | GraphInvertedSearch:
    """What searches as the recommender's own index does."""
    corpus, tables = inputs.corpus, inputs.tables
    messages, text_row = np.unique(corpus.message_of_post[inputs.posts], return_inverse=True)
    if isinstance(index, InvertedPostIndex):
        lengths = np.empty(len(messages), np.float32)
        for start in range(0, len(messages), _BLOCK):
            some = tables.text[messages[start : start + _BLOCK]]
            lengths[start : start + _BLOCK] = np.linalg.norm(some, axis=1)
            let_go(tables.text)
        table, width = index.index.table, tables.text.shape[1]
        whose = inputs.posts, user_of_post
        return GraphInvertedSearch(table, *whose, lengths[text_row], width, omega)
    text = np.asarray(tables.text[messages])
    visual = visual_row = None
    if tables.proposals is not None and tables.proposal_rows is not None:
        means, rows = picture_means(tables.proposals, tables.proposal_rows[inputs.posts])
        images = np.unique(rows[rows >= 0])
        # The last row stands for no picture.
        visual = np.concatenate([means[images], np.zeros((1, means.shape[1]), np.float32)])
        visual_row = np.where(rows >= 0, np.searchsorted(images, rows), len(images))
    return GraphPostSearch(text, text_row, user_of_post, visual, visual_row, omega)


def _means(text: np.ndarray, message_of_post: np.ndarray, user_of_post: np.ndarray) -> np.ndarray:
    """The mean vector of each user's texts, float32 `[U, g]`."""
    order = np.argsort(user_of_post, kind="stable")
    starts = np.flatnonzero(np.diff(user_of_post[order], prepend=-1))
    parts = np.split(message_of_post[order], starts[1:])
    means, read = [], 0
    for messages in parts:
        means.append(rows_of(text, messages).mean(axis=0))
        read += len(messages)
        if read > ROWS:
            let_go(text)
            read = 0
    let_go(text)
    return np.asarray(means, np.float32).reshape(len(starts), text.shape[1])
