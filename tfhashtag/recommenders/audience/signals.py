"""How well users and hashtags match: products of users with messages and authors, then segments."""

import math
from typing import Any

import numpy as np
import tensorflow as tf

from tfhashtag.recommenders.audience.audience import Audience

# The temperature of the softened sums: higher looks at the closest messages or authors alone.
_MESSAGE_TEMPERATURE = 20.0
_CENTRED_TEMPERATURE = 15.0
_AUTHOR_TEMPERATURE = 10.0
_COMMON_TEMPERATURE = 15.0
_NAMES_AT_A_TIME = 1 << 24  # cosines of names, 64 MB

#: Signals that context messages alone give, in the order of `context_signals`.
CONTENT_SIGNALS = ("text_cosine", "text_max", "text_sum", "centred_max", "centred_sum")

_AUTHOR_KINDS = ("text", "taste", "tags", "names", "all", "recent")

#: Every signal of a user and a catalogue hashtag, in the order of `AudienceSignals.signals`.
SIGNALS = (
    *CONTENT_SIGNALS,
    *(
        f"authors_{kind}_{reduction}"
        for kind in _AUTHOR_KINDS
        for reduction in ("mean", "max", "sum")
    ),
    "authors_shared_tags",
    "name_history",
    "name_tags",
    "name_max",
    "contexts",
    "recent_contexts",
    "recent_share",
    "authors",
    "other_tags",
    "untagged_share",
    "users_of_tag",
)

#: Signals of a user alone; no z-scores are taken of them.
USER_SIGNALS = ("history_length", "tags", "tags_per_message", "coherence", "tag_popularity")


class AudienceSignals(tf.Module):
    """Computes the signals between users and the hashtags of one audience.

    Similarities are products of the users with the distinct messages (`[messages, B]`) and with the
    authors (`[A, B]`); each hashtag then takes the mean, the maximum and the softened sum
    \\(\\frac{1}{t} \\log \\sum_e e^{t (s_e - 1)} + 1\\) over its own. One code serves training,
    evaluation and the exported graph.

    Args:
        audience: the constants.

    Example:

    >>> import numpy as np
    >>> from tfhashtag.tasks.users.episode import catalogue_episode
    >>> from tfhashtag.corpus.synthetic import synthetic_corpus
    >>> from tfhashtag.recommenders.audience.audience import audience_of
    >>> corpus = synthetic_corpus(posts=80, users=8, seed=0)
    >>> rng = np.random.default_rng(0)
    >>> audience = audience_of(
    ...     catalogue_episode(corpus),
    ...     rng.normal(size=(len(corpus.messages), 6)),
    ...     rng.normal(size=(len(corpus.hashtags), 6)),
    ... )
    >>> signals = AudienceSignals(audience)
    >>> history, mask, tags = tf.ones([2, 3, 6]), tf.ones([2, 3], bool), tf.zeros([2, 1], "int32")
    >>> state = signals.user_state(history, mask, tags)
    >>> signals.signals(state).shape == (2, len(audience.hashtags), len(SIGNALS))
    True
    """

    def __init__(self, audience: Audience):
        super().__init__(name="audience_signals")
        self.audience = audience
        self.count = len(audience.hashtags)

        def constant(value: Any, name: Any) -> Any:
            return tf.Variable(value, trainable=False, name=name)

        self.messages = constant(audience.messages, "messages")
        lengths = np.linalg.norm(audience.messages - audience.text_mean, axis=1)
        scale = np.where(lengths > 1e-6, 1 / np.maximum(lengths, 1e-6), 0).astype(np.float32)
        self.centred_scale = constant(scale, "centred_scale")
        self.entry_message = constant(audience.entry_message, "entry_message")
        self.entry_hashtag = constant(audience.entry_hashtag, "entry_hashtag")
        # What is summed over the visible entries whoever the user is: 1, recent, tags, untagged.
        entry_values = np.stack(
            [
                np.ones_like(audience.entry_recent),
                audience.entry_recent,
                audience.entry_tags,
                (audience.entry_tags == 0).astype(np.float32),
            ]
        )
        self.entry_values = constant(entry_values, "entry_values")
        self.entry_sums = constant(
            np.stack(
                [
                    np.bincount(audience.entry_hashtag, row, self.count).astype(np.float32)
                    for row in entry_values
                ]
            ),
            "entry_sums",
        )
        self.context_norm = constant(audience.context_norm, "context_norm")
        self.text_mean = constant(audience.text_mean, "text_mean")
        self.author_text = constant(audience.author_text, "author_text")
        self.author_names = constant(audience.author_names, "author_names")
        self.author_taste = constant(audience.author_taste, "author_taste")
        tags = audience.author_tags.tocoo()
        order = np.lexsort((tags.col, tags.row))
        indices = np.stack([tags.row[order], tags.col[order]], axis=1).astype(np.int64)
        self.author_tag_indices = constant(indices.reshape(-1, 2), "author_tag_indices")
        self.author_tag_values = constant(tags.data[order].astype(np.float32), "author_tag_values")
        self.pair_author = constant(audience.pair_author, "pair_author")
        self.pair_hashtag = constant(audience.pair_hashtag, "pair_hashtag")
        recent = np.flatnonzero(audience.pair_recent)
        self.recent_pairs = constant(recent.astype(np.int32), "recent_pairs")
        self.pair_count = constant(
            np.bincount(audience.pair_hashtag, minlength=self.count).astype(np.float32),
            "pair_count",
        )
        self.idf = constant(audience.idf, "idf")
        self.taste = constant(audience.taste, "taste")
        self.names = constant(audience.names, "names")
        self.users_of_tag = constant(audience.users_of_tag, "users_of_tag")
        self.hashtags = constant(audience.hashtags, "hashtags")

    def user_state(self, vectors: Any, mask: Any, tags: Any) -> dict[str, tf.Tensor]:
        """A user from the history.

        Args:
            vectors: float32 `[B, H, d]`, history messages in any order.
            mask: bool `[B, H]`, False pads.
            tags: int32 `[B, T]`, known hashtags of these messages, repeated as often as used; -1
                pads and stands for unknown ones.

        Returns:
            Tensors with `B` first: unit rows `text` and `centred` (mean history vector, as it is
            and less the mean over users), `taste`, `names`, `tags` `[B, V]` (weights); `distinct`
            `[B, V]` (1 for a hashtag used); `new` `[B, N]` (1 for one of the catalogue that is
            not used); `tag_ids` (the argument); `alone`
            `[B, len(USER_SIGNALS)]`.
        """
        weight = tf.cast(mask, tf.float32)
        vectors = _unit(tf.cast(vectors, tf.float32)) * weight[..., None]
        length = tf.reduce_sum(weight, axis=1)
        mean = tf.reduce_sum(vectors, axis=1) / tf.maximum(length, 1.0)[:, None]
        centred = _unit(tf.where(length[:, None] > 0, mean - self.text_mean, 0.0))
        counts = self._tag_counts(tags)
        used = tf.cast(counts > 0, tf.float32)
        weights = used * (1 + tf.math.log(tf.maximum(counts, 1.0))) * self.idf
        weights = _unit(weights)
        # Of the distinct hashtags of a user: each of its uses takes an equal part of its weight.
        safe = tf.maximum(tags, 0)
        valid = tf.cast(tags >= 0, tf.float32)
        part = valid / tf.maximum(tf.gather(counts, safe, batch_dims=1), 1.0)
        part_weight = part * tf.gather(weights, safe, batch_dims=1)
        distinct = tf.reduce_sum(used, axis=1)
        popularity = tf.reduce_sum(part * tf.gather(self.users_of_tag, safe), axis=1)
        alone = tf.stack(
            [
                tf.math.log1p(length),
                tf.math.log1p(distinct),
                distinct / tf.maximum(length, 1.0),
                tf.norm(mean, axis=1),
                popularity / tf.maximum(distinct, 1.0),
            ],
            axis=1,
        )
        return {
            "text": _unit(mean),
            "centred": centred,
            "taste": _unit(tf.einsum("bt,btk->bk", part_weight, tf.gather(self.taste, safe))),
            "names": _unit(tf.einsum("bt,btk->bk", part_weight, tf.gather(self.names, safe))),
            "tags": weights,
            "distinct": used,
            "new": 1 - tf.gather(used, self.hashtags, axis=1),
            "tag_ids": tags,
            "alone": alone,
        }

    def signals(self, state: Any, hidden: Any = None) -> tf.Tensor:
        """The `SIGNALS` of every hashtag of the catalogue.

        Args:
            state: from `user_state`.
            hidden: None, or what `hidden_of` gives for these users.

        Returns:
            float32 `[B, N, len(SIGNALS)]`.
        """
        entries = None if hidden is None else hidden["entries"]
        pairs = None if hidden is None else hidden["pairs"]
        users = tf.shape(state["text"])[0]

        def visible(values: Any, sums: Any) -> Any:
            total = tf.tile(sums[:, None], [1, users])
            if entries is None:
                return total
            place = tf.stack([tf.gather(self.entry_hashtag, entries[:, 0]), entries[:, 1]], axis=1)
            return tf.tensor_scatter_nd_sub(total, place, tf.gather(values, entries[:, 0]))

        contexts, recent, other_tags, untagged = (
            visible(self.entry_values[row], self.entry_sums[row]) for row in range(4)
        )
        shown = tf.maximum(contexts, 1.0)
        norms = tf.tile(self.context_norm[:, None], [1, users])
        if hidden is not None:
            norms = tf.tensor_scatter_nd_update(norms, hidden["norm_places"], hidden["norms"])

        text, centred = self._message_cosines(state)
        segment = (self.entry_hashtag, self.count, entries)
        total, highest, softened = _reduce(text, *segment, _MESSAGE_TEMPERATURE)
        found = [tf.math.divide_no_nan(total, norms), highest, softened]
        found += _reduce(centred, *segment, _CENTRED_TEMPERATURE)[1:]

        found += self._authors(state, pairs)
        authors = tf.tile(self.pair_count[:, None], [1, users])
        if pairs is not None:
            place = tf.stack([tf.gather(self.pair_hashtag, pairs[:, 0]), pairs[:, 1]], axis=1)
            authors = tf.tensor_scatter_nd_sub(
                authors, place, tf.ones_like(pairs[:, 0], tf.float32)
            )

        names = tf.gather(self.names, self.hashtags)
        found.append(tf.matmul(names, state["text"], transpose_b=True))
        found.append(tf.matmul(names, state["names"], transpose_b=True))
        found.append(self._closest_name(names, state["tag_ids"]))
        found += [
            tf.math.log(shown),
            tf.math.log1p(tf.maximum(recent, 0.0)),
            recent / shown,
            tf.math.log1p(tf.maximum(authors, 0.0)),
            other_tags / shown,
            untagged / shown,
            tf.tile(tf.gather(self.users_of_tag, self.hashtags)[:, None], [1, users]),
        ]
        return tf.transpose(tf.stack(found, axis=0), [2, 1, 0])

    def context_signals(self, state: Any, vectors: Any, mask: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """The `CONTENT_SIGNALS` of hashtags given by their context messages alone.

        Args:
            state: from `user_state`.
            vectors: float32 `[B, C, M, d]`.
            mask: bool `[B, C, M]`.

        Returns:
            float32 `[B, C, len(CONTENT_SIGNALS)]`, and how much each message weighs in the softened
            sum, float32 `[B, C, M]`, 0 for padding. No message at all gives the signals of one that
            is as far away as can be.
        """
        vectors = _unit(tf.cast(vectors, tf.float32))
        listed = tf.cast(mask, tf.float32)
        text = tf.einsum("bcmd,bd->bcm", vectors, state["text"])
        norms = tf.norm(tf.reduce_sum(vectors * listed[..., None], axis=2), axis=-1)
        cosine = tf.math.divide_no_nan(tf.reduce_sum(text * listed, axis=2), norms)
        found = [cosine, *_reduce_padded(text, mask, _MESSAGE_TEMPERATURE)]
        centred = tf.einsum("bcmd,bd->bcm", _unit(vectors - self.text_mean), state["centred"])
        found += _reduce_padded(centred, mask, _CENTRED_TEMPERATURE)
        attention = listed * tf.nn.softmax(
            tf.where(mask, _MESSAGE_TEMPERATURE * text, -1e30), axis=-1
        )
        return tf.stack(found, axis=-1), attention

    def hidden_of(self, users: np.ndarray) -> dict[str, np.ndarray]:
        """What these corpus users must not see, with places in the block instead of users.

        Args:
            users: int `[B]`, distinct corpus users in the order of the block.
        """
        audience = self.audience
        entries = _of_block(audience.hidden_entries, users)[0]
        pairs = _of_block(audience.hidden_pairs, users)[0]
        places, kept = _of_block(audience.hidden_norms[0], users)
        return {
            "entries": entries,
            "pairs": pairs,
            "norm_places": places,
            "norms": audience.hidden_norms[1][kept],
        }

    def _tag_counts(self, tags: Any) -> Any:
        known = len(self.audience.idf)
        users = tf.shape(tags)[0]
        row = tf.tile(tf.range(users)[:, None], [1, tf.shape(tags)[1]])
        place = tf.stack([row, tf.maximum(tags, 0)], axis=-1)
        return tf.scatter_nd(place, tf.cast(tags >= 0, tf.float32), [users, known])

    def _authors(self, state: Any, hidden: Any) -> Any:
        """Mean, maximum and softened sum of the closeness to a hashtag's authors, each kind."""

        def product(authors: Any, users: Any) -> Any:
            return tf.matmul(authors, users, transpose_b=True)

        text = product(self.author_text, state["centred"])
        taste = product(self.author_taste, state["taste"])
        names = product(self.author_names, state["names"])
        shape = [self.author_text.shape[0], len(self.audience.idf)]
        sparse = tf.SparseTensor(self.author_tag_indices, self.author_tag_values, shape)
        tags = tf.sparse.sparse_dense_matmul(sparse, tf.transpose(state["tags"]))
        ones = tf.SparseTensor(self.author_tag_indices, tf.ones_like(self.author_tag_values), shape)
        shared = tf.sparse.sparse_dense_matmul(ones, tf.transpose(state["distinct"]))
        together = (text + taste + names + tags) / 4
        found = []
        segment = (self.pair_hashtag, self.count, hidden)
        sizes = _segment_sizes(*segment, tf.shape(text)[1])
        for table in (text, taste, tags, names):
            values = tf.gather(table, self.pair_author)
            found += _mean_first(_reduce(values, *segment, _AUTHOR_TEMPERATURE), sizes)
        values = tf.gather(together, self.pair_author)
        if hidden is not None:
            values = tf.tensor_scatter_nd_update(
                values, hidden, tf.fill([tf.shape(hidden)[0]], -1.0)
            )
        found += _mean_first(_reduce(values, *segment, _COMMON_TEMPERATURE), sizes)
        recent_hashtag = tf.gather(self.pair_hashtag, self.recent_pairs)
        recent = tf.gather(values, self.recent_pairs)  # already -1 where hidden
        count = tf.math.segment_sum
        seen = tf.cast(recent > -1, tf.float32)
        total = _fill_to(count(recent * seen, recent_hashtag), self.count)
        sizes = _fill_to(count(seen, recent_hashtag), self.count)
        highest = tf.math.unsorted_segment_max(recent, recent_hashtag, self.count)
        softened = _fill_to(
            count(tf.exp(_COMMON_TEMPERATURE * (recent - 1)) * seen, recent_hashtag), self.count
        )
        found += [
            tf.math.divide_no_nan(total, sizes),
            tf.maximum(highest, -1.0),
            _soft(softened, _COMMON_TEMPERATURE),
        ]
        values = tf.gather(shared, self.pair_author)
        if hidden is not None:
            values = tf.tensor_scatter_nd_update(values, hidden, tf.zeros([tf.shape(hidden)[0]]))
        found.append(tf.math.log1p(tf.math.segment_sum(values, self.pair_hashtag)))
        return found

    def _message_cosines(self, state: Any) -> Any:
        """Closeness of each entry's message to users, as it is and less the mean, `[E, B]` each.

        Of unit vectors \\((m - \\mu) / |m - \\mu|\\) no table is kept: their products with u are
        \\((m \\cdot u - \\mu \\cdot u) / |m - \\mu|\\).
        """
        both = tf.concat([state["text"], state["centred"]], axis=0)
        products = tf.matmul(self.messages, both, transpose_b=True)
        text, centred = tf.split(tf.gather(products, self.entry_message), 2, axis=1)
        mean = tf.linalg.matvec(state["centred"], self.text_mean)
        return text, (centred - mean) * tf.gather(self.centred_scale, self.entry_message)[:, None]

    def _closest_name(self, names: Any, tags: Any) -> Any:
        """Highest cosine of each catalogue name and the names of a user's hashtags, `[N, B]`."""
        users, width = tf.unstack(tf.shape(tags))
        size = tf.maximum(_NAMES_AT_A_TIME // tf.maximum(users * self.count, 1), 1)

        def closer(start, closest):
            some = tags[:, start : start + size]
            distinct, place = tf.unique(tf.reshape(tf.maximum(some, 0), [-1]))
            products = tf.matmul(tf.gather(self.names, distinct), names, transpose_b=True)
            products = tf.gather(products, tf.reshape(place, tf.shape(some)))
            products = tf.where((some >= 0)[..., None], products, -1.0)
            return start + size, tf.maximum(closest, tf.reduce_max(products, axis=1))

        # Who has used none is as far away as can be, alone or beside others who have.
        none = tf.constant(0), tf.fill([users, self.count], -1.0)
        _, closest = tf.while_loop(
            lambda start, _: start < width,
            closer,
            none,
            shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, self.count])),
            parallel_iterations=1,
        )
        return tf.transpose(closest)


def _reduce(values: Any, segments: Any, count: Any, hidden: Any, temperature: Any) -> Any:
    """Sum, maximum and softened sum over segments of `[n, B]`; hidden (row, user) count nothing."""
    highest = values
    if hidden is not None:
        rows = tf.shape(hidden)[0]
        values = tf.tensor_scatter_nd_update(values, hidden, tf.zeros([rows]))
        highest = tf.tensor_scatter_nd_update(values, hidden, tf.fill([rows], -1.0))
    powers = tf.exp(temperature * (highest - 1))
    if hidden is not None:
        powers = tf.tensor_scatter_nd_update(powers, hidden, tf.zeros([rows]))
    return [
        tf.math.segment_sum(values, segments),
        tf.math.segment_max(highest, segments),
        _soft(tf.math.segment_sum(powers, segments), temperature),
    ]


def _reduce_padded(values: Any, mask: Any, temperature: Any) -> Any:
    """Maximum and softened sum over the last axis."""
    highest = tf.reduce_max(tf.where(mask, values, -1.0), axis=-1)
    powers = tf.where(mask, tf.exp(temperature * (values - 1)), 0.0)
    return [highest, _soft(tf.reduce_sum(powers, axis=-1), temperature)]


def _soft(total: Any, temperature: Any) -> Any:
    """At least -1, like a cosine, whatever is summed."""
    floor = math.exp(-2 * temperature)
    return tf.math.log(tf.maximum(total, floor)) / temperature + 1


def _segment_sizes(segments: Any, count: Any, hidden: Any, users: Any) -> Any:
    sizes = tf.math.segment_sum(tf.ones_like(segments, tf.float32), segments)
    sizes = tf.tile(sizes[:, None], [1, users])
    if hidden is None:
        return sizes
    place = tf.stack([tf.gather(segments, hidden[:, 0]), hidden[:, 1]], axis=1)
    return tf.tensor_scatter_nd_sub(sizes, place, tf.ones_like(hidden[:, 0], tf.float32))


def _mean_first(reduced: Any, sizes: Any) -> Any:
    return [reduced[0] / tf.maximum(sizes, 1.0), *reduced[1:]]


def _fill_to(rows: Any, count: Any) -> Any:
    """Zero rows for the segments after the last one that has any."""
    return tf.pad(rows, [[0, count - tf.shape(rows)[0]], [0, 0]])


def _unit(vectors: Any) -> Any:
    squares = tf.reduce_sum(tf.square(vectors), axis=-1, keepdims=True)
    return vectors * tf.math.rsqrt(tf.maximum(squares, 1e-18))


def _of_block(pairs: np.ndarray, users: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(place, place in block) of the (user, place) pairs of these users, and which were kept."""
    order = np.argsort(users)
    position = np.searchsorted(users, pairs[:, 0], sorter=order).clip(max=len(users) - 1)
    block = order[position]
    kept = np.flatnonzero(users[block] == pairs[:, 0])
    return np.stack([pairs[kept, 1], block[kept]], axis=1).astype(np.int32), kept
