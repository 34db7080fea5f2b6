"""What speaks for each label around a post: counts in the user's history and in similar posts."""

import dataclasses

import numpy as np

from tfhashtag.data.corpus import Corpus
from tfhashtag.data.exact_post_index import ExactPostIndex
from tfhashtag.data.label_counts import LabelCounts
from tfhashtag.data.post_labels import PostLabels
from tfhashtag.data.post_search import PostQueries
from tfhashtag.data.rows import Rows
from tfhashtag.settings import PostData

SIGNALS = ("own", "own_share", "own_similar", "others_similar", "others_near")


@dataclasses.dataclass(frozen=True)
class LabelSignals:
    """For each of n posts the labels with any signal, and their signals."""

    rows: Rows
    signals: np.ndarray

    def padded(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Labels int32 `[B, N]`, -1 pads, and signals float32 `[B, N, S]` of the given rows."""
        rows = np.asarray(rows, np.int64)
        lengths = self.rows.lengths[rows]
        width = max(1, int(lengths.max(initial=0)))
        starts = self.rows.offsets[rows]
        place = np.arange(width)[None]
        real = place < lengths[:, None]
        index = np.where(real, starts[:, None] + place, 0)
        if len(self.signals) == 0:
            return np.full(real.shape, -1, np.int32), np.zeros((*real.shape, len(SIGNALS)), "f4")
        labels = np.where(real, self.rows.values[index], -1).astype(np.int32)
        return labels, np.where(real[..., None], self.signals[index], np.float32(0))


def label_signals(
    corpus: Corpus,
    labels: PostLabels,
    posts: np.ndarray,
    text: np.ndarray,
    hashtags: np.ndarray,
    visual: np.ndarray | None,
    data: PostData,
) -> LabelSignals:
    """Signals of labels for posts."""
    index = ExactPostIndex(corpus, text, visual, data.visual_share)
    queries = PostQueries.of_corpus(corpus, posts, text, visual)
    own = LabelCounts.of_user_history(corpus, labels, posts)
    near, similarity = index.search(queries, 50, "own")
    own_similar = LabelCounts.of_similar_posts(labels, near, np.exp((similarity - 1) / 0.2))
    near, similarity = index.search(queries, 200, "others")
    others = LabelCounts.of_similar_posts(labels, near, np.exp((similarity - 1) / 0.1))
    others_near = LabelCounts.of_similar_posts(
        labels, near[:, :20], np.maximum(similarity[:, :20], 0)
    )
    blocks = []
    rows: list[np.ndarray] = []
    for start in range(0, len(posts), 1024):
        part = np.arange(start, min(start + 1024, len(posts)))
        count = own.dense(part, len(labels))
        total = np.maximum(count.sum(1, keepdims=True), 1)
        dense = np.stack(
            [
                np.log1p(count),
                count / total,
                np.log1p(own_similar.dense(part, len(labels)) * 5),
                np.log1p(others.dense(part, len(labels)) * 20),
                np.log1p(others_near.dense(part, len(labels))),
            ],
            axis=-1,
        )
        for one in dense:
            found = np.flatnonzero(one.any(axis=1))
            rows.append(found)
            blocks.append(one[found])
    return LabelSignals(
        Rows.from_lists(rows),
        np.concatenate(blocks) if blocks else np.zeros((0, len(SIGNALS)), np.float32),
    )
