"""Exports hold no name of a user and no text of a post; what holds some is found."""

import dataclasses
import types

import pytest
import tensorflow as tf

from tfhashtag.corpus.store import write_corpus
from tfhashtag.encoders import raw_strings
from tfhashtag.encoders.raw_strings import UserTable
from tfhashtag.errors import ArtifactError
from tfhashtag.export.held_strings import personal_strings
from tfhashtag.runs import model_card
from tfhashtag.runs.model_card import personal_of
from tfhashtag.runs.run import Run

USERS = [f"user{number:03d}" for number in range(20)]
TEXTS = ["three words here", "one"]


class Names(tf.Module):
    """Holds names and texts in each of the places where strings can stand."""

    def __init__(self, words):
        super().__init__()
        self.words = tf.Variable(TEXTS, trainable=False)
        keys = tf.lookup.KeyValueTensorInitializer(USERS, tf.range(len(USERS)))
        self.index = tf.lookup.StaticHashTable(keys, -1)
        asset = tf.lookup.TextFileInitializer(
            str(words), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER,
        )  # fmt: skip
        self.file = tf.lookup.StaticHashTable(asset, -1)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def __call__(self, user):
        return self.index.lookup(user), self.file.lookup(user), self.words[0]


def test_names_and_texts_are_found_where_they_stand(tmp_path):
    (tmp_path / "words.txt").write_text("\n".join(USERS[:9]) + "\n")
    tf.saved_model.save(Names(tmp_path / "words.txt"), str(tmp_path / "1"))
    found = personal_strings(tmp_path / "1", USERS, TEXTS)
    told = "\n".join(found)
    assert "holds 20 names of users, as user000, user001" in told
    assert "`assets/words.txt` holds 9 names of users" in told
    assert "variable `words" in told and "holds 1 texts of posts, as 'three words here'" in told
    assert personal_strings(tmp_path / "1", ["somebody"], ["something else again"]) == []


def test_a_table_of_users_holds_hashes(tmp_path):
    class Module(tf.Module):
        def __init__(self):
            super().__init__()
            self.users = UserTable(USERS)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def __call__(self, user):
            return self.users.lookup(user)

    tf.saved_model.save(Module(), str(tmp_path / "1"))
    loaded = tf.saved_model.load(str(tmp_path / "1"))
    places = loaded(tf.constant([USERS[7], "", "nobody", USERS[0]])).numpy().tolist()
    assert places == [7, -1, -1, 0]
    assert personal_strings(tmp_path / "1", USERS, TEXTS) == []
    content = b"".join(p.read_bytes() for p in (tmp_path / "1").rglob("*") if p.is_file())
    assert not any(name.encode() in content for name in USERS)
    assert UserTable([]).lookup(tf.constant(["", "ann"])).numpy().tolist() == [-1, -1]


def test_users_whose_hashes_meet_are_told_from_each_other(monkeypatch):
    """Where a first hash has room for 64 values, twelve users meet under most keys."""
    monkeypatch.setattr(raw_strings, "_BUCKETS", 64)
    users = USERS[:12]
    table = UserTable(users)
    assert table.lookup(tf.constant(users)).numpy().tolist() == list(range(12))
    strangers = [f"stranger{number}" for number in range(1000)]
    taken = (table.lookup(tf.constant(strangers)).numpy() >= 0).mean()
    assert taken < 0.02  # 12 of 64 pass the first hash, one in 64 of these the second


def test_names_that_are_hashtags_are_no_names(make_corpus, tmp_path):
    corpus = make_corpus([("Tea", "green is best", ["tea"], 0), ("ann", "so it is", ["tea"], 0)])
    assert personal_of(corpus) == ({"ann"}, ["green is best", "so it is"])
    about = {"corpus": "instagram-Ann-2024"}, {"corpus": "tea, in all"}
    write_corpus(corpus, tmp_path / "data", source={"frames": 3})
    run = types.SimpleNamespace(
        info={**about[0], "data_digest": "0"}, corpus=corpus, folder=tmp_path, place=tmp_path,
        settings=types.SimpleNamespace(model="stub", model_dump=lambda mode: {}),
    )  # fmt: skip
    assert model_card.about(run)["data"]["corpus"] == "called after a user"
    run.info |= about[1]
    assert model_card.about(run)["data"]["corpus"] == "tea, in all"
    assert model_card.about(run)["data"]["frames"] == 3


def test_exports_hold_neither_names_nor_texts(ranker_version, post_run, user_version, user_run):
    """Nor does a byte of their files say a name; who posts is known all the same."""
    for version, run in (
        (ranker_version, post_run("posts")),
        (user_version("engagement"), user_run("engagement")),
    ):
        assert personal_strings(version, run.corpus.users, run.corpus.messages) == []
        content = b"".join(path.read_bytes() for path in version.rglob("*") if path.is_file())
        assert not [name for name in run.corpus.users if name.encode() in content]
    corpus = post_run("posts").corpus
    users = tf.constant([corpus.users[corpus.user_of_post[0]], "nobody"])
    loaded = tf.saved_model.load(str(ranker_version)).signatures["top_k"]
    texts = tf.constant(["tea"] * 2)
    asked = {"text": texts, "images": tf.constant([[""]] * 2), "user": users, "k": tf.constant(9)}
    known, unknown = loaded(**asked)["scores"].numpy()
    assert abs(known - unknown).max() > 1e-3


def test_a_run_does_not_export_what_holds_names(post_run, tmp_path):
    run = Run.open(post_run("macon").folder)
    assert len(run.recommender.labels)  # loaded, before users are called like its hashtags
    run.corpus = dataclasses.replace(run.corpus, users=run.corpus.hashtags, hashtags=[])
    with pytest.raises(ArtifactError, match=r"nothing was exported.* names of users, as"):
        run.export(tmp_path / "model", check=False)
    assert not (tmp_path / "model" / "1").exists()
