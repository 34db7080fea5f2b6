"""Releases of the stock server, and exports for one of them."""

import json
import types

import pytest
import tensorflow as tf
import yaml

from tests.serving.deploy.test_deploy import DEPLOY
from tfhashtag.errors import ArtifactError, ConfigError
from tfhashtag.export.checks import graph_ops, registered_ops
from tfhashtag.export.model_card import MODEL_CARD, MODEL_CARD_TEXT
from tfhashtag.export.saved_model import export_saved_model, write_signatures
from tfhashtag.export.server_releases import check_release, lowest_release, newer_ops, release_of
from tfhashtag.export.signature_card import SIGNATURE_CARD
from tfhashtag.export.signatures import Signature, TensorSignature
from tfhashtag.export.warmup import WarmUpRequest

ABOUT = {
    "model": "toy", "settings": {}, "trained": "now", "metrics": None, "libraries": {},
    "data": {"corpus": "c", "posts": 1, "users": 1, "hashtags": 1, "sha256": "0"},
}  # fmt: skip


def pinned():
    """Versions of the stock server in the deployments."""
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    path = DEPLOY / "kubernetes" / "deployment.yaml"
    deployment = yaml.safe_load(path.read_text(encoding="utf-8"))
    (pod,) = deployment["spec"]["template"]["spec"]["containers"]
    for image in (compose["services"]["server"]["image"], pod["image"]):
        name, version = image.split(":")
        assert name == "tensorflow/serving"
        yield version


@pytest.mark.parametrize("version", [None, "2.16", "2.99.1", "", "2", "nightly"])
def test_unknown_versions(version):
    with pytest.raises(ConfigError, match=r"expected one of 2\.17, 2\.18, 2\.19, 2\.20, 2\.21"):
        release_of(str(version))


def test_the_lists_are_those_of_the_libraries():
    core = {op for op in registered_ops()[0] if not op.startswith("_")}  # others depend on devices
    assert len(core) > 1500 and not check_release(core, "2.21")
    ops = ["MatMul", "While", "TFText>ByteSplitWithOffsets", "WordpieceTokenizeWithOffsets"]
    assert lowest_release(ops) == "2.17"
    assert lowest_release([*ops, "TfLiteSubgraphExecute"]) is None  # the newer ones lack it
    assert newer_ops("2.21") == {"TfLiteSubgraphExecute"}
    (problem,) = check_release(["MyOp"], "2.20")
    assert problem.endswith("but in none that is known.")


def test_exports_of_both_tasks_run_on_the_servers_of_the_deployments(user_version, post_version):
    users, posts = graph_ops(user_version("engagement")), graph_ops(post_version)
    for version in pinned():
        assert check_release(users | posts, release_of(version)) == []
    assert lowest_release(users) == "2.17"
    (problem,) = check_release(posts, "2.19")
    assert problem.startswith("op `DecodeWebP` is not in release 2.19")
    card = json.loads((post_version / MODEL_CARD).read_text(encoding="utf-8"))
    assert card["servers"] == {"lowest": "2.20", "newer": ["DecodeWebP"]}
    text = (post_version / MODEL_CARD_TEXT).read_text(encoding="utf-8")
    assert "Stock server 2.20 and newer: `DecodeWebP`." in text


def test_posts_for_an_older_server(post_run, tmp_path):
    servable = post_run("macon").recommender.servable(5)
    images = servable.images
    assert servable.avoid(newer_ops("2.20")) == () and servable.images is images
    (limit,) = servable.avoid(newer_ops("2.19"))
    assert "WebP" in limit and images.webp
    write_signatures(servable, tmp_path, only={"embed_post"})
    assert lowest_release(graph_ops(tmp_path)) == "2.17"


def test_what_cannot_be_avoided_is_refused(tmp_path):
    image = TensorSignature("image", "string", ("B",), "a picture", [""])
    pixels = TensorSignature("pixels", "uint8", ("H", "W", "C"), "its pixels")
    servable = types.SimpleNamespace(
        signatures=[Signature("serving_default", (image,), (pixels,))],
        requests=[WarmUpRequest("serving_default", {"image": [""]})],
        limits=[],
        shapes={},
        memory={"value": 9},
        avoid=lambda ops: (),
        trackables=lambda: [tf.Variable(0.0)],
        serving_default=lambda image: {"pixels": tf.io.decode_webp(image[0])[0]},
    )
    with pytest.raises(ArtifactError, match=r"nothing was exported.*`DecodeWebP`.*newer"):
        export_saved_model(servable, ABOUT, tmp_path / "m", check=False, target="2.18.1")
    assert not (tmp_path / "m" / "1").exists()
    made = export_saved_model(servable, ABOUT, tmp_path / "m", check=False, target="2.20")
    assert json.loads((made / SIGNATURE_CARD).read_text())["memory"] == {"value": 9}
    assert "Stock server 2.20" in (made / MODEL_CARD_TEXT).read_text(encoding="utf-8")
