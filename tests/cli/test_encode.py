import numpy as np
import pytest
from click.testing import CliRunner

from tfhashtag.cli.encode import command
from tfhashtag.data.corpus import Corpus
from tfhashtag.data.store import read_corpus, write_corpus
from tfhashtag.encoders import load_embeddings, load_text_encoder
from tfhashtag.errors import ArtifactError, EncoderError


@pytest.fixture
def corpus_folder(tmp_path):
    messages = ["good morning", "the #a", "日本"]
    corpus = Corpus(
        name="made",
        post_ids=["1", "2", "3", "4"],
        users=["u"],
        user_of_post=np.zeros(4, np.int32),
        messages=messages,
        message_of_post=np.array([0, 1, 0, 2], np.int32),
        hashtags=["h"],
        hashtag_offsets=np.arange(5, dtype=np.int64),
        hashtag_values=np.zeros(4, np.int32),
        split_of_post=np.zeros(4, np.int8),
        evaluation_users=np.zeros(1, np.int32),
        timestamps=None,
        images=None,
        digest="",
    )
    write_corpus(corpus, tmp_path / "corpus")
    return tmp_path / "corpus"


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory):
    import tensorflow as tf

    module = tf.Module()
    module.scale = tf.Variable([1.0, 2.0])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def lengths(text):
        return tf.cast(tf.strings.length(text), tf.float32)[:, None] * module.scale

    module.__call__ = lengths
    folder = str(tmp_path_factory.mktemp("encoder") / "model")
    tf.saved_model.save(module, folder, signatures=lengths.get_concrete_function())
    return folder


def run(*arguments):
    return CliRunner().invoke(command, [str(item) for item in arguments])


def test_encodes_once_and_says_where(corpus_folder, saved_model):
    first = run(corpus_folder, "--text-encoder", saved_model, "--quiet")
    assert first.exit_code == 0, first.exception
    assert "3 vectors of width 2 (3 encoded now, 0 there before)" in first.output
    again = run(corpus_folder, "--text-encoder", saved_model, "--batch-tokens", 1)
    assert "(0 encoded now, 3 there before)" in again.output
    corpus = read_corpus(corpus_folder)
    table = load_embeddings(corpus_folder, corpus, saved_model)
    np.testing.assert_allclose(table, load_text_encoder(saved_model).encode(corpus.messages))


def test_expected_failures(corpus_folder, tmp_path):
    unknown = run(corpus_folder, "--text-encoder", "no-such-encoder")
    assert isinstance(unknown.exception, EncoderError)
    nowhere = run(tmp_path / "none", "--text-encoder", "minilm")
    assert isinstance(nowhere.exception, ArtifactError)


def test_wrong_usage(corpus_folder):
    assert run(corpus_folder).exit_code == 2
    assert run(corpus_folder, "--text-encoder", "minilm", "--batch-tokens", 0).exit_code == 2
