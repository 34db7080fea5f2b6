import numpy as np
import pytest
from click.testing import CliRunner

from tfhashtag.cli.encode import command
from tfhashtag.corpus.corpus import Corpus
from tfhashtag.corpus.store import read_corpus, write_corpus
from tfhashtag.encoders import load_embeddings, load_proposals, load_text_encoder
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
    assert "3 messages, vectors of width 2 (3 encoded now, 0 there before)" in first.output
    again = run(corpus_folder, "--text-encoder", saved_model, "--batch-tokens", 1)
    assert "3 messages, vectors of width 2 (0 encoded now, 3 there before)" in again.output
    assert "1 hashtags, vectors of width 2 (0 encoded now, 1 there before)" in again.output
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
    assert run(corpus_folder, "--text-encoder", "minilm", "--image-weights", "w").exit_code == 2
    assert run(corpus_folder, "--image-encoder", "resnet50", "--proposals", 0).exit_code == 2


@pytest.fixture
def corpus_with_pictures(tmp_path):
    import io

    from PIL import Image

    from tfhashtag.corpus.importing import corpus_of_posts
    from tfhashtag.corpus.pictures import picture_name
    from tfhashtag.corpus.post import Post
    from tfhashtag.corpus.store import write_corpus

    posts, contents = [], {}
    for number, colour in enumerate([0, 1, 0, None, -1]):
        buffer = io.BytesIO()
        Image.new("RGB", (5, 4), (colour or 0, 7, 9)).save(buffer, "PNG")
        content = buffer.getvalue()[: 20 if colour is None else None]
        name = "" if colour == -1 else picture_name(content)
        contents[name] = content
        posts.append(
            Post(str(number), "u", f"text {number}", ("h",), images=(name,) if name else ())
        )
    write_corpus(corpus_of_posts(posts, "pictured"), tmp_path / "pictured", contents)
    return tmp_path / "pictured"


def test_encodes_images_once_and_names_the_broken(corpus_with_pictures, saved_model, tmp_path):
    import keras

    model = str(tmp_path / "model.keras")
    keras.Sequential([keras.Input([8, 8, 3]), keras.layers.AveragePooling2D(2)]).save(model)
    both = ["--text-encoder", saved_model, "--image-encoder", model, "--proposals", 4, "--quiet"]
    first = run(corpus_with_pictures, *both)
    assert first.exit_code == 0, first.exception
    assert "5 messages, vectors of width 2" in first.output
    expected = "3 images with 4 proposals of width 3 (3 encoded now, 0 there before)"
    assert expected in first.output
    assert "count as no image: 1 (post 3: images/" in first.stderr
    again = run(corpus_with_pictures, "--image-encoder", model, "--proposals", 4)
    assert "(0 encoded now, 3 there before)" in again.output
    corpus = read_corpus(corpus_with_pictures)
    proposals = load_proposals(corpus_with_pictures, corpus, model, 4)
    assert proposals.rows_of_post.tolist() == [[0], [1], [0], [-1], [-1]]
    np.testing.assert_allclose(proposals.vectors[:2, :, 0], [[0] * 4, [1] * 4], atol=1e-5)
    wrong = run(corpus_with_pictures, "--image-encoder", model, "--proposals", 8)
    assert isinstance(wrong.exception, EncoderError)
