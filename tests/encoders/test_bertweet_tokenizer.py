import hashlib
import json
import os
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from tfhashtag.encoders import load_text_encoder
from tfhashtag.encoders.bertweet_tokenizer import BertweetTokenizer
from tfhashtag.errors import EncoderError

FOLDER = pathlib.Path(__file__).parent / "bertweet"
EXPECTED = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))
DATA = pathlib.Path(
    os.environ.get("TFHASHTAG_DATA")
    or pathlib.Path(__file__).parents[3] / "shared" / "data" / "howyoutag"
)


@pytest.fixture(scope="module")
def tokenizer():
    return BertweetTokenizer(
        str(FOLDER / "vocab.txt"), str(FOLDER / "bpe.codes"), EXPECTED["emoji_names"]
    )


@pytest.fixture(scope="module")
def ids(tokenizer):
    function = tf.function(tokenizer, input_signature=[tf.TensorSpec([None], tf.string)])
    return lambda texts: function(tf.constant(texts, tf.string)).to_list()


def test_normalisation_equals_transformers(tokenizer):
    texts = [case["text"] for case in EXPECTED["invented"]]
    normalize = tf.function(tokenizer.normalize)
    got = [text.decode() for text in normalize(tf.constant(texts)).numpy()]
    assert got == [case["normalized"] for case in EXPECTED["invented"]]


def test_ids_equal_transformers(ids):
    got = ids([case["text"] for case in EXPECTED["invented"]])
    assert got == [case["ids"] for case in EXPECTED["invented"]]


@pytest.mark.skipif(not (DATA / "train.csv").is_file(), reason="the Twitter data is not here")
def test_ids_of_real_tweets_equal_transformers(ids):
    with open(DATA / "train.csv", encoding="utf-8", newline="\n") as file:
        texts = dict.fromkeys(line.rstrip("\n").split("\t")[0] for line in file)
    real = EXPECTED["real"]
    keys = {text: hashlib.sha256(text.encode()).hexdigest()[:16] for text in texts}
    texts = [text for text in texts if keys[text] in real]
    assert len(texts) == 2000
    for text, row in zip(texts, ids(texts), strict=True):
        checksum = hashlib.sha256(" ".join(map(str, row)).encode()).hexdigest()[:8]
        assert checksum == real[keys[text]], text


def test_batch_of_one_and_none(ids):
    texts = [case["text"] for case in EXPECTED["invented"]]
    assert [ids([text])[0] for text in texts[:8]] == ids(texts)[:8]
    assert ids([]) == []
    assert ids(["", ""]) == [[], []]


def test_long_word_ends_somewhere(ids):
    (row,) = ids(["y" * 10_000])
    assert 0 < len(row) <= 256


def write_roberta(folder):
    """A random RoBERTa of one layer with the tokenizer files of BERTweet."""
    from safetensors.numpy import save_file

    random, hidden, inner = np.random.default_rng(0), 8, 12
    count = len((FOLDER / "vocab.txt").read_text(encoding="utf-8").splitlines()) + 5
    shapes = {
        "embeddings.word_embeddings.weight": (count, hidden),
        "embeddings.position_embeddings.weight": (130, hidden),
        "embeddings.token_type_embeddings.weight": (1, hidden),
        "encoder.layer.0.intermediate.dense.weight": (inner, hidden),
        "encoder.layer.0.intermediate.dense.bias": (inner,),
        "encoder.layer.0.output.dense.weight": (hidden, inner),
        "encoder.layer.0.output.dense.bias": (hidden,),
    }
    for part in ("self.query", "self.key", "self.value", "output.dense"):
        shapes[f"encoder.layer.0.attention.{part}.weight"] = (hidden, hidden)
        shapes[f"encoder.layer.0.attention.{part}.bias"] = (hidden,)
    for part in ("embeddings", "encoder.layer.0.attention.output", "encoder.layer.0.output"):
        shapes[f"{part}.LayerNorm.weight"] = shapes[f"{part}.LayerNorm.bias"] = (hidden,)
    weights = {
        f"roberta.{name}": random.normal(0, 0.5, shape).astype(np.float32)
        for name, shape in shapes.items()
    }
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = {
        "model_type": "roberta",
        "tokenizer_class": "BertweetTokenizer",
        "vocab_size": count,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "hidden_size": hidden,
        "intermediate_size": inner,
        "hidden_dropout_prob": 0.1,
        "max_position_embeddings": 130,
    }
    (folder / "config.json").write_text(json.dumps(config))
    for name in ("vocab.txt", "bpe.codes"):
        (folder / name).write_bytes((FOLDER / name).read_bytes())


def test_bertweet_by_name(tmp_path, monkeypatch):
    pytest.importorskip("emoji", reason="the names of emoji are in the package `emoji`")
    write_roberta(tmp_path)
    monkeypatch.setenv("TFHASHTAG_BERTWEET", str(tmp_path))
    encoder = load_text_encoder("bertweet")
    assert (encoder.width, encoder.max_length) == (8, 128)
    messages = [case["text"] for case in EXPECTED["invented"]]
    vectors = encoder.encode(messages)
    assert np.isfinite(vectors).all()
    np.testing.assert_allclose(vectors, encoder(tf.constant(messages)).numpy(), atol=1e-5)
    row = encoder.read(tf.constant(["Good morning"]))[0].to_list()[0]
    expected = next(c["ids"] for c in EXPECTED["invented"] if c["text"].startswith("Good mor"))
    assert row[0] == 0 and row[-1] == 2
    assert row[1:3] == expected[:2]


def test_bad_files_are_named(tmp_path):
    good = (str(FOLDER / "vocab.txt"), str(FOLDER / "bpe.codes"))
    (tmp_path / "bad.txt").write_text("the 5\nnocount\n")
    with pytest.raises(EncoderError, match=r"bad\.txt:2: `<token> <count>`"):
        BertweetTokenizer(str(tmp_path / "bad.txt"), good[1], {})
    (tmp_path / "bad.codes").write_text("t h 5\nonly\n")
    with pytest.raises(EncoderError, match=r"bad\.codes:2: `<left> <right> <count>`"):
        BertweetTokenizer(good[0], str(tmp_path / "bad.codes"), {})
    with pytest.raises(EncoderError, match="cannot be read"):
        BertweetTokenizer(str(tmp_path / "none.txt"), good[1], {})
