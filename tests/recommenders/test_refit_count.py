"""The valid split counts in a refit as often as the settings say, for users and for posts."""

import json

import numpy as np
import pytest

from tests.fixtures.training import left_by_a_kill
from tfhashtag.errors import ConfigError
from tfhashtag.recommenders.listwise import ListwiseRecommender
from tfhashtag.runs.train import train
from tfhashtag.training.options import TrainingOptions

QUIET = TrainingOptions(progress=False)
SMALL = {
    "engagement": (
        "data.hashtag_names=messages",
        "data.taste_width=6",
        "network.trees=4",
        "network.leaves=3",
        "training.batch_users=4",
    ),
    "posts": (
        "data.hashtag_names=none",
        "data.minimum_posts=3",
        "data.taste_width=4",
        "training.batch_posts=8",
    ),
}


def settings(config, encoder, *more):
    common = ("network.members=2", "network.hidden=[8]", "training.futures=[[0.6, 1.0]]")
    return (f"text_encoder={encoder}", *common, *SMALL[config], "training.epochs=2", *more)


def trained(config, encoded_corpus, out, *more):
    sets = settings(config, encoded_corpus[1], *more)
    return train(config, encoded_corpus[0], out, overrides=sets, options=QUIET)


def weights(run):
    return [np.asarray(variable) for variable in run.recommender.model.variables]


def assert_equal(run, other):
    for found, wanted in zip(weights(run), weights(other), strict=True):
        np.testing.assert_array_equal(found, wanted)


def losses(run, phase="refit"):
    lines = map(json.loads, (run.folder / "training.jsonl").read_text().splitlines())
    return [line["loss"] for line in lines if line.get("phase") == phase]


@pytest.fixture(scope="module", params=SMALL)
def config(request):
    return request.param


@pytest.fixture(scope="module")
def twice(config, encoded_corpus, tmp_path_factory):
    """A run, what it would have left if killed in the refit, and the lists of each phase."""
    out, seen, phase = tmp_path_factory.mktemp("twice"), {}, ListwiseRecommender._phase

    def watched(self, name, parts, *more, **named):
        seen[name] = [len(part.usable) for part in parts]
        return phase(self, name, parts, *more, **named)

    with left_by_a_kill(out / "killed", "refit"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(ListwiseRecommender, "_phase", watched)
        run = trained(config, encoded_corpus, out / "run", "training.refit_count=2")
    return run, out / "killed", seen


def test_counted_twice_is_given_twice(config, twice, encoded_corpus, tmp_path, monkeypatch):
    """Networks, trees, probabilities and looks are those of lists that are laid out twice."""
    futures = ListwiseRecommender._futures

    def with_valid(self, monitor):
        return [*futures(self, monitor), self._lists(self._opened(self._valid_moment()))]

    monkeypatch.setattr(ListwiseRecommender, "_futures", with_valid)
    given = trained(config, encoded_corpus, tmp_path / "given", "training.refit_count=1")
    assert_equal(twice[0], given)
    assert losses(twice[0]) == losses(given) != losses(given, "futures")  # which are given once
    assert np.all(np.isfinite(losses(given)))


def test_each_count_is_one_more_part(twice):
    _, _, seen = twice
    future, *valid = seen["refit"]
    assert len(valid) == 2 and len(set(valid)) == 1
    assert seen.get("futures", [future]) == [future]  # which the valid split is no part of


def test_resumes_to_the_same_result(config, twice, encoded_corpus):
    whole, out, _ = twice
    sets = settings(config, encoded_corpus[1], "training.refit_count=2")
    run = train(config, None, out, overrides=sets, resume=True, options=QUIET)
    assert_equal(run, whole)
    assert losses(run) == losses(whole)


def test_counts_at_least_once(config, encoded_corpus, tmp_path):
    with pytest.raises(ConfigError, match=r"training\.refit_count"):
        trained(config, encoded_corpus, tmp_path / "run", "training.refit_count=0")
