"""PHR and what is composed of its parts as a recommender."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfhashtag.corpus.corpus import Split
from tfhashtag.encoders.encoded_corpus import EncodedCorpus
from tfhashtag.explain.explanation import Explanation
from tfhashtag.recommenders.phr.compose import compose
from tfhashtag.recommenders.phr.context import PhrContext
from tfhashtag.recommenders.phr.explanation import explain_post
from tfhashtag.recommenders.phr.model import PhrModel
from tfhashtag.recommenders.phr.settings import PhrSettings
from tfhashtag.recommenders.post_network import PostNetworkRecommender, blocks
from tfhashtag.recommenders.rules.posts import train_counts
from tfhashtag.retrieval.inverted_post_index import InvertedPostIndex
from tfhashtag.tasks.posts.inputs import PostInputs
from tfhashtag.tasks.posts.label_signals import SIDES_OF_SIGNALS
from tfhashtag.tasks.posts.servable import PostsServable


class PhrRecommender(PostNetworkRecommender):
    """Trains `PhrModel` (thesis, 2024), which reads a post, the posts around it and their graph.

    At inference a post's graph holds the train posts that were retrieved for it, whose messages are
    computed once for given weights: an answer does not depend on what else is asked.
    """

    Settings = PhrSettings
    settings: PhrSettings
    Context = PhrContext
    model: PhrModel

    @property
    def parts(self) -> tuple[str, ...]:  # type: ignore[override]
        """See `PostNetworkRecommender`."""
        network = self.settings.network
        used = ("used",) if network.own_side == "hashtags" else ()
        return ("similar", *used, "signals") if network.residual else ("similar", *used)

    def servable(self, k: int = 50) -> PostsServable:
        """See `Recommender.servable`."""
        servable = super().servable(k)
        if isinstance(self.index, InvertedPostIndex):
            servable.limits = (*servable.limits, self.index.told())
        return servable

    def explain(
        self, query: str, hashtag: str | None = None, *, split: str = "test", **more: Any
    ) -> Explanation:
        """See `explain_post`; `split` is the post's own."""
        return explain_post(self, query, hashtag, **more)

    def catalogue(self) -> dict[str, np.ndarray]:
        """What train posts send in the graph, a row a train post; empty without a graph."""
        if not self.model.linked:
            return {}
        inputs = self._train_inputs
        parts = [
            keras.tree.map_structure(np.asarray, self._compute_catalogue(inputs.batch(rows)))
            for rows in blocks(len(inputs))
        ]
        found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        found["has_image"] = self._has_image(inputs.posts)
        found["has_text"] = inputs.has_text(np.arange(len(inputs)))
        neighbours = inputs.neighbours()
        place = self._train_place()
        return self.model.spread(found, np.where(neighbours >= 0, place[neighbours], -1))

    def _read(self, data: EncodedCorpus) -> None:
        super()._read(data)
        # Traced once, not once an epoch.
        self._compute_catalogue = tf.function(
            self.model.catalogue, reduce_retracing=True, autograph=False
        )

    @property
    def _needs_all_posts(self) -> bool:
        return self.model.linked

    def _adapt(self, inputs: PostInputs, rows: np.ndarray) -> None:
        names = np.asarray(self.tables.hashtags[self.labels.hashtags], np.float32)
        if self.model.head.vectors is not None:
            self.model.head.vectors.adapt(names)
        if self.model.residual is None:
            return
        sample = np.random.default_rng(self.settings.seed).permutation(rows)[:2000]
        batch = inputs.batch(sample)
        read = self.model.residual.read(batch)
        self.model.residual.adapt(
            train_counts(self.corpus, self.labels),
            names,
            read["text"],
            np.asarray(read["signals"])[batch["count_labels"] >= 0],
            read.get("visual"),
        )

    def _train_place(self) -> np.ndarray:
        """Place of each corpus post among the train posts, -1 for others."""
        place = np.full(len(self.corpus), -1, np.int32)
        train = self._posts_of(Split.TRAIN)
        place[train] = np.arange(len(train))
        return place

    def _has_image(self, posts: np.ndarray) -> np.ndarray:
        if self.tables.proposal_rows is None:
            return np.zeros(len(posts), bool)
        return (self.tables.proposal_rows[posts] >= 0).any(axis=1)

    def _more(self, inputs: PostInputs) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
        """What the neighbours of posts in the graph send."""
        catalogue = self.catalogue()
        if not catalogue:
            return super()._more(inputs)
        neighbours, places = inputs.neighbours(), self._train_place()

        def sent(rows: np.ndarray) -> dict[str, np.ndarray]:
            found = neighbours[rows]
            place = np.where(found >= 0, places[found], -1)
            real = place >= 0
            batch = {"neighbour_messages": catalogue["messages"][place]}
            owns = {
                "visual": ("has_image", self._has_image(inputs.posts[rows])),
                "textual": ("has_text", inputs.has_text(rows)),
            }
            for relation, (has, own) in owns.items():
                if relation in catalogue:
                    batch[f"neighbour_{relation}"] = catalogue[relation][place]
                    mask = real & catalogue[has][place] & own[:, None]
                    batch[f"neighbour_{relation}_mask"] = mask
            return batch

        return sent

    def _competing(self) -> int:
        """All labels, or so many as leave room for a sample beside those of any batch."""
        training, options, labels = self.settings.training, self.options, len(self.labels)
        # Of Keras's own step alone: several devices, XLA, losses that are scaled.
        keras_only = options.strategy != "none" or options.xla
        if not training.labels or keras_only or options.dtype_policy == "mixed_float16":
            return labels
        lengths = np.sort(self.labels.rows.lengths[self._posts_of(Split.TRAIN)])
        of_batch = int(lengths[-training.batch_posts :].sum())
        return min(max(training.labels, 2 * of_batch), labels)

    def _new_model(self, labels: int) -> keras.Model:
        return compose(
            self.settings.network,
            self.settings.data,
            labels,
            int(self.vectors.shape[1]),
            self._image_width,
            self._vocabulary_size,
            SIDES_OF_SIGNALS,
            dtype=self.options.dtype_policy,
            name="phr",  # stands in the checkpoint's keys
        )
