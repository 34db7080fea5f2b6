"""The private names of KerasHub that we read.

When one of these tests fails after an update of KerasHub, look up in its source how the layer or
function is called now, change the name in `tfhashtag/encoders/keras_hub_internals.py` (the only
place), and run `tests/encoders/test_packed_transformer.py`, which compares with KerasHub's own
numbers. If the layer computes otherwise now, change `packed_transformer.py`, too.
"""

import pathlib
import re

import keras
import keras_hub
import pytest

from tfhashtag.encoders.keras_hub_internals import encoder_parts, preset_file
from tfhashtag.errors import EncoderError

ROOT = pathlib.Path(__file__).parent.parent.parent


def test_parts_of_an_encoder_layer_are_what_they_are_called():
    layer = keras_hub.layers.TransformerEncoder(intermediate_dim=7, num_heads=2)
    layer.build((None, None, 6))
    parts = encoder_parts(layer)
    assert isinstance(parts.attention, keras.layers.MultiHeadAttention)
    assert isinstance(parts.attention_norm, keras.layers.LayerNormalization)
    assert isinstance(parts.feedforward_norm, keras.layers.LayerNormalization)
    assert parts.attention_norm is not parts.feedforward_norm
    assert (parts.intermediate.units, parts.output.units) == (7, 6)
    # All weights of the layer, and no other: nothing that it computes with is left out.
    weights = [w.path for part in vars(parts).values() for w in part.weights]
    assert sorted(weights) == sorted(weight.path for weight in layer.weights)


def test_a_layer_whose_names_moved_says_what_to_do():
    with pytest.raises(EncoderError, match=r"no `_self_attention_layer`.*keras_hub_internals"):
        encoder_parts(keras.layers.Dense(3))


def test_files_of_a_preset(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    assert pathlib.Path(preset_file(str(tmp_path), "config.json")).read_text() == "{}"
    with pytest.raises(FileNotFoundError):
        preset_file(str(tmp_path), "vocab.txt")


def test_nothing_else_reads_what_keras_hub_does_not_publish():
    private = re.compile(r"keras_hub\.src|\._(self_attention|feedforward)_")
    found = [
        path.name
        for path in (ROOT / "tfhashtag").rglob("*.py")
        if private.search(path.read_text(encoding="utf-8"))
    ]
    assert found == ["keras_hub_internals.py"]
