"""The deployment files hold what their schemas ask for. Nothing is started here."""

import pathlib
import re
import subprocess
import sys

import crossplane
import kubernetes_validate
import pytest
import yaml

from tfhashtag.serving.batching.parameters import read_batching_parameters
from tfhashtag.serving.config.monitoring import Monitoring

DEPLOY = pathlib.Path(__file__).parents[3] / "serving" / "deploy"


def load(name):
    return yaml.safe_load((DEPLOY / name).read_text(encoding="utf-8"))


def compose_check(path):
    return subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", path],
        capture_output=True,
        text=True,
        check=False,
    )


def test_compose_file(tmp_path):
    done = compose_check(DEPLOY / "compose.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    wrong = tmp_path / "compose.yaml"
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    wrong.write_text(text.replace("healthcheck:", "healthchek:"), encoding="utf-8")
    assert compose_check(wrong).returncode == 1
    services = load("compose.yaml")["services"]
    for service in services.values():
        assert re.fullmatch(r"[\w/]+:v?\d+\.\d+\.\d+", service["image"])
        assert service["read_only"] and service["cap_drop"] == ["ALL"]
        assert all(volume["read_only"] for volume in service["volumes"])
    assert "ports" not in services["server"]


@pytest.mark.parametrize(
    "path", sorted((DEPLOY / "kubernetes").glob("*.yaml")), ids=lambda path: path.name
)
def test_kubernetes_manifests(path):
    for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
        kubernetes_validate.validate(document, "1.37", strict=True)
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate({**document, "metdata": {}}, "1.37", strict=True)


def test_kubernetes_names_agree():
    deployment = load("kubernetes/deployment.yaml")["spec"]
    pod = deployment["template"]
    (server,) = pod["spec"]["containers"]
    labels = pod["metadata"]["labels"]
    service = load("kubernetes/service.yaml")["spec"]
    budget = load("kubernetes/pdb.yaml")["spec"]
    for selector in (deployment["selector"], budget["selector"]):
        assert selector["matchLabels"].items() <= labels.items()
    assert service["selector"].items() <= labels.items()
    ports = {port["name"] for port in server["ports"]}
    assert {port["targetPort"] for port in service["ports"]} <= ports
    assert budget["minAvailable"] < deployment["replicas"]
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    assert {mount["name"] for mount in server["volumeMounts"]} == set(volumes)
    config = load("kubernetes/configmap.yaml")
    assert volumes["config"]["configMap"]["name"] == config["metadata"]["name"]
    named = re.findall(r"/config/([\w.]+)", " ".join(server["args"]))
    assert named and set(named) <= set(config["data"])
    model = re.search(r'name: "(\w+)"', config["data"]["models.config"]).group(1)
    for probe in ("startupProbe", "readinessProbe"):
        assert f"/v1/models/{model}" in server[probe]["httpGet"]["path"]
    assert server["image"] == load("compose.yaml")["services"]["server"]["image"]


def test_the_servers_files_of_the_config_map_are_read(tmp_path):
    data = load("kubernetes/configmap.yaml")["data"]
    for name, text in data.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_batching_parameters(tmp_path / "batching.config").max_batch_size == 32
    assert Monitoring.from_file(tmp_path / "monitoring.config").path is not None

    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    config = text_format.Parse(data["models.config"], model_server_config_pb2.ModelServerConfig())
    assert config.model_config_list.config[0].base_path == "/models/hashtags"


def test_nginx_front(tmp_path):
    path = DEPLOY / "nginx" / "nginx.conf"
    found = crossplane.parse(str(path), strict=False)
    assert found["status"] == "ok", found["errors"]
    wrong = tmp_path / "nginx.conf"
    wrong.write_text(path.read_text(encoding="utf-8").replace("least_conn;", "least_conn", 1))
    assert crossplane.parse(str(wrong))["status"] == "failed"
    http = next(d for d in found["config"][0]["parsed"] if d["directive"] == "http")["block"]
    names = {d["args"][0] for d in http if d["directive"] == "upstream"}
    (server,) = (d["block"] for d in http if d["directive"] == "server")
    passes = [
        inner["args"][0].split("//")[1]
        for d in server
        if d["directive"] == "location"
        for inner in d["block"]
        if inner["directive"] in ("grpc_pass", "proxy_pass")
    ]
    assert passes and set(passes) == names


def test_envoy_front():
    resources = load("envoy/envoy.yaml")["static_resources"]
    clusters = {cluster["name"]: cluster for cluster in resources["clusters"]}
    (listener,) = resources["listeners"]
    (chain,) = listener["filter_chains"]
    assert "DownstreamTlsContext" in chain["transport_socket"]["typed_config"]["@type"]
    (manager,) = (found["typed_config"] for found in chain["filters"])
    (host,) = manager["route_config"]["virtual_hosts"]
    assert {route["route"]["cluster"] for route in host["routes"]} == set(clusters)
    assert "http2_protocol_options" in str(clusters["grpc"])
    for name, cluster in clusters.items():
        assert cluster["load_assignment"]["cluster_name"] == name
    assert [found["name"] for found in manager["http_filters"]][-1] == "envoy.filters.http.router"
    port = listener["address"]["socket_address"]["port_value"]
    assert load("compose.yaml")["services"]["front"]["ports"] == [f"{port}:{port}"]
