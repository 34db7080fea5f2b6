"""A package of somebody else adds a recommender: every command takes it, no line changes here."""

import json
import os
import pathlib
import subprocess
import sys

import pytest
import yaml

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


# One process does it all: what is tested is that it finds the package, not how it starts.
COMMANDS = """
import contextlib, io, json, pathlib, sys, tempfile
from tfhashtag.cli.main import main

def told(*arguments):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        main([*map(str, arguments)])
    return out.getvalue()

encoder = sys.argv[1]
found = {"train": told("train", "toy.yaml", "--data", "corpus", "--out", "run", "--quiet")}
found["eval"] = told("eval", "run")
found["best"] = told("recommend", "run", "--user", "user0003", "--k", 3, "--json")
best = json.loads(found["best"])[0]["hashtag"]
told("explain", "run", "--user", "user0003", "--hashtag", best, "--out", "why")
found["export"] = told("export", "run", "--out", "models/toy")
found["asked"] = told("recommend", "run", "--history", "x", "--k", 2, "--json")
told(
    *("compare", "engagement", "--data", "corpus", "--out", "compared", "--seeds", 1),
    *("--systems", "popular,toy.yaml", "--set", f"text_encoder={encoder}", "--quiet"),
)
from tfhashtag.recommenders.configuration import load_settings
from tfhashtag.testing import check_recommender

place = pathlib.Path(tempfile.mkdtemp())
check_recommender(lambda name: load_settings("toy.yaml", [f"text_encoder={name}"]), place)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def told(world):
    """What the commands printed, with the toy package on the path, after all went well."""
    folder, _ = world
    root = pathlib.Path(__file__).parents[2]
    encoder = yaml.safe_load((folder / "toy.yaml").read_text())["text_encoder"]
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS, encoder],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(folder / "site")])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout.splitlines()[-1])


def test_it_is_evaluated_and_compared(world, told):
    assert "MAP" in told["eval"]
    metrics = json.loads((world[0] / "run" / "metrics.json").read_text())
    assert 0 < metrics["averages"]["all"]["MAP"] < 1
    found = json.loads((world[0] / "compared" / "comparison.json").read_text())
    assert any("toy" in name for name in found["systems"])


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
