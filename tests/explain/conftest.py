"""Small trained runs to explain."""

import importlib.util
import pathlib

import numpy as np
import pytest

from tfhashtag.data.store import read_corpus, write_corpus
from tfhashtag.data.synthetic_posts import synthetic_posts, write_synthetic_posts
from tfhashtag.encoders import (
    encode_corpus,
    encode_images,
    load_image_encoder,
    load_text_encoder,
)
from tfhashtag.training.options import TrainingOptions
from tfhashtag.training.train import train

QUIET = TrainingOptions(progress=False)
TESTS = pathlib.Path(__file__).parent.parent
PHR = (
    "image_encoder=pixels",
    "network.proposals=9",
    "network.features=6",
    "data.vocabulary_size=50",
    "training.epochs=1",
    "network.embedding_width=5",
    "network.hidden=8",
    "network.projection=7",
    "network.visual_threshold=0.1",
    "network.textual_threshold=0.1",
    "data.own_posts=3",
    "data.other_posts=4",
    "training.learning_rate=0.02",
)
VARIANTS = {
    "full": ("phr_thesis", *PHR, "network.residual=true", "network.text=both"),
    "tagnet": ("tagnet", *PHR),
    "plain": (
        "phr_thesis",
        *PHR,
        "network.graph=none",
        "network.post_tag_attention=false",
        "network.pairing=none",
        "network.residual=true",
    ),
}


def fixtures_of(path):
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_fixtures", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def post_data(tmp_path_factory):
    """A folder with a corpus of posts with pictures, encoded by small encoders."""
    folder = tmp_path_factory.mktemp("explain_posts")
    fixtures_of(TESTS / "encoders" / "conftest.py").write_hugging_face_bert(folder / "bert")
    made = synthetic_posts(
        posts=160, users=14, seed=0, themes=2, picture_size=24, newcomers=0.2, without_text=0.1
    )
    write_synthetic_posts(made, folder / "corpus")
    corpus = read_corpus(folder / "corpus")
    encoder = load_text_encoder(str(folder / "bert"))
    encode_corpus(folder / "corpus", corpus, encoder, progress=False)
    images = load_image_encoder("pixels", proposals=9)
    encode_images(folder / "corpus", corpus, images, progress=False)
    return folder


@pytest.fixture(scope="session")
def post_run(post_data):
    """A function from a variant to the folder of its trained run."""
    made = {}

    def run(name):
        if name not in made:
            config, *overrides = VARIANTS[name]
            made[name] = train(
                config,
                post_data / "corpus",
                post_data / name,
                overrides=(f"text_encoder={post_data / 'bert'}", *overrides),
                options=QUIET,
            )
        return made[name].folder

    return run


@pytest.fixture(scope="session")
def user_data(tmp_path_factory, make_corpus):
    """A corpus of users with tastes, and a table of its message vectors."""
    module = fixtures_of(TESTS / "training" / "conftest.py")
    folder = tmp_path_factory.mktemp("explain_users")
    corpus = make_corpus(
        [
            (user, f"{text} <b>&\U0001f600 \u6f22 $x$", tags, split)
            for user, text, tags, split in module.themed_posts()
        ]
    )
    write_corpus(corpus, folder / "corpus")
    rng = np.random.default_rng(1)
    themes = rng.normal(size=(4, 12))
    theme = [int(message.split("x")[0][-1]) for message in corpus.messages]
    vectors = themes[theme] + rng.normal(size=(len(corpus.messages), 12))
    np.save(folder / "vectors.npy", vectors.astype("float32"))
    return folder, module.SMALL


@pytest.fixture(scope="session")
def user_run(user_data):
    """A function from `audience`, `engagement` or `scorer` to the folder of its trained run."""
    folder, small = user_data
    made = {}
    audience = (
        "data.hashtag_names=messages",
        "data.taste_width=6",
        "network.members=2",
        "network.hidden=[8]",
        "training.futures=[[0.6, 1.0], [0.8, 1.0]]",
        "training.batch_users=4",
        "training.epochs=1",
    )
    short = ("training.epochs.warmup=0", "training.epochs.joint=1", "network.hidden=4")
    variants = {
        "audience": ("engagement", *audience),
        "engagement": ("engagement_paper", *small, *short),
        "attention": (
            "engagement_paper",
            *small,
            *short,
            "network.topics=null",
            "network.user=lstm_attention",
            "network.attention=mean",
            "training.epochs.topics=0",
        ),
        "scorer": ("popular",),
    }

    def run(name):
        if name not in made:
            config, *overrides = variants[name]
            made[name] = train(
                config,
                folder / "corpus",
                folder / name,
                overrides=(f"text_encoder={folder / 'vectors.npy'}", *overrides),
                options=QUIET,
            )
        return made[name].folder

    return run
