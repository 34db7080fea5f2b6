"""Rows in a file against the same in an array."""

import errno
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfhashtag import stored_rows
from tfhashtag.errors import ArtifactError
from tfhashtag.stored_rows import StoredRows


@given(st.data())
def test_reads_what_an_array_reads(data):
    rows, width = data.draw(st.integers(0, 12)), data.draw(st.integers(1, 3))
    values = np.arange(rows * width, dtype=np.float16).reshape(rows, width)
    stored = StoredRows(rows, width, np.float16)
    order = np.array(data.draw(st.permutations(range(rows))), int)
    for some in np.array_split(order, data.draw(st.integers(1, 3))):
        stored.write(some, values[some])
    more = values[: data.draw(st.integers(0, rows))]
    stored.add(more)
    whole = np.concatenate([values, more])
    np.testing.assert_array_equal(stored, whole)
    bounds = st.one_of(st.none(), st.integers(-14, 14))
    part = slice(data.draw(bounds), data.draw(bounds), data.draw(st.sampled_from([None, 1, 2])))
    np.testing.assert_array_equal(stored[part], whole[part])
    if len(whole):
        places = data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=5))
        np.testing.assert_array_equal(stored[places], whole[np.array(places, int)])
        np.testing.assert_array_equal(stored[len(whole) - 1], whole[-1])
        lengths = [data.draw(st.integers(0, len(whole) - place)) for place in places]
        runs = [whole[place : place + more] for place, more in zip(places, lengths, strict=True)]
        expected = np.concatenate([whole[:0], *runs])
        np.testing.assert_array_equal(stored.runs(places, lengths), expected)


def test_leaves_no_file_and_says_where_there_was_no_place(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    stored = StoredRows(2, 2, np.float32)
    assert list(tmp_path.iterdir()) == []

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.pwrite", full)
    with pytest.raises(ArtifactError, match=rf"{tmp_path}: no place .*No space left.*TMPDIR"):
        stored.write(np.arange(2), np.ones((2, 2)))


def test_what_is_no_place_is_refused():
    stored = StoredRows(3, 2, np.float32)
    for rows in (-1, [0, 3], [True, False, True], slice(None, None, -1)):
        with pytest.raises(IndexError, match="from 0 to 2"):
            stored[rows]


def test_a_full_place_is_told_without_saying_who_keeps_something_there():
    with (
        pytest.raises(ArtifactError, match=r"no place for what is kept there for a while \(No sp"),
        stored_rows._told(),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
