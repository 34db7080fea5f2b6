"""Training of post models: exact, resumable, ranked by what they learned, alone as in a batch."""

import functools
import json

import ir_measures
import numpy as np
import pytest

from tests.recommenders.phr.conftest import QUIET, SMALL
from tfhashtag.corpus.corpus import Split
from tfhashtag.errors import ArtifactError, ConfigError
from tfhashtag.runs.train import train
from tfhashtag.training.options import TrainingOptions

slow = functools.partial(pytest.param, marks=pytest.mark.slow)


@pytest.fixture(scope="module")
def trained(folder, sets, tmp_path_factory):
    """A rule, which costs nothing: what is asked of it is the same for all recommenders."""
    out = tmp_path_factory.mktemp("runs") / "run"
    return train("post_own_nearest", folder / "corpus", out, overrides=sets[:1], options=QUIET)


def log_of(run):
    return [json.loads(line) for line in (run.folder / "training.jsonl").read_text().splitlines()]


def test_evaluation_writes_what_other_tools_measure_alike(trained, tmp_path):
    result = trained.evaluate(out=tmp_path).result
    assert json.loads((tmp_path / "metrics.json").read_text()) == result
    qrels = list(ir_measures.read_trec_qrels(str(tmp_path / "qrels.trec")))
    run = list(ir_measures.read_trec_run(str(tmp_path / "run.trec")))
    measured = ir_measures.calc_aggregate([ir_measures.P @ 9, ir_measures.R @ 9], qrels, run)
    assert result["metrics"]["Precision@9"] == pytest.approx(measured[ir_measures.P @ 9], abs=1e-9)
    assert result["metrics"]["Recall@9"] == pytest.approx(measured[ir_measures.R @ 9], abs=1e-9)


# Fast twins: `training/test_options` of a training, `test_model` and contracts of the layers.
@pytest.mark.slow
def test_xla_trains_as_without(folder, sets, tmp_path):
    one_shape = ("training.epochs=2", "training.batch_posts=256")  # each shape is compiled anew
    losses = []
    for xla in (False, True):
        run = train(
            "macon",
            folder / "corpus",
            tmp_path / str(xla),
            overrides=[sets[0], *SMALL, *one_shape],
            options=TrainingOptions(xla=xla, progress=False),
        )
        losses.append(log_of(run)[1]["loss"])
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


@pytest.mark.parametrize(
    "config, more",
    [
        ("phr", ("network.features=8", "training.learning_rate=0.02", "training.epochs=12")),
        # Its parts are those of `phr`, which is the fast twin; that of `macon` is its `test_model`.
        slow("tagnet", ("training.learning_rate=0.02", "training.epochs=20")),
        slow("macon", ("training.learning_rate=0.02", "training.epochs=20", "network.dropout=0.1")),
    ],
    ids=["phr", "tagnet", "macon"],
)
def test_learns_pictures_and_habits(config, more, folder, sets, tmp_path):
    """Random text vectors tell nothing; what is left must be found."""
    chosen = sets if config != "macon" else (sets[0], *SMALL)
    run = train(
        config, folder / "corpus", tmp_path / "run", overrides=(*chosen, *more), options=QUIET
    )
    recommender = run.recommender
    posts = recommender.labels.answerable(np.flatnonzero(run.corpus.split_of_post == Split.TEST))
    result = run.evaluate(out=tmp_path / "out").result
    popular = np.bincount(
        recommender.labels.rows.take(
            np.flatnonzero(run.corpus.split_of_post == Split.TRAIN)
        ).values,
        minlength=len(recommender.labels),
    )
    best = np.argsort(-popular)[:5]
    hits = [len(set(recommender.labels.rows[post]) & set(best)) for post in posts]
    assert result["posts"] == len(posts)
    assert result["metrics"]["Precision@5"] > 1.15 * np.mean(hits) / 5


def test_errors_name_what_is_wrong(trained, folder, sets, tmp_path):
    with pytest.raises(ConfigError, match="are for recommenders of users"):
        trained.evaluate(protocol="full")
    with pytest.raises(ArtifactError, match="no finished 9 proposals of image encoder `pixels`"):
        train(
            "phr",
            folder / "corpus",
            tmp_path / "a",
            overrides=(*sets, "network.proposals=9"),
            options=QUIET,
        )
    with pytest.raises(ConfigError, match="has no images"):
        train(
            "phr",
            folder / "corpus",
            tmp_path / "b",
            overrides=(*sets, "image_encoder=none", "network.sides=[visual]"),
            options=QUIET,
        )
