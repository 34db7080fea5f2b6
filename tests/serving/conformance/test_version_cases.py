"""Cases 5 and 19 to 22: labels, states, policies, new versions under load, reload.

Runs against the embedded server, or against one given by `--serving-address`: see conftest.py
beside this file.
"""

import concurrent.futures
import threading

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import get_model_status_pb2

Code = grpc.StatusCode
X = np.ones([1, 2], np.float32)


def value(response):
    return tf.make_ndarray(response.outputs["y"])[0, 0]


def test_05_a_label_follows_a_reload(changing, predict, refused, name):
    changing.add(name, 1, original=1)
    changing.add(name, 2, original=2)
    changing.reload(name, all={})
    for version in (1, 2, 1):
        changing.reload(name, all={}, labels={"stable": version})
        response = changing.predictions.Predict(predict(name, label="stable", x=X), timeout=60)
        assert (response.model_spec.version.value, value(response)) == (version, 1 + version)
    changing.reload(name, all={})
    assert refused(changing.predictions.Predict, predict(name, label="stable", x=X)) == (
        Code.INVALID_ARGUMENT,
        "Unrecognized servable version label: stable",
    )


def test_05_a_label_of_a_version_that_left(changing, predict, refused, name):
    changing.add(name, 1)
    changing.add(name, 2)
    changing.reload(name, all={})
    changing.reload(name, specific={"versions": [2]}, labels={"old": 1})
    changing.wait(name, v1="END")
    assert refused(changing.predictions.Predict, predict(name, label="old", x=X)) == (
        Code.NOT_FOUND,
        f"Servable not found for request: Specific({name}, 1)",
    )


def test_19_status_of_all_versions_descending(changing, name):
    for version in (1, 10, 9):
        changing.add(name, version)
    changing.reload(name, all={})
    changing.wait(name, v1="AVAILABLE", v9="AVAILABLE", v10="AVAILABLE")
    found = changing.status(name)
    assert [entry.version for entry in found] == [10, 9, 1]
    assert {entry.status.error_code for entry in found} == {0}
    assert [entry.version for entry in changing.status(name, 9)] == [9]


def test_19_status_of_what_is_not_there(changing, refused, name):
    changing.add(name, 1)
    changing.reload(name)
    request = get_model_status_pb2.GetModelStatusRequest()
    assert refused(changing.models.GetModelStatus, request) == (
        Code.INVALID_ARGUMENT,
        "Missing ModelSpec",
    )
    request.model_spec.name = "none"
    assert refused(changing.models.GetModelStatus, request) == (
        Code.NOT_FOUND,
        "Could not find any versions of model none",
    )
    request.model_spec.name = name
    request.model_spec.version.value = 5
    assert refused(changing.models.GetModelStatus, request) == (
        Code.NOT_FOUND,
        f"Could not find version 5 of model {name}",
    )


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ({}, {2}),
        ({"latest": {}}, {2}),
        ({"latest": {"num_versions": 2}}, {1, 2}),
        ({"latest": {"num_versions": 5}}, {1, 2}),
        ({"all": {}}, {1, 2}),
        ({"specific": {"versions": [1]}}, {1}),
        ({"specific": {"versions": [2, 9]}}, {2}),
    ],
)
def test_20_names_of_folders_under_each_policy(changing, predict, policy, expected, name):
    changing.add(name, "1")
    changing.add(name, "00000002", original=2)
    changing.add(name, "tmp")
    changing.reload(name, **policy)
    changing.wait(name, **{f"v{version}": "AVAILABLE" for version in expected})
    assert set(changing.states(name)) == expected
    response = changing.predictions.Predict(predict(name, x=X), timeout=60)
    assert (response.model_spec.version.value, value(response)) == (
        max(expected),
        1 + max(expected),
    )


def test_21_a_new_version_under_load_fails_no_request(changing, predict, name):
    changing.add(name, 2, original=2)
    changing.reload(name)
    stopped = threading.Event()

    def ask():
        versions = []
        while not stopped.is_set():
            response = changing.predictions.Predict(predict(name, x=X), timeout=60)
            versions.append((response.model_spec.version.value, float(value(response))))
        return versions

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        running = [pool.submit(ask) for _ in range(4)]
        try:
            changing.add(name, 3, original=1)
            changing.wait(name, v3="AVAILABLE", v2="END")
            changing.predictions.Predict(predict(name, version=3, x=X), timeout=60)
        finally:
            stopped.set()
        answers = [call.result() for call in running]
    # Each answer is of the version that it names, and nobody goes back to the older one.
    assert {answer for of_one in answers for answer in of_one} == {(2, 3.0), (3, 2.0)}
    for of_one in answers:
        assert of_one == sorted(of_one, key=lambda answer: answer[0])
    assert changing.states(name) == {3: "AVAILABLE", 2: "END"}
    assert changing.status(name, 2)[0].status.error_code == 0


def test_21_a_broken_version_ends_and_the_old_one_keeps_serving(changing, predict, name):
    def damage(folder):
        (folder / "saved_model.pb").write_bytes(b"\xff no model")

    changing.add(name, 2, original=2)
    changing.reload(name)
    changing.add(name, 3, extra=damage)
    changing.wait(name, v3="END")
    assert changing.states(name) == {3: "END", 2: "AVAILABLE"}
    status = changing.status(name, 3)[0].status
    assert status.error_code and status.error_message
    response = changing.predictions.Predict(predict(name, x=X), timeout=60)
    assert (response.model_spec.version.value, value(response)) == (2, 3.0)
    changing.add(name, 4, original=1)
    changing.wait(name, v4="AVAILABLE", v2="END")


def test_22_an_omitted_model_is_unloaded(changing, predict, refused, name):
    changing.add(name + "_a", 1)
    changing.add(name + "_b", 1)
    changing.reload(name + "_a", name + "_b")
    changing.reload(name + "_b")
    assert refused(changing.predictions.Predict, predict(name + "_a", x=X)) == (
        Code.NOT_FOUND,
        f"Servable not found for request: Latest({name}_a)",
    )
    changing.wait(name + "_a", v1="END")
    assert changing.predictions.Predict(predict(name + "_b", x=X), timeout=60).outputs
    changing.reload(name + "_a", name + "_b")
    assert changing.predictions.Predict(predict(name + "_a", x=X), timeout=60).outputs


def test_22_an_empty_list_unloads_everything(changing, predict, refused, name):
    changing.add(name, 1)
    changing.reload(name)
    changing.reload()
    code, _ = refused(changing.predictions.Predict, predict(name, x=X))
    assert code == Code.NOT_FOUND
    changing.wait(name, v1="END")


def test_22_wrong_configurations_change_nothing(changing, predict, refused, name):
    changing.add(name, 1)
    changing.reload(name)
    duplicate = changing.config(name, name)
    relative = changing.config(name)
    relative.config.model_config_list.config[0].base_path = "models/m"
    platform = changing.config("other")
    platform.config.model_config_list.config[0].ClearField("model_platform")
    nothing = changing.config()
    nothing.config.ClearField("model_config_list")
    for request, words in {
        "duplicate": (duplicate, f"Illegal to list model {name} multiple times in config list"),
        "relative": (
            relative,
            f"Expected model {name} to have an absolute path or URI; got base_path()=models/m",
        ),
        "platform": (
            platform,
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
            "ModelServerConfig::model_platform.",
        ),
        "nothing": (
            nothing,
            "ServerModelConfig type not supported by HandleReloadConfigRequest. Only "
            "ModelConfigList is currently supported",
        ),
    }.values():
        found = refused(changing.models.HandleReloadConfigRequest, request)
        assert found == (Code.INVALID_ARGUMENT, words)
        assert changing.states(name) == {1: "AVAILABLE"}
        assert changing.predictions.Predict(predict(name, x=X), timeout=60).outputs


def test_22_a_label_of_an_unloaded_version(changing, predict, refused, name):
    changing.add(name, 1)
    changing.add(name, 2)
    # It is moved: where labels for unavailable models are allowed, a new one is not checked.
    changing.reload(name, specific={"versions": [1]})
    changing.reload(name, specific={"versions": [1]}, labels={"canary": 1})
    request = changing.config(name, specific={"versions": [2]}, labels={"canary": 2})
    assert refused(changing.models.HandleReloadConfigRequest, request) == (
        Code.FAILED_PRECONDITION,
        f"Request to assign label to version 2 of model {name}, which is not currently available "
        "for inference",
    )
    response = changing.predictions.Predict(predict(name, label="canary", x=X), timeout=60)
    assert response.model_spec.version.value == 1


def test_22_a_new_model_that_does_not_load(changing, refused, name):
    good, bad = f"{name}_good", f"{name}_bad"
    changing.add(good, 1)
    changing.add(bad, 1, extra=lambda folder: (folder / "saved_model.pb").write_bytes(b"\xff"))
    request = changing.config(good, bad)
    code, words = refused(changing.models.HandleReloadConfigRequest, request)
    assert code == Code.UNKNOWN
    which = "{{{name: " + bad + " version: 1} due to error: "
    assert words.startswith(f"1 model(s) did not become available: {which}")
    assert changing.states(good) == {1: "AVAILABLE"}
    assert changing.states(bad) == {1: "END"}
