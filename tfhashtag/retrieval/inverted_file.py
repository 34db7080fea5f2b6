"""An inverted file of vectors in core operations of TensorFlow: in process and in a SavedModel."""

import dataclasses
import functools
from typing import Any

import numpy as np
import tensorflow as tf

from tfhashtag.errors import ConfigError
from tfhashtag.retrieval import list_scan
from tfhashtag.retrieval.inverted_table import InvertedTable
from tfhashtag.retrieval.k_means import nearest_centre
from tfhashtag.retrieval.list_scan import Kind, ListScan
from tfhashtag.retrieval.shared_tables import constant, shared
from tfhashtag.retrieval.vector_search import (
    NOTHING,
    GraphSearch,
    VectorQueries,
    Whose,
    answers_of,
    no_keys,
    search_in_blocks,
)

_MOST_QUERIES = 1 << 13  # at a time
_BLOCK_PRODUCTS = 1 << 23  # with centres at a time: 32 MiB
_BLOCK_LISTS = 1 << 21  # of queries at a time: 8 MiB
_LACKING = 1 << 10  # queries at a time that are answered out of all rows
_LIST = 1024  # rows of a group, or of a time, at a time
_WIDER = 4  # times as many cells, whose rows are a better bound for those that follow


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
        probes: cells to look into where all rows are early enough; default those of the table. All
            of them make it exact.
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
        if table.times is not None:
            order = np.lexsort((table.ids, table.times)).astype(np.int32)
            starts = np.append(np.arange(0, len(table), _LIST), [len(table)] * 2).astype(np.int32)
            arrays |= {"time_order": order, "rising_times": table.times[order]}
            arrays["time_offsets"] = starts
        arrays["position"] = np.argsort(table.ids).astype(np.int32) if len(table) else table.ids
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
        scan = ListScan(self._tensors())
        block = min(max(1, list_scan.BLOCK_KEYS // count), _MOST_QUERIES)
        search = self._near
        if whose == "own":
            search = self._own
        elif self.exact:
            search, block = self._every, _LACKING
        found = search_in_blocks(
            lambda part: search(scan, part, count, whose), queries, block, count
        )
        return answers_of(found)

    def _near(self, scan: ListScan, queries: VectorQueries, count: int, whose: Whose) -> tf.Tensor:
        probes = self._probes_of(scan, queries)
        width = tf.reduce_max(tf.concat([probes, [0]], axis=0))

        def nearest(part: VectorQueries) -> tf.Tensor:
            products = tf.matmul(part.vectors, scan.held["centres"], transpose_b=True)
            return tf.math.top_k(products, width).indices

        ranked = max(1, _BLOCK_PRODUCTS // self.table.cells)
        lists = search_in_blocks(nearest, VectorQueries(queries.vectors), ranked, None, tf.int32)
        # Beyond its probes a query looks into the list of no rows.
        lists = tf.where(tf.range(width)[None] < probes[:, None], lists, self.table.cells)
        # What the nearest cells hold is a bound that few rows of the others pass.
        first = 2 + count * self.table.cells // max(len(self.table), 1)
        most = tf.maximum(_BLOCK_LISTS // tf.maximum(tf.size(probes), 1), first)

        def wider(start: tf.Tensor, keys: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            stop = tf.minimum(start + tf.clip_by_value((_WIDER - 1) * start, first, most), width)
            return stop, scan(queries, lists[:, start:stop], count, whose, keys)

        keys = tf.while_loop(
            lambda start, _: start < width,
            wider,
            (tf.zeros([], tf.int32), no_keys(tf.size(probes), count)),
            shape_invariants=(tf.TensorShape([]), tf.TensorShape([None, count])),
            parallel_iterations=1,
        )[1]
        lacking = tf.where(keys[:, -1] == NOTHING)[:, 0]

        def whole() -> tf.Tensor:
            every = functools.partial(self._every, scan, count=count, whose=whose)
            found = search_in_blocks(every, queries.take(lacking), _LACKING, count)
            return tf.tensor_scatter_nd_update(keys, lacking[:, None], found)

        return tf.cond(tf.size(lacking) > 0, whole, lambda: keys)

    def _every(self, scan: ListScan, queries: VectorQueries, count: int, whose: Whose) -> tf.Tensor:
        """Keys of the best of all rows, or of all that are early enough."""
        by: Kind = "cells" if queries.before is None else "times"
        size = tf.shape(queries.vectors)[0]
        number = tf.fill([size], self.table.cells)
        if queries.before is not None:
            number = -(-tf.searchsorted(scan.held["rising_times"], queries.before) // _LIST)
        place = tf.range(tf.reduce_max(tf.concat([number, [0]], axis=0)))[None]
        lists = tf.where(place < number[:, None], place, scan.nobody(by))
        return scan.list_by_list(queries, lists, count, whose, no_keys(size, count), by)

    def _probes_of(self, scan: ListScan, queries: VectorQueries) -> tf.Tensor:
        """How many cells each query looks into, int32 `[n]`, 0 for all.

        Where only a share of the rows is early enough for a query, so many more cells hold as many
        rows that it may be answered with.
        """
        if queries.before is None:
            return tf.fill([tf.shape(queries.vectors)[0]], self.probes)
        rising, kind = scan.held["rising_times"], tf.int64  # cells times rows are many
        early = tf.searchsorted(rising, queries.before, out_type=kind)
        probes = -(-tf.constant(self.probes * len(self.table), kind) // tf.maximum(early, 1))
        few = probes <= self.table.cells // 2
        return tf.cast(tf.where(few, probes, tf.zeros_like(probes)), tf.int32)

    def _own(self, scan: ListScan, queries: VectorQueries, count: int, whose: Whose) -> tf.Tensor:
        group_lists = scan.held["group_lists"]
        known = (queries.groups >= 0) & (queries.groups < tf.shape(group_lists)[0] - 1)
        group = tf.where(known, queries.groups, 0)
        first = tf.gather(group_lists, group)
        number = tf.where(known, tf.gather(group_lists, group + 1) - first, 0)
        place = tf.range(tf.maximum(tf.reduce_max(number), 1))[None]
        lists = tf.where(place < number[:, None], first[:, None] + place, scan.nobody("groups"))
        return scan(queries, lists, count, whose, by="groups")

    def _lists_of(self, table: InvertedTable) -> dict[str, np.ndarray]:
        """The rows of each group, by rising id, in lists of bounded length."""
        groups = np.asarray(table.groups)
        order = np.lexsort((table.ids, groups)).astype(np.int32)
        sizes = np.bincount(groups) if len(groups) else np.zeros(1, np.int64)
        lists = -(-sizes // _LIST)
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
        if queries.before is not None and self.table.times is not None:
            early = np.searchsorted(np.sort(self.table.times), queries.before[:half])
            needed = -(-needed * np.maximum(early, 1)[:, None] // len(self.table))
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


def _probes_for(needed: np.ndarray, real: np.ndarray, target: float, cells: int) -> int:
    """The fewest probes whose recall is above the target by two standard errors."""
    answers = np.maximum(real.sum(axis=1), 1)
    for probes in range(1, cells):
        recall = (((needed <= probes) & real).sum(axis=1) / answers)[real.any(axis=1)]
        error = recall.std() / max(len(recall), 1) ** 0.5 if len(recall) else 0.0
        if recall.mean() - 2 * error >= target:
            return probes
    return cells
