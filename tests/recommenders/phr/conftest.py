"""Posts with pictures that tests of networks over posts train on, and small sizes for these."""

import pytest

from tests.fixtures.bert import write_hugging_face_bert
from tfhashtag.corpus.store import read_corpus
from tfhashtag.corpus.synthetic_posts import synthetic_posts, write_synthetic_posts
from tfhashtag.encoders import (
    encode_corpus,
    encode_hashtags,
    encode_images,
    load_image_encoder,
    load_text_encoder,
)
from tfhashtag.training.options import TrainingOptions

QUIET = TrainingOptions(progress=False)
SMALL = (
    "image_encoder=pixels",
    "data.vocabulary_size=50",
    "network.proposals=4",
    "network.features=6",
    "network.embedding_width=5",
    "training.batch_posts=64",
    "training.epochs=3",
)
PHR = (*SMALL, "network.hidden=8", "network.projection=7", "training.optimizer=adam")


@pytest.fixture(scope="session")
def folder(once):
    """Posts with pictures, encoded by a small BERT with random weights and by their colours."""
    return once("phr", "corpus", _make_corpus).parent


def _make_corpus(place):
    write_hugging_face_bert(place.parent / "bert")
    made = synthetic_posts(240, 20, themes=3, picture_size=24, picture=2.0, similar=0.0, noise=0.0)
    write_synthetic_posts(made, place)
    corpus = read_corpus(place)
    encoder = load_text_encoder(str(place.parent / "bert"))
    encode_corpus(place, corpus, encoder, progress=False)
    encode_hashtags(place, corpus, encoder, progress=False)
    encode_images(place, corpus, load_image_encoder("pixels", proposals=4), progress=False)


@pytest.fixture(scope="session")
def sets(folder):
    return (f"text_encoder={folder / 'bert'}", *PHR)
