"""Which hashtags of a large catalogue are worth ranking: two looks, the second closer."""

from typing import Any

import numpy as np
import scipy.linalg
import tensorflow as tf

from tfhashtag.recommenders.audience.audience import Audience
from tfhashtag.recommenders.audience.signals import (
    SUM_SIGNALS,
    USER_SIGNALS,
    AudienceSignals,
)

#: Signals whose weighted sum is the first look: those that are products with sums of a hashtag.
FIRST_LOOK = (
    "text_cosine",
    "authors_text_mean",
    "authors_taste_mean",
    "authors_names_mean",
    "authors_whitened_level",
    "name_history",
    "name_tags",
    "contexts",
    "recent_contexts",
)

#: The same by what they look at, as candidate sources.
SOURCES = {
    "messages": ("text_cosine",),
    "people": (
        "authors_text_mean",
        "authors_taste_mean",
        "authors_names_mean",
        "authors_whitened_level",
    ),
    "names": ("name_history", "name_tags"),
    "popular": ("contexts", "recent_contexts"),
}

_FIRST = [SUM_SIGNALS.index(name) for name in FIRST_LOOK]
_DIRECTIONS = 256  # of the rows of hashtags, that the first look keeps
_ROWS = 8192  # of them that are worked on at a time


class Looks(tf.Module):
    r"""Finds the hashtags of a catalogue that a user may take up, without ranking them all.

    The first look at a hashtag \(h\) is \(q \cdot r_h + b_h\): in \(r_h\) the mean of its messages,
    the mean profile of its authors and its name stand end to end, in \(q\) what a user is compared
    with each by, times the model's weights. Of \(r\) the directions in which hashtags differ most
    are kept (principal components, each part scaled by its weights), so that a look at all costs
    one product with 256 numbers a hashtag; with fewer numbers than that nothing is lost. The second
    look gives `SUM_SIGNALS` of the best to small trees, which were grown towards the sum of the
    model's others. A model without trees has none, and a look by weights of one's own neither.

    Args:
        signals: over the tables of the moment.
        audience: the same tables.
        model: a trained `AudienceModel`.
        weights: float32 `[len(FIRST_LOOK)]`, of the first look; None: the model's.

    Attributes:
        count: N, the hashtags of the catalogue.
        closer: whether there is a second look.
    """

    def __init__(
        self, signals: AudienceSignals, audience: Audience, model: Any, weights: Any = None
    ) -> None:
        super().__init__(name="looks")
        self.signals, self.model, self.count = signals, model, len(audience.hashtags)
        self.closer = weights is None and model.second_look.trees > 0
        self.weights = np.asarray(model.first_look if weights is None else weights, np.float32)
        basis, centre, sketch = _directions(audience, self.weights)
        self.basis = tf.Variable(basis, trainable=False, name="look_basis")
        self.centre = tf.Variable(centre, trainable=False, name="look_centre")
        self.sketch = tf.Variable(sketch, trainable=False, name="look_sketch")

    def first(self, state: Any) -> tf.Tensor:
        """The first look at every hashtag, nothing hidden, float32 `[B, N]`.

        Args:
            state: from `AudienceSignals.user_state`.
        """
        weights = self.weights
        query = tf.concat(
            [
                weights[0] * state["text"],
                weights[1] * state["centred"] + weights[4] * state["whitened_text"],
                weights[2] * state["taste"] + weights[4] * state["whitened_taste"],
                weights[3] * state["names"] + weights[4] * state["whitened_names"],
                weights[5] * state["text"] + weights[6] * state["names"],
            ],
            axis=1,
        )
        counts = tf.tile(tf.constant(weights[None, [7, 8, 4]]), [tf.shape(query)[0], 1])
        brief = tf.concat([tf.matmul(query, self.basis), counts], axis=1)
        same = tf.linalg.matvec(query, self.centre)
        return tf.matmul(brief, self.sketch, transpose_b=True) + same[:, None]

    def first_of(self, sums: Any) -> tf.Tensor:
        """What the first look is without loss, of `SUM_SIGNALS` `[..., S]`."""
        return tf.linalg.matvec(tf.gather(sums, _FIRST, axis=-1), self.weights)

    def second(self, state: Any, places: Any) -> tf.Tensor:
        """The second look at some rows of the tables, nothing hidden, float32 `[B, C]`."""
        found = self.signals.sum_signals(state, places)
        shape = [*tf.unstack(tf.shape(places)), len(USER_SIGNALS)]
        return self.second_of(found, tf.broadcast_to(state["alone"][:, None], shape))

    def second_of(self, sums: Any, alone: Any) -> tf.Tensor:
        """The same from `SUM_SIGNALS` `[..., S]` and `USER_SIGNALS` `[..., U]`."""
        return self.model.second_look(tf.concat([sums, alone], axis=-1))

    def best(self, state: Any, candidates: Any, ranked: Any) -> tf.Tensor:
        """The rows that are worth ranking, best first, int32 `[B, ranked]`.

        Args:
            state: from `AudienceSignals.user_state`.
            candidates: how many the first look leaves for the second.
            ranked: int32, how many of them the second leaves; all, where there is none.
        """
        candidates = tf.minimum(candidates, self.count)
        first = tf.math.top_k(self.first(state), candidates).indices
        if not self.closer:
            return first
        second = tf.math.top_k(self.second(state, first), tf.minimum(ranked, candidates))
        return tf.gather(first, second.indices, batch_dims=1)


def _directions(
    audience: Audience, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How a query and the rows of hashtags are brought to few numbers.

    Returns:
        float32 `[D, r]`, which a query is multiplied with; `[D]`, whose product with the query is
        the same for all hashtags; and the rows `[N, r + 3]`, which end with what counts give.
    """
    text, taste = audience.width, audience.taste.shape[1]
    of_metric = abs(weights[4]) * np.trace(audience.whitening) / len(audience.whitening)
    parts = [
        (abs(weights[0]), text),
        (abs(weights[1]) + of_metric, text),
        (abs(weights[2]) + of_metric, taste),
        (abs(weights[3]) + of_metric, text),
        (abs(weights[5]) + abs(weights[6]), text),
    ]
    least = max(1e-3 * max(weight for weight, _ in parts), 1e-6)
    scale = np.concatenate([np.full(width, max(weight, least)) for weight, width in parts])
    count = len(audience.hashtags)
    total, moments = np.zeros(len(scale)), np.zeros((len(scale),) * 2)
    for start in range(0, count, _ROWS):
        rows = _rows(audience, start) * scale.astype(np.float32)
        total += rows.sum(axis=0, dtype=np.float64)
        moments += rows.T @ rows
    mean = total / count
    moments = moments / count - np.outer(mean, mean)
    first = max(len(scale) - _DIRECTIONS, 0)
    _, axes = scipy.linalg.eigh(moments, subset_by_index=[first, len(scale) - 1])
    sketch = np.empty((count, axes.shape[1] + 3), np.float32)
    for start in range(0, count, _ROWS):
        rows = _rows(audience, start) * scale - mean
        sketch[start : start + _ROWS, :-3] = rows @ axes
    contexts, recent = audience.counts[:, 0], audience.counts[:, 1]
    sketch[:, -3] = np.log(np.maximum(contexts, 1))
    sketch[:, -2] = np.log1p(np.maximum(recent, 1))
    sketch[:, -1] = audience.author_level
    basis, centre = axes / scale[:, None], mean / scale
    return basis.astype(np.float32), centre.astype(np.float32), sketch


def _rows(audience: Audience, start: int) -> np.ndarray:
    """Mean message, mean profile of authors and name of some hashtags, float32 `[n, D]`."""
    some = slice(start, start + _ROWS)
    names = audience.names[audience.hashtags[some]].astype(np.float32)
    messages = audience.context_sums[some] / np.maximum(audience.context_norm[some, None], 1e-9)
    people = audience.author_sums[some] / np.maximum(audience.counts[some, 4:5], 1)
    return np.concatenate([messages, people, names], axis=1)
