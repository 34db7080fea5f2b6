"""Memory that goes back: what stays the same, and what leaves the process."""

import pathlib

import numpy as np
import tensorflow as tf

from tfhashtag.memory import let_go, rows_of
from tfhashtag.retrieval.shared_tables import shareable, shared


def mapped_kib():
    """Of files, also of those in memory."""
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("RssFile", "RssShmem")))


def test_pages_leave_and_what_is_in_no_file_stays(tmp_path):
    np.save(tmp_path / "table.npy", np.ones((4096, 2048), np.float32))  # 32 MiB
    read = np.load(tmp_path / "table.npy", mmap_mode="r")
    assert read.sum() == read.size
    before = mapped_kib()
    let_go(read[5:])
    assert mapped_kib() < before - 24 * 1024
    assert read.sum() == read.size
    changed = np.load(tmp_path / "table.npy", mmap_mode="c")
    changed[0] = 2
    let_go(changed)
    assert np.all(changed[0] == 2)


def test_rows_from_everywhere_leave_when_they_are_gathered(tmp_path):
    values = np.arange(4096, dtype=np.float32)[:, None] + np.zeros(2048, np.float32)
    np.save(tmp_path / "table.npy", values)  # 32 MiB
    table = np.load(tmp_path / "table.npy", mmap_mode="r")
    rows = np.random.default_rng(0).permutation(4096)
    before = mapped_kib()
    found = rows_of(table, rows)
    assert mapped_kib() < before + 4 * 1024
    np.testing.assert_array_equal(found, values[rows])
    assert rows_of(table, rows[:3], np.float64).dtype == np.float64


def test_a_table_is_held_once_and_outlives_its_array():
    table = shareable((300, 7), np.float16)
    table[:] = np.arange(7)
    variable = tf.Variable(np.zeros((0, 7), np.float16), shape=[None, 7])
    variable.assign(shared(table))
    table[0, 0] = 5
    assert variable[0, 0].numpy() == 5  # the same numbers
    del table
    np.testing.assert_array_equal(variable[1:].numpy(), np.tile(np.arange(7), (299, 1)))
    odd = np.ones(9, np.float32)[1:]
    assert shared(odd).numpy().tolist() == [1.0] * 8
    assert shared(np.zeros((0, 3), np.float16)).shape == (0, 3)
