"""Vectors in 16 and 8 bits: how far they move, how tables change their bits, who reads them."""

import os

import numpy as np
import pytest

from tests.encoders.test_vector_cache import MESSAGES, Counting, vectors_of
from tfhashtag import door
from tfhashtag.encoders import encode_corpus, load_embeddings
from tfhashtag.encoders.vector_table import VectorTable, write_codes
from tfhashtag.errors import ArtifactError, ConfigError
from tfhashtag.runs.train import train
from tfhashtag.testing.small_world import small_world
from tfhashtag.training.options import TrainingOptions

QUIET = TrainingOptions(progress=False)


@pytest.mark.parametrize(("dtype", "size"), [("float16", 2), ("int8", 1)])
def test_reads_as_an_array_of_float32(dtype, size, tmp_path):
    vectors = np.random.default_rng(0).normal(size=(70, 9)).astype(np.float32)
    vectors[3] = 0
    write_codes(vectors, tmp_path, dtype)
    table = VectorTable(tmp_path)
    assert (table.shape, table.dtype, len(table), table.kept) == ((70, 9), np.float32, 70, dtype)
    whole = np.asarray(table)
    assert whole.dtype == np.float32
    limit = 2**-11 * np.abs(vectors) if size == 2 else np.abs(vectors).max(1)[:, None] / 253.9
    assert (np.abs(whole - vectors) <= limit).all()
    for rows in (5, slice(3, 9), [4, 4, 69], np.array([[1, 2], [0, 3]]), whole[:, 0] > 0):
        np.testing.assert_array_equal(table[rows], whole[rows])
    assert (tmp_path / "codes.npy").stat().st_size == 128 + 70 * 9 * size


def test_a_table_changes_its_bits(tmp_path, make_corpus):
    corpus, folder = make_corpus(MESSAGES), tmp_path

    def encoded(corpus, dtype=None):
        encoder = Counting()
        made = encode_corpus(folder, corpus, encoder, progress=False, dtype=dtype)
        files = {path.name for path in made.folder.iterdir()} - {"keys.npy", "meta.json"}
        others = [path for path in made.folder.parent.iterdir() if path.is_dir()]
        assert others == [made.folder]
        limit = {"float32": 0, "float16": 0, "int8": 0.6}[getattr(made.vectors, "kept", "float32")]
        right = vectors_of(corpus.messages)
        np.testing.assert_allclose(np.asarray(made.vectors), right, atol=limit)
        table = load_embeddings(folder, corpus, "counting")
        np.testing.assert_array_equal(np.asarray(table), np.asarray(made.vectors))
        return len(encoder.seen), files

    assert encoded(corpus) == (50, {"vectors.npy"})
    assert encoded(corpus, "float16") == (0, {"codes.npy"})  # nothing is encoded
    assert encoded(corpus) == (0, {"codes.npy"})  # it stays as it is
    grown = make_corpus([*MESSAGES, "more"])
    assert encoded(grown) == (1, {"codes.npy"})  # and what comes later is kept so, too
    assert encoded(grown, "int8") == (0, {"codes.npy", "scales.npy"})
    assert encoded(grown, "float16") == (51, {"codes.npy"})  # what it was rounded from is gone
    assert encoded(grown, "float32") == (51, {"vectors.npy"})
    assert encoded(make_corpus(["first", *MESSAGES]), "int8") == (1, {"codes.npy", "scales.npy"})
    with pytest.raises(ConfigError, match="`dtype` must be one of float32, float16, int8"):
        encode_corpus(folder, corpus, Counting(), dtype="int4")


@pytest.mark.parametrize("point", range(1, 12))
def test_a_kill_while_bits_change_loses_nothing(point, tmp_path, make_corpus, killed_at):
    corpus = make_corpus(MESSAGES)
    encode_corpus(tmp_path, corpus, Counting(), progress=False)

    def narrow():
        encode_corpus(tmp_path, corpus, Counting(), progress=False, dtype="int8")

    killed_at(point, narrow)
    encoder = Counting()
    made = encode_corpus(tmp_path, corpus, encoder, progress=False, dtype="int8")
    assert not encoder.seen
    files = {path.name for path in made.folder.iterdir() if not path.name.startswith(".")}
    assert files == {"codes.npy", "scales.npy", "keys.npy", "meta.json"}
    assert [path for path in made.folder.parent.iterdir() if path.is_dir()] == [made.folder]


def test_damaged_codes(tmp_path, make_corpus):
    corpus = make_corpus(MESSAGES)
    folder = encode_corpus(tmp_path, corpus, Counting(), progress=False, dtype="int8").folder
    np.save(folder / "scales.npy", np.ones(3, np.float32))
    with pytest.raises(ArtifactError, match=r"scales.npy: not the codes.*3.*for 50 rows.*encode"):
        load_embeddings(tmp_path, corpus, "counting")
    os.truncate(folder / "codes.npy", 150)
    with pytest.raises(ArtifactError, match=r"codes.npy: not the codes.*tfhashtag encode"):
        load_embeddings(tmp_path, corpus, "counting")


SMALL = {
    "users": ("engagement", ()),
    "posts": ("posts", ("image_encoder=none", "data.vocabulary_size=50")),
}


# Whoever trains reads a table as an array: that of users is the fast twin.
@pytest.mark.timeout(600)
@pytest.mark.parametrize("task", ["users", pytest.param("posts", marks=pytest.mark.slow)])
def test_both_tasks_learn_from_few_bits(task, tmp_path):
    folder, encoder = small_world(task, tmp_path)
    config, sets = SMALL[task]
    values = (
        *sets, f"text_encoder={encoder}", "training.epochs=1", "training.refit=false",
        "training.futures=[[0.6, 1.0]]", "data.taste_width=6", "network.members=1",
        "network.hidden=[8]",
    )  # fmt: skip
    figures = []
    for dtype in ("float32", "int8") if task == "users" else ("int8",):
        door.encode(folder, encoder, dtype=dtype, progress=False)
        run = train(config, folder, tmp_path / dtype, overrides=values, options=QUIET)
        assert isinstance(run.data.texts, VectorTable) == (dtype == "int8")
        found = run.evaluate(out=tmp_path / "figures").result
        users = task == "users"
        figures.append(
            found["averages"]["answerable"]["MAP"] if users else found["metrics"]["F1@9"]
        )
    question = {"user": run.corpus.users[0]} if users else {"text": "hello"}
    assert len(run.recommend(**question, k=3)) == 3
    assert figures[-1] == pytest.approx(figures[0], abs=0.05) and figures[-1] > 0
