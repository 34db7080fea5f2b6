"""A full disk under an export."""

import errno

import pytest
import tensorflow as tf

from tfhashtag.export import saved_model
from tfhashtag.tasks.users.signatures import SIGNATURES


class Model:
    """Cannot be traced, and need not be."""

    signatures, requests, limits, shapes = SIGNATURES, [], [], {}

    def trackables(self):
        return []

    def __getattr__(self, name):
        return lambda *inputs: None


@pytest.mark.parametrize(
    "message, expected",
    [
        ("{{node SaveV2}} variables/part-0; No space left on device [Op:SaveV2]", OSError),
        ("OOM when allocating tensor with shape[8,8]", tf.errors.ResourceExhaustedError),
    ],
)
def test_full_disk_names_the_version(tmp_path, monkeypatch, message, expected):
    def save(*arguments, **named):
        raise tf.errors.ResourceExhaustedError(None, None, message)

    monkeypatch.setattr(tf.saved_model, "save", save)
    monkeypatch.setattr(saved_model, "model_card", lambda *arguments: {"limits": []})
    out = tmp_path / "models" / "toy"
    with pytest.raises(expected) as failure:
        saved_model.export_saved_model(Model(), {}, out, check=False)
    if expected is OSError:
        assert failure.value.errno == errno.ENOSPC
        assert failure.value.filename == str(out / "1")
    assert [entry.name for entry in out.iterdir()] == [".lock"]
