"""Exports hold no name of a user and no text of a post; what holds some is found."""

import tensorflow as tf

from tfhashtag.encoders.raw_strings import UserTable
from tfhashtag.export.held_strings import personal_strings

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
