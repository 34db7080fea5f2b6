"""What tests share: small corpora made by hand, and the Twitter data where it is at hand."""

import contextlib
import ctypes
import gc
import json
import os
import pathlib
import sys

import click
import hypothesis
import jsonschema
import numpy as np
import pytest

from tfhashtag.cli import output
from tfhashtag.corpus.corpus import Corpus, Split

pytest_plugins = [f"tests.fixtures.{name}" for name in ("once", "training", "export", "explain")]

# The gate tries the same examples every time; elsewhere each run looks for new ones.
hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.register_profile("gate", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("gate" if os.environ.get("CI") else "here")

# Where tests run beside one another, the cores are shared: each gets one thread.
if "PYTEST_XDIST_WORKER" in os.environ:
    for threads in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(threads, "1")

ROOT = pathlib.Path(__file__).parent.parent

# Graphs are many small objects that hold one another and die together, at the end of a file: to
# look for them every 700 allocations takes a seventh of all the time.
gc.set_threshold(200_000, 20, 100)


#: Folders of many short files. Run at last, so that workers, which take a file each, end together.
SHORT = ("corpus", "layers", "losses", "metrics")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.relative_to(ROOT / "tests").parts[0] in SHORT)


def pytest_collection_finish(session):
    """Graphs of tests run once or twice: to optimise them costs more than all that they compute.

    Commands, servers and the C program that tests start run as they do for everybody, and so do
    the executors of Spark, whose last digits are compared with this process's.

    What is loaded by now stays: it is taken out of what is searched for garbage between files.
    """
    gc.collect()
    gc.freeze()
    executors = any(item.get_closest_marker("spark") for item in session.items)
    if "tensorflow" in sys.modules and not executors:
        import tensorflow as tf
        from tensorflow.python.util import tf_stack

        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
        # Every operation of a graph notes by which calls it was made: a twentieth of all the time.
        here = tf_stack.extract_stack()
        tf_stack.extract_stack = lambda stacklevel=1: here


_emit = output.emit


def _checked(value):
    """Every command that any test runs in this process emits what its page documents."""
    schema = output.schema_of(click.get_current_context().command)
    plain = json.loads(json.dumps(value, allow_nan=False, default=str))
    jsonschema.validate(plain, schema, jsonschema.Draft202012Validator)
    _emit(value)


output.emit = _checked  # before a command is imported


def _give_memory_back():
    """Graphs hold one another: without this a worker keeps those of all files it has run.

    TensorFlow keeps the gradient of every operation that has one of its own, and by it the graph of
    the training that it stood in, as long as the process lives.
    """
    if "tensorflow" in sys.modules:
        from tensorflow.python.framework import ops

        gradients = ops.gradient_registry._registry
        for name in [name for name in gradients if name.startswith("CustomGradient-")]:
            del gradients[name]
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # not this C library
        ctypes.CDLL("libc.so.6").malloc_trim(0)


_STATM = pathlib.Path("/proc/self/statm")


def _resident_memory():
    """MiB of this process; 0 where the system does not say."""
    pages = int(_STATM.read_text().split()[1]) if _STATM.is_file() else 0
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


_kept = [_resident_memory()]


@pytest.fixture(scope="module", autouse=True)
def _memory_of_files_before_is_given_back():
    """Once it is much: to look for it takes half a second, and most files leave little."""
    if not _kept[0] or _resident_memory() > _kept[0] + 300:
        from tests.fixtures.export import SHARED

        for run in SHARED:
            run.refresh()
        gc.unfreeze()
        _give_memory_back()
        gc.freeze()  # what is left is of the session: trainings, which collect, need not search it
        _kept[0] = _resident_memory()


@pytest.fixture
def memory_is_given_back():
    """For tests that train a model each, of which none is needed by the next."""
    yield
    _give_memory_back()


def corpus_of(posts, evaluation_users=None) -> Corpus:
    """A corpus from (user, text, [hashtags], split) tuples, in time order."""
    users: dict[str, int] = {}
    messages: dict[str, int] = {}
    hashtags: dict[str, int] = {}
    columns = [
        (
            users.setdefault(user, len(users)),
            messages.setdefault(text, len(messages)),
            [hashtags.setdefault(tag, len(hashtags)) for tag in dict.fromkeys(tags)],
            int(split),
        )
        for user, text, tags, split in posts
    ]
    names = list(users) if evaluation_users is None else evaluation_users
    return Corpus(
        name="made by hand",
        post_ids=[str(post) for post in range(len(posts))],
        users=list(users),
        user_of_post=np.array([row[0] for row in columns], np.int32),
        messages=list(messages),
        message_of_post=np.array([row[1] for row in columns], np.int32),
        hashtags=list(hashtags),
        hashtag_offsets=np.cumsum([0] + [len(row[2]) for row in columns]).astype(np.int64),
        hashtag_values=np.array([tag for row in columns for tag in row[2]], np.int32),
        split_of_post=np.array([row[3] for row in columns], np.int8),
        evaluation_users=np.array([users[name] for name in names], np.int32),
        timestamps=None,
        images=None,
        digest="",
    )


@pytest.fixture(scope="session")
def make_corpus():
    return corpus_of


@pytest.fixture(scope="session")
def howyoutag() -> pathlib.Path:
    """Folder of the Twitter data."""
    folder = pathlib.Path(os.environ.get("TFHASHTAG_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "howyoutag" / "train.csv").is_file():
        pytest.skip(f"no Twitter data in {folder}; set TFHASHTAG_DATA to the folder that holds it")
    return folder / "howyoutag"


@pytest.fixture(scope="session")
def howyoutag_corpus(howyoutag) -> Corpus:
    """The Twitter data, read here in the plainest way, apart from the importer."""
    posts = []
    for split in Split:
        path = howyoutag / f"{split.name.lower()}.csv"
        with path.open(encoding="utf-8", newline="\n") as file:
            for line in file:
                text, user, *tags = line.rstrip("\n").split("\t")
                posts.append((user, text, [tag for tag in tags if tag], split))
    users = (howyoutag / "users.txt").read_text(encoding="utf-8").split()
    return corpus_of(posts, users)
