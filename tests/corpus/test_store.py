"""The corpus folder: what is read is what was written, and damage is seen."""

import hashlib
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tfhashtag.corpus.digests import corpus_digest
from tfhashtag.corpus.store import read_corpus, write_corpus
from tfhashtag.corpus.synthetic import synthetic_corpus
from tfhashtag.errors import ArtifactError, DataError


@pytest.fixture
def folder(tmp_path):
    write_corpus(synthetic_corpus(120, 9, 3), tmp_path / "corpus")
    return tmp_path / "corpus"


def test_round_trip(folder):
    before, after = synthetic_corpus(120, 9, 3), read_corpus(folder)
    for name in ("name", "post_ids", "users", "messages", "hashtags", "images"):
        assert getattr(before, name) == getattr(after, name)
    for name in (
        "user_of_post",
        "message_of_post",
        "hashtag_offsets",
        "hashtag_values",
        "split_of_post",
        "evaluation_users",
        "timestamps",
    ):
        assert getattr(before, name).tolist() == getattr(after, name).tolist()
        assert getattr(before, name).dtype == getattr(after, name).dtype


def test_existing_folder_is_refused(folder):
    with pytest.raises(DataError, match="exists already"):
        write_corpus(synthetic_corpus(10, 2, 0), folder)
    assert len(read_corpus(folder)) == 120


@pytest.mark.parametrize("name", ["corpus.json", "posts.parquet"])
def test_missing_file(folder, name):
    (folder / name).unlink()
    with pytest.raises(ArtifactError, match=name):
        read_corpus(folder)


def test_damaged_posts(folder):
    path = folder / "posts.parquet"
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(ArtifactError, match=r"posts.parquet: not readable"):
        read_corpus(folder)


def test_missing_column(folder):
    table = pq.read_table(folder / "posts.parquet").drop_columns(["user"])
    pq.write_table(table, folder / "posts.parquet")
    with pytest.raises(ArtifactError, match="no column `user`"):
        read_corpus(folder)


def test_corpus_without_posts(make_corpus, tmp_path):
    write_corpus(make_corpus([]), tmp_path / "corpus")
    corpus = read_corpus(tmp_path / "corpus")
    assert (len(corpus), corpus.users, corpus.messages, corpus.hashtags) == (0, [], [], [])
    assert corpus.hashtag_offsets.tolist() == [0]


def test_exchanged_posts(folder, tmp_path):
    write_corpus(synthetic_corpus(120, 9, 4), tmp_path / "other")
    (tmp_path / "other" / "posts.parquet").rename(folder / "posts.parquet")
    with pytest.raises(ArtifactError, match="does not fit the digest"):
        read_corpus(folder)


@pytest.mark.parametrize("version", [2, 3])
def test_older_formats_are_read_by_their_digests(folder, version):
    info = json.loads((folder / "corpus.json").read_text())
    table = pq.read_table(folder / "posts.parquet").drop_columns(["images"])
    one = ["images/a.png", *[""] * (len(table) - 1)]  # a post had one picture at most
    table = table.append_column("image", pa.array(one))
    pq.write_table(table, folder / "posts.parquet")
    content = json.dumps(table.to_pylist()) + json.dumps(info["evaluation_users"])
    digest = hashlib.sha256(content.encode()).hexdigest()
    if version == 3:
        digest = corpus_digest(table, info["evaluation_users"], None)
    info |= {"format": version, "digest": digest}
    (folder / "corpus.json").write_text(json.dumps(info))
    corpus = read_corpus(folder)
    assert corpus.digest == digest and corpus.images[:2] == [("images/a.png",), ()]
    changed = table.set_column(0, "id", pa.array([f"x{row}" for row in range(len(table))]))
    pq.write_table(changed, folder / "posts.parquet")
    with pytest.raises(ArtifactError, match="does not fit the digest"):
        read_corpus(folder)


@pytest.mark.parametrize(
    "column", ["id", "user", "text", "hashtags", "split", "timestamp", "images"]
)
def test_every_column_is_in_the_digest(folder, column):
    table = pq.read_table(folder / "posts.parquet")
    values = table[column].to_pylist()
    if column == "hashtags":  # one moves to the next post: all names and their order are the same
        place = next(p for p in range(len(values)) if len(values[p]) > 1)
        values[place + 1] = [values[place].pop(), *values[place + 1]]
    elif column == "images":
        values[3] = ["images/other.png"]
    else:
        values[3] = None if column == "timestamp" else values[3] + type(values[3])(1)
    place = table.column_names.index(column)
    changed = table.set_column(place, column, pa.array(values, table[column].type))
    pq.write_table(changed, folder / "posts.parquet", row_group_size=50)
    with pytest.raises(ArtifactError, match="does not fit the digest"):
        read_corpus(folder)
    pq.write_table(table, folder / "posts.parquet", row_group_size=50, compression="none")
    read_corpus(folder)


@pytest.mark.parametrize(
    "column, values",
    [
        ("split", ["train"]),
        ("hashtags", ["tea"]),
        ("image", ["images/a.png"]),
        ("proposal_row", ["first"]),
        ("likes", ["many"]),
    ],
)
def test_columns_of_another_type_are_told(folder, column, values):
    table = pq.read_table(folder / "posts.parquet")
    if column in table.column_names:
        table = table.drop_columns([column])
    changed = table.append_column(column, pa.array(values * len(table)))
    pq.write_table(changed, folder / "posts.parquet")
    with pytest.raises(ArtifactError, match="Import again"):
        read_corpus(folder)


def test_format_of_another_version(folder):
    info = json.loads((folder / "corpus.json").read_text())
    (folder / "corpus.json").write_text(json.dumps({**info, "format": 99}))
    with pytest.raises(ArtifactError, match="format 99, expected 4"):
        read_corpus(folder)


def test_many_posts_lie_in_parts(tmp_path, monkeypatch):
    corpus = synthetic_corpus(120, 12, 0)
    write_corpus(corpus, tmp_path / "one")
    monkeypatch.setattr("tfhashtag.corpus.store.PART_POSTS", 50)
    folder = tmp_path / "parts"
    write_corpus(corpus, folder)
    parts = sorted(path.name for path in folder.glob("posts*"))
    assert parts == ["posts-00000.parquet", "posts-00001.parquet", "posts-00002.parquet"]
    assert [pq.read_metadata(folder / name).num_rows for name in parts] == [50, 50, 20]
    one, other = read_corpus(tmp_path / "one"), read_corpus(folder)
    assert one.digest == other.digest and one.messages == other.messages
    for name in ("post_ids", "user_of_post", "message_of_post", "hashtag_values", "timestamps"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    content = (folder / parts[1]).read_bytes()
    (folder / parts[1]).write_bytes(content[:200])
    with pytest.raises(ArtifactError, match=r"posts-00001.parquet: not readable"):
        read_corpus(folder)
    (folder / parts[1]).unlink()
    with pytest.raises(ArtifactError, match=r"no `posts-00001.parquet` \(3 parts"):
        read_corpus(folder)
    (folder / parts[0]).rename(folder / parts[1])
    (folder / parts[2]).rename(folder / parts[0])
    (folder / parts[1]).rename(folder / parts[2])
    (folder / parts[1]).write_bytes(content)
    with pytest.raises(ArtifactError, match=r"`posts-00000.parquet` and what follows does not fit"):
        read_corpus(folder)
