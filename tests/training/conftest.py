"""A corpus with a taste behind it, encoded by a table of numbers: nothing here needs a model."""

import numpy as np
import pytest

from tfhashtag.data.corpus import Split
from tfhashtag.data.store import write_corpus

SMALL = (
    "data.vocabulary_size=60",
    "data.contexts_length=6",
    "data.history_length=10",
    "network.topics=4",
    "network.topic_hidden=8",
    "network.hidden=8",
    "training.batch_users=16",
    "training.epochs.topics=1",
    "training.epochs.warmup=2",
    "training.epochs.joint=2",
)


def themed_posts(users=24, posts=14, themes=4, seed=0):
    """Each user writes of one theme and tags its hashtags, some of them only later."""
    rng = np.random.default_rng(seed)
    rows = []
    for post in range(posts):
        split = Split.TRAIN if post < posts - 4 else Split.VALID if post < posts - 2 else Split.TEST
        for user in range(users):
            theme = user % themes
            words = " ".join(f"word{theme}x{w}" for w in rng.integers(0, 8, 4))
            tags = {f"tag{theme}x{t}" for t in rng.integers(0, 6, 2)}
            rows.append((f"user{user}", f"{words} {post} {user}", sorted(tags), split))
    return rows


@pytest.fixture(scope="session")
def encoded_corpus(tmp_path_factory, make_corpus):
    """Folder of the corpus, and the path of its table of message vectors."""
    folder = tmp_path_factory.mktemp("training")
    corpus = make_corpus(themed_posts())
    write_corpus(corpus, folder / "corpus")
    rng = np.random.default_rng(1)
    themes = rng.normal(size=(4, 12))
    theme = [int(message.split("x")[0][-1]) for message in corpus.messages]
    vectors = themes[theme] + rng.normal(size=(len(corpus.messages), 12))
    np.save(folder / "vectors.npy", vectors.astype("float32"))
    return folder / "corpus", folder / "vectors.npy"


@pytest.fixture(scope="session")
def settings_of(encoded_corpus):
    """`--set` values of a small training on that corpus."""

    def overrides(*more):
        return (f"text_encoder={encoded_corpus[1]}", *SMALL, *more)

    return overrides
