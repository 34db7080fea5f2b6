"""An inverted file of vectors in core operations of TensorFlow: in process and in a SavedModel."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from tfhashtag.errors import ConfigError
from tfhashtag.retrieval.inverted_table import InvertedTable
from tfhashtag.retrieval.k_means import nearest_centre
from tfhashtag.retrieval.shared_tables import constant, shared
from tfhashtag.retrieval.vector_search import (
    NOTHING,
    STEP,
    GraphSearch,
    VectorQueries,
    Whose,
    allowed_levels,
    answers_of,
    best_keys,
    decoded,
    in_blocks,
    keys_of,
    levels_of,
)

_BLOCK_KEYS = 1 << 24  # at a time, if all rows of all lists were better than those before: 128 MiB
_MOST_QUERIES = 1 << 16  # at a time
_BLOCK_PRODUCTS = 1 << 23  # with centres at a time: 32 MiB
_LIST = 1024  # rows of a group at a time
_WIDER = 4  # times the nearest cells, whose rows are a better bound where many are asked for
_FEW = 4  # queries a list, from which on lists are taken one by one


class InvertedFile(GraphSearch):
    """The nearest of many vectors, found in the cells whose centres are nearest to the query.

    A query is multiplied with the centres; the rows of the best `probes` cells are multiplied with
    it exactly; the best rows are the answer. Cells are taken one after the other for all queries
    that look into them, so that a batch is as many matrix products as there are cells, and memory
    is bounded by blocks, whatever the batch. Nothing but MatMul, TopKV2, Gather, slices and loops
    of TensorFlow itself: any model server runs it.

    What is asked of a row (`VectorQueries`) holds exactly: it is asked inside the cells, and a
    query for which the cells have not `count` allowed rows is answered out of all rows. Rows of the
    query's own group are found exactly, by a list of each group's rows.

    Args:
        table: the rows.
        probes: cells to look into; default those of the table. All of them make it exact.
        variables: hold the arrays as `tf.Variable`s, as a SavedModel needs it; else they are read
            where they lie, memory-mapped or not.

    Raises:
        ConfigError: `probes` is out of range.

    Example:

    >>> table = InvertedTable.build(np.eye(4, dtype="float32"), cells=2)
    >>> index = InvertedFile(table, probes=2)
    >>> ids, similarity = index.search(VectorQueries(np.float32([[0.1, 0.9, 0.2, 0]])), 2)
    >>> ids.tolist(), [[round(float(each), 3) for each in row] for row in similarity]
    ([[1, 2]], [[0.9, 0.2]])
    """

    def __init__(
        self, table: InvertedTable, probes: int | None = None, variables: bool = False
    ) -> None:
        super().__init__()
        probes = table.probes if probes is None else probes
        if not 1 <= probes <= table.cells:
            raise ConfigError(f"`probes` must be 1 to {table.cells}, found {probes}.")
        self.table, self.probes = table, probes
        self.exact = probes == table.cells
        self.width = int(table.codes.shape[1])
        self.has = {"groups": table.groups is not None, "times": table.times is not None}
        arrays = table.arrays()
        # One list more, of no rows: that of a query that looks nowhere.
        arrays["offsets"] = np.append(table.offsets, len(table)).astype(np.int32)
        arrays["position"] = np.argsort(table.ids).astype(np.int32) if len(table) else table.ids
        self._lists = self._most_lists = 0  # of all groups, and of one
        if table.groups is not None:
            arrays |= self._lists_of(table)
        self._held = {
            name: constant(name, values) if variables else shared(values)
            for name, values in arrays.items()
        }

    @property
    def recall(self) -> dict[str, float] | None:
        """What `choose_probes` found: `target`, `found`, `at` (k), `queries`; None before."""
        return self.table.recall

    def cells_of(self, vectors: np.ndarray) -> np.ndarray:
        """The cell whose centre is nearest to each vector, int32 `[n]`."""
        return nearest_centre(vectors, self.table.centres)

    def trackables(self) -> list[Any]:
        """What a SavedModel must hold."""
        return list(self._held.values())

    def vectors_of(self, ids: tf.Tensor) -> tf.Tensor:
        """The vectors of rows, as they are stored: int32 `[...]`, -1 pads, to `[..., d]`, zeros.

        The ids must be the row numbers 0 to P - 1.
        """
        held = self._tensors()
        position = tf.gather(held["position"], tf.maximum(ids, 0))
        scales = held.get("scales")
        vectors = tf.cast(tf.gather(held["codes"], position), tf.float32)
        if scales is not None:
            vectors *= tf.gather(scales, position)[..., None]
        return tf.where((ids >= 0)[..., None], vectors, tf.zeros_like(vectors))

    def __call__(
        self, queries: VectorQueries, count: int, whose: Whose = "all"
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """See `GraphSearch.search`; tensors in and out."""
        self.check(queries, count, whose)
        held = self._tensors()
        block = min(max(1, _BLOCK_KEYS // self._most_keys(count, whose)), _MOST_QUERIES)
        search = self._own if whose == "own" else self._near
        found = in_blocks(lambda part: search(held, part, count, whose), queries, block, count)
        return answers_of(found)

    def _near(self, held: Any, queries: VectorQueries, count: int, whose: Whose) -> tf.Tensor:
        if self.exact:
            return self._scan_all(held, queries, count, whose)

        def nearest(part: VectorQueries) -> tf.Tensor:
            products = tf.matmul(part.vectors, held["centres"], transpose_b=True)
            return tf.math.top_k(products, self.probes).indices

        ranked = max(1, _BLOCK_PRODUCTS // self.table.cells)
        lists = in_blocks(nearest, VectorQueries(queries.vectors), ranked, self.probes, tf.int32)
        # What the nearest cells hold is a bound that few rows of the others pass.
        first = 2 + count * self.table.cells // max(len(self.table), 1)
        steps = [first, _WIDER * first] if self._keeps_all(count, whose) else [first]
        keys: Any = None
        start = 0
        for stop in (*(step for step in steps if step < self.probes), self.probes):
            keys = self._scan(held, queries, lists[:, start:stop], count, whose, keys)
            start = stop
        lacking = tf.where(keys[:, -1] == NOTHING)[:, 0]

        def whole() -> tf.Tensor:
            found = self._scan_all(held, queries.take(lacking), count, whose)
            return tf.tensor_scatter_nd_update(keys, lacking[:, None], found)

        return tf.cond(tf.size(lacking) > 0, whole, lambda: keys)

    def _own(self, held: Any, queries: VectorQueries, count: int, whose: Whose) -> tf.Tensor:
        group_lists, nobody = held["group_lists"], tf.shape(held["list_offsets"])[0] - 2
        known = (queries.groups >= 0) & (queries.groups < tf.shape(group_lists)[0] - 1)
        group = tf.where(known, queries.groups, 0)
        first = tf.gather(group_lists, group)
        number = tf.where(known, tf.gather(group_lists, group + 1) - first, 0)
        place = tf.range(tf.maximum(tf.reduce_max(number), 1))[None]
        lists = tf.where(place < number[:, None], first[:, None] + place, nobody)
        return self._scan(held, queries, lists, count, whose)

    def _scan(
        self,
        held: Any,
        queries: VectorQueries,
        lists: tf.Tensor,
        count: int,
        whose: Whose,
        keys: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Keys of the best rows in the lists of each query, and of what was found before.

        Args:
            held: the arrays.
            queries: n of them.
            lists: int32 `[n, l]`.
            count, whose: as for a search.
            keys: int64 `[n, count]` of rows in other lists.

        Returns:
            int64 `[n, count]`.
        """
        if keys is None:
            keys = tf.fill([tf.shape(lists)[0], count], tf.constant(NOTHING, tf.int64))
        flat = tf.reshape(lists, [-1])
        few = tf.size(flat) < _FEW * tf.size(tf.unique(flat).y)
        arguments = held, queries, lists, count, whose, keys
        return tf.cond(
            few, lambda: self._query_by_query(*arguments), lambda: self._list_by_list(*arguments)
        )

    def _query_by_query(
        self,
        held: Any,
        queries: VectorQueries,
        lists: tf.Tensor,
        count: int,
        whose: Whose,
        keys: tf.Tensor,
    ) -> tf.Tensor:
        """`_scan` that gathers the rows of all lists of a query."""
        offsets = held["list_offsets" if whose == "own" else "offsets"]
        size = tf.shape(lists)[0]
        array = tf.TensorArray(tf.int64, size, element_shape=[1, count])

        def body(query: tf.Tensor, array: tf.TensorArray) -> tuple[Any, ...]:
            starts = tf.gather(offsets, lists[query])
            chosen = tf.ragged.range(starts, tf.gather(offsets, lists[query] + 1)).flat_values
            if whose == "own":
                chosen = tf.gather(held["group_order"], chosen)
            one = queries.part(query, query + 1)
            vectors, rows = self._rows(held, chosen)
            products = tf.matmul(one.vectors, vectors, transpose_b=True)
            best = best_keys(one, products, rows, count, whose, rising=False)
            return query + 1, array.write(query, best)

        _, array = tf.while_loop(
            lambda query, _: query < size,
            body,
            (tf.zeros([], tf.int32), array),
            parallel_iterations=2,
        )
        found = tf.ensure_shape(array.concat(), [None, count])
        return tf.math.top_k(tf.concat([keys, found], axis=1), count).values

    def _list_by_list(
        self,
        held: Any,
        queries: VectorQueries,
        lists: tf.Tensor,
        count: int,
        whose: Whose,
        keys: tf.Tensor,
    ) -> tf.Tensor:
        """`_scan` that takes a list with all queries that look into it.

        What is better than the last key of its query is collected; the best of that is the answer.
        """
        offsets = held["list_offsets" if whose == "own" else "offsets"]
        width, flat = tf.shape(lists)[1], tf.reshape(lists, [-1])
        order = tf.argsort(flat, stable=True)
        present, _, sizes = tf.unique_with_counts(tf.gather(flat, order))
        ends, query = tf.cumsum(sizes), order // width
        last = keys[:, -1]
        lowest = tf.cast(levels_of(last) - 1, tf.float32) / STEP
        better = _better if self._keeps_all(count, whose) else _better_of_best
        arrays = [
            tf.TensorArray(kind, tf.size(present), infer_shape=False, element_shape=shape)
            for kind, shape in ((tf.int32, [None, 2]), (tf.int64, [None]))
        ]

        def body(number: tf.Tensor, filled: tf.Tensor, *arrays: tf.TensorArray) -> tuple[Any, ...]:
            asked = query[ends[number] - sizes[number] : ends[number]]
            start, stop = offsets[present[number]], offsets[present[number] + 1]
            chosen = slice(start, stop) if whose != "own" else held["group_order"][start:stop]
            vectors, rows = self._rows(held, chosen)
            products = tf.matmul(tf.gather(queries.vectors, asked), vectors, transpose_b=True)
            # Most lists have nothing that is better than what a query has already.
            hit = tf.where(tf.reduce_max(products, axis=1) >= tf.gather(lowest, asked))[:, 0]
            asked, products = tf.gather(asked, hit), tf.gather(products, hit)
            some = queries.take(asked, vectors=False), products, rows, count, whose
            chosen, found = better(some, tf.gather(last, asked)[:, None])
            place, more = _places(chosen, asked, filled)
            filled = tf.tensor_scatter_nd_add(filled, asked[:, None], more)
            written = arrays[0].write(number, place), arrays[1].write(number, found)
            return number + 1, filled, *written

        _, filled, places, found = tf.while_loop(
            lambda number, *_: number < tf.size(present),
            body,
            (tf.zeros([], tf.int32), tf.zeros([tf.shape(lists)[0]], tf.int32), *arrays),
            parallel_iterations=4,
        )
        shape = [tf.shape(lists)[0], tf.reduce_max(tf.concat([filled, [0]], axis=0))]
        nothing = tf.fill(shape, tf.constant(NOTHING, tf.int64))
        more = tf.tensor_scatter_nd_update(nothing, places.concat(), found.concat())
        return tf.math.top_k(tf.concat([keys, more], axis=1), count).values

    def _scan_all(self, held: Any, queries: VectorQueries, count: int, whose: Whose) -> tf.Tensor:
        """Keys of the best of all rows, cell by cell; holds the best alone."""
        offsets = held["offsets"]

        def body(cell: tf.Tensor, keys: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            vectors, rows = self._rows(held, slice(offsets[cell], offsets[cell + 1]))
            products = tf.matmul(queries.vectors, vectors, transpose_b=True)
            more = best_keys(queries, products, rows, count, whose)
            return cell + 1, tf.math.top_k(tf.concat([keys, more], axis=1), count).values

        nothing = tf.fill([tf.shape(queries.vectors)[0], count], tf.constant(NOTHING, tf.int64))
        return tf.while_loop(
            lambda cell, _: cell < self.table.cells,
            body,
            (tf.zeros([], tf.int32), nothing),
            shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, count])),
            parallel_iterations=1,
        )[1]

    def _keeps_all(self, count: int, whose: Whose) -> bool:
        """Whether lists are so short that their best rows need not be chosen one by one."""
        lists = self.table.cells if whose != "own" else max(self._lists, 1)
        return count >= len(self.table) / lists

    def _most_keys(self, count: int, whose: Whose) -> int:
        """How many keys a query can get to at most."""
        if whose == "own":
            sizes, lists = np.bincount(np.asarray(self.table.groups), minlength=1), self._most_lists
            every = int(sizes.max())
        elif self.exact:
            return count
        else:
            sizes, lists = np.sort(np.diff(self.table.offsets)), self.probes
            every = int(sizes[-lists:].sum())
        return max(every if self._keeps_all(count, whose) else count * lists, 1)

    def _rows(self, held: Any, chosen: Any) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Vectors of rows, by a slice or by their places, and what is known of them."""

        def of(name: str) -> tf.Tensor:
            values = held[name]
            return values[chosen] if isinstance(chosen, slice) else tf.gather(values, chosen)

        scales = of("scales") if "scales" in held else None
        known = {name: of(name) for name in ("ids", "groups", "times") if name in held}
        return decoded(of("codes"), scales), known

    def _lists_of(self, table: InvertedTable) -> dict[str, np.ndarray]:
        """The rows of each group, by rising id, in lists of bounded length."""
        groups = np.asarray(table.groups)
        order = np.lexsort((table.ids, groups)).astype(np.int32)
        sizes = np.bincount(groups) if len(groups) else np.zeros(1, np.int64)
        lists = -(-sizes // _LIST)
        self._lists, self._most_lists = int(lists.sum()), int(lists.max())
        group = np.repeat(np.arange(len(sizes)), lists)
        number = np.arange(len(group)) - np.repeat(np.cumsum(lists) - lists, lists)
        starts = (np.cumsum(sizes) - sizes)[group] + number * _LIST
        ends = [len(order), len(order)]  # and a list of no rows
        return {
            "group_order": order,
            "group_lists": np.append(0, np.cumsum(lists)).astype(np.int32),
            "list_offsets": np.append(starts, ends).astype(np.int32),
        }

    def _tensors(self) -> dict[str, tf.Tensor]:
        # Gathering from a variable makes TensorFlow copy it whenever it is read as a whole.
        return {name: tf.convert_to_tensor(values) for name, values in self._held.items()}

    def choose_probes(
        self, queries: VectorQueries, count: int, target: float, whose: Whose = "all"
    ) -> "InvertedFile":
        """The same with as many probes as the target of recall needs.

        The exact answers of the queries are looked for; the cells in which they stand say how many
        probes find which share of them. One half of the queries chooses, with two standard errors
        to spare; the other half is then searched and says the recall that is reported.

        Args:
            queries: arrays, at least two, of the kind that will be asked.
            count: k of recall@k: the share of the exact best k that is found; of rows that are as
                similar as the k-th, any counts.
            target: of the recall, in (0, 1].
            whose: as they will be asked.

        Raises:
            ConfigError: `target` is out of range, or fewer than two queries.
        """
        total = len(queries.vectors)
        if not 0 < target <= 1:
            raise ConfigError(f"`target` must be in (0, 1], found {target}.")
        if total < 2:
            raise ConfigError(f"recall is measured on at least two queries, found {total}.")
        every = InvertedFile(self.table, self.table.cells)
        ids, similarity = every.search(queries, count, whose)
        half = total // 2
        cell_of_row = np.repeat(np.arange(self.table.cells), np.diff(self.table.offsets))
        # As many cells as had to be looked into for each answer: its cell's place by product.
        products = np.asarray(queries.vectors[:half], np.float32) @ self.table.centres.T
        place = np.argsort(np.argsort(-products, axis=1, kind="stable"), axis=1)
        positions = np.argsort(self.table.ids)
        position = positions[np.searchsorted(self.table.ids, ids[:half], sorter=positions)
                             .clip(max=len(positions) - 1)]  # fmt: skip
        needed = np.take_along_axis(place, cell_of_row[position], axis=1) + 1
        probes = _probes_for(needed, ids[:half] >= 0, target, self.table.cells)
        chosen = InvertedFile(self.table, probes)
        held_out = queries.part(half, total)
        found = recall_of(chosen.search(held_out, count, whose), (ids[half:], similarity[half:]))
        told = {"target": target, "found": found, "at": count, "queries": total - half}
        return InvertedFile(dataclasses.replace(self.table, probes=probes, recall=told))


def recall_of(found: tuple[np.ndarray, np.ndarray], exact: tuple[np.ndarray, np.ndarray]) -> float:
    """The share of the exact answers that were found, 1.0 where there are none.

    Both are ids and similarities `[n, k]` as a search gives them. A row that is as similar as an
    exact answer stands for it.

    Example:

    >>> answers = np.array([[3, 1]]), np.float32([[0.9, 0.5]])
    >>> recall_of((np.array([[3, 7]]), np.float32([[0.9, 0.2]])), answers)
    0.5
    """
    real = exact[0] >= 0
    lowest = np.where(real, exact[1], np.inf).min(axis=1, initial=np.inf)[:, None]
    hits = ((found[0] >= 0) & (found[1] >= lowest)).sum(axis=1)
    return float(np.minimum(hits, real.sum(axis=1)).sum() / max(real.sum(), 1))


def _better(some: tuple[Any, ...], last: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Which rows are as good as the last key of their query, bool `[n, r]`, and their keys."""
    queries, products, rows, _, whose = some
    levels = allowed_levels(queries, products, rows, whose)
    chosen = levels >= tf.cast(levels_of(last), tf.float32)
    ids = tf.gather(rows["ids"], tf.where(chosen)[:, 1])
    return chosen, keys_of(tf.boolean_mask(levels, chosen), ids)


def _better_of_best(some: tuple[Any, ...], last: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The same of the best `count` rows alone, bool `[n, count]`."""
    best = best_keys(*some)
    chosen = best > last
    return chosen, tf.boolean_mask(best, chosen)


def _places(chosen: tf.Tensor, asked: tf.Tensor, filled: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Where what is chosen goes, (query, column) int32 `[h, 2]`, and how many a query has more."""
    ones = tf.cast(chosen, tf.int32)
    column = tf.cumsum(ones, axis=1, exclusive=True) + tf.gather(filled, asked)[:, None]
    row = tf.broadcast_to(asked[:, None], tf.shape(column))
    return (
        tf.stack([tf.boolean_mask(row, chosen), tf.boolean_mask(column, chosen)], axis=1),
        tf.reduce_sum(ones, axis=1),
    )


def _probes_for(needed: np.ndarray, real: np.ndarray, target: float, cells: int) -> int:
    """The fewest probes whose recall is above the target by two standard errors."""
    answers = np.maximum(real.sum(axis=1), 1)
    for probes in range(1, cells):
        recall = (((needed <= probes) & real).sum(axis=1) / answers)[real.any(axis=1)]
        error = recall.std() / max(len(recall), 1) ** 0.5 if len(recall) else 0.0
        if recall.mean() - 2 * error >= target:
            return probes
    return cells
