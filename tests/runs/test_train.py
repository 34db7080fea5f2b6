"""Training: exact, resumable, clean when it is stopped, clear when something is wrong."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.store import write_corpus
from tfhashtag.errors import ArtifactError, ConfigError, DataError
from tfhashtag.files import exclusive_lock
from tfhashtag.runs.create import copy_data
from tfhashtag.runs.run import Run
from tfhashtag.runs.train import train
from tfhashtag.training.options import TrainingOptions

ROOT = pathlib.Path(__file__).parent.parent.parent
QUIET = TrainingOptions(progress=False)


@pytest.fixture(scope="module")
def trained(encoded_corpus, settings_of, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    return train("engagement_paper", encoded_corpus[0], out, overrides=settings_of(), options=QUIET)


def command(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "tfhashtag.cli.main", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def epochs_done(out):
    log = out / "training.jsonl"
    return len(log.read_text().splitlines()) if log.is_file() else 0


def log_of(run):
    return [json.loads(line) for line in (run.folder / "training.jsonl").read_text().splitlines()]


def test_run_folder_holds_everything(trained, encoded_corpus):
    assert trained.complete
    names = {entry.name for entry in trained.folder.iterdir()}
    assert {"config.yaml", "run.json", "data", "weights", "training.jsonl", "tensorboard"} <= names
    info = json.loads((trained.folder / "run.json").read_text())
    assert info["data_digest"] == trained.corpus.digest
    assert info["libraries"]["tensorflow"].startswith("2.")
    phases = [line.get("phase") for line in log_of(trained)]
    assert phases == ["topics", "warmup", "warmup", "joint", "joint", None]
    assert list((trained.folder / "tensorboard").iterdir())


STOPPED = """
import os, signal, sys
from tfhashtag.cli.main import main
from tfhashtag.training.monitor import TrainingMonitor

report, seen = TrainingMonitor.report, []

def stopped(self, phase, epoch, step, values):
    seen.append(phase)
    if len(seen) == 3:  # an epoch's checkpoint is written, its report is not
        os.kill(os.getpid(), signal.SIGKILL)
    report(self, phase, epoch, step, values)
    if len(seen) == 1:
        os.kill(os.getpid(), signal.SIGINT)

TrainingMonitor.report = stopped
try:
    main()
except SystemExit as ended:
    print(ended.code, flush=True)
main([*sys.argv[1:], "--resume"])
"""


def test_stopped_and_killed_training_resumes_to_the_same_result(
    trained, encoded_corpus, settings_of, tmp_path
):
    out = tmp_path / "run"
    sets = [argument for value in settings_of() for argument in ("--set", value)]
    start = ["train", "engagement_paper", "--data", encoded_corpus[0], "--out", out, *sets]
    command = [sys.executable, "-c", STOPPED, *map(str, start)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL and done.stdout.split()[-1] == "130", done
    assert "Traceback" not in done.stderr and "--resume" in done.stderr
    assert 1 <= epochs_done(out) < 3
    assert not Run.open(out).complete
    with pytest.raises(ArtifactError, match=r"not complete.*--resume"):
        Run.open(out).evaluate()
    resumed = train(
        "engagement_paper", None, out, overrides=settings_of(), resume=True, options=QUIET
    )
    assert log_of(resumed)[:-1] == log_of(trained)[:-1]
    first, second = (np.load(run.weights / "model.npz") for run in (resumed, trained))
    assert set(first.files) == set(second.files)
    assert all(np.array_equal(first[name], second[name]) for name in first.files)


@pytest.mark.slow  # `audience/test_recommender` has the fast twin among its ways to run
def test_many_devices_train_as_one(trained, encoded_corpus, settings_of, tmp_path):
    run = train(
        "engagement_paper",
        encoded_corpus[0],
        tmp_path / "run",
        overrides=settings_of(),
        options=TrainingOptions(strategy="mirrored", progress=False),
    )
    one, other = log_of(run)[1], log_of(trained)[1]
    assert one["engagement_loss"] == pytest.approx(other["engagement_loss"], rel=0.05)


def test_existing_folder_is_refused(trained, encoded_corpus, settings_of):
    with pytest.raises(ArtifactError, match="exists already"):
        train("engagement_paper", encoded_corpus[0], trained.folder, overrides=settings_of())


def test_resume_under_other_settings_is_refused(trained, encoded_corpus, settings_of):
    with pytest.raises(ConfigError, match=r"`training.learning_rate` is 0.001 in the run, 0.1"):
        train(
            "engagement_paper",
            None,
            trained.folder,
            overrides=settings_of("training.learning_rate=0.1"),
            resume=True,
        )


def test_resume_in_another_way_is_refused(trained, settings_of, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(trained.folder, copy, ignore=shutil.ignore_patterns("weights"))
    options = TrainingOptions(mixed_precision=True, progress=False)
    with pytest.raises(ConfigError, match=r"`mixed_precision` False.*--mixed-precision"):
        train("engagement_paper", None, copy, overrides=settings_of(), resume=True, options=options)


@pytest.mark.parametrize("content", ["{}", "[]", "{"])
def test_run_with_a_damaged_description(trained, tmp_path, content):
    copy = tmp_path / "run"
    shutil.copytree(trained.folder, copy)
    (copy / "run.json").write_text(content)
    with pytest.raises(ArtifactError, match=r"run.json: no"):
        Run.open(copy)


def test_run_of_a_newer_version(trained, tmp_path):
    shutil.copytree(trained.folder, tmp_path / "run")
    info = json.loads((tmp_path / "run" / "run.json").read_text())
    info["libraries"]["tfhashtag"] = "9.0.0"
    (tmp_path / "run" / "run.json").write_text(json.dumps(info))
    with pytest.raises(ArtifactError, match=r"run.json: made by tfhashtag 9.0.0, this is"):
        Run.open(tmp_path / "run")


def test_two_trainings_in_one_folder_at_once(trained, settings_of, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(trained.folder, copy, ignore=shutil.ignore_patterns("weights"))
    with (
        exclusive_lock(copy, "busy"),
        pytest.raises(ArtifactError, match="another training, update or forgetting"),
    ):
        options = TrainingOptions(progress=False)
        train("engagement_paper", None, copy, overrides=settings_of(), resume=True, options=options)


@pytest.mark.parametrize("trail", ["link", "corpus/../link", "ö b/"])
def test_vectors_come_along_whatever_the_path_of_the_corpus(tmp_path, trail):
    folder = tmp_path / "corpus"
    (folder / "embeddings").mkdir(parents=True)
    np.save(folder / "embeddings" / "vectors.npy", np.ones(3))
    for name in ("link", "ö b"):
        (tmp_path / name).symlink_to(folder)
    table = np.load(tmp_path / trail / "embeddings" / "vectors.npy", mmap_mode="r")
    tables = [pathlib.Path(table.filename).parent]
    copy_data(tmp_path / trail, tables, tmp_path / "run")
    assert (tmp_path / "run" / "embeddings" / "vectors.npy").is_file()


def test_corpus_that_is_not_encoded(encoded_corpus, settings_of, tmp_path):
    with pytest.raises(ArtifactError, match="tfhashtag encode"):
        train(
            "engagement_paper",
            encoded_corpus[0],
            tmp_path / "run",
            overrides=settings_of("text_encoder=minilm"),
        )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("missing", ["config.yaml", "run.json", "data/corpus.json"])
def test_run_with_a_file_missing(trained, tmp_path, missing):
    copy = tmp_path / "run"
    shutil.copytree(trained.folder, copy)
    (copy / missing).unlink()
    with pytest.raises(ArtifactError, match=missing):
        Run.open(copy)


@pytest.mark.parametrize("missing", ["model.npz", "vocabulary.json"])
def test_run_with_weights_missing(trained, tmp_path, missing):
    copy = tmp_path / "run"
    shutil.copytree(trained.folder, copy)
    (copy / "weights" / missing).unlink()
    with pytest.raises(ArtifactError, match=missing):
        Run.open(copy).evaluate()


def test_data_that_was_exchanged(trained, make_corpus, tmp_path):
    copy = tmp_path / "run"
    shutil.copytree(trained.folder, copy)
    for name in ("corpus.json", "posts.parquet"):
        (copy / "data" / name).unlink()
    write_corpus(make_corpus([("a", "text", ["b"], Split.TRAIN)]), tmp_path / "other")
    for name in ("corpus.json", "posts.parquet"):
        shutil.copy(tmp_path / "other" / name, copy / "data" / name)
    with pytest.raises(ArtifactError, match="changed"):
        Run.open(copy).evaluate()


def test_nothing_to_learn_from(make_corpus, settings_of, tmp_path):
    write_corpus(make_corpus([("only", "one post", ["tag"], Split.TRAIN)]), tmp_path / "corpus")
    np.save(tmp_path / "vectors.npy", np.ones((1, 12), "float32"))
    with pytest.raises(DataError, match=r"no hashtag has 5|no user has a positive"):
        train(
            "engagement_paper",
            tmp_path / "corpus",
            tmp_path / "run",
            overrides=settings_of(f"text_encoder={tmp_path / 'vectors.npy'}"),
            options=QUIET,
        )
    assert not (tmp_path / "run").exists()


def test_a_file_is_no_run_folder(encoded_corpus, settings_of, tmp_path):
    (tmp_path / "file").touch()
    for resume in (False, True):
        with pytest.raises(ArtifactError, match="file: is a file; give a folder"):
            train(
                "engagement_paper",
                encoded_corpus[0],
                tmp_path / "file",
                overrides=settings_of(),
                resume=resume,
            )


def test_mistakes_in_settings_are_told_before_tensorflow_is_loaded(tmp_path):
    process = command("train", "engagement", "--data", "x", "--out", tmp_path / "r", "--set", "a=1")
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1
    assert errors.startswith("Error: --set a: unknown key") and len(errors.splitlines()) == 1
