"""How well users and candidate hashtags match, from the rows of their tables alone."""

import math
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfhashtag.recommenders.audience.audience import LARGE, Audience
from tfhashtag.recommenders.audience.hidden import Shown
from tfhashtag.retrieval.shared_tables import shared

# The temperature of the softened sums: higher looks at the closest messages or authors alone.
_MESSAGE_TEMPERATURE = 20.0
_CENTRED_TEMPERATURE = 15.0
_AUTHOR_TEMPERATURE = 10.0
_COMMON_TEMPERATURE = 15.0

#: Signals that context messages alone give, in the order of `context_signals`.
CONTENT_SIGNALS = ("text_cosine", "text_max", "text_sum", "centred_max", "centred_sum")

#: Signals of a hashtag alone.
COUNT_SIGNALS = (
    "contexts",
    "recent_contexts",
    "recent_share",
    "authors",
    "other_tags",
    "untagged_share",
    "users_of_tag",
)

_MOST = 6e4  # what 16 bits hold
_PARTS = ("text", "taste", "names")  # of the profile of an author
_OF_USER = {"text": "centred", "taste": "taste", "names": "names"}  # the same of who asks
_AUTHOR_KINDS = ("text", "taste", "tags", "names", "all", "recent")

#: Every signal of a user and a hashtag, in the order of `AudienceSignals.signals`.
SIGNALS = (
    *CONTENT_SIGNALS,
    *(
        f"authors_{kind}_{reduction}"
        for kind in _AUTHOR_KINDS
        for reduction in ("mean", "max", "sum")
    ),
    "authors_shared_tags",
    "authors_whitened_total",
    "authors_whitened_mean",
    "authors_whitened_cosine",
    "authors_whitened_level",
    "name_history",
    "name_tags",
    "name_max",
    *COUNT_SIGNALS,
)

#: Signals of a user alone; no z-scores are taken of them.
USER_SIGNALS = ("history_length", "tags", "tags_per_message", "coherence", "tag_popularity")

#: Signals that sums beside a hashtag give, without its messages and authors one by one.
SUM_SIGNALS = (
    "text_cosine",
    *(f"authors_{part}_mean" for part in _PARTS),
    "authors_whitened_total",
    "authors_whitened_mean",
    "authors_whitened_cosine",
    "authors_whitened_level",
    "name_history",
    "name_tags",
    "name_max",
    *COUNT_SIGNALS,
)

#: Where they stand among `SIGNALS`.
SUM_COLUMNS = [SIGNALS.index(name) for name in SUM_SIGNALS]

#: The tables of an `Audience` that signals are worked out of.
_TABLES = (
    "hashtags",
    "reference",
    "vectors",
    "lengths",
    "messages",
    "authors",
    "recent_authors",
    "counts",
    "context_sums",
    "context_norm",
    "whitening",
    "author_sums",
    "author_norm",
    "author_level",
    "text_mean",
    "author_text",
    "author_names",
    "author_taste",
    "idf",
    "taste",
    "names",
    "users_of_tag",
)


class _Rows(NamedTuple):
    """What is looked at of the candidates' rows.

    Attributes:
        place: int32 `[B, C]`, their rows; those of padding are 0.
        messages: bool `[B, C, M]`, authors: bool `[B, C, A]`, counts: `[B, C, 5]`, norms and
            author_norms: `[B, C]`, gone: int32 `[K, 2]`: as in `Shown`. The first two are None
            where they are not read.
    """

    place: tf.Tensor
    messages: Any
    authors: Any
    counts: tf.Tensor
    norms: tf.Tensor
    author_norms: tf.Tensor
    gone: tf.Tensor


class AudienceSignals(tf.Module):
    """Computes the signals between users and candidate hashtags, out of bounded tables.

    The rows of the candidates are gathered; each message and each author that stands in them is
    multiplied once with the users at hand, and a hashtag takes the mean, the maximum and the
    softened sum \\(\\frac{1}{t} \\log \\sum_e e^{t (s_e - 1)} + 1\\) over its own. What a query
    costs depends on the number of candidates and the widths of the tables, not on the corpus. One
    code serves training, evaluation and the exported graph.

    Args:
        audience: the tables.

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
    >>> candidates = tf.constant([[0, 1, 2], [2, 1, -1]])
    >>> signals.signals(state, candidates).shape == (2, 3, len(SIGNALS))
    True
    """

    def __init__(self, audience: Audience) -> None:
        super().__init__(name="audience_signals")
        for name, value in _arrays(audience).items():
            # Rows are left open, so that another moment's tables can be put in their place.
            shape = [None, *value.shape[1:]] if name != "text_mean" else value.shape
            if "taste" in name or name in ("whitening", "author_sums"):
                shape = [None, None]  # as wide as the moment has
            start = value if name == "text_mean" else value[:0]
            setattr(self, name, tf.Variable(start, trainable=False, name=name, shape=shape))
        self.assign(audience)

    def assign(self, audience: Audience) -> None:
        """Puts the tables of another moment in place; what was traced over them stays valid."""
        for name, value in _arrays(audience).items():
            getattr(self, name).assign(shared(value) if name in LARGE else value)

    def release(self) -> None:
        """Takes the tables out of memory, until those of another moment are put in place."""
        for variable in self.variables:
            if variable.shape.rank and variable.shape[0] is None:
                # New memory: a slice of no row keeps hold of all of them.
                variable.assign(tf.zeros([0, *variable.read_value().shape[1:]], variable.dtype))

    def table(self, name: str) -> tf.Tensor:
        """A table of the moment, as a tensor."""
        # Gathering from a variable makes TensorFlow copy what others hold, too, and again whenever
        # the variable is read as a whole.
        return tf.convert_to_tensor(getattr(self, name))

    def user_state(self, vectors: Any, mask: Any, tags: Any) -> dict[str, tf.Tensor]:
        """A user from the history.

        Args:
            vectors: float32 `[B, H, d]`, history messages in any order.
            mask: bool `[B, H]`, False pads.
            tags: int32 `[B, T]`, known hashtags of these messages, repeated as often as used; -1
                pads and stands for unknown ones.

        Returns:
            Tensors with `B` first: unit rows `text` and `centred` (mean history vector, as it is
            and less the mean over users), `taste`, `names`; the last three times the whitening,
            `whitened_text`, `whitened_taste`, `whitened_names`; `tag_ids` (the argument); `alone`
            `[B, len(USER_SIGNALS)]`. Of the `U` different hashtags of all these users, and -1:
            `known` int32 `[U]`, rising, filled up with the largest number; `tags` `[B, U]`
            (weights), `distinct` `[B, U]` (1 for one used).
        """
        weight = tf.cast(mask, tf.float32)
        vectors = _unit(tf.cast(vectors, tf.float32)) * weight[..., None]
        length = tf.reduce_sum(weight, axis=1)
        mean = tf.reduce_sum(vectors, axis=1) / tf.maximum(length, 1.0)[:, None]
        centred = _unit(tf.where(length[:, None] > 0, mean - self.text_mean, 0.0))
        known = tf.sort(tf.unique(tf.concat([tf.reshape(tags, [-1]), [-1]], axis=0))[0])
        known = _even(known, known.dtype.max)
        counts = _counts(tags, known)
        used = tf.cast(counts > 0, tf.float32)
        safe = tf.where((known >= 0) & (known < known.dtype.max), known, 0)
        idf, popular = (tf.gather(self.table(name), safe) for name in ("idf", "users_of_tag"))
        weights = _unit(used * (1 + tf.math.log(tf.maximum(counts, 1.0))) * idf)
        distinct = tf.reduce_sum(used, axis=1)
        alone = tf.stack(
            [
                tf.math.log1p(length),
                tf.math.log1p(distinct),
                distinct / tf.maximum(length, 1.0),
                tf.norm(mean, axis=1),
                tf.linalg.matvec(used, popular) / tf.maximum(distinct, 1.0),
            ],
            axis=1,
        )
        taste = _unit(tf.matmul(weights, _rows(self.table("taste"), safe)))
        names = _unit(tf.matmul(weights, _rows(self.table("names"), safe)))
        profile = tf.concat([centred, taste, names], axis=1)
        sizes = [tf.shape(part)[1] for part in (centred, taste, names)]
        whitened = tf.split(tf.matmul(profile, self.whitening), sizes, axis=1)
        return {
            "text": _unit(mean),
            "centred": centred,
            "taste": taste,
            "names": names,
            **{f"whitened_{name}": whitened[part] for part, name in enumerate(_PARTS)},
            "tag_ids": tags,
            "alone": alone,
            "known": known,
            "tags": weights,
            "distinct": used,
        }

    def signals(self, state: Any, candidates: Any, shown: Shown | Any = None) -> tf.Tensor:
        """The `SIGNALS` of candidate hashtags.

        Args:
            state: from `user_state`.
            candidates: int32 `[B, C]`, rows of the tables; -1 pads, and what is given for it means
                nothing.
            shown: what users of the corpus may see of the candidates, a `Shown` of tensors; None:
                all that stands in the tables.

        Returns:
            float32 `[B, C, len(SIGNALS)]`.
        """
        rows = self._rows_of(candidates, shown)
        found = [*self._messages(state, rows), *self._authors(state, rows)]
        return tf.stack([*found, *self._names(state, rows), *self._counted(rows)], axis=-1)

    def sum_signals(self, state: Any, candidates: Any) -> tf.Tensor:
        """The `SUM_SIGNALS` of candidate hashtags, nothing hidden: few of the tables are read.

        Args:
            state: from `user_state`.
            candidates: int32 `[B, C]`, rows of the tables.

        Returns:
            float32 `[B, C, len(SUM_SIGNALS)]`.
        """
        counts, norms, author_norms = (
            tf.gather(self.table(name), candidates)
            for name in ("counts", "context_norm", "author_norm")
        )
        nobody = tf.zeros([0, 2], tf.int32)
        rows = _Rows(candidates, None, None, counts, norms, author_norms, nobody)
        hashtags, place = tf.unique(tf.reshape(candidates, [-1]))
        sums = tf.gather(self.table("context_sums"), _even(hashtags))
        text = tf.matmul(state["text"], sums, transpose_b=True)
        text = tf.gather(text, tf.reshape(place, tf.shape(candidates)), axis=1, batch_dims=1)
        found = [tf.math.divide_no_nan(text, rows.norms), *self._all_authors(state, rows)]
        return tf.stack([*found, *self._names(state, rows), *self._counted(rows)], axis=-1)

    def unused(self, state: Any) -> tf.Tensor:
        """Which hashtags of the reference a user has not used, float32 `[B, R]` of 1 and 0."""
        ids = tf.gather(self.table("hashtags"), self.reference)
        column = tf.minimum(tf.searchsorted(state["known"], ids), tf.size(state["known"]) - 1)
        found = tf.cast(tf.gather(state["known"], column) == ids, tf.float32)
        return 1 - tf.gather(state["distinct"], column, axis=1) * found

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
        centred = tf.einsum("bcmd,bd->bcm", _unit(vectors - self.text_mean), state["centred"])
        attention = listed * tf.nn.softmax(
            tf.where(mask, _MESSAGE_TEMPERATURE * text, -1e30), axis=-1
        )
        return tf.stack(_of_messages(text, centred, mask, norms), axis=-1), attention

    def _rows_of(self, candidates: Any, shown: Shown | Any) -> _Rows:
        place = tf.maximum(candidates, 0)
        if shown is None:
            shown = Shown(
                tf.gather(self.table("messages"), place) >= 0,
                tf.gather(self.table("authors"), place) >= 0,
                tf.gather(self.table("counts"), place),
                tf.gather(self.table("context_norm"), place),
                tf.gather(self.table("author_norm"), place),
                tf.zeros([0, 2], tf.int32),
            )
        return _Rows(place, *shown)

    def _counted(self, rows: _Rows) -> list[tf.Tensor]:
        """The `COUNT_SIGNALS`."""
        contexts, recent, others, untagged, authors = tf.unstack(rows.counts, axis=-1)
        seen = tf.maximum(contexts, 1.0)
        recent = tf.maximum(recent, 1.0)  # see `_recent`
        return [
            tf.math.log(seen),
            tf.math.log1p(recent),
            recent / seen,
            tf.math.log1p(tf.maximum(authors, 0.0)),
            others / seen,
            untagged / seen,
            tf.gather(self.table("users_of_tag"), tf.gather(self.table("hashtags"), rows.place)),
        ]

    def _messages(self, state: Any, rows: _Rows) -> list[tf.Tensor]:
        """The content signals of the candidates' rows."""
        distinct, place = _distinct(self.table("messages"), rows.place)
        both = tf.concat([state["text"], state["centred"]], axis=0)
        text, centred = tf.split(_products(both, self.table("vectors"), distinct), 2)
        # (m - mean) / |m - mean| times u is (m u - mean u) / |m - mean|.
        lengths = tf.gather(self.table("lengths"), distinct)
        scale = tf.where(lengths > 1e-6, 1 / tf.maximum(lengths, 1e-6), 0.0)
        mean = tf.linalg.matvec(state["centred"], self.text_mean)
        centred = (centred - mean[:, None]) * scale
        values = tf.gather(tf.stack([text, centred], axis=-1), place, axis=1, batch_dims=1)
        return _of_messages(values[..., 0], values[..., 1], rows.messages, rows.norms)

    def _authors(self, state: Any, rows: _Rows) -> list[tf.Tensor]:
        """Mean, maximum and softened sum of the closeness to a hashtag's authors, each kind."""
        distinct, place = _distinct(self.table("authors"), rows.place)
        tags, shared = self._tag_products(state, distinct)
        values = [
            _products(state[_OF_USER[part]], self.table(f"author_{part}"), distinct)
            for part in _PARTS
        ]
        values = tf.stack([*values[:2], tags, values[2], shared], axis=-1)
        values = tf.gather(values, place, axis=1, batch_dims=1)
        shown = rows.authors
        kinds = _reduced(values[..., :4], shown[..., None], _AUTHOR_TEMPERATURE)
        text, taste, names, *whitened = self._all_authors(state, rows)
        means = [text, taste, kinds[0][..., 2], names]
        found = []
        for kind in range(4):
            found += [means[kind], *(reduction[..., kind] for reduction in kinds[1:])]
        together = tf.reduce_mean(values[..., :4], axis=-1)
        found += _reduced(together, shown, _COMMON_TEMPERATURE)
        recent = _recent(shown, shown & tf.gather(self.table("recent_authors"), rows.place))
        found += _reduced(together, recent, _COMMON_TEMPERATURE)
        listed = tf.cast(shown, tf.float32)
        found.append(tf.math.log1p(tf.reduce_sum(values[..., 4] * listed, axis=-1)))
        return [*found, *whitened]

    def _all_authors(self, state: Any, rows: _Rows) -> list[tf.Tensor]:
        """What the sum of the authors' profiles gives, `[B, C]` each, those that are gone left out.

        Mean closeness of texts, tastes and names; in the metric total, mean, cosine and level.
        """
        hashtags, place = tf.unique(tf.reshape(rows.place, [-1]))
        place = tf.reshape(place, tf.shape(rows.place))
        sums = tf.gather(self.table("author_sums"), _even(hashtags))
        pair, author = rows.gone[:, 0], rows.gone[:, 1]
        user = pair // tf.maximum(tf.shape(place)[1], 1)
        plain, whitened, less = [], [], []
        sizes = [tf.shape(state[_OF_USER[part]])[1] for part in _PARTS]
        for part, some in zip(_PARTS, tf.split(sums, sizes, axis=1), strict=True):
            users = tf.stack([state[_OF_USER[part]], state[f"whitened_{part}"]])
            products = tf.unstack(tf.matmul(users, some, transpose_b=True))
            plain.append(products[0])
            whitened.append(products[1])
            left = _rows(self.table(f"author_{part}"), author)
            less.append(tf.reduce_sum(tf.gather(users, user, axis=1) * left, axis=-1))
        whole = tf.stack([*plain, tf.add_n(whitened)], axis=-1)
        whole = tf.gather(whole, place, axis=1, batch_dims=1)
        taken = [*(one[0] for one in less), tf.add_n([one[1] for one in less])]
        taken = tf.math.unsorted_segment_sum(tf.stack(taken, axis=-1), pair, tf.size(place))
        count = tf.maximum(rows.counts[..., 4], 1.0)
        whole -= tf.reshape(taken, tf.shape(whole))
        length = rows.author_norms / count
        # Thousands of authors who are alike; features are kept in 16 bits.
        total = tf.clip_by_value(whole[..., 3], -_MOST, _MOST)
        text, taste, names, mean = tf.unstack(whole / count[..., None], axis=-1)
        cosine = tf.math.divide_no_nan(total, rows.author_norms)
        level = mean + tf.math.log(count) - tf.square(length) / 2
        return [text, taste, names, total, mean, cosine, level]

    def _tag_products(self, state: Any, authors: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """Cosine of the hashtags of users and authors, and how many they share, `[B, authors]`."""
        known = state["known"]
        # Where each hashtag stands among the known, which begin with -1; 0 for one that does not.
        hashtags = tf.size(self.idf)
        slots = tf.minimum(known, hashtags)[:, None] + 1
        column = tf.scatter_nd(slots, tf.range(tf.size(known)), [hashtags + 2])[1:]
        ends = tf.gather(self.table("author_tag_ends"), tf.stack([authors, authors + 1]))
        entries = tf.ragged.range(ends[0], ends[1])
        column = tf.gather(column, tf.gather(self.table("author_tags"), entries.values))
        hit = tf.where(column > 0)[:, 0]  # few of them
        column = tf.cast(tf.gather(column, hit), tf.int64)
        weight = tf.gather(self.table("author_tag_weights"), tf.gather(entries.values, hit))
        weight = tf.cast(weight, tf.float32)
        row = tf.searchsorted(entries.row_splits, hit, side="right", out_type=tf.int64) - 1
        count = tf.shape(authors)[0]
        both = tf.concat([state["tags"], state["distinct"]], axis=0)
        users = tf.shape(state["tags"])[0]
        one = tf.ones_like(weight)
        index = tf.stack([row, column], axis=1)
        shape = tf.cast(tf.stack([count, tf.size(known)]), tf.int64)

        def product(values: Any, users: Any) -> Any:
            table = tf.SparseTensor(index, values, shape)
            return tf.transpose(tf.sparse.sparse_dense_matmul(table, users, adjoint_b=True))

        return product(weight, both[:users]), product(one, both[users:])

    def _names(self, state: Any, rows: _Rows) -> list[tf.Tensor]:
        """Closeness of a candidate's name to the user's messages, and to names of its hashtags."""
        names = _rows(self.table("names"), tf.gather(self.table("hashtags"), rows.place))
        tags = state["tag_ids"]
        mine = _rows(self.table("names"), tf.maximum(tags, 0))
        closest = tf.matmul(names, mine, transpose_b=True)
        # Who has used none is as far away as can be, alone or beside others who have.
        closest = tf.where((tags >= 0)[:, None], closest, -1.0)
        closest = tf.reduce_max(tf.pad(closest, [[0, 0], [0, 0], [0, 1]], constant_values=-1.0), -1)
        both = tf.stack([state["text"], state["names"]], axis=2)
        return [*tf.unstack(tf.matmul(names, both), axis=-1), closest]


def _arrays(audience: Audience) -> dict[str, np.ndarray]:
    """The tables by name; those of the authors' hashtags lie end to end."""
    tags = audience.author_tags
    return {
        **{name: getattr(audience, name) for name in _TABLES},
        "author_tag_ends": tags.indptr.astype(np.int32),
        "author_tags": tags.indices.astype(np.int32),
        "author_tag_weights": tags.data.astype(audience.vectors.dtype),
    }


def _of_messages(text: Any, centred: Any, shown: Any, norms: Any) -> list[tf.Tensor]:
    """The content signals from cosines of messages `[B, C, M]`."""
    total = tf.reduce_sum(tf.where(shown, text, 0.0), axis=-1)
    return [
        tf.math.divide_no_nan(total, norms),
        *_highest(text, shown, _MESSAGE_TEMPERATURE),
        *_highest(centred, shown, _CENTRED_TEMPERATURE),
    ]


def _reduced(values: Any, shown: Any, temperature: float) -> list[tf.Tensor]:
    """Mean, maximum and softened sum over the third axis, of what is shown."""
    listed = tf.cast(shown, tf.float32)
    count = tf.maximum(tf.reduce_sum(listed, axis=2), 1.0)
    mean = tf.reduce_sum(values * listed, axis=2) / count
    return [mean, *_highest(values, shown, temperature, axis=2)]


def _recent(shown: Any, recent: Any) -> Any:
    """The recent ones of those that are shown, newest first; of none that is recent, the newest.

    Every hashtag that may be asked about has been used of late, be it by the user alone whose own
    messages are hidden: without a recent use it would tell that the answer is yes.
    """
    newest = shown & (tf.cumsum(tf.cast(shown, tf.int32), axis=2) == 1)
    return tf.where(tf.reduce_any(recent, axis=2, keepdims=True), recent, newest)


def _highest(values: Any, shown: Any, temperature: float, axis: int = -1) -> list[tf.Tensor]:
    """Maximum and softened sum, at least -1, like a cosine, whatever is shown."""
    seen = tf.where(shown, values, -1.0)
    powers = tf.exp(temperature * (seen - 1)) * tf.cast(shown, tf.float32)
    total = tf.maximum(tf.reduce_sum(powers, axis=axis), math.exp(-2 * temperature))
    return [tf.reduce_max(seen, axis=axis), tf.math.log(total) / temperature + 1]


def _even(values: Any, filler: int = 0) -> tf.Tensor:
    """Values `[n]`, filled up by at most an eighth to one of few lengths.

    For each shape of a product oneDNN makes code and keeps it: of ever other lengths it would make
    some for every call, and hold hundreds of megabytes in the end.
    """
    count = tf.size(values)
    # The three digits after the first of n - 1, in base 2, stay; all below them are carried.
    digits = tf.cast(tf.math.log(tf.cast(tf.maximum(count, 1), tf.float64)) / math.log(2), tf.int32)
    step = tf.bitwise.left_shift(1, tf.maximum(digits - 3, 0))
    return tf.pad(values, [[0, -count % step]], constant_values=filler)


def _distinct(table: Any, place: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """What stands in some rows of a table, each once, and where `[*place, columns]`; -1 as 0."""
    hashtags, row = tf.unique(tf.reshape(place, [-1]))
    values = tf.maximum(tf.gather(table, hashtags), 0)
    distinct, at = tf.unique(tf.reshape(values, [-1]))
    at = tf.gather(tf.reshape(at, tf.shape(values)), row)
    return _even(distinct), tf.reshape(at, [*tf.unstack(tf.shape(place)), tf.shape(values)[1]])


def _counts(tags: Any, known: Any) -> tf.Tensor:
    """How often each of `known` stands in every row of `tags`, float32 `[B, U]`; -1 never."""
    column = tf.reshape(tf.searchsorted(known, tf.reshape(tags, [-1])), tf.shape(tags))
    users = tf.shape(tags)[0]
    row = tf.tile(tf.range(users)[:, None], [1, tf.shape(tags)[1]])
    place = tf.stack([row, column], axis=-1)
    return tf.scatter_nd(place, tf.cast(tags >= 0, tf.float32), [users, tf.size(known)])


def _products(users: Any, table: Any, rows: Any) -> tf.Tensor:
    """Products of users `[B, d]` with rows of a table, float32 `[B, n]`."""
    return tf.matmul(users, _rows(table, rows), transpose_b=True)


def _rows(table: Any, rows: Any) -> tf.Tensor:
    return tf.cast(tf.gather(table, rows), tf.float32)


def _unit(vectors: Any) -> Any:
    squares = tf.reduce_sum(tf.square(vectors), axis=-1, keepdims=True)
    return vectors * tf.math.rsqrt(tf.maximum(squares, 1e-18))
