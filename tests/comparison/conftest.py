"""Small corpora with names and texts that must not reach a page raw."""

import dataclasses

import numpy as np
import pytest

EVIL = '<script>alert("x")</script>'
SMALL = (
    "network.text=encoder",
    "network.features=8",
    "network.projection=6",
    "network.hidden=8",
    "network.slots=2",
    "network.heads=1",
    "network.embedding_width=4",
    "network.proposals=4",
    "data.vocabulary_size=60",
    "data.oov_buckets=4",
    "data.minimum_posts=2",
    "training.epochs=3",
    "training.batch_posts=80",
    "training.learning_rate=0.01",
)


@pytest.fixture(scope="package")
def text_encoder(tmp_path_factory):
    """Folder of a SavedModel that adds vectors of words."""
    import tensorflow as tf

    module = tf.Module()
    module.table = tf.Variable(tf.random.Generator.from_seed(1).normal([256, 12]))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def embed(text):
        words = tf.strings.split(tf.strings.lower(text))
        vectors = tf.gather(module.table, tf.strings.to_hash_bucket_fast(words.values, 256))
        return tf.math.unsorted_segment_sum(vectors, words.value_rowids(), words.nrows())

    module.__call__ = embed
    folder = str(tmp_path_factory.mktemp("encoder") / "words")
    tf.saved_model.save(module, folder, signatures=embed.get_concrete_function())
    return folder


@pytest.fixture(scope="package")
def encoded_posts(tmp_path_factory, text_encoder):
    """Corpus folder, encoded."""
    from tfhashtag.corpus.store import read_corpus
    from tfhashtag.corpus.synthetic_posts import synthetic_posts, write_synthetic_posts
    from tfhashtag.encoders import (
        encode_corpus,
        encode_images,
        load_image_encoder,
        load_text_encoder,
    )

    made = synthetic_posts(160, 10, 0, themes=2, picture_size=24)
    corpus = made.corpus
    renamed = dataclasses.replace(
        corpus,
        name=EVIL,
        users=[f"{name}{EVIL}" for name in corpus.users],
        messages=[f"{text} {EVIL} & co" if text else "" for text in corpus.messages],
        hashtags=[f'{name}"><img/src=x>' for name in corpus.hashtags],
    )
    folder = tmp_path_factory.mktemp("compare") / "corpus"
    write_synthetic_posts(dataclasses.replace(made, corpus=renamed), folder)
    written = read_corpus(folder)
    encode_corpus(folder, written, load_text_encoder(text_encoder))
    encode_images(folder, written, load_image_encoder("pixels", proposals=4))
    return folder


@pytest.fixture(scope="package")
def overrides(text_encoder):
    """`--set` values of a small training on that corpus."""
    return (f"text_encoder={text_encoder}", "image_encoder=pixels", *SMALL)


@pytest.fixture(scope="package")
def user_data(tmp_path_factory):
    """Corpus folder of users with tastes, and the `--set` values of small trainings on it."""
    from tfhashtag.corpus.store import write_corpus
    from tfhashtag.corpus.synthetic import synthetic_corpus

    folder = tmp_path_factory.mktemp("users")
    corpus = synthetic_corpus(500, 24, 3, birth=0.3)
    rng = np.random.default_rng(0)
    table = {word: rng.normal(size=12) for text in corpus.messages for word in text.split()}
    vectors = [np.sum([table[word] for word in text.split()], axis=0) for text in corpus.messages]
    np.save(folder / "vectors.npy", np.array(vectors, "float32"))
    renamed = dataclasses.replace(
        corpus,
        name=EVIL,
        users=[f"{name}{EVIL}" for name in corpus.users],
        messages=[f"{text} {EVIL} & co" for text in corpus.messages],
        hashtags=[f'{name}"><img/src=x>' for name in corpus.hashtags],
    )
    write_corpus(renamed, folder / "corpus")
    return folder / "corpus", (
        f"text_encoder={folder / 'vectors.npy'}",
        "data.vocabulary_size=60",
        "data.negatives=5",
        "network.topics=4",
        "network.head_hidden=8",
        "FULL MODEL:network.hidden=6",
        "FULL MODEL:network.user=mean",  # an LSTM takes seconds to trace
        "LSTM-ATT:network.hidden=6",
        "full:network.topic_hidden=8",
        "training.batch_users=16",
        "training.learning_rate=0.01",
        "training.epochs.topics=1",
        "training.epochs.warmup=0",
        "training.epochs.joint=1",
    )
