"""One line an epoch, wherever a training was stopped."""

import json

import keras
import pytest

from tfhashtag.errors import ArtifactError
from tfhashtag.training.checkpoint import save_state
from tfhashtag.training.monitor import TrainingMonitor

LOG = "training.jsonl"


@pytest.fixture
def run(tmp_path):
    return tmp_path


def epochs(run):
    return [json.loads(line)["epoch"] for line in (run / LOG).read_text().splitlines()]


def train(run, *of):
    monitor = TrainingMonitor(run, show=False)
    for epoch in of:
        variables = {"model": [keras.Variable(float(epoch), name="v")]}
        monitor.checkpoint(variables, {"epoch": epoch}, "phase", epoch, epoch, {"loss": 0.5})
    return monitor


def test_a_line_that_was_not_written_is_there_after_the_resume(run):
    train(run, 0, 1)
    (run / LOG).write_text((run / LOG).read_text().splitlines()[0] + "\n")
    train(run, 2)
    assert epochs(run) == [0, 1, 2]


def test_a_line_half_written_and_the_end_are_gone_after_the_resume(run):
    train(run, 0, 1)
    with (run / LOG).open("a") as file:
        file.write('{"event": "complete"}\n{"epo')
    train(run, 2)
    assert epochs(run) == [0, 1, 2]


def test_without_a_checkpoint_the_log_begins_anew(run):
    TrainingMonitor(run, show=False).report("trees", 0, 0, {"loss": 1.0})
    TrainingMonitor(run, show=False).report("trees", 0, 0, {"loss": 1.0})
    assert epochs(run) == [0]


def test_there_is_no_log_before_the_first_epoch(run):
    train(run)
    assert not (run / LOG).exists()


def test_a_checkpoint_of_before_is_refused(run):
    (run / "checkpoints").mkdir()
    save_state(run / "checkpoints" / "last.npz", {}, {"epoch": 1})
    with pytest.raises(ArtifactError, match=r"last.npz: no `lines`"):
        TrainingMonitor(run, show=False)


@pytest.mark.parametrize("folder", [True, False], ids=["folder", "memory"])
def test_the_best_values_come_back(folder, tmp_path):
    monitor = TrainingMonitor(tmp_path if folder else None, show=False)
    variable = keras.Variable(1.0, name="v")
    monitor.restore_best([variable])  # none were kept
    assert float(variable) == 1.0
    for value in (2.0, 3.0):
        variable.assign(value)
        monitor.keep_best([variable])
    variable.assign(4.0)
    monitor.restore_best([variable])
    assert float(variable) == 3.0


def test_in_memory_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monitor = train(None, 0, 1)
    assert not monitor.resumes
    assert not list(tmp_path.iterdir())
