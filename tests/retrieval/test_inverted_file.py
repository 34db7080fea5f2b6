"""The inverted file against the exact search, in process, in a SavedModel and without Python."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.c_program import can_compile, run_in_c
from tfhashtag.errors import ArtifactError, ConfigError, DataError
from tfhashtag.retrieval import list_scan
from tfhashtag.retrieval.inverted_file import InvertedFile, recall_of
from tfhashtag.retrieval.inverted_table import InvertedTable
from tfhashtag.retrieval.k_means import k_means, nearest_centre, unit
from tfhashtag.retrieval.vector_search import STEP, VectorQueries
from tfhashtag.vector_codes import encode_vectors

ROWS, WIDTH, GROUPS = 600, 8, 15


@dataclasses.dataclass
class ExactSearch:
    """Every row is compared with every query: what an inverted file is measured against."""

    vectors: np.ndarray
    groups: np.ndarray
    times: np.ndarray

    def search(self, queries, count, whose="all"):
        levels = np.rint(np.asarray(queries.vectors, np.float32) @ self.vectors.T * STEP)
        levels[self._forbidden(queries, whose)] = -np.inf
        ids = np.argsort(-levels, axis=1, kind="stable")[:, :count]
        best = np.take_along_axis(levels, ids, axis=1)
        real = best > -np.inf
        return np.where(real, ids, -1), np.where(real, best, 0) / STEP

    def _forbidden(self, queries, whose):
        no = np.zeros((len(queries.vectors), len(self.vectors)), bool)
        if whose != "all":
            same = queries.groups[:, None] == self.groups[None]
            no |= same if whose == "others" else ~same
        if queries.before is not None:
            no |= self.times[None] >= queries.before[:, None]
        if queries.without is not None:
            row, column = np.nonzero(queries.without >= 0)
            no[row, queries.without[row, column]] = True
        return no


@dataclasses.dataclass
class World:
    """Clustered vectors with groups and times, their exact index and an inverted file's rows."""

    vectors: np.ndarray
    groups: np.ndarray
    times: np.ndarray
    exact: ExactSearch
    table: InvertedTable
    queries: VectorQueries


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(0)
    themes = rng.normal(size=(30, WIDTH))
    vectors = unit(themes[rng.integers(0, 30, ROWS)] + 0.4 * rng.normal(size=(ROWS, WIDTH)))
    vectors[5:9] = vectors[4]  # ties
    vectors[50] = 0
    groups = rng.integers(0, GROUPS, ROWS).astype(np.int32)
    times = rng.integers(0, 300, ROWS)
    table = InvertedTable.build(vectors, groups=groups, times=times, cells=25, digest="one")
    asked = np.arange(0, ROWS, 5)
    queries = VectorQueries(vectors[asked], groups[asked], times[asked], asked[:, None])
    exact = ExactSearch(vectors, groups, times)
    return World(vectors, groups, times, exact, table, queries)


def assert_equal(found, expected):
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_allclose(found[1], expected[1], atol=2e-6)


@pytest.mark.parametrize(
    "whose, few, count",
    [
        ("own", 1, 7),
        ("own", 1, 90),
        ("others", 1, 7),
        ("others", 1, 90),
        ("own", 1 << 30, 7),
        ("all", 1 << 30, 7),
        ("others", None, 7),
    ],
)
def test_all_probes_are_the_exact_search(world, whose, few, count, monkeypatch):
    """List by list, the best of each or all that is better; query by query; all rows alone."""
    monkeypatch.setattr(list_scan, "_FEW", few or 1)
    monkeypatch.setattr(list_scan, "BLOCK_KEYS", 7 * 30 * world.table.cells)
    index = InvertedFile(world.table, world.table.cells)
    index.exact = few is None
    expected = world.exact.search(world.queries, count, whose)
    assert_equal(index.search(world.queries, count, whose), expected)
    alone = [
        index.search(world.queries.part(row, row + 1), count, whose) for row in range(0, 120, 17)
    ]
    batch = [np.concatenate([one[part] for one in alone]) for part in (0, 1)]
    assert_equal(batch, [part[::17] for part in expected])


@pytest.fixture(scope="module")
def two_probes(world):
    return InvertedFile(world.table, 2)


@given(
    st.sampled_from(["own", "others", "all"]),
    st.lists(
        st.tuples(
            st.integers(0, ROWS - 1),
            st.integers(-1, GROUPS),
            st.integers(-1, 301),
            st.integers(-1, ROWS - 1),
        ),
        min_size=0,
        max_size=12,
    ),
)
@settings(max_examples=60, deadline=None)
def test_no_filter_is_ever_broken_and_no_answer_lacks(world, two_probes, whose, asked):
    rows, groups, before, without = np.array(asked, np.int64).reshape(-1, 4).T
    queries = VectorQueries(world.vectors[rows], groups, before, without[:, None])
    ids, similarity = two_probes.search(queries, 9, whose)
    expected = world.exact.search(queries, 9, whose)
    np.testing.assert_array_equal(ids >= 0, expected[0] >= 0)  # as many as there are
    found = ids >= 0
    assert np.all((world.times[ids] < before[:, None])[found])
    assert np.all((ids != without[:, None])[found])
    same = world.groups[ids] == groups[:, None]
    assert whose == "all" or np.all((same if whose == "own" else ~same)[found])
    products = np.einsum("nkd,nd->nk", world.vectors[ids], queries.vectors)
    np.testing.assert_allclose(similarity[found], products[found], atol=2e-6)
    assert np.all(np.diff(np.where(found, similarity, -9), axis=1) <= 0)
    if whose == "own":
        assert_equal((ids, similarity), expected)


@pytest.mark.parametrize("few, block", [(1 << 30, 1 << 22), (1, 1 << 22), (1, 200)])
def test_whoever_asks_early_looks_into_more_cells(world, few, block, monkeypatch):
    """Against loops: cells by product, so many that as many early rows lie in them, else all."""
    monkeypatch.setattr(list_scan, "_FEW", few)
    monkeypatch.setattr(list_scan, "BLOCK_KEYS", block)
    queries, table, count = world.queries, world.table, 6
    found = InvertedFile(table, 3).search(queries, count, "others")
    wider = 0
    for row, vector in enumerate(queries.vectors):
        early = int((world.times < queries.before[row]).sum())
        probes = -(-3 * ROWS // max(early, 1))
        wider += 3 < probes <= table.cells // 2
        allowed = ~world.exact._forbidden(queries.part(row, row + 1), "others")[0]
        cells = np.argsort(-(table.centres @ vector), kind="stable")[:probes]
        inside = [table.ids[table.offsets[cell] : table.offsets[cell + 1]] for cell in cells]
        near = np.concatenate(inside)
        near = near[allowed[near]]
        if probes > table.cells // 2 or len(near) < count:
            near = np.flatnonzero(allowed)
        levels = np.rint(world.vectors[near] @ vector * STEP)
        best = near[np.lexsort((near, -levels))][:count]
        assert found[0][row].tolist() == [*best, *[-1] * (count - len(best))]
    assert wider > 20


def test_rows_that_are_added_are_found_as_in_an_index_of_all(world):
    first = slice(0, 400)
    arrays = dict(groups=world.groups[first], times=world.times[first])
    table = InvertedTable.build(world.vectors[first], cells=20, **arrays)
    more = dict(groups=world.groups[400:], times=world.times[400:])
    grown = table.appended(world.vectors[400:], digest="all", **more)
    assert grown.digest == "all" and len(grown) == ROWS
    np.testing.assert_array_equal(
        np.unique(grown.centres, axis=0), np.unique(table.centres, axis=0)
    )
    found = InvertedFile(grown, grown.cells).search(world.queries, 6, "others")
    assert_equal(found, world.exact.search(world.queries, 6, "others"))
    with pytest.raises(DataError, match="distinct"):
        table.appended(world.vectors[:1], np.array([3]), groups=[0], times=[0])
    with pytest.raises(DataError, match="`times`"):
        table.appended(world.vectors[:1], groups=[0])
    with pytest.raises(DataError, match="row 0 of those given"):
        table.appended(world.vectors[:1] * np.nan, groups=[0], times=[0])


@pytest.fixture(scope="module")
def chosen_of(world):
    """An index with the probes of a recall, by that recall."""
    index = InvertedFile(world.table)
    return {
        target: index.choose_probes(world.queries, 5, target, "others") for target in (0.5, 0.95)
    }


def test_probes_come_from_the_recall_that_is_asked(world, chosen_of):
    index = InvertedFile(world.table)
    low, high = chosen_of.values()
    assert low.probes < high.probes < world.table.cells
    for target, chosen in chosen_of.items():
        assert chosen.table.probes == chosen.probes
        assert chosen.recall["target"] == target and chosen.recall["queries"] == 60
        assert chosen.recall["found"] >= target
        halves = [each.search(world.queries.part(60, 120), 5, "others")
                  for each in (chosen, world.exact)]  # fmt: skip
        assert chosen.recall["found"] == recall_of(*halves)
    with pytest.raises(ConfigError, match="target"):
        index.choose_probes(world.queries, 5, 1.1)
    with pytest.raises(ConfigError, match="two queries"):
        index.choose_probes(world.queries.part(0, 1), 5, 0.9)


@pytest.mark.parametrize("dtype, error", [("float32", 2e-6), ("float16", 6e-4), ("int8", 9e-3)])
def test_fewer_bits_cost_no_more_than_their_rounding(world, dtype, error):
    codes, scales = encode_vectors(world.vectors, dtype)
    restored = codes.astype(np.float32) * (1 if scales is None else scales[:, None])
    worst = np.abs(restored - world.vectors).max(axis=1)
    bound = {"float32": 0, "float16": 2**-11, "int8": 0 if scales is None else scales / 2 + 1e-7}
    assert np.all(worst <= bound[dtype])
    arrays = dict(groups=world.groups, times=world.times, cells=25, dtype=dtype)
    index = InvertedFile(InvertedTable.build(world.vectors, **arrays), 25)
    ids, similarity = index.search(world.queries, 5)
    products = np.einsum("nkd,nd->nk", world.vectors[ids], world.queries.vectors)
    real = ids >= 0
    assert np.abs(similarity - products)[real].max() <= error
    stored = index.vectors_of(tf.constant([[3, -1]])).numpy()
    np.testing.assert_allclose(stored[0], [restored[3], np.zeros(WIDTH)], atol=1e-6)


def test_a_cell_that_all_are_in_is_cut():
    same = np.tile(unit(np.ones((1, 4))), (5000, 1))
    table = InvertedTable.build(np.concatenate([same, unit(np.eye(4))]), cells=4)
    assert np.diff(table.offsets).max() <= 5100
    many = InvertedTable.build(np.concatenate([same, unit(np.eye(4))]), cells=40)
    assert np.diff(many.offsets).max() <= 4 * 5004 // 40 + 1
    ids, _ = InvertedFile(many, 1).search(VectorQueries(same[:1]), 3)
    assert len(set(ids[0].tolist())) == 3


def test_written_and_read(world, chosen_of, tmp_path):
    chosen_of[0.95].table.write(tmp_path / "index")
    table = InvertedTable.read(tmp_path / "index", "one")
    assert isinstance(table.codes, np.memmap) and table.recall["at"] == 5
    index = InvertedFile(table)
    assert index.probes == table.probes == chosen_of[0.95].probes
    for name, values in world.table.arrays().items():
        np.testing.assert_array_equal(table.arrays()[name], values)
    assert index.search(world.queries, 5)[0].shape == (120, 5)
    with pytest.raises(ArtifactError, match="index is of other vectors"):
        InvertedTable.read(tmp_path / "index", "two")
    codes = (tmp_path / "index" / "codes.npy").read_bytes()
    for name, content, message in (
        ("codes.npy", codes[:-8], "codes.npy: not readable: it was changed or cut short"),
        ("codes.npy", codes[:-1] + b"x", "codes.npy: not readable: it was changed or cut short"),
        ("index.json", b"{", "not the description of an index"),
        ("index.json", json.dumps({"format": 9, "rows": 1, "digest": "one", "files": {},
                                   "probes": 1, "recall": None}).encode(), "format 9"),
    ):  # fmt: skip
        (tmp_path / "index" / name).write_bytes(content)
        with pytest.raises(ArtifactError, match=message):
            InvertedTable.read(tmp_path / "index", "one")
    (tmp_path / "index" / "index.json").unlink()
    with pytest.raises(ArtifactError, match=r"index\.json: not the description"):
        InvertedTable.read(tmp_path / "index")


@pytest.mark.skipif(not can_compile(), reason="no gcc")
def test_answers_without_python(world, tmp_path):
    index = InvertedFile(dataclasses.replace(world.table, probes=4), variables=True)
    module = tf.Module()
    module.held = index.trackables()
    names = {
        "vectors": tf.TensorSpec([None, WIDTH], name="vectors"),
        "groups": tf.TensorSpec([None], tf.int32, name="groups"),
        "before": tf.TensorSpec([None], tf.int64, name="before"),
        "without": tf.TensorSpec([None, 1], tf.int32, name="without"),
    }

    @tf.function(input_signature=[*names.values()], autograph=False)
    def find(*parts):
        queries = VectorQueries(*parts)
        ids, similarity = index(queries, 5, "others")
        return {"ids": ids, "similarity": similarity, "own": index(queries, 3, "own")[0]}

    tf.saved_model.save(module, str(tmp_path / "1"), {"serving_default": find})
    queries = world.queries
    found = run_in_c(tmp_path / "1", queries.parts())
    expected = InvertedFile(world.table, 4).search(queries, 5, "others")
    assert_equal((found["ids"], found["similarity"]), expected)
    assert found["own"].tolist() == world.exact.search(queries, 3, "own")[0].tolist()


def test_wrong_arguments(world):
    index = InvertedFile(world.table)
    bare = InvertedFile(InvertedTable.build(world.vectors, cells=3))
    queries = VectorQueries(world.vectors[:2])
    for call, error, message in (
        (lambda: InvertedFile(world.table, 0), ConfigError, "probes"),
        (lambda: index.search(queries, 0), ConfigError, "count"),
        (lambda: index.search(queries, 1, "mine"), ConfigError, "whose"),
        (lambda: index.search(VectorQueries(np.ones((1, 3))), 1), DataError, "vectors"),
        (lambda: index.search(queries, 1, "own"), DataError, "groups"),
        (lambda: bare.search(world.queries, 1), DataError, "times"),
        (lambda: k_means(world.vectors, 0), ConfigError, "cells"),
        (lambda: k_means(world.vectors, 2, builder="ann"), ConfigError, "builder"),
        (lambda: encode_vectors(world.vectors, "int4"), ConfigError, "dtype"),
        (lambda: InvertedTable.build(world.vectors, groups=np.zeros(3, int)), DataError, "groups"),
        (lambda: InvertedTable.build(world.vectors, np.arange(ROWS) - 1), DataError, "ids"),
    ):
        with pytest.raises(error, match=message):
            call()
    assert bare.search(VectorQueries(np.zeros((0, WIDTH))), 4)[0].shape == (0, 4)
    nobody = InvertedTable.build(np.zeros((0, WIDTH), np.float32), cells=1)
    assert InvertedFile(nobody).search(queries, 2)[0].tolist() == [[-1, -1]] * 2


def test_faiss_and_numpy_find_centres_that_serve_as_well(world, monkeypatch):
    def spread(builder):
        centres = k_means(world.vectors, 25, builder=builder)
        assert centres.shape == (25, WIDTH)
        near = nearest_centre(world.vectors, centres)
        return np.einsum("nd,nd->n", world.vectors, centres[near]).mean()

    pytest.importorskip("faiss")
    assert abs(spread("faiss") - spread("numpy")) < 0.03
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(ConfigError, match=r"tfhashtag\[ann\]"):
        k_means(world.vectors, 2, builder="faiss")


def test_rows_of_a_file_are_read_as_they_lie():
    """Rows in the order of their cells would map all of a large file at once."""
    vectors = np.random.default_rng(0).normal(size=(300, WIDTH)).astype(np.float32)
    asked = []

    class Source:
        shape = vectors.shape

        def __getitem__(self, rows):
            asked.append(rows)
            return vectors[rows]

    table = InvertedTable.build(Source(), np.arange(300, dtype=np.int32)[::-1].copy(), cells=6)
    assert len(asked) >= 3 and all(np.all(np.diff(rows) > 0) for rows in asked)
    np.testing.assert_array_equal(table.codes, vectors[::-1][table.ids])
