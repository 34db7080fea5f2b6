"""A corpus with a taste behind it, encoded by a table of numbers: nothing here needs a model."""

import os
import pathlib
import signal
import subprocess
import sys

import numpy as np
import pytest

from tfhashtag.data.corpus import Split
from tfhashtag.data.store import write_corpus

ROOT = pathlib.Path(__file__).parent.parent.parent
KILLED = """
import os, signal, sys
from tfhashtag.cli.main import main
from tfhashtag.training.progress import TrainingMonitor

report = TrainingMonitor.report

def killed(self, phase, epoch, step, values):
    if step == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    report(self, phase, epoch, step, values)

TrainingMonitor.report = killed
main()
"""

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


@pytest.fixture(scope="session")
def killed_between():
    """Runs the command line; the second epoch's checkpoint is written, its report is not."""

    def run(*arguments):
        command = [sys.executable, "-c", KILLED, *map(str, arguments)]
        paths = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, env=paths, capture_output=True, text=True, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr

    return run
