"""Exports run from C: what a model server does, without Python."""

import numpy as np
import pytest
import tensorflow as tf

from tests.c_program import CProgramError, can_compile, run_in_c

pytestmark = pytest.mark.skipif(not can_compile(), reason="no gcc on this machine")

TEXTS = np.array(["football a music", "É nothing", ""], object)


def test_an_archive_with_tokenizer_table_and_asset_runs_in_c(toy_archive):
    folder, in_process = toy_archive
    answer = run_in_c(
        folder, {"text": TEXTS, "tag": np.array(["music", "x", "é"], object), "k": np.int32(3)}
    )
    np.testing.assert_allclose(answer["state"], in_process(tf.constant(TEXTS)), atol=1e-6)
    assert np.ptp(answer["state"], axis=0).max() > 1e-3
    assert answer["known"].tolist() == [True, False, False]
    assert answer["first"].tolist() == [0, 1, 2]
    assert [text.decode() for text in answer["upper"]] == ["FOOTBALL A MUSIC", "É NOTHING", ""]


def test_a_keras_model_saved_without_an_archive_runs_in_python_and_fails_in_c(toy_keras_save):
    x = np.ones([1, 3], np.float32)
    loaded = tf.saved_model.load(str(toy_keras_save)).signatures["serving_default"]
    (name,) = loaded.structured_input_signature[1]
    assert np.all(np.isfinite(next(iter(loaded(**{name: tf.constant(x)}).values()))))
    with pytest.raises(CProgramError, match=r"run: code 9: .*Could not find variable"):
        run_in_c(toy_keras_save, {name: x})


def test_a_folder_without_a_model_fails_at_load(tmp_path, toy_archive):
    (tmp_path / "saved_model.pb").write_bytes((toy_archive[0] / "saved_model.pb").read_bytes())
    with pytest.raises(CProgramError, match="load model"):
        run_in_c(tmp_path, {"text": TEXTS, "tag": TEXTS, "k": np.int32(1)})
