"""The loop: phases, patience, the best weights, and a resumed training as an uninterrupted one."""

import keras
import pytest

from tfhashtag.errors import ArtifactError
from tfhashtag.training.checkpoint import save_state
from tfhashtag.training.monitor import TrainingMonitor
from tfhashtag.training.trainer import Phase, Trainer

VALUES = {"first": [0.1, 0.4, 0.3, 0.2, 0.9], "second": [0.3, 0.35, 0.2, 0.2]}


class World:
    """One weight that counts epochs; figures that are known beforehand."""

    def __init__(self, stop_at=None):
        self.done, self.stop_at = [], stop_at
        self.weight = keras.Variable(0.0, name="weight")
        self.moment = keras.Variable(0.0, name="moment")

    def phase(self, name, measured=True, **more):
        def begin():
            self.now = name
            self.moment.assign(0.0)
            return {"model": [self.weight], "optimizer": [self.moment]}

        def run(epoch, step, show):
            if len(self.done) == self.stop_at:
                raise KeyboardInterrupt
            with show(1) as bar:
                bar.on_train_batch_end(0, {"loss": 1.0})
            self.moment.assign_add(1.0)
            self.weight.assign_add(self.moment)
            self.done.append((name, epoch, step))
            return {"loss": float(self.weight)}

        def measure():
            return {"value": VALUES[name][self.done[-1][1]]}

        return Phase(name, 4, begin, run, measure if measured else None, "value", **more)

    def fit(self, folder=None, patience=0, keep_best=True, phases=("first", "second")):
        monitor = TrainingMonitor(folder, show=False)
        Trainer(monitor, patience, keep_best).fit([self.phase(name) for name in phases])
        return float(self.weight)


def test_all_epochs_of_all_phases_and_the_best_weights():
    world = World()
    assert world.fit() == 3.0  # after the second epoch, 1 + 2
    assert world.done == [
        *(("first", epoch, epoch) for epoch in range(4)),
        *(("second", epoch, 4 + epoch) for epoch in range(4)),
    ]


def test_the_last_weights_where_the_best_are_not_kept():
    assert World().fit(keep_best=False) == 20.0


def test_patience_ends_a_phase_and_begins_anew_with_the_next():
    world = World()
    world.fit(patience=2)
    assert [name for name, _, _ in world.done] == ["first"] * 4 + ["second"] * 2
    world = World()
    world.fit(patience=1)
    assert [step for _, _, step in world.done] == [0, 1, 2, 4]


def test_as_long_as_was_best():
    world = World()
    monitor = TrainingMonitor(show=False)
    last = world.phase("second", measured=False, as_long_as_best=True)
    Trainer(monitor, 2, keep_best=False).fit([world.phase("first"), last])
    assert [name for name, _, _ in world.done] == ["first"] * 4 + ["second"] * 2


@pytest.mark.parametrize("stop_at", range(7))
def test_a_stopped_training_resumes_to_the_same_result(stop_at, tmp_path):
    whole = World()
    expected = whole.fit(tmp_path / "whole", patience=2)
    stopped = World(stop_at)
    folder = tmp_path / "stopped"
    if stop_at < len(whole.done):
        with pytest.raises(KeyboardInterrupt):
            stopped.fit(folder, patience=2)
    else:
        stopped.fit(folder, patience=2)
    resumed = World()
    assert resumed.fit(folder, patience=2) == expected
    assert stopped.done + resumed.done == whole.done
    logs = [(place / "training.jsonl").read_text() for place in (tmp_path / "whole", folder)]
    assert logs[0] == logs[1]


def test_a_checkpoint_of_before_is_refused(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    save_state(tmp_path / "checkpoints" / "last.npz", {}, {"lines": [], "phase": 0, "epoch": 1})
    with pytest.raises(ArtifactError, match="of a version before"):
        World().fit(tmp_path)
