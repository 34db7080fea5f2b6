"""A package of somebody else adds a recommender: every command takes it, no line changes here."""

import contextlib
import io
import json
import pathlib
import subprocess
import sys

import pytest
import yaml

from tfhashtag.cli.main import main
from tfhashtag.recommenders.configuration import load_settings
from tfhashtag.testing import check_recommender
from tfhashtag.testing.small_world import small_world

TOY = pathlib.Path(__file__).parent / "toy"
CONFIG = "model: toy\ntext_encoder: {encoder}\npower: 0.5\n"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The toy package installed beside ours, an encoded corpus, a configuration."""
    folder = tmp_path_factory.mktemp("plugin")
    corpus, encoder = small_world("users", folder)
    (folder / "toy.yaml").write_text(CONFIG.format(encoder=encoder))
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    copied = folder / "source"
    copied.mkdir()
    for path in TOY.iterdir():
        if path.is_file():
            (copied / path.name).write_bytes(path.read_bytes())
    subprocess.run(
        [*command, "--no-build-isolation", "--target", str(folder / "site"), str(copied)],
        check=True,
    )
    return folder, corpus


@pytest.fixture(scope="module")
def told(world):
    """What the commands printed, with the toy package on the path, after all went well."""
    folder, _ = world
    encoder = yaml.safe_load((folder / "toy.yaml").read_text())["text_encoder"]

    def said(*arguments):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            main([*map(str, arguments)])
        return out.getvalue()

    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        patched.syspath_prepend(folder / "site")
        found = {"train": said("train", "toy.yaml", "--data", "corpus", "--out", "run", "--quiet")}
        found["eval"] = said("eval", "run")
        found["best"] = said("recommend", "run", "--user", "user0003", "--k", 3, "--json")
        best = json.loads(found["best"])[0]["hashtag"]
        said("explain", "run", "--user", "user0003", "--hashtag", best, "--out", "why")
        found["export"] = said("export", "run", "--out", "models/toy", "--no-check")
        found["asked"] = said("recommend", "run", "--history", "x", "--k", 2, "--json")
        said(
            *("compare", "engagement", "--data", "corpus", "--out", "compared", "--seeds", 1),
            *("--systems", "toy.yaml", "--set", f"text_encoder={encoder}", "--quiet"),
        )
        (folder / "checked").mkdir()
        check_recommender(
            lambda name: load_settings("toy.yaml", [f"text_encoder={name}"]), folder / "checked"
        )
    sys.modules.pop("tfhashtag_toy")
    return found


def test_it_is_evaluated_and_compared(world, told):
    assert "MAP" in told["eval"]
    metrics = json.loads((world[0] / "run" / "metrics.json").read_text())
    assert 0 < metrics["averages"]["all"]["MAP"] < 1
    found = json.loads((world[0] / "compared" / "comparison.json").read_text())
    ((name, of),) = found["systems"].items()
    assert "toy" in name and not of["failed"]


def test_it_recommends_and_explains(world, told):
    found = json.loads(told["best"])
    assert len(found) == 3
    assert found[0]["score"] == 1.0
    assert "how often it was tagged" in (world[0] / "why" / "explanation.html").read_text()


def test_it_is_exported_and_serves(world, told):
    version = world[0] / "models" / "toy" / "1"
    assert told["export"].strip().endswith("models/toy/1")
    from tfhashtag.runs.answers import Answers

    found = Answers(version)("top_k", history=[["anything"]], k=2)
    assert [bytes(name).decode() for name in found["hashtags"][0]] == [
        row["hashtag"] for row in json.loads(told["asked"])
    ]
