"""A small model with everything that an export carries: weights, a tokenizer, a table, an asset."""

import functools
import importlib.util
import pathlib

import pytest

ENCODERS = pathlib.Path(__file__).parent.parent / "encoders" / "conftest.py"
USER_RUNS = {
    "engagement_paper": (
        "data.vocabulary_size=60",
        "data.contexts_length=6",
        "network.topics=4",
        "network.topic_hidden=8",
        "network.hidden=8",
        "training.epochs.topics=1",
        "training.epochs.warmup=1",
        "training.epochs.joint=1",
    ),
    "engagement": ("network.members=2", "training.epochs=1", "data.taste_width=6"),
}
IMAGES = ("image_encoder=pixels", "network.proposals=4")
SMALL_POSTS = (
    "data.vocabulary_size=50",
    "network.features=6",
    "network.embedding_width=5",
    "training.epochs=1",
)
PHR = (
    *SMALL_POSTS,
    "network.hidden=8",
    "network.projection=7",
    "data.own_posts=3",
    "data.other_posts=4",
)
POST_RUNS = {
    "text": (
        "phr_thesis",
        *PHR,
        "image_encoder=none",
        "network.text=encoder",
        "network.residual=true",
        "network.own_side=hashtags",
        "network.textual_threshold=0.3",
    ),
    "images": (
        "phr_thesis",
        *PHR,
        *IMAGES,
        "network.residual=true",
        "network.text=both",
        "data.similar_vectors=texts_and_hashtags",
    ),
    "tagnet": ("tagnet", *PHR, *IMAGES, "network.text=encoder"),
    "macon": ("macon", *SMALL_POSTS, *IMAGES),
}


@pytest.fixture(scope="session")
def toy_archive(tmp_path_factory):
    """The version folder, and a function that gives the in-process scores of texts."""
    import keras
    import keras_hub
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("archive")
    words = folder / "words.txt"
    words.write_text("football\nmusic\n", encoding="utf-8")
    vocabulary = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]", "foot", "##ball", "music", "a", "é"]
    tokenizer = keras_hub.tokenizers.WordPieceTokenizer(
        vocabulary, sequence_length=8, lowercase=True, strip_accents=False
    )
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((8,), dtype="int32"), keras.layers.Embedding(16, 4), keras.layers.LSTM(3)]
    )
    table = tf.lookup.StaticHashTable(
        tf.lookup.TextFileInitializer(
            str(words), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER,
        ),
        -1,
    )  # fmt: skip

    def score(text, tag, k):
        return {
            "state": model(tokenizer(text)),
            "known": table.lookup(tag) >= 0,
            "upper": tf.strings.upper(text, encoding="utf-8"),
            "first": tf.range(k),
        }

    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.track(table)
    archive.add_endpoint(
        "serving_default",
        score,
        [
            tf.TensorSpec([None], tf.string, "text"),
            tf.TensorSpec([None], tf.string, "tag"),
            tf.TensorSpec([], tf.int32, "k"),
        ],
    )
    archive.write_out(str(folder / "1"), verbose=False)
    words.unlink()
    return folder / "1", tf.function(lambda text: model(tokenizer(text)))


@pytest.fixture(scope="session")
def toy_keras_save(tmp_path_factory):
    """A Keras 3 model saved by `tf.saved_model.save`: only Python can run it."""
    import keras
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("keras") / "1"
    tf.saved_model.save(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]), str(folder))
    return folder


def _write_bert(folder):
    spec = importlib.util.spec_from_file_location("encoder_fixtures", ENCODERS)
    fixtures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fixtures)
    fixtures.write_hugging_face_bert(folder / "bert")


@pytest.fixture(scope="session")
def user_corpus(tmp_path_factory):
    """A folder with `corpus`, encoded, and its encoder `bert`."""
    from tfhashtag.data.store import read_corpus, write_corpus
    from tfhashtag.data.synthetic import synthetic_corpus
    from tfhashtag.encoders import encode_corpus, load_text_encoder

    folder = tmp_path_factory.mktemp("export")
    _write_bert(folder)
    write_corpus(synthetic_corpus(700, 40, 0), folder / "corpus")
    encoder = load_text_encoder(str(folder / "bert"))
    encode_corpus(folder / "corpus", read_corpus(folder / "corpus"), encoder, progress=False)
    return folder


@pytest.fixture(scope="session")
def user_run(user_corpus):
    """A function from a name of `USER_RUNS` to its trained run."""
    from tfhashtag.training.options import TrainingOptions
    from tfhashtag.training.train import train

    @functools.cache
    def run(name):
        return train(
            name,
            user_corpus / "corpus",
            user_corpus / name,
            overrides=(f"text_encoder={user_corpus / 'bert'}", *USER_RUNS[name]),
            options=TrainingOptions(progress=False),
        )

    return run


@pytest.fixture(scope="session")
def user_version(user_corpus, user_run):
    """A function from a name of `USER_RUNS` to its export, checked for the published model."""
    from tfhashtag.export.engagement import export_engagement

    @functools.cache
    def version(name):
        check = name == "engagement_paper"  # the other is checked by the command
        return export_engagement(
            user_run(name).folder, user_corpus / "models" / name, k=5, check=check
        )

    return version


@pytest.fixture(scope="session")
def post_corpus(tmp_path_factory):
    """A folder with a `corpus` of posts with pictures, encoded, and its encoder `bert`."""
    from tfhashtag.data.store import read_corpus
    from tfhashtag.data.synthetic_posts import synthetic_posts, write_synthetic_posts
    from tfhashtag.encoders import (
        encode_corpus,
        encode_images,
        load_image_encoder,
        load_text_encoder,
    )

    folder = tmp_path_factory.mktemp("export_posts")
    _write_bert(folder)
    made = synthetic_posts(
        posts=300, users=24, seed=0, themes=2, picture_size=24, newcomers=0.2, without_text=0.1
    )
    write_synthetic_posts(made, folder / "corpus")
    corpus = read_corpus(folder / "corpus")
    encoder = load_text_encoder(str(folder / "bert"))
    encode_corpus(folder / "corpus", corpus, encoder, progress=False)
    pictures = load_image_encoder("pixels", proposals=4)
    encode_images(folder / "corpus", corpus, pictures, progress=False)
    return folder


@pytest.fixture(scope="session")
def post_run(post_corpus):
    """A function from a name of `POST_RUNS` to its trained run."""
    from tfhashtag.training.options import TrainingOptions
    from tfhashtag.training.train import train

    @functools.cache
    def run(name):
        config, *overrides = POST_RUNS[name]
        return train(
            config,
            post_corpus / "corpus",
            post_corpus / name,
            overrides=(
                f"text_encoder={post_corpus / 'bert'}",
                "data.vocabulary_size=50",
                *overrides,
            ),
            options=TrainingOptions(progress=False),
        )

    return run


@pytest.fixture(scope="session")
def post_version(post_corpus, post_run):
    """The export of the model with pictures; the command checks it."""
    from tfhashtag.export.posts import export_posts

    return export_posts(
        post_run("images").folder, post_corpus / "models" / "images", k=5, check=False
    )
