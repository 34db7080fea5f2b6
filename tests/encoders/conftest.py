"""Small encoders of every kind, made on the spot."""

import json

import numpy as np
import pytest

from tfhashtag.data.corpus import Corpus

LETTERS = [chr(code) for code in range(ord("a"), ord("z") + 1)]
VOCABULARY = (
    ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "#", "@", "!", ".", "the", "good", "morn"]
    + LETTERS
    + [f"##{letter}" for letter in LETTERS]
    + ["##ing", "日", "本", "م", "##ر"]
)


def write_hugging_face_bert(folder, seed=0, **tokenizer_config):
    """A random BERT of 2 layers as Hugging Face stores it."""
    from safetensors.numpy import save_file

    random = np.random.default_rng(seed)
    hidden, inner, layers = 16, 24, 2

    def dense(name, outputs, inputs):
        return {
            f"{name}.weight": random.normal(0, 0.3, (outputs, inputs)),
            f"{name}.bias": random.normal(0, 0.3, outputs),
        }

    def norm(name):
        return {
            f"{name}.weight": random.normal(1, 0.1, hidden),
            f"{name}.bias": random.normal(0, 0.1, hidden),
        }

    tables = {"word": len(VOCABULARY), "position": 64, "token_type": 2}
    weights = {
        f"embeddings.{name}_embeddings.weight": random.normal(0, 1, (rows, hidden))
        for name, rows in tables.items()
    }
    weights |= norm("embeddings.LayerNorm") | dense("pooler.dense", hidden, hidden)
    for layer in range(layers):
        prefix = f"encoder.layer.{layer}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            weights |= dense(f"{prefix}.attention.{part}", hidden, hidden)
        weights |= norm(f"{prefix}.attention.output.LayerNorm")
        weights |= dense(f"{prefix}.intermediate.dense", inner, hidden)
        weights |= dense(f"{prefix}.output.dense", hidden, inner)
        weights |= norm(f"{prefix}.output.LayerNorm")
    folder.mkdir(parents=True, exist_ok=True)
    save_file(
        {key: np.ascontiguousarray(value, np.float32) for key, value in weights.items()},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    config = {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "vocab_size": len(VOCABULARY),
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "hidden_size": hidden,
        "intermediate_size": inner,
        "max_position_embeddings": 64,
        "type_vocab_size": 2,
        "hidden_act": "gelu",
    }
    (folder / "config.json").write_text(json.dumps(config))
    tokenizer = {"tokenizer_class": "BertTokenizer", "do_lower_case": True} | tokenizer_config
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    return folder


def corpus_of(messages):
    """A corpus with one post a message."""
    count = len(messages)
    zeros = np.zeros(count, np.int32)
    return Corpus(
        name="made",
        post_ids=[str(post) for post in range(count)],
        users=["u"],
        user_of_post=zeros,
        messages=list(messages),
        message_of_post=np.arange(count, dtype=np.int32),
        hashtags=["h"],
        hashtag_offsets=np.arange(count + 1, dtype=np.int64),
        hashtag_values=zeros,
        split_of_post=zeros.astype(np.int8),
        evaluation_users=np.zeros(1, np.int32),
        timestamps=None,
        images=None,
        digest="0",
    )


@pytest.fixture
def make_corpus():
    return corpus_of


@pytest.fixture(scope="session")
def bert_folder(tmp_path_factory):
    return write_hugging_face_bert(tmp_path_factory.mktemp("encoders") / "bert")


@pytest.fixture(scope="session")
def bert(bert_folder):
    from tfhashtag.encoders import load_text_encoder

    return load_text_encoder(str(bert_folder))


@pytest.fixture(scope="session")
def hugging_face_writer():
    return write_hugging_face_bert
