"""Toy models made on the spot and a server in this process."""

import pathlib

import pytest


def write_version(folder: pathlib.Path, offset: float) -> None:
    """`y = x + offset`, a string signature, one with a default, one that fails at length."""
    import tensorflow as tf

    class Toy(tf.Module):
        def __init__(self):
            super().__init__()
            self.offset = tf.Variable(offset)
            asset = folder.parent / f".{folder.name}.words.txt"
            asset.parent.mkdir(parents=True, exist_ok=True)
            asset.write_text("red\ngreen\nblue\n", encoding="utf-8")
            self.table = tf.lookup.StaticHashTable(
                tf.lookup.TextFileInitializer(
                    str(asset), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE,
                    tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER,
                ),
                -1,
            )  # fmt: skip

        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])
        def add(self, x):
            return {"y": x + self.offset, "z": tf.reduce_sum(x, 1)}

        @tf.function(
            input_signature=[
                tf.TensorSpec([None], tf.string, "text"),
                tf.TensorSpec([None], tf.string, "user"),
            ]
        )
        def words(self, text, user):
            return {"ids": self.table.lookup(text), "both": tf.strings.join([text, user])}

        @tf.function(input_signature=[tf.TensorSpec([], tf.int32, "steps")])
        def spin(self, steps):
            value = tf.constant(1.0)
            for _ in tf.range(steps):
                value = tf.linalg.norm(tf.fill([200, 200], value)) / 200.0
            return {"value": value}

        @tf.function(input_signature=[tf.TensorSpec([], tf.string, "text")])
        def fail(self, text):
            with tf.control_dependencies([tf.debugging.Assert(text == "", [text], 5000)]):
                return {"text": tf.identity(text)}

    toy = Toy()
    tf.saved_model.save(
        toy,
        str(folder),
        signatures={
            "serving_default": toy.add, "words": toy.words, "spin": toy.spin, "fail": toy.fail,
        },
    )  # fmt: skip
    (folder.parent / f".{folder.name}.words.txt").unlink()


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """MODELS with `toy` (versions 1 and 00000002, and things to ignore) and `other`."""
    folder = tmp_path_factory.mktemp("models")
    write_version(folder / "toy" / "1", 1.0)
    write_version(folder / "toy" / "00000002", 2.0)
    write_version(folder / "other" / "7", 7.0)
    (folder / "toy" / "tmp").mkdir()
    (folder / "toy" / "9").mkdir()
    (folder / "toy" / ".3.abc").mkdir()
    (folder / "toy" / ".3.abc" / "saved_model.pb").write_bytes(b"half")
    (folder / "notes").mkdir()
    return folder


@pytest.fixture(scope="session")
def server(models):
    """A server with both versions of `toy`."""
    from tfhashtag.serving.config.transport import Transport
    from tfhashtag.serving.config.watching import Watching
    from tfhashtag.serving.server import ModelServer

    watching, transport = Watching({"toy": [1, 2]}), Transport(message_mib=16)
    with ModelServer(models, port=0, watching=watching, transport=transport) as running:
        yield running
