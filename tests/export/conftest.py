"""A small model with everything that an export carries: weights, a tokenizer, a table, an asset."""

import pytest


@pytest.fixture(scope="session")
def toy_archive(tmp_path_factory):
    """The version folder, and a function that gives the in-process scores of texts."""
    import keras
    import keras_hub
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("archive")
    words = folder / "words.txt"
    words.write_text("football\nmusic\n", encoding="utf-8")
    vocabulary = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]", "foot", "##ball", "music", "a", "é"]
    tokenizer = keras_hub.tokenizers.WordPieceTokenizer(
        vocabulary, sequence_length=8, lowercase=True, strip_accents=False
    )
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((8,), dtype="int32"), keras.layers.Embedding(16, 4), keras.layers.LSTM(3)]
    )
    table = tf.lookup.StaticHashTable(
        tf.lookup.TextFileInitializer(
            str(words), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER,
        ),
        -1,
    )  # fmt: skip

    def score(text, tag, k):
        return {
            "state": model(tokenizer(text)),
            "known": table.lookup(tag) >= 0,
            "upper": tf.strings.upper(text, encoding="utf-8"),
            "first": tf.range(k),
        }

    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.track(table)
    archive.add_endpoint(
        "serving_default",
        score,
        [
            tf.TensorSpec([None], tf.string, "text"),
            tf.TensorSpec([None], tf.string, "tag"),
            tf.TensorSpec([], tf.int32, "k"),
        ],
    )
    archive.write_out(str(folder / "1"), verbose=False)
    words.unlink()
    return folder / "1", tf.function(lambda text: model(tokenizer(text)))


@pytest.fixture(scope="session")
def toy_keras_save(tmp_path_factory):
    """A Keras 3 model saved by `tf.saved_model.save`: only Python can run it."""
    import keras
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("keras") / "1"
    tf.saved_model.save(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]), str(folder))
    return folder
