"""The corpus folder: what is read is what was written, and damage is seen."""

import json

import pyarrow.parquet as pq
import pytest

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


def test_format_of_another_version(folder):
    info = json.loads((folder / "corpus.json").read_text())
    (folder / "corpus.json").write_text(json.dumps({**info, "format": 99}))
    with pytest.raises(ArtifactError, match="format 99, expected 2"):
        read_corpus(folder)
