"""One line an epoch, wherever a training was stopped."""

import json

import keras
import pytest

from tfhashtag.errors import ArtifactError
from tfhashtag.training.checkpoint import save_state
from tfhashtag.training.progress import TrainingMonitor


class Folder:
    """What a monitor asks of a run."""

    def __init__(self, folder):
        self.folder = folder
        self.checkpoint = folder / "last.npz"
        self.log_file = folder / "training.jsonl"

    from tfhashtag.runs.run import Run

    log, restart_log = Run.log, Run.restart_log


@pytest.fixture
def run(tmp_path):
    return Folder(tmp_path)


def epochs(run):
    return [json.loads(line)["epoch"] for line in run.log_file.read_text().splitlines()]


def train(run, *of):
    monitor = TrainingMonitor(run, show=False)
    for epoch in of:
        variables = {"model": [keras.Variable(float(epoch), name="v")]}
        monitor.checkpoint(variables, {"epoch": epoch}, "phase", epoch, epoch, {"loss": 0.5})


def test_a_line_that_was_not_written_is_there_after_the_resume(run):
    train(run, 0, 1)
    run.log_file.write_text(run.log_file.read_text().splitlines()[0] + "\n")
    train(run, 2)
    assert epochs(run) == [0, 1, 2]


def test_a_line_half_written_and_the_end_are_gone_after_the_resume(run):
    train(run, 0, 1)
    run.log({"event": "complete"})
    with run.log_file.open("a") as file:
        file.write('{"epo')
    train(run, 2)
    assert epochs(run) == [0, 1, 2]


def test_without_a_checkpoint_the_log_begins_anew(run):
    TrainingMonitor(run, show=False).report("trees", 0, 0, {"loss": 1.0})
    TrainingMonitor(run, show=False).report("trees", 0, 0, {"loss": 1.0})
    assert epochs(run) == [0]


def test_there_is_no_log_before_the_first_epoch(run):
    train(run)
    assert not run.log_file.exists()


def test_a_checkpoint_of_before_is_refused(run):
    save_state(run.checkpoint, {}, {"epoch": 1})
    with pytest.raises(ArtifactError, match=r"last.npz: no `lines`"):
        TrainingMonitor(run, show=False)
