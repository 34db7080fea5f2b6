"""What is asked of all hashtags at once: of so many each, beyond of those that an index finds."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfhashtag.recommenders.post_ranker.tables import Moment, Vectors
from tfhashtag.retrieval.inverted_file import InvertedFile
from tfhashtag.retrieval.inverted_table import InvertedTable
from tfhashtag.retrieval.shared_tables import constant
from tfhashtag.retrieval.sources import CandidateRows, best_of_all, pairs_of
from tfhashtag.retrieval.vector_search import VectorQueries

_RECALL, _ASKED = 0.95, 512  # of the hashtags nearest to a post, and posts that it is measured on


class EveryHashtag:
    """Chances of classifiers and cosines of posts with the means of hashtags.

    Where the classifiers know all `L` hashtags these are tables `[B, L]`. Where there are more, the
    chance of one that they do not know is its share of all uses, which is taken off the others'
    together; and the nearest means are found by an inverted file. So a post costs no more than
    `CLASSIFIED` hashtags do, however many there are.

    Args:
        moment: the tables.
        limit: hashtags nearest to a post that are asked for.
    """

    def __init__(self, moment: Moment, limit: int) -> None:
        self.count, self.limit = len(moment.labels), limit
        self.searches: dict[str, InvertedFile] = {}
        self._held: list[Any] = []
        if self.count == len(moment.classified):
            return
        self.searches = {kind: _search(each, limit) for kind, each in moment.kinds.items()}
        column = np.full(self.count, -1, np.int32)
        column[moment.classified] = np.arange(len(moment.classified))
        self._column = constant("column", column)
        self._classified = constant("classified", moment.classified)
        self._log_share = constant("log_share", np.log(np.maximum(moment.share, 1e-9)))
        self._log_known = float(np.log(moment.share[moment.classified].sum()))
        self._held = [self._column, self._classified, self._log_share]

    def trackables(self) -> list[Any]:
        """What a SavedModel must hold."""
        return [*self._held, *(v for each in self.searches.values() for v in each.trackables())]

    def log_chances(self, logits: tf.Tensor) -> tf.Tensor:
        """Of a classifier's logits `[B, C]`."""
        found = tf.nn.log_softmax(logits)
        return found + self._log_known if self.searches else found

    def likeliest(self, chance: tf.Tensor, limit: int) -> tuple[tf.Tensor, tf.Tensor]:
        """The hashtags that a classifier makes likeliest, `[B, limit]`, and how likely."""
        found = tf.math.top_k(chance, min(limit, chance.shape[1]))
        labels = found.indices
        if self.searches:
            labels = tf.gather(tf.convert_to_tensor(self._classified), labels)
        return labels, found.values

    def likeliest_keys(self, chance: tf.Tensor, limit: int) -> tf.Tensor:
        """The same as the keys of a candidate source."""
        if not self.searches:
            return best_of_all(chance, limit)
        return self._keys(self.likeliest(chance, limit)[0])

    def chances_of(self, chance: tf.Tensor, rows: CandidateRows) -> tf.Tensor:
        """What a classifier says of candidates, float32 `[c]`."""
        if not self.searches:
            return tf.gather_nd(chance, tf.stack([rows.queries, rows.hashtags], axis=1))
        column = tf.gather(tf.convert_to_tensor(self._column), rows.hashtags)
        at = tf.stack([rows.queries, tf.maximum(column, 0)], axis=1)
        share = tf.gather(tf.convert_to_tensor(self._log_share), rows.hashtags)
        return tf.where(column >= 0, tf.gather_nd(chance, at), share)

    def cosines(self, vectors: tf.Tensor, means: tf.Tensor) -> tf.Tensor:
        """Of posts `[B, d]` with all means, `[B, L]`; with many the posts as they are."""
        return vectors if self.searches else tf.matmul(vectors, means, transpose_b=True)

    def closest_keys(self, kind: str, cosines: tf.Tensor) -> tf.Tensor:
        """The hashtags with the nearest means as the keys of a candidate source."""
        if not self.searches:
            return best_of_all(cosines, self.limit)
        return self._keys(self.searches[kind](VectorQueries(cosines), self.limit)[0])

    def cosines_of(self, cosines: tf.Tensor, rows: CandidateRows, means: tf.Tensor) -> tf.Tensor:
        """Those of candidates, float32 `[c]`; their means are `[c, d]`."""
        if self.searches:
            return tf.reduce_sum(tf.gather(cosines, rows.queries) * means, axis=1)
        return tf.gather_nd(cosines, tf.stack([rows.queries, rows.hashtags], axis=1))

    def _keys(self, labels: tf.Tensor) -> tf.Tensor:
        return pairs_of(tf.range(tf.shape(labels)[0])[:, None], labels, self.count).keys


def _search(vectors: Vectors, count: int) -> InvertedFile:
    """Finds the hashtags whose posts are nearest to a vector, `count` of them."""
    sample = np.random.default_rng(0).permutation(len(vectors.unit))[:_ASKED]
    table = InvertedTable.build(np.ascontiguousarray(vectors.hashtags))
    found = InvertedFile(table).choose_probes(VectorQueries(vectors.unit[sample]), count, _RECALL)
    return InvertedFile(found.table, variables=True)
