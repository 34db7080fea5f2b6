import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfhashtag.corpus.rows import Rows
from tfhashtag.errors import DataError

LISTS = st.lists(st.lists(st.integers(0, 99), max_size=6), max_size=8)


@given(LISTS)
def test_rows_give_back_the_lists(lists):
    rows = Rows.from_lists(lists)
    assert [row.tolist() for row in rows] == lists
    assert rows.lengths.tolist() == [len(row) for row in lists]
    assert rows.values.dtype == np.int32 and rows.offsets.dtype == np.int64
    assert rows.row_of_value.tolist() == [i for i, row in enumerate(lists) for _ in row]


@given(LISTS, st.randoms(use_true_random=False))
def test_from_pairs_keeps_the_order_within_a_row(lists, random):
    pairs = [[row, value] for row, values in enumerate(lists) for value in values]
    random.shuffle(pairs)
    pairs = np.array(pairs, dtype=int).reshape(-1, 2)
    rows = Rows.from_pairs(pairs[:, 0], pairs[:, 1], len(lists))
    for row in range(len(lists)):
        assert rows[row].tolist() == pairs[pairs[:, 0] == row, 1].tolist()


@given(LISTS.filter(len), st.data(), st.integers(1, 4), st.sampled_from(["first", "last"]))
def test_take_and_padded(lists, data, width, keep):
    chosen = data.draw(st.lists(st.integers(0, len(lists) - 1), max_size=5))
    rows = Rows.from_lists(lists)
    assert [row.tolist() for row in rows.take(np.array(chosen, int))] == [lists[i] for i in chosen]
    block = rows.padded(np.array(chosen, int), width, fill=-7, keep=keep)
    assert block.shape == (len(chosen), width)
    for row, index in zip(block.tolist(), chosen, strict=True):
        kept = lists[index][:width] if keep == "first" else lists[index][-width:]
        assert row == kept + [-7] * (width - len(kept))


@pytest.mark.parametrize("offsets", [[0, 3, 2, 4], [1, 4], [0, 3], []])
def test_offsets_that_do_not_fit_are_refused(offsets):
    with pytest.raises(DataError, match="`offsets` must"):
        Rows(np.array(offsets), np.arange(4))


def test_row_that_is_not_there():
    with pytest.raises(IndexError):
        Rows.from_lists([[1]])[1]
