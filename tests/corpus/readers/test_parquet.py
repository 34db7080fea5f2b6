"""Parquet: types of columns, damaged files."""

import datetime
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfhashtag.corpus.row_source import RowSource
from tfhashtag.errors import DataError


def read_parquet(path, on_bad, counts):
    source = RowSource("parquet", path)
    source.look(lambda *_: None)
    return source.posts(on_bad, counts)


def refuse(place, fault):
    raise AssertionError(f"{place}: {fault}")


def test_moments_are_timestamps(tmp_path):
    moment = datetime.datetime(2024, 5, 6, 7, 8, 9)
    row = {"user": 12, "text": "t", "hashtags": ["#a"], "timestamp": moment}
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "p.parquet")
    (post,) = read_parquet(tmp_path / "p.parquet", refuse, Counter())
    assert (post.user, post.hashtags) == ("12", ("a",))
    assert post.timestamp == moment.replace(tzinfo=datetime.UTC).timestamp()


def test_row_of_a_fault(tmp_path):
    rows = [{"user": user, "text": "t", "hashtags": ["a"]} for user in ("u", None, "")]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "p.parquet")
    faults = []
    posts = list(
        read_parquet(tmp_path / "p.parquet", lambda *fault: faults.append(fault), Counter())
    )
    assert len(posts) == 1
    assert [(place[-2:], fault.reason) for place, fault in faults] == [
        (":2", "missing field"),
        (":3", "empty user"),
    ]


@pytest.mark.parametrize(
    "content, told",
    [
        (b"", "not readable as Parquet"),
        (b"user,text,hashtags\n", "looks like CSV with the columns user, text, hashtags, not P"),
        (b"PAR1" + b"\0" * 100 + b"PAR1", "not readable as Parquet"),
    ],
)
def test_not_parquet(tmp_path, content, told):
    (tmp_path / "p.parquet").write_bytes(content)
    with pytest.raises(DataError, match=f"p.parquet: {told}"):
        list(read_parquet(tmp_path / "p.parquet", refuse, Counter()))


def test_damaged_inside(tmp_path):
    rows = [{"user": f"u{i}", "text": f"text {i * 7919}", "hashtags": ["a"]} for i in range(2000)]
    path = tmp_path / "p.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    content = bytearray(path.read_bytes())
    content[100:4000] = b"\xff" * 3900
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"damaged after row 0"):
        list(read_parquet(path, refuse, Counter()))


def test_folder_and_missing_columns(tmp_path):
    with pytest.raises(DataError, match=r"holds no file that ends with .parquet"):
        list(read_parquet(tmp_path, refuse, Counter()))
    pq.write_table(pa.Table.from_pylist([{"user": "u", "text": "t"}]), tmp_path / "p.parquet")
    with pytest.raises(DataError, match=r"no column `hashtags`; found user, text"):
        list(read_parquet(tmp_path / "p.parquet", refuse, Counter()))
