"""What lies in an exported version, and `tfhashtag export --check`."""

import json
import shutil
import types

import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner
from tensorflow_serving.apis import prediction_log_pb2

from tests.export.test_server_releases import ABOUT
from tfhashtag.cli.export import command
from tfhashtag.errors import ArtifactError
from tfhashtag.export import bare_process
from tfhashtag.export.checks import check_export, check_ops, graph_ops, newest_version
from tfhashtag.export.model_card import MODEL_CARD, MODEL_CARD_TEXT
from tfhashtag.export.saved_model import export_saved_model
from tfhashtag.export.signature_card import SIGNATURE_CARD, signatures_of_card
from tfhashtag.export.signatures import Signature, TensorSignature
from tfhashtag.export.warmup import MOST_RECORDS, WARMUP_FILE, WarmUpRequest
from tfhashtag.tasks.posts.signatures import SIGNATURES as POSTS
from tfhashtag.tasks.users.signatures import EXPLAIN
from tfhashtag.tasks.users.signatures import SIGNATURES as USERS


def records(version):
    return [
        prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        for record in tf.data.TFRecordDataset(str(version / WARMUP_FILE)).as_numpy_iterator()
    ]


EXPORTS = {
    "engagement": (*USERS, EXPLAIN),
    "macon": POSTS,
    "engagement_paper": USERS,
    "posts": (*POSTS, EXPLAIN),
}


def warm_up_of(version, name):
    """Its requests, of which every signature has some, for one and for eight."""
    asked = records(version)
    key = "history" if "engagement" in name else "text"
    names = {record.model_spec.signature_name for record in asked}
    assert names == {signature.name for signature in EXPORTS[name]}
    sizes = {len(tf.make_ndarray(record.inputs[key])) for record in asked if key in record.inputs}
    assert sizes == {1, 8}
    return asked


@pytest.mark.slow  # the next two are the fast twins: what is asked, and the check of a small model
@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_passes_its_check(name, request):
    fixture = {"macon": "post_version", "posts": "ranker_version"}.get(name, "user_version")
    version = request.getfixturevalue(fixture)
    version = version(name) if fixture == "user_version" else version
    asked = warm_up_of(version, name)
    done = CliRunner().invoke(command, ["--check", str(version.parent)])
    assert done.exit_code == 0, done.output
    assert f"answered   {len(asked)}" in done.output and "problems" in done.output


@pytest.mark.parametrize("name", ["engagement", "macon"])
def test_an_export_answers_its_warm_up(name, user_version, post_version):
    """By operations that a server has; `test_c_program_gives_the_answers` runs some in one."""
    version = post_version if name == "macon" else user_version(name)
    signatures = tf.saved_model.load(str(version)).signatures
    for asked in warm_up_of(version, name):
        inputs = {key: tf.constant(tf.make_ndarray(v)) for key, v in asked.inputs.items()}
        found = signatures[asked.model_spec.signature_name](**inputs)
        assert all(np.isfinite(v).all() for v in found.values() if v.dtype.is_floating)
    assert not check_ops(("graph", op) for op in graph_ops(version))


def test_the_command(tmp_path):
    x, y = (TensorSignature(name, "float32", ("B",), name) for name in "xy")
    servable = types.SimpleNamespace(
        signatures=[Signature("serving_default", (x,), (y,))],
        requests=[WarmUpRequest("serving_default", {"x": [1.0] * size}) for size in (1, 8)],
        limits=[],
        shapes={},
        memory={},
        trackables=lambda: [],
        serving_default=lambda x: {"y": 2 * x},
    )
    version = export_saved_model(servable, ABOUT, tmp_path / "double", check=False)
    done = CliRunner().invoke(command, ["--check", str(version.parent)])
    assert done.exit_code == 0 and "answered   2" in done.output, done.output


def test_cards(user_run, user_version, post_version):
    version = user_version("engagement")
    card = json.loads((version / SIGNATURE_CARD).read_text(encoding="utf-8"))
    assert signatures_of_card(card) == [*USERS, EXPLAIN]
    posts = json.loads((post_version / SIGNATURE_CARD).read_text(encoding="utf-8"))
    assert signatures_of_card(posts) == list(POSTS)
    run = user_run("engagement")
    card = json.loads((version / MODEL_CARD).read_text(encoding="utf-8"))
    assert card["data"]["sha256"] == run.corpus.digest
    assert card["settings"]["network"]["members"] == 2
    assert card["metrics"] is None
    text = (version / MODEL_CARD_TEXT).read_text(encoding="utf-8")
    assert run.corpus.digest in text and "was not evaluated" in text
    assert all(f"- {limit}\n" in text for limit in card["limits"])
    for user in run.corpus.users:
        assert user.encode() not in (version / WARMUP_FILE).read_bytes()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--check", "x", "--no-check"],
        ["--check", "x", "--target", "2.19"],
        ["run", "--out", "x", "--serving-version", "2.19"],
        ["run"],
        ["--out", "x"],
        [],
    ],
)
def test_wrong_usage(arguments):
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 2 and "--check DIR" in done.output


def save(folder, function, *specs):
    module = tf.Module()
    module.function = tf.function(function, input_signature=specs)
    tf.saved_model.save(module, str(folder), signatures=module.function)
    return folder


def write_records(version, *records):
    (version / "assets.extra").mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(version / WARMUP_FILE)) as writer:
        for record in records:
            writer.write(record)


def log(signature="serving_default", **inputs):
    found = prediction_log_pb2.PredictionLog()
    found.predict_log.request.model_spec.signature_name = signature
    for name, value in inputs.items():
        found.predict_log.request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return found.SerializeToString()


@pytest.fixture(scope="module")
def division(tmp_path_factory):
    """A model that answers 1 / x."""
    return save(
        tmp_path_factory.mktemp("division") / "1",
        lambda x: {"y": 1 / x},
        tf.TensorSpec([None], tf.float32, "x"),
    )


def warm_up_problems(version):
    """As the fresh process of the check finds them, in this one."""
    session = tf.compat.v1.Session(graph=tf.Graph())
    meta = tf.compat.v1.saved_model.load(session, ["serve"], str(version))
    found = bare_process._warm_up(session, meta, str(version / WARMUP_FILE), MOST_RECORDS)
    return " ".join(found[-1])


def test_broken_warm_up_files_are_found(division):
    asked = [log(x=[1.0]), log(x=[0.0]), log(z=[1.0]), log("none", x=[1.0]), log(x=[2.0])]
    path = division / WARMUP_FILE
    write_records(division, *asked)
    path.write_bytes(path.read_bytes()[:-7])
    found = warm_up_problems(division)
    assert "record 2, signature `serving_default`: output `y` holds NaN or infinity." in found
    assert "record 3, signature `serving_default`: inputs are ['z'], expected ['x']." in found
    assert "record 4: there is no signature `none`." in found
    assert "is cut off or damaged after record 4" in found
    write_records(division, *[log(x=[1.0])] * 1001)
    assert "has more than 1000 records" in warm_up_problems(division)
    write_records(division, b"\xff\xff")
    assert "record 1 is no PredictionLog" in warm_up_problems(division)


def test_models_that_a_server_cannot_run_are_found(tmp_path):
    x = tf.TensorSpec([None], tf.float32, "x")
    python = save(tmp_path / "1", lambda x: {"y": tf.py_function(lambda v: v, [x], tf.float32)}, x)
    told = " ".join(check_export(python).problems)
    assert "calls back into Python" in told and f"`{WARMUP_FILE}` is missing" in told
    assert "`assets.extra/signatures.json` is missing" in told
    done = CliRunner().invoke(command, ["--check", str(python)])
    assert done.exit_code == 1 and "`EagerPyFunc`" in done.output
    # An op that no stock server has: the same graph under another op's name.
    path = tmp_path / "2"
    shutil.copytree(python, path)
    graph = (path / "saved_model.pb").read_bytes()
    (path / "saved_model.pb").write_bytes(graph.replace(b"EagerPyFunc", b"StrangerOps"))
    done = CliRunner().invoke(command, ["--check", str(path), "--serving-version", "2.19.1"])
    assert "`StrangerOps` is not in release 2.19" in done.output
    assert "neither of core TensorFlow nor of TF Text" in " ".join(done.output.split())
    ragged = save(
        tmp_path / "3", lambda t: {"w": tf.strings.split(t)}, tf.TensorSpec([None], tf.string)
    )
    assert "output `w` is ragged" in " ".join(check_export(ragged).problems)


def test_the_newest_version_is_checked(tmp_path):
    with pytest.raises(ArtifactError, match="no numbered folder"):
        newest_version(tmp_path)
    for name in ("9", "0010", "x11"):
        (tmp_path / name).mkdir()
    assert newest_version(tmp_path).name == "0010"
