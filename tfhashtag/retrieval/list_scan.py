"""Scanning lists of an inverted file's rows, in core operations of TensorFlow."""

from collections.abc import Mapping
from typing import Any, Literal

import tensorflow as tf

from tfhashtag.retrieval.vector_search import (
    STEP,
    VectorQueries,
    Whose,
    allowed_levels,
    best_keys,
    decoded,
    keys_of,
    levels_of,
    no_keys,
)

Kind = Literal["cells", "groups", "times"]
# Of lists by what they hold: where they begin, which rows stand there ("": those themselves), and
# the times of these, where they rise within a list. The last list has no rows.
LISTS: dict[Kind, tuple[str, str, str]] = {
    "cells": ("offsets", "", "times"),
    "groups": ("list_offsets", "group_order", ""),
    "times": ("time_offsets", "time_order", "rising_times"),
}
BLOCK_KEYS = 1 << 22  # of rows that are better than those before, until the best are taken: 32 MiB
_FEW = 4  # queries a list, from which on lists are taken one by one


class ListScan:
    """The best rows of lists, for many queries.

    Args:
        held: tensors: `codes`, `ids` and perhaps `scales`, `groups` and `times`, a row each, and
            what `LISTS` names.
    """

    def __init__(self, held: Mapping[str, tf.Tensor]) -> None:
        self.held = held

    def nobody(self, by: Kind) -> tf.Tensor:
        """The number of the list of no rows."""
        return tf.shape(self.held[LISTS[by][0]])[0] - 2

    def __call__(
        self,
        queries: VectorQueries,
        lists: tf.Tensor,
        count: int,
        whose: Whose,
        keys: tf.Tensor | None = None,
        by: Kind = "cells",
    ) -> tf.Tensor:
        """Keys of the best rows in the lists of each query, and of what was found before.

        Args:
            queries: n of them.
            lists: int32 `[n, l]`.
            count, whose: as for a search.
            keys: int64 `[n, count]` of rows in other lists.
            by: what the lists hold.

        Returns:
            int64 `[n, count]`.
        """
        if keys is None:
            keys = no_keys(tf.shape(lists)[0], count)
        flat = tf.reshape(lists, [-1])
        few = tf.size(flat) < _FEW * tf.size(tf.unique(flat).y)
        arguments = queries, lists, count, whose, keys, by
        return tf.cond(
            few, lambda: self._query_by_query(*arguments), lambda: self.list_by_list(*arguments)
        )

    def _query_by_query(
        self,
        queries: VectorQueries,
        lists: tf.Tensor,
        count: int,
        whose: Whose,
        keys: tf.Tensor,
        by: Kind,
    ) -> tf.Tensor:
        """The same, gathering the rows of all lists of a query."""
        offsets, order, _ = self._lists(by)
        size = tf.shape(lists)[0]
        array = tf.TensorArray(tf.int64, size, element_shape=[1, count])

        def body(query: tf.Tensor, array: tf.TensorArray) -> tuple[Any, ...]:
            starts = tf.gather(offsets, lists[query])
            chosen = tf.ragged.range(starts, tf.gather(offsets, lists[query] + 1)).flat_values
            if order is not None:
                chosen = tf.gather(order, chosen)
            one = queries.part(query, query + 1)
            vectors, rows = self._rows(chosen)
            products = tf.matmul(one.vectors, vectors, transpose_b=True)
            best = best_keys(one, products, rows, count, whose)
            return query + 1, array.write(query, best)

        _, array = tf.while_loop(
            lambda query, _: query < size,
            body,
            (tf.zeros([], tf.int32), array),
            parallel_iterations=2,
        )
        found = tf.ensure_shape(array.concat(), [None, count])
        return tf.math.top_k(tf.concat([keys, found], axis=1), count).values

    def list_by_list(
        self,
        queries: VectorQueries,
        lists: tf.Tensor,
        count: int,
        whose: Whose,
        keys: tf.Tensor,
        by: Kind,
    ) -> tf.Tensor:
        """The same, taking a list with all queries that look into it.

        What is better than the last key of its query is collected, as far as there is room, and the
        best of it taken: a bound for the lists that follow.
        """
        offsets, rows_of_lists, times = self._lists(by)
        # Pairs of a query and a list, by list; that of no rows is the last.
        query = tf.cast(tf.where(lists < tf.shape(offsets)[0] - 2), tf.int32)[:, 0]
        flat = tf.boolean_mask(lists, lists < tf.shape(offsets)[0] - 2)
        order = tf.argsort(flat, stable=True)
        present, _, sizes = tf.unique_with_counts(tf.gather(flat, order))
        ends, query = tf.cumsum(sizes), tf.gather(query, order)
        room = tf.maximum(BLOCK_KEYS // tf.maximum(tf.shape(lists)[0], 1), 1)

        def collect(start: tf.Tensor, keys: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            """Takes lists from `start` on, until a query has no room for more."""
            last = keys[:, -1]
            arrays = [
                tf.TensorArray(kind, 0, True, infer_shape=False, element_shape=shape)
                for kind, shape in ((tf.int32, [None, 2]), (tf.int64, [None]))
            ]

            def body(number: Any, most: Any, filled: Any, *arrays: Any) -> tuple[Any, ...]:
                asked = query[ends[number] - sizes[number] : ends[number]]
                first, stop = offsets[present[number]], offsets[present[number] + 1]
                if queries.before is not None and times is not None:
                    latest = tf.reduce_max(tf.gather(queries.before, asked))
                    stop = first + tf.searchsorted(times[first:stop], latest[None])[0]
                some = slice(first, stop)
                chosen = some if rows_of_lists is None else rows_of_lists[some]
                which, found = self._as_good(queries, asked, chosen, last, whose)
                place, had, more = _places(which, asked, filled)
                filled = tf.tensor_scatter_nd_add(filled, asked[:, None], more)
                most = tf.maximum(most, tf.reduce_max(had + more))
                at = number - start
                written = arrays[0].write(at, place), arrays[1].write(at, found)
                return number + 1, most, filled, *written

            stop, most, _, places, found = tf.while_loop(
                lambda number, most, *_: (number < tf.size(present)) & (most < room),
                body,
                (start, 0, tf.zeros([tf.shape(lists)[0]], tf.int32), *arrays),
                parallel_iterations=1,
            )
            more = no_keys(tf.shape(lists)[0], most)
            more = tf.tensor_scatter_nd_update(more, places.concat(), found.concat())
            return stop, tf.math.top_k(tf.concat([keys, more], axis=1), count).values

        return tf.while_loop(
            lambda start, _: start < tf.size(present),
            collect,
            (tf.zeros([], tf.int32), keys),
            shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, count])),
            parallel_iterations=1,
        )[1]

    def _as_good(
        self, queries: VectorQueries, asked: tf.Tensor, chosen: Any, last: tf.Tensor, whose: Whose
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Rows as good as the last key of a query: places in `asked` `[h]`, rising, and keys `[h]`.

        Args:
            queries: n of them.
            asked: int32 `[q]`, those that the rows are compared with.
            chosen: the rows, as for `_rows`.
            last: int64 `[n]`, keys.
            whose: as for a search.
        """
        vectors, rows = self._rows(chosen)
        products = tf.matmul(tf.gather(queries.vectors, asked), vectors, transpose_b=True)
        # Most rows are not, and nothing else is looked at for these.
        lowest = tf.cast(levels_of(tf.gather(last, asked)) - 1, tf.float32) / STEP
        pairs = tf.where(products >= lowest[:, None])
        row, who = pairs[:, 1], tf.gather(asked, pairs[:, 0])
        rows = {name: tf.gather(values, row) for name, values in rows.items()}
        products = tf.gather_nd(products, pairs)
        levels = allowed_levels(queries.take(who, vectors=False), products, rows, whose)
        real = levels >= tf.cast(levels_of(tf.gather(last, who)), tf.float32)
        keys = keys_of(tf.boolean_mask(levels, real), tf.boolean_mask(rows["ids"], real))
        return tf.boolean_mask(tf.cast(pairs[:, 0], tf.int32), real), keys

    def _lists(self, by: Kind) -> tuple[Any, Any, Any]:
        """Where the lists begin; and their rows and the times of these, or None."""
        offsets, order, times = LISTS[by]
        return self.held[offsets], self.held.get(order), self.held.get(times)

    def _rows(self, chosen: Any) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Vectors of rows, by a slice or by their places, and what is known of them."""

        def of(name: str) -> tf.Tensor:
            values = self.held[name]
            return values[chosen] if isinstance(chosen, slice) else tf.gather(values, chosen)

        scales = of("scales") if "scales" in self.held else None
        known = {name: of(name) for name in ("ids", "groups", "times") if name in self.held}
        return decoded(of("codes"), scales), known


def _places(which: tf.Tensor, asked: tf.Tensor, filled: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Where keys go, (query, column) int32 `[h, 2]`; what those asked had, and get, int32 `[q]`.

    Args:
        which: int32 `[h]`, the place in `asked` of each key, rising.
        asked: int32 `[q]`, queries.
        filled: int32 `[n]`, how many keys each query had.
    """
    had, more = tf.gather(filled, asked), tf.math.bincount(which, minlength=tf.size(asked))
    number = tf.range(tf.size(which)) - tf.gather(tf.cumsum(more, exclusive=True) - had, which)
    return tf.stack([tf.gather(asked, which), number], axis=1), had, more
