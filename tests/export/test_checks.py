import pytest
import tensorflow as tf

from tfhashtag.errors import ArtifactError
from tfhashtag.export.checks import check_ops, check_saved_model, registered_ops
from tfhashtag.tasks.users.signatures import SIGNATURES


def save(folder, function, *specs):
    module = tf.Module()
    module.function = tf.function(function, input_signature=specs)
    tf.saved_model.save(module, str(folder / "1"), signatures=module.function)
    return folder / "1"


X = tf.TensorSpec([None], tf.float32, "x")


def test_a_good_export_passes_without_keras(toy_archive):
    request = {"text": ["football", "a"], "tag": ["music", ""], "k": 2}
    assert check_saved_model(toy_archive[0], {"serving_default": [request]}) == []


def test_an_export_that_only_python_runs_is_found(toy_keras_save):
    (problem,) = check_saved_model(toy_keras_save)
    assert "code 9" in problem and "Could not find variable" in problem


def test_python_ops_in_a_branch_of_a_function_are_found(tmp_path):
    def branch(x):
        return {
            "y": tf.cond(
                tf.size(x) > 3, lambda: tf.py_function(lambda v: v, [x], tf.float32), lambda: x
            )
        }

    (problem,) = check_saved_model(save(tmp_path, branch, X))
    assert "`EagerPyFunc` in function" in problem and "calls back into Python" in problem


def test_ops_by_name():
    known, with_kernel = registered_ops()
    assert {"MatMul", "StatefulPartitionedCall", "LookupTableFindV2", "While"} <= with_kernel
    assert any("Wordpiece" in op for op in with_kernel)
    assert "EagerPyFunc" in known
    assert check_ops([("the graph", "MatMul"), ("the graph", "PyFunc")])[0].startswith(
        "op `PyFunc`"
    )
    assert "neither of core TensorFlow nor of TF Text" in check_ops([("the graph", "MyOp")])[0]


def test_ragged_outputs_are_found(tmp_path):
    folder = save(
        tmp_path, lambda text: {"words": tf.strings.split(text)}, tf.TensorSpec([None], tf.string)
    )
    (problem,) = check_saved_model(folder)
    assert "output `words` is ragged" in problem


def test_expected_signatures(toy_archive):
    problems = check_saved_model(toy_archive[0], expected=SIGNATURES)
    assert "signature `top_k` is missing." in problems
    assert any("inputs are ['k', 'tag', 'text'], expected ['history']" in p for p in problems)


def test_broken_folders_and_examples(tmp_path, toy_archive):
    with pytest.raises(ArtifactError, match="is missing"):
        check_saved_model(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"\xff\xff damaged")
    with pytest.raises(ArtifactError, match="is not a SavedModel"):
        check_saved_model(tmp_path)
    with pytest.raises(ArtifactError, match=r"holds \['nope'\]"):
        check_saved_model(toy_archive[0], {"serving_default": [{"nope": 1}]})
