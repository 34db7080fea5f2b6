"""Trainings that take a part of the train posts an epoch."""

import contextlib
import io
import json
import weakref

import numpy as np
import pytest

from tests.fixtures.training import left_by_a_kill
from tests.recommenders.phr.conftest import QUIET, SMALL
from tfhashtag.corpus.corpus import Split
from tfhashtag.errors import ConfigError
from tfhashtag.recommenders.epoch_posts import EpochPosts
from tfhashtag.recommenders.post_network import PostNetworkRecommender
from tfhashtag.runs.train import train

FEW = (
    "network.sides=[textual,own]",
    "network.pairing=none",
    "training.epochs=4",
    "training.patience=0",
)
MOST = 80  # of some 190 train posts: three parts
PART = f"training.epoch_posts={MOST}"


@pytest.fixture(scope="module")
def made():
    """Posts and a reference to each of the inputs that trainings make, and which lived then."""
    return []


@pytest.fixture(scope="module")
def told():
    """What is printed while the run is trained."""
    return io.StringIO()


@pytest.fixture(scope="module")
def run(folder, sets, tmp_path_factory, made, told):
    out = tmp_path_factory.mktemp("parts") / "run"
    killed = left_by_a_kill(out.with_name("killed"), "posts", epoch=1)
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(told), killed:
        inputs_of = PostNetworkRecommender._inputs

        def noted(self, posts):
            alive = sum(len(one()) for _, one, _ in made if one() is not None)
            found = inputs_of(self, posts)
            made.append((posts, weakref.ref(found), alive))
            return found

        patch.setattr(PostNetworkRecommender, "_inputs", noted)
        return train("phr", folder / "corpus", out, overrides=(*sets, *FEW, PART))


def losses_of(run):
    lines = (run.folder / "training.jsonl").read_text().splitlines()
    return [one["loss"] for one in map(json.loads, lines) if "loss" in one]


def same_weights(one, other):
    first, second = (np.load(run.weights / "model.npz") for run in (one, other))
    assert first.files == second.files
    for key in first.files:
        np.testing.assert_array_equal(first[key], second[key])


def test_only_the_posts_of_an_epoch_are_looked_around(run, made):
    splits, labels = run.corpus.split_of_post, run.recommender.labels
    learned = labels.answerable(np.flatnonzero(splits == Split.TRAIN))
    turns = EpochPosts(learned, MOST, run.settings.seed)
    assert turns.parts == 3
    of_valid, *of_epochs = [posts for posts, *_ in made]
    assert len(of_epochs) == 4  # the first is found once, for the network and for its epoch
    for epoch, posts in enumerate(of_epochs):
        np.testing.assert_array_equal(posts, turns.of(epoch))
    valid = labels.answerable(np.flatnonzero(splits == Split.VALID))
    assert len(of_valid) == MOST // 8 < len(valid) and np.all(np.isin(of_valid, valid))
    # What stood around the posts of an epoch is gone when that of the next is looked for.
    assert [alive for *_, alive in made] == [0, *[len(of_valid)] * 4]


def test_what_was_stopped_goes_on_to_the_same_weights(run, sets):
    killed, chosen = run.folder.with_name("killed"), (*sets, *FEW, PART)
    same_weights(run, train("phr", None, killed, overrides=chosen, options=QUIET, resume=True))


def test_a_bound_of_as_many_posts_as_there_are_changes_nothing(folder, sets, tmp_path):
    few = (*sets, *FEW, "training.epochs=2")
    without = train(
        "phr",
        folder / "corpus",
        tmp_path / "without",
        overrides=(*few, "training.epoch_posts=0"),
        options=QUIET,
    )
    posts = int(np.sum(without.corpus.split_of_post == Split.TRAIN))
    bounded = train(
        "phr",
        folder / "corpus",
        tmp_path / "bounded",
        overrides=(*few, f"training.epoch_posts={posts}"),
        options=QUIET,
    )
    same_weights(without, bounded)
    losses = [losses_of(one) for one in (without, bounded)]
    assert losses[0] == losses[1] and len(losses[0]) == 2


@pytest.mark.usefixtures("run")
def test_the_part_is_told(told):
    assert told.getvalue().count("posts an epoch") == 1 and "64 of 1" in told.getvalue()


def test_a_graph_of_all_posts_does_not_go_by_parts(folder, sets, tmp_path):
    few = (*sets, *FEW, PART, "network.graph=relational")
    with pytest.raises(ConfigError, match=r"`training.epoch_posts` is 80, but a graph of posts"):
        train("phr", folder / "corpus", tmp_path / "run", overrides=few, options=QUIET)


@pytest.mark.slow  # of what it shares with PHR the tests above tell
def test_macon_goes_by_parts(folder, sets, tmp_path):
    chosen = (sets[0], *SMALL, PART)
    run = train("macon", folder / "corpus", tmp_path / "run", overrides=chosen, options=QUIET)
    losses = losses_of(run)
    assert len(losses) == 3 and np.all(np.isfinite(losses))
