"""The valid split counts in a refit as often as the settings say, for users and for posts."""

import json

import numpy as np
import pytest

from tfhashtag.errors import ConfigError
from tfhashtag.recommenders.listwise import ListwiseRecommender
from tfhashtag.runs.train import train
from tfhashtag.training.monitor import TrainingMonitor
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
TASKS = pytest.mark.parametrize("config", SMALL)


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


def losses(run):
    lines = map(json.loads, (run.folder / "training.jsonl").read_text().splitlines())
    return [line["loss"] for line in lines if line.get("phase") == "refit"]


@TASKS
def test_counted_twice_is_given_twice(config, encoded_corpus, tmp_path, monkeypatch):
    """Networks, trees, probabilities and looks are those of lists that are laid out twice."""
    once = trained(config, encoded_corpus, tmp_path / "once", "training.refit_count=1")
    twice = trained(config, encoded_corpus, tmp_path / "twice", "training.refit_count=2")
    futures = ListwiseRecommender._futures

    def with_valid(self, monitor):
        return [*futures(self, monitor), self._lists(self._opened(self._valid_moment()))]

    with monkeypatch.context() as patch:
        patch.setattr(ListwiseRecommender, "_futures", with_valid)
        given = trained(config, encoded_corpus, tmp_path / "given", "training.refit_count=1")
    assert_equal(twice, given)
    assert losses(twice) == losses(given) != losses(once)


@TASKS
def test_each_count_is_one_more_part(config, encoded_corpus, tmp_path, monkeypatch):
    seen, phase = {}, ListwiseRecommender._phase

    def watched(self, name, parts, *more, **named):
        seen[name] = [len(part.usable) for part in parts]
        return phase(self, name, parts, *more, **named)

    monkeypatch.setattr(ListwiseRecommender, "_phase", watched)
    for count in (1, 3):
        sets = f"training.refit_count={count}"
        run = trained(config, encoded_corpus, tmp_path / str(count), sets)
        future, *valid = seen["refit"]
        assert len(valid) == count and len(set(valid)) == 1
        assert seen.get("futures", [future]) == [future]  # which the valid split is no part of
        assert np.all(np.isfinite(losses(run)))


@TASKS
def test_resumes_to_the_same_result(config, encoded_corpus, tmp_path, monkeypatch):
    class Stopped(Exception):
        pass

    report = TrainingMonitor.report

    def report_and_stop(self, phase, epoch, step, values):
        if phase == "refit" and epoch == 1:
            raise Stopped
        report(self, phase, epoch, step, values)

    whole = trained(config, encoded_corpus, tmp_path / "whole", "training.refit_count=2")
    out = tmp_path / "stopped"
    with monkeypatch.context() as patch:
        patch.setattr(TrainingMonitor, "report", report_and_stop)
        with pytest.raises(Stopped):
            trained(config, encoded_corpus, out, "training.refit_count=2")
    sets = settings(config, encoded_corpus[1], "training.refit_count=2")
    run = train(config, None, out, overrides=sets, resume=True, options=QUIET)
    assert_equal(run, whole)
    assert losses(run) == losses(whole)


@TASKS
def test_counts_at_least_once(config, encoded_corpus, tmp_path):
    with pytest.raises(ConfigError, match=r"training\.refit_count"):
        trained(config, encoded_corpus, tmp_path / "run", "training.refit_count=0")
