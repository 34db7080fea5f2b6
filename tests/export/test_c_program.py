"""Exports run from C: what a model server does, without Python."""

import numpy as np
import pytest
import tensorflow as tf

from tfhashtag.tasks.posts.requests import warm_up_requests as post_requests
from tfhashtag.tasks.users.requests import warm_up_requests as user_requests
from tfhashtag.testing.c_program import CProgramError, can_compile, run_in_c

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


@pytest.mark.parametrize("model", ["engagement_paper", "engagement", "posts"])
def test_every_signature_of_a_real_export_answers_warm_up_requests_in_c(
    model, user_version, post_version
):
    if model == "posts":
        version, requests = post_version, post_requests((4, _width(post_version)))
    else:
        version, requests = user_version(model), user_requests(50)
    first = {}
    for asked in requests:
        first.setdefault(asked.signature, asked.inputs)
    assert len(first) == (4 if model == "posts" else 5)
    for signature, inputs in first.items():
        answer = run_in_c(version, inputs, signature)
        for value in answer.values():
            assert value.size
            assert value.dtype.kind not in "f" or np.isfinite(value).all()


def _width(version):
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel.FromString((version / "saved_model.pb").read_bytes())
    inputs = saved.meta_graphs[0].signature_def["vectors"].inputs
    return inputs["proposals"].tensor_shape.dim[2].size
