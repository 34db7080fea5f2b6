"""What MaCon reads beside the post itself, in the graph, for posts of anybody."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfhashtag.corpus.corpus import Split
from tfhashtag.retrieval.shared_tables import constant
from tfhashtag.tasks.posts.inputs import HISTORY_HASHTAGS, newest_posts, people
from tfhashtag.tasks.posts.servable import Answer


class MaconContext:
    """The user's newest train posts, for `MaconModel`.

    Args:
        recommender: a trained `PostRecommender` with a `MaconModel`.
    """

    def __init__(self, recommender: Any) -> None:
        corpus, count = recommender.corpus, recommender.settings.data.history_posts
        tables = recommender.tables
        train = np.flatnonzero(corpus.split_of_post == Split.TRAIN)
        self.users, user_of_post = people(corpus, train)
        network, self.padded = recommender.settings.network, count
        self.cell = 4 * (network.features + network.attention)
        newest = newest_posts(corpus, train, user_of_post, len(self.users), count)
        places = np.unique(newest[newest >= 0])
        posts = train[places]
        # The last row stands for no post, and the last user for one without posts.
        rows = np.where(newest >= 0, np.searchsorted(places, newest), len(posts))
        rows = np.concatenate([rows, np.full((1, count), len(posts))])
        tokens = tables.tokens[corpus.message_of_post[posts]].astype(np.int32)
        tagged = recommender.labels.rows.padded(posts, HISTORY_HASHTAGS)
        self.nothing = len(posts)
        self.rows = constant("history", rows.astype(np.int32))
        self.tokens = constant("history_tokens", np.pad(tokens, [(0, 1), (0, 0)]))
        self.hashtags = constant(
            "history_hashtags", np.pad(tagged, [(0, 1), (0, 0)], constant_values=-1)
        )
        self.images = self.image_row = None
        if tables.proposals is not None:
            rows_of_post = tables.proposal_rows
            image_row = np.pad(rows_of_post[posts], [(0, 1), (0, 0)], constant_values=-1)
            images = np.unique(image_row[image_row >= 0])
            image_row = np.where(image_row >= 0, np.searchsorted(images, image_row), len(images))
            pictures = np.asarray(tables.proposals[images], np.float32)
            self.no_image = len(images)
            self.images = constant("history_proposals", np.pad(pictures, [(0, 1), (0, 0), (0, 0)]))
            self.image_row = constant("history_images", image_row.astype(np.int32))

    def trackables(self) -> list[Any]:
        """What the SavedModel must hold."""
        held = [self.rows, self.tokens, self.hashtags]
        return held + [table for table in (self.images, self.image_row) if table is not None]

    def __call__(self, post: Answer, texts: tf.Tensor, users: tf.Tensor) -> Answer:
        """The inputs of the model, see `PostContext`."""
        rows = tf.gather(self.rows, tf.where(users >= 0, users, len(self.users)))
        inputs = post | {
            "history_mask": rows < self.nothing,
            "history_tokens": tf.gather(self.tokens, rows),
            "history_hashtags": tf.gather(self.hashtags, rows),
        }
        if self.images is not None:
            images = tf.gather(self.image_row, rows)
            pictures, real = tf.gather(self.images, images), images < self.no_image
            own = post["image_mask"]
            shape = [tf.shape(own)[0], tf.shape(own)[1], *pictures.shape[-2:]]
            wide = tf.maximum(tf.shape(own)[1], tf.shape(real)[2])
            for name, values, mask in (
                ("", tf.reshape(post["proposals"], shape)[:, None], own[:, None]),
                ("history_", pictures, real),
            ):
                more = wide - tf.shape(mask)[2]
                padded = tf.pad(values, [[0, 0], [0, 0], [0, more], [0, 0], [0, 0]])
                shape = tf.concat([tf.shape(mask)[:2], [-1, values.shape[-1]]], 0)
                inputs[f"{name}proposals"] = tf.reshape(padded, shape)
                inputs[f"{name}image_mask"] = tf.pad(mask, [[0, 0], [0, 0], [0, more]])
            for name in ("proposals", "image_mask"):
                inputs[name] = inputs[name][:, 0]
            inputs["history_has_image"] = tf.reduce_any(real, axis=-1)
        return inputs
