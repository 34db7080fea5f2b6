"""Checkpoints: exact, whole, and refused where they do not fit."""

import keras
import numpy as np
import pytest

from tfhashtag.errors import ArtifactError
from tfhashtag.training.checkpoint import load_state, read_meta, save_state


def variables(seed, shape=(3, 2)):
    values = np.random.default_rng(seed).normal(size=shape)
    return [keras.Variable(values, name="kernel"), keras.Variable(seed, dtype="int32", name="step")]


def test_state_comes_back_exactly(tmp_path):
    path = tmp_path / "last.npz"
    saved, other = variables(1), variables(2)
    save_state(path, {"model": saved}, {"phase": 1, "best": 0.1 + 0.2})
    assert load_state(path, {"model": other}) == {"phase": 1, "best": 0.1 + 0.2}
    for left, right in zip(saved, other, strict=True):
        np.testing.assert_array_equal(left.numpy(), right.numpy())
    assert read_meta(path)["phase"] == 1


def test_part_of_a_state_can_be_loaded(tmp_path):
    path = tmp_path / "last.npz"
    save_state(path, {"model": variables(1), "optimizer": variables(2)}, {})
    target = variables(3)
    load_state(path, {"model": target})
    np.testing.assert_array_equal(target[0].numpy(), variables(1)[0].numpy())


def test_missing_file(tmp_path):
    with pytest.raises(ArtifactError, match="no such file"):
        load_state(tmp_path / "last.npz", {})


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04broken"])
def test_damaged_file(tmp_path, content):
    path = tmp_path / "last.npz"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="not a readable checkpoint"):
        load_state(path, {"model": variables(1)})


def test_half_a_file(tmp_path):
    path = tmp_path / "last.npz"
    save_state(path, {"model": variables(1, (100, 100))}, {})
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(ArtifactError, match="not a readable checkpoint"):
        load_state(path, {"model": variables(1, (100, 100))})


def test_checkpoint_of_another_model(tmp_path):
    path = tmp_path / "last.npz"
    save_state(path, {"model": variables(1)}, {})
    before = variables(5, (2, 2))
    with pytest.raises(ArtifactError, match="shape"):
        load_state(path, {"model": before})
    np.testing.assert_array_equal(before[0].numpy(), variables(5, (2, 2))[0].numpy())
    with pytest.raises(ArtifactError, match="only on one side"):
        load_state(path, {"model": variables(1)[:1]})


def test_failed_write_keeps_the_old_checkpoint(tmp_path):
    path = tmp_path / "last.npz"
    save_state(path, {"model": variables(1)}, {"epoch": 1})
    with pytest.raises(TypeError):
        save_state(path, {"model": variables(2)}, {"epoch": object()})
    assert read_meta(path) == {"epoch": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["last.npz"]
