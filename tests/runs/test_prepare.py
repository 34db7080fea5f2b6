"""What is prepared is what a training works out itself; what does not fit it is refused."""

import json
import pickle
import shutil

import numpy as np
import pytest

import tfhashtag as th
from tfhashtag.cli.main import main
from tfhashtag.errors import ArtifactError, ConfigError
from tfhashtag.recommenders.configuration import load_settings
from tfhashtag.runs.prepare import prepare
from tfhashtag.training.options import TrainingOptions

NETWORK = ("network.members=2", "network.hidden=[8]", "data.taste_width=4", "training.epochs=1")
SETS = {
    "engagement": (
        *NETWORK,
        "network.trees=20",
        "data.hashtag_names=messages",
        "training.futures=[[0.6, 1.0], [0.8, 1.0]]",
    ),
    "posts": (
        *NETWORK,
        "data.hashtag_names=none",
        "data.minimum_posts=8",
        "training.futures=[[0.1, 0.2], [0.6, 1.0]]",
        "training.batch_posts=8",
    ),
}


def sent(function, items):
    """As executors of Spark give what they worked out."""
    return (pickle.loads(pickle.dumps(function(item))) for item in items)


def weights_of(run):
    with np.load(run.weights / "model.npz") as file:
        return {name: file[name] for name in file.files}


# The lists of both are kept and read by one code: `engagement` is the fast twin.
@pytest.mark.parametrize("config", ["engagement", pytest.param("posts", marks=pytest.mark.slow)])
def test_a_training_learns_the_same(config, encoded_corpus, tmp_path, capsys):
    folder, table = encoded_corpus
    sets = (f"text_encoder={table}", *SETS[config])
    command = ["prepare", config, "--data", str(folder), "--out", str(tmp_path / "lists"), "--json"]
    for value in sets:
        command += ["--set", value]
    main(command)
    told = json.loads(capsys.readouterr().out)
    parts = told["parts"]
    assert list(parts) == ["future-1", "future-2", "valid"]
    assert parts["future-2"] and parts["valid"]
    assert (parts["future-1"] == 0) == (config == "posts")  # nothing is ranked so early
    settings = load_settings(config, sets)
    prepare(settings, folder, tmp_path / "sent", each=sent)
    files = sorted(path.relative_to(tmp_path / "lists") for path in tmp_path.glob("lists/*/*"))
    assert files and all(
        (tmp_path / "sent" / file).read_bytes() == (tmp_path / "lists" / file).read_bytes()
        for file in files
    )
    runs = []
    for name, prepared in (("without", None), ("with", str(tmp_path / "lists"))):
        options = TrainingOptions(progress=False, prepared=prepared)
        runs.append(th.train(config, folder, tmp_path / name, overrides=sets, options=options))
    ours, theirs = map(weights_of, runs)
    assert ours.keys() == theirs.keys()
    for name, values in ours.items():
        assert np.array_equal(values, theirs[name]), name
    with pytest.raises(ConfigError, match="was started with `prepared` True, now it is False"):
        shutil.rmtree(runs[1].weights)
        th.train(config, None, tmp_path / "with", overrides=sets, resume=True)
    refused(tmp_path, folder, config, sets)


def refused(tmp_path, folder, config, sets):
    def train(lists, *more):
        options = TrainingOptions(progress=False, prepared=str(lists))
        th.train(config, folder, tmp_path / "none", overrides=(*sets, *more), options=options)

    with pytest.raises(ConfigError, match="made of other posts, vectors or settings"):
        train(tmp_path / "lists", "seed=7")
    if config == "posts":  # of whose posts so many are drawn
        with pytest.raises(ConfigError, match="made of other posts, vectors or settings"):
            train(tmp_path / "lists", "training.posts=100")
    with pytest.raises(ArtifactError, match="no lists that `tfhashtag prepare` wrote"):
        train(folder)
    np.save(tmp_path / "lists" / "valid" / "labels.npy", np.zeros(3, np.float32))
    with pytest.raises(ArtifactError, match="of different lengths"):
        train(tmp_path / "lists")
    assert not (tmp_path / "none").exists()


def test_what_learns_from_no_lists_is_refused(encoded_corpus, tmp_path):
    with pytest.raises(ConfigError, match="has nothing to prepare"):
        th.prepare("popular", encoded_corpus[0], tmp_path / "lists")
    assert not (tmp_path / "lists").exists()
