"""What a search in vectors is asked, and the steps that the exact and the inverted one share."""

import dataclasses
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfhashtag.blocks import in_blocks
from tfhashtag.errors import ConfigError, DataError
from tfhashtag.retrieval.post_search import STEP, Whose

_PLACE_BITS = 31
_LAST_PLACE = (1 << _PLACE_BITS) - 1
NOTHING = -(1 << 62)  # the key of no row


@dataclasses.dataclass(frozen=True)
class VectorQueries:
    """Vectors whose nearest rows are asked for, arrays or tensors.

    Attributes:
        vectors: float32 `[n, d]`; similarity is the plain product with a row.
        groups: int32 `[n]`, the group (user) of each query, -1 for none of those that rows have;
            needed for `"own"` and `"others"`.
        before: int64 `[n]`, or None. Only rows with a smaller time are answers.
        without: int32 `[n, e]`, ids that are not answers, -1 pads; or None.
    """

    vectors: Any
    groups: Any = None
    before: Any = None
    without: Any = None

    def parts(self) -> dict[str, Any]:
        """What is given, by name."""
        named = ((field.name, getattr(self, field.name)) for field in dataclasses.fields(self))
        return {name: value for name, value in named if value is not None}

    def take(self, rows: Any, vectors: bool = True) -> "VectorQueries":
        """The given rows, int32 `[m]`, in a graph; without `vectors` what is asked alone."""
        parts = self.parts()
        if not vectors:
            parts["vectors"] = tf.zeros([tf.shape(self.vectors)[0], 0])
        return VectorQueries(**{name: tf.gather(value, rows) for name, value in parts.items()})

    def part(self, start: Any, stop: Any) -> "VectorQueries":
        """Rows from `start` to before `stop`."""
        return VectorQueries(**{name: value[start:stop] for name, value in self.parts().items()})


class GraphSearch:
    """What an index of vectors is asked from outside a graph; a subclass has `__call__`.

    Attributes:
        has: whether rows have `groups` and `times`.
        width: of the vectors.
    """

    has: Mapping[str, bool]
    width: int

    def __init__(self) -> None:
        self._functions: dict[tuple[Any, ...], Any] = {}

    def __call__(
        self, queries: VectorQueries, count: int, whose: Whose = "all"
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """`search` for tensors, traceable in a `tf.function`."""
        raise NotImplementedError

    def search(
        self, queries: VectorQueries, count: int, whose: Whose = "all"
    ) -> tuple[np.ndarray, np.ndarray]:
        """The nearest rows of each query; compiled once for each `count` and `whose`.

        Args:
            queries: arrays.
            count: how many, at least 1.
            whose: rows of the query's group, of other groups, or of all.

        Returns:
            Ids int32 `[n, count]`, nearest first, the lower of equals first, -1 where there are no
            more; and the similarities float32 `[n, count]`, 0 at the padding.
        """
        self.check(queries, count, whose)
        given = queries.parts()
        key = (count, whose, *given)
        if key not in self._functions:
            kinds = {"vectors": tf.float32, "before": tf.int64}
            signature = {
                name: tf.TensorSpec([None, *np.shape(value)[1:]], kinds.get(name, tf.int32))
                for name, value in given.items()
            }
            self._functions[key] = tf.function(
                lambda parts: self(VectorQueries(**parts), count, whose), autograph=False
            ).get_concrete_function(signature)
        function = self._functions[key]
        kinds = {"vectors": np.float32, "before": np.int64}
        tensors = {
            name: tf.convert_to_tensor(np.asarray(value, kinds.get(name, np.int32)))
            for name, value in given.items()
        }
        ids, similarity = function(tensors)
        return ids.numpy(), similarity.numpy()

    def check(self, queries: VectorQueries, count: int, whose: Whose) -> None:
        """Refuses what cannot be asked.

        Raises:
            ConfigError: `count` below 1 or another word for `whose`.
            DataError: vectors of another width, or queries and rows do not have what is asked for.
        """
        if count < 1:
            raise ConfigError(f"`count` must be at least 1, found {count}.")
        if whose not in ("own", "others", "all"):
            raise ConfigError(f"`whose` must be 'own', 'others' or 'all', found {whose!r}.")
        shape = tuple(queries.vectors.shape)
        if len(shape) != 2 or shape[1] != self.width:
            raise DataError(f"`vectors` must be [n, {self.width}] as the index's, found {shape}.")
        if whose != "all" and not (self.has["groups"] and queries.groups is not None):
            raise DataError(f"`whose` is {whose!r}: both the rows and the queries need `groups`.")
        if queries.before is not None and not self.has["times"]:
            raise DataError("`before` is given, but the rows of the index have no times.")


def decoded(codes: tf.Tensor, scales: tf.Tensor | None) -> tf.Tensor:
    """float32 vectors of codes `[r, d]` and, for int8, of their scales `[r]`."""
    vectors = tf.cast(codes, tf.float32)
    return vectors if scales is None else vectors * scales[:, None]


def best_keys(
    queries: VectorQueries,
    products: tf.Tensor,
    rows: Mapping[str, tf.Tensor],
    count: int,
    whose: Whose,
) -> tf.Tensor:
    """Keys of the best allowed rows, int64 `[n, count]`, best first, `NOTHING` where no more are.

    A key is the similarity in steps and, below it, the id: the largest key is the best row, of
    equally similar ones that with the lowest id.

    Args:
        queries: tensors; what they ask, not their vectors, is read.
        products: float32 `[n, r]`.
        rows: `ids` int32 `[r]`; and what they have of `groups` int32 and `times`
            int64.
        count: how many.
        whose: as for a search; `"own"` takes the rows as those of the query's group.
    """
    levels = allowed_levels(queries, products, rows, whose)
    held = tf.minimum(count, tf.shape(levels)[1])
    keys = tf.math.top_k(keys_of(levels, rows["ids"][None]), held).values
    return tf.pad(keys, [[0, 0], [0, count - held]], constant_values=NOTHING)


def allowed_levels(
    queries: VectorQueries, products: tf.Tensor, rows: Mapping[str, tf.Tensor], whose: Whose
) -> tf.Tensor:
    """Similarities in steps, float32 as `products`, minus infinity for what is no answer.

    Args:
        queries: n of them.
        products: `[n, r]`, or `[n]` of pairs of a query and a row.
        rows: r of them, or n.
        whose: as for a search.
    """
    levels = tf.round(products * STEP)

    def but(wrong: Callable[[Any, Any], tf.Tensor], row: tf.Tensor, query: Any) -> tf.Tensor:
        if products.shape.rank == 2:
            row, query = row[None], query[:, None]
        return tf.where(wrong(row, query), -float("inf"), levels)

    if whose == "others":
        levels = but(operator.eq, rows["groups"], queries.groups)
    if queries.before is not None:
        levels = but(operator.ge, rows["times"], queries.before)
    for place in range(0 if queries.without is None else queries.without.shape[1]):
        levels = but(operator.eq, rows["ids"], queries.without[:, place])
    return levels


def no_keys(rows: Any, count: Any) -> tf.Tensor:
    """Keys of no row, int64 `[rows, count]`."""
    return tf.fill([rows, count], tf.constant(NOTHING, tf.int64))


def keys_of(levels: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
    """Keys of rows by their similarities in steps, `NOTHING` for minus infinity."""
    real = levels > -float("inf")
    level = tf.cast(tf.where(real, levels, 0.0), tf.int64)  # infinity is no integer
    keys = level * (_LAST_PLACE + 1) + (_LAST_PLACE - tf.cast(ids, tf.int64))
    return tf.where(real, keys, tf.constant(NOTHING, tf.int64))


def levels_of(keys: tf.Tensor) -> tf.Tensor:
    """Similarities in steps, int64, of keys."""
    return tf.bitwise.right_shift(keys, tf.constant(_PLACE_BITS, tf.int64))


def answers_of(keys: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Ids int32 and similarities float32 of keys, -1 and 0 for nothing."""
    real = keys > NOTHING
    ids = _LAST_PLACE - tf.bitwise.bitwise_and(keys, tf.constant(_LAST_PLACE, tf.int64))
    similarity = tf.cast(levels_of(keys), tf.float32) / STEP
    return tf.where(real, tf.cast(ids, tf.int32), -1), tf.where(real, similarity, 0.0)


def search_in_blocks(
    search: Callable[[VectorQueries], tf.Tensor],
    queries: VectorQueries,
    block: int,
    count: int | None,
    dtype: tf.DType = tf.int64,
) -> tf.Tensor:
    """What `search` gives, `[n, count]`, of blocks of queries one after the other."""
    parts = queries.parts()

    def found(rows: list[Any]) -> tf.Tensor:
        return search(VectorQueries(**dict(zip(parts, rows, strict=True))))

    # Memory is bounded by one block.
    return in_blocks(found, list(parts.values()), block, tf.TensorSpec([None, count], dtype), 1)
