"""Small encoders of every kind, made on the spot."""

import numpy as np
import pytest

from tests.fixtures.bert import write_hugging_face_bert
from tfhashtag.corpus.corpus import Corpus


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
