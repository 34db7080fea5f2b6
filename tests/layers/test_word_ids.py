import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfhashtag.corpus.vocabulary import Vocabulary, split_words
from tfhashtag.layers import BiLSTM, WordIds

WORDS = ["good", "book", "don't", "東", "é"]
TEXTS = [
    "A good, GOOD book!",
    "",
    "  ... !?",
    "don't 東京 é #book\u2028unknown words follow here",
    "good\x00book\u00a0x",
]
LAYER = WordIds(WORDS, oov_buckets=7, length=6)


def by_loops(layer, text):
    """Ids of known words, and None for each word that is out of the vocabulary."""
    ids = {word: place + 1 for place, word in enumerate(layer.words)}
    found = [ids.get(word) for word in split_words(text)][: layer.length]
    return found + [0] * (layer.length - len(found))


def check(layer, texts):
    found = layer.encode(texts)
    assert found.shape == (len(texts), layer.length) and found.dtype == np.int32
    for row, text in zip(found.tolist(), texts, strict=True):
        for value, expected in zip(row, by_loops(layer, text), strict=True):
            if expected is None:
                assert len(layer.words) < value < layer.vocabulary_size
            else:
                assert value == expected


def test_equals_plain_loops():
    check(LAYER, TEXTS)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=40), min_size=1, max_size=4))
def test_equals_plain_loops_for_any_text(texts):
    check(LAYER, texts)


@settings(max_examples=20, deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_its_own_vocabulary_knows_every_word(text):
    words = Vocabulary.of_messages([text], 100).words
    layer = WordIds(words, oov_buckets=1, length=50)
    assert (layer.encode([text]) <= len(words)).all()


def test_unknown_words_fall_into_the_published_fingerprint_buckets():
    layer = WordIds(WORDS, oov_buckets=1000, length=3)
    unknown = ["unknown", "words", "ß"]
    found = layer.encode([" ".join(unknown)])[0]
    assert found.tolist() == [
        1 + len(WORDS) + int(tf.strings.to_hash_bucket_fast(word, 1000)) for word in unknown
    ]
    # Numbers that must never change: models are trained on them.
    assert found.tolist() == [61, 365, 366]
    assert len(set(found.tolist())) == 3


def test_texts_are_cut_and_padded():
    layer = WordIds(["a", "b"], length=3)
    assert layer.encode(["a b a b", "b"]).tolist() == [[1, 2, 1], [2, 0, 0]]
    assert WordIds(["a", "b"], length=1).encode(["b a", ""]).tolist() == [[2], [0]]


def test_blocks_change_nothing():
    assert np.array_equal(LAYER.encode(TEXTS, block=2), LAYER.encode(TEXTS))
    assert LAYER.encode([]).shape == (0, 6)


def test_a_text_gets_the_same_ids_alone():
    whole = LAYER.encode(TEXTS)
    for row, text in zip(whole, TEXTS, strict=True):
        assert np.array_equal(LAYER.encode([text])[0], row)


def test_without_words_everything_is_out_of_the_vocabulary():
    layer = WordIds([], oov_buckets=1, length=2)
    assert layer.encode(["some words", ""]).tolist() == [[1, 1], [0, 0]]
    assert layer.vocabulary_size == 2


def test_configuration_survives_json():
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(LAYER)))
    again = keras.saving.deserialize_keras_object(config)
    assert again.get_config() == LAYER.get_config()
    assert np.array_equal(again.encode(TEXTS), LAYER.encode(TEXTS))


def model_of(layer):
    keras.utils.set_random_seed(0)
    texts = keras.Input((), dtype="string", name="texts")
    states = BiLSTM(layer.vocabulary_size, proposals=2, features=4, embedding_width=3)
    ids = layer(texts)
    assert ids.shape == (None, 6) and ids.dtype == "int32"
    return keras.Model(texts, states(ids))


def test_survives_saving_and_loading(tmp_path):
    model = model_of(LAYER)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    texts = tf.constant(TEXTS)
    np.testing.assert_allclose(loaded(texts), model(texts), atol=1e-6)


def test_survives_export(tmp_path):
    model = model_of(LAYER)
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        "serve", lambda texts: model(texts, training=False), [tf.TensorSpec((None,), tf.string)]
    )
    archive.write_out(tmp_path, verbose=False)
    texts = tf.constant(TEXTS)
    expected = np.array(model(texts))
    loaded = tf.saved_model.load(tmp_path)
    np.testing.assert_allclose(loaded.serve(texts), expected, atol=1e-6)


def test_survives_export_as_a_part_of_a_module(tmp_path):
    module = tf.Module()
    module.words = WordIds(WORDS, oov_buckets=7, length=6)
    module.serve = tf.function(
        lambda texts: {"ids": module.words(texts)}, [tf.TensorSpec((None,), tf.string, "texts")]
    )
    tf.saved_model.save(module, tmp_path, signatures={"serving_default": module.serve})
    loaded = tf.saved_model.load(tmp_path).signatures["serving_default"]
    assert np.array_equal(loaded(tf.constant(TEXTS))["ids"], LAYER.encode(TEXTS))


def test_made_and_called_inside_a_data_pipeline():
    data = tf.data.Dataset.from_tensor_slices(TEXTS).batch(2)

    def ids(texts):
        return WordIds(WORDS, oov_buckets=7, length=6)(texts)

    rows = np.concatenate(list(data.map(ids)))
    assert np.array_equal(rows, LAYER.encode(TEXTS))


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("oov_buckets", {"oov_buckets": 0}),
        ("length", {"length": 0}),
        (r"words\[1\]", {"words": ["a", "a"]}),
        (r"words\[0\]", {"words": ["two words"]}),
        (r"words\[0\]", {"words": ["Upper"]}),
        (r"words\[1\]", {"words": ["a", ""]}),
    ],
)
def test_refuses_bad_arguments(name, arguments):
    with pytest.raises(ValueError, match=f"`{name}`"):
        WordIds(**{"words": WORDS, **arguments})
