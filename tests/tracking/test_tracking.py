"""What places are told of runs and studies, read back from them; nothing unless one asks."""

import json
import os
import shutil
import socket

import numpy as np
import pytest

from tests.runs.test_update import later_posts
from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.store import read_corpus, write_corpus
from tfhashtag.corpus.synthetic import synthetic_corpus
from tfhashtag.encoders.encoded_corpus import EncodedCorpus
from tfhashtag.errors import ArtifactError, ConfigError, TrackingError
from tfhashtag.runs.run import Run
from tfhashtag.runs.train import train
from tfhashtag.tracking.told import FILE, RunTracking, hashtag_vectors, tell_study
from tfhashtag.tracking.tracker import trackers_of
from tfhashtag.training.options import TrainingOptions

QUIET = TrainingOptions(progress=False)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """`mlflow:FOLDER`, and a client that reads it; what would leave the machine fails."""
    mlflow = pytest.importorskip("mlflow")

    def refused(*arguments, **more):
        raise AssertionError("a connection to somewhere else")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = tmp_path / "told"
    uri = f"sqlite:///{folder / 'mlflow.db'}"

    def client():
        return mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)

    return f"mlflow:{folder}", client


@pytest.fixture
def cf(encoded_corpus, tmp_path):
    """Trains a run in no time."""

    def trained(**more):
        settings = [f"text_encoder={encoded_corpus[1]}"]
        return train(
            "cf", encoded_corpus[0], tmp_path / "run", overrides=settings, options=QUIET, **more
        )

    return trained


def files_of(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_settings_epochs_data_and_evaluations(place, cf):
    track, client = place
    run = cf(track=track)
    run.evaluate(track=track)
    assert client().get_experiment_by_name("tfhashtag") is not None
    (found,) = client().search_runs(["1"])
    assert found.info.status == "FINISHED" and found.info.run_name == "run"
    assert found.data.params["training.factors"] == "32" and found.data.params["seed"] == "0"
    assert found.data.tags["data_digest"] == run.info["data_digest"]
    log = json.loads(run.log_file.read_text().splitlines()[0])
    assert found.data.metrics["factors/valid_MAP"] == log["valid_MAP"]
    result = json.loads((run.folder / "metrics.json").read_text())
    told = found.data.metrics["test/sampled/all/MAP"]
    assert told == pytest.approx(result["averages"]["all"]["MAP"])
    names = {item.path for item in client().list_artifacts(found.info.run_id)}
    assert {"config.yaml", "run.json", "training.jsonl", "test"} <= names
    cf(track=track, resume=True)  # complete: tells nothing twice
    history = client().get_metric_history(found.info.run_id, "factors/valid_MAP")
    assert len(history) == 1 and len(client().search_runs(["1"])) == 1


def test_a_training_that_goes_on_is_one_run(place, cf, tmp_path, monkeypatch):
    track, client = place
    watch = RunTracking.watch

    def killed(self, phase, step, values):
        watch(self, phase, step, values)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(RunTracking, "watch", killed)
        cf(track=track)
    (found,) = client().search_runs(["1"])
    assert found.info.status == "KILLED"
    run = cf(resume=True, track=track)
    (found,) = client().search_runs(["1"])
    assert found.info.status == "FINISHED"
    lines = run.log_file.read_text().splitlines()
    for epoch in (1, 2):  # as a longer training writes them
        lines.append(json.dumps({"phase": "factors", "epoch": epoch, "valid_MAP": epoch / 10}))
        run.log_file.write_text("\n".join(lines) + "\n")
        RunTracking(trackers_of(track), run).watch("factors", epoch, {})
    told = client().get_metric_history(found.info.run_id, "factors/valid_MAP")
    assert [one.step for one in told] == [0, 1, 2] and told[2].value == 0.2


def test_the_model_is_loaded_by_mlflow_and_answers_as_the_run_does(place, user_run, tmp_path):
    import mlflow

    track, client = place
    assert user_run("engagement").answers  # kept from here on, for copies, too
    shutil.copytree(user_run("engagement").folder, tmp_path / "run")
    run = Run.open(tmp_path / "run")
    RunTracking(trackers_of([track, "tensorboard"]), run).finish(with_model=True)
    name = f"tfhashtag-{run.settings.model}"
    (version,) = client().search_model_versions(f"name = '{name}'")
    card = {item.path for item in client().list_artifacts(version.run_id)}
    assert {"model", "model_card.md"} <= card
    model = mlflow.pyfunc.load_model(version.source)
    assert [one.name for one in model.metadata.signature.inputs.inputs] == ["history"]
    history = ["word1 word2", "word3 #tag1"]
    found = model.predict({"history": np.array([history])})
    wanted = run.recommend(history=history, k=3)
    assert found["hashtags"][0][:3] == [row["hashtag"] for row in wanted]
    assert found["scores"][0][:3] == pytest.approx([row["score"] for row in wanted], abs=1e-5)
    told = run.folder / "tensorboard"
    rows = (told / "metadata.tsv").read_text().splitlines()
    vectors = np.loadtxt(told / "hashtags.tsv")
    assert rows[0] == "hashtag\ttrain posts" and len(rows) == len(vectors) + 1
    np.testing.assert_allclose(vectors, hashtag_vectors(run.data)[1], rtol=1e-5, atol=1e-6)
    assert 'metadata_path: "metadata.tsv"' in (told / "projector_config.pbtxt").read_text()


def gone(self, values, step=0):
    raise TrackingError("gone.")


def test_updates_are_runs_within_that_of_the_training(place, tmp_path, capsys, monkeypatch):
    import tfhashtag as th
    from tfhashtag.tracking import mlflow_tracker

    track, client = place
    write_corpus(synthetic_corpus(300, 20, 0), tmp_path / "corpus")
    run = th.train("popular", tmp_path / "corpus", tmp_path / "run", track=track)
    trained_on = run.info["data_digest"]
    start = int(run.corpus.timestamps.max()) + 60
    for number in (1, 2):
        rows = later_posts(number, start + 7200 * number)
        done = run.update(rows, track=[track, "tensorboard"])
    runs = {found.info.run_name: found for found in client().search_runs(["1"])}
    whole, part = runs["run"], runs["update-2"]
    assert set(runs) == {"run", "update-1", "update-2"}
    assert part.data.tags["mlflow.parentRunId"] == whole.info.run_id
    assert part.data.params["posts"] == "60" and part.data.params["there"] == "0"
    assert part.data.tags["data_digest"] == run.info["data_digest"] != trained_on
    name = f"update/{done.figures['metric']}"
    drift = client().get_metric_history(whole.info.run_id, name)
    assert [one.step for one in drift] == [1, 2]
    assert drift[1].value == part.data.metrics[done.figures["metric"]] == done.figures["value"]
    files = {item.path for item in client().list_artifacts(whole.info.run_id)}
    assert "updates.jsonl" in files and whole.info.status == "FINISHED"
    run.update(rows, track=track)  # nothing new: nothing is told
    assert len(client().search_runs(["1"])) == 3
    assert any("update-2" in path for path in files_of(run.folder / "tensorboard"))
    with monkeypatch.context() as patch:
        patch.setattr(mlflow_tracker.MlflowTracked, "metrics", gone)
        with pytest.raises(TrackingError, match=r"gone\. The update is done"):
            run.update(later_posts(3, start + 7200 * 3), track=track)
    assert run.state == 3
    run.update(later_posts(4, start + 7200 * 4), track=track)
    assert "update-3 had not been told to mlflow" in capsys.readouterr().err
    runs = {found.info.run_name: found for found in client().search_runs(["1"])}
    assert runs["update-3"].data.params["posts"] == "60"
    drift = client().get_metric_history(whole.info.run_id, name)
    assert sorted(one.step for one in drift) == [1, 2, 3, 4]
    with pytest.raises(ConfigError, match="expected mlflow"):
        run.update(rows, track="wandb")


def test_vectors_are_means_of_train_messages_where_no_names_are_read(encoded_corpus):
    corpus = read_corpus(encoded_corpus[0])
    texts = np.load(encoded_corpus[1])
    names, vectors, counts = hashtag_vectors(EncodedCorpus(corpus, texts))
    tag = corpus.hashtags.index(names[3])
    posts = [
        post
        for post in np.flatnonzero(corpus.split_of_post == Split.TRAIN)
        if tag in corpus.hashtags_of_post(post)
    ]
    assert counts[3] == len(posts) and sorted(counts, reverse=True) == counts
    wanted = texts[corpus.message_of_post[posts]].mean(axis=0)
    np.testing.assert_allclose(vectors[3], wanted, rtol=1e-5)


def test_tensorboard_has_hyper_parameters(cf, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import plugin_data_pb2

    run = cf(track=["tensorboard", f"tensorboard:{tmp_path / 'all'}"])
    for folder in (run.folder / "tensorboard", tmp_path / "all" / "run"):
        events = EventAccumulator(str(folder)).Reload()
        content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
        found = plugin_data_pb2.HParamsPluginData.FromString(content).session_start_info.hparams
        assert found["training.factors"].number_value == 32
        tensors = events.Tags()["tensors"]
        assert "factors/valid_MAP" in tensors  # in the run by the training itself


STUDY = {
    "name": "tune stub",
    "parameters": {"space": "0 to 1"},
    "tags": {"data_digest": "abc"},
    "files": [],
    "parts": [
        {"name": "trial-0", "parameters": {"x": 0.5}, "metrics": {"valid_F1@9": 0.25},
         "epochs": {0: {"valid_F1@9": 0.1}, 1: {"valid_F1@9": 0.25}}},
    ],
}  # fmt: skip


def test_a_study_and_its_parts_are_told_once(place, tmp_path):
    track, client = place
    study = tmp_path / "study"
    study.mkdir()
    page = study / "report.html"
    page.write_text("page")
    told = {**STUDY, "files": [page, study / "missing.txt"]}
    tell_study(track, study, told)
    more = {"name": "trial-1", "parameters": {"x": 1}, "metrics": {"valid_F1@9": 0.5}}
    tell_study([track, "tensorboard"], study, {**told, "parts": [*STUDY["parts"], more]})
    runs = {run.info.run_name: run for run in client().search_runs(["1"])}
    assert set(runs) == {"tune stub", "trial-0", "trial-1"}
    parent = runs["tune stub"].info.run_id
    assert runs["trial-1"].data.tags["mlflow.parentRunId"] == parent
    assert [item.path for item in client().list_artifacts(parent)] == ["report.html"]
    first = runs["trial-0"].info.run_id
    history = client().get_metric_history(first, "valid_F1_at_9")
    assert [(one.step, one.value) for one in history] == [(0, 0.1), (1, 0.25), (0, 0.25)]
    assert any("trial-1" in path for path in files_of(study / "tensorboard"))


@pytest.mark.parametrize("track", ["wandb", "mlfow:x", ""])
def test_unknown_places_are_told_before_anything_is_trained(track, cf, tmp_path):
    with pytest.raises(ConfigError, match="expected mlflow, mlflow:URI, tensorboard"):
        cf(track=[track])
    assert not (tmp_path / "run").exists()


def test_a_place_that_is_gone_does_not_stop_a_training(place, cf, capsys, tmp_path, monkeypatch):
    track, client = place
    from tfhashtag.tracking import mlflow_tracker

    with monkeypatch.context() as patch:
        patch.setattr(mlflow_tracker.MlflowTracked, "metrics", gone)
        with pytest.raises(TrackingError, match="gone"):
            cf(track=track)
    assert capsys.readouterr().err.count("The training goes on") == 1
    assert Run.open(tmp_path / "run").complete
    cf(track=track, resume=True)  # and now it is told
    (found,) = client().search_runs(["1"])
    assert "factors/valid_MAP" in found.data.metrics


def test_a_server_that_is_not_there(tmp_path):
    pytest.importorskip("mlflow")
    (tmp_path / "file").touch()
    for kind in ("mlflow", "tensorboard"):
        with pytest.raises(TrackingError, match=rf"--track {kind}.*file"):
            (tracker,) = trackers_of(f"{kind}:{tmp_path / 'file'}")
            tracker.start("run", tmp_path, {}, {})
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "2"  # else it goes on for minutes
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"  # its own reports are off


def test_without_it_nothing_is_told(cf, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "mlflow", None)  # whoever imports it fails
    run = cf()
    run.evaluate()
    assert not (run.folder / FILE).exists()
    (run.folder / FILE).write_text("{")
    with pytest.raises(ArtifactError, match="not readable as JSON"):
        run.evaluate(track="tensorboard")
