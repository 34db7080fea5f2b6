"""Configurations: every mistake is named, with the nearest right key."""

import importlib.metadata
import json
import subprocess
import sys

import click.testing
import pytest
import yaml

from tfhashtag.errors import ConfigError
from tfhashtag.recommenders import registry
from tfhashtag.recommenders.configuration import load_settings, parse_settings
from tfhashtag.settings import describe, dump_settings, headline, read_values, shipped


def test_paper_configuration_holds_the_settings_of_the_paper():
    settings = load_settings("engagement_paper")
    assert settings.text_encoder == "bertweet"
    assert settings.network.topics == 100
    assert settings.network.hidden == 768
    assert settings.training.positive_weight == 100.0
    assert settings.training.topic_weight == 1e-4
    epochs = settings.training.epochs
    assert (epochs.topics, epochs.warmup, epochs.joint) == (20, 20, 100)


@pytest.mark.parametrize(
    "override, message",
    [
        (
            "training.learning_rat=1",
            r"--set training.learning_rat: unknown key.*training.learning_rate`",
        ),
        ("learning_rate=1", r"unknown key. Did you mean `training.learning_rate`"),
        ("training.learning_rate=fast", r"`?training.learning_rate.*valid number, found 'fast'"),
        ("training.learning_rate=0", r"training.learning_rate: .*greater than 0"),
        ("seed=1.5", r"--set seed: .*integer, found 1.5"),
        ("network.attention=linear", r"network.attention: .*topic_bilinear.*found 'linear'"),
        ("model=engagment", r"Did you mean `engagement`"),
        ("model=phr", r"--set model=phr: .* is for `engagement`.*instead: phr, phr_thesis, tagnet"),
        ("seed", r"expected `key=value`"),
        ("text_encoder.x=1", r"`text_encoder` is a value, not a section"),
        ("seed.x=1", r"--set seed.x: unknown key. Did you mean `seed`"),
        ("training.learning_rate=.inf", r"training.learning_rate: .*finite number, found inf"),
        ("network=3", r"--set network: expected a section .*`network.topics`, found 3"),
        ("training.epochs=3", r"--set training.epochs: expected a section .*`training.epochs.top"),
    ],
)
def test_mistakes_are_named(override, message):
    with pytest.raises(ConfigError, match=message):
        load_settings("engagement_paper", [override])


def test_unknown_configuration_suggests_a_shipped_one():
    with pytest.raises(ConfigError, match="Did you mean `engagement_paper`"):
        load_settings("engagment_paper")


def test_file_that_is_not_yaml(tmp_path):
    path = tmp_path / "broken.yaml"
    path.write_text("a: [1,")
    with pytest.raises(ConfigError, match="not readable as YAML"):
        load_settings(path)


def test_key_that_stands_twice_is_named(tmp_path):
    path = tmp_path / "twice.yaml"
    path.write_text("model: audience\nnetwork:\n  members: 1\n  members: 2\n")
    with pytest.raises(ConfigError, match=r"twice.yaml: .*`members` stands twice.*line 4"):
        load_settings(path)


@pytest.mark.parametrize("config", ["engagement", "lda"])
def test_future_that_ends_before_its_cut_is_named(config):
    with pytest.raises(ConfigError, match=r"--set training.futures.1: the cut .*found \[0.9, 0.5"):
        load_settings(config, ["training.futures=[[0.5, 0.9], [0.9, 0.5]]"])


def test_resolved_configuration_reads_back_equal():
    settings = load_settings("engagement_paper", ["seed=3", "training.learning_rate=2e-4"])
    assert settings.training.learning_rate == 2e-4
    assert parse_settings(yaml.safe_load(dump_settings(settings)), "config.yaml") == settings


@pytest.mark.parametrize("name", shipped())
def test_shipped_files_hold_what_differs_from_the_defaults_and_say_what_they_are(name):
    settings = load_settings(name)
    rows = {row.key: row for row in describe(settings)}
    values = read_values(name)[1]
    values.pop("tune", None)  # what may be tried, held by the tests of tuning
    for key in leaves(values):
        assert rows[key].required or rows[key].value != rows[key].default, key
    assert headline(name).endswith(".")
    assert parse_settings(yaml.safe_load(dump_settings(settings)), "config.yaml") == settings


def leaves(values, prefix=""):
    for key, value in values.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


@pytest.mark.parametrize("name", shipped())
def test_every_setting_says_what_it_means_and_what_it_may_be(name):
    for row in describe(load_settings(name)):
        assert row.meaning and row.range, row.key


def test_what_is_described_is_what_is_checked():
    rows = {row.key: row for row in describe(load_settings("engagement_paper", ["seed=5"]))}
    assert rows["seed"].value == 5 and rows["seed"].range == "whole number, ≥ 0, < 2147483648"
    assert rows["network.attention"].range == "topic_bilinear, bilinear, additive, mean"
    assert rows["training.positive_weight"].source == "EMNLP 2021, equation 8"
    assert rows["network.head_hidden"].range == "whole number, ≥ 1 or null"
    assert rows["data.exclude_own"].range == "true or false"


def test_settings_and_their_description_need_no_tensorflow():
    code = """
import sys
from tfhashtag.cli.main import main
from tfhashtag.recommenders import registry
for name in registry.model_names():
    registry.settings_class(name)
main(["configs", "describe", "phr", "--json"])
assert not {"tensorflow", "keras"} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {row["key"] for row in json.loads(done.stdout)} >= {"model", "network.features"}


def test_configs_are_listed_and_described():
    from tfhashtag.cli.configs import command

    run = click.testing.CliRunner().invoke
    found = run(command, ["list", "--json"])
    assert [row["name"] for row in json.loads(found.output)] == shipped()
    assert "engagement_paper" in run(command, ["list"]).output
    found = run(command, ["describe", "engagement_paper", "--set", "seed=5"]).output
    assert "data.ranking_contexts_length" in found and "mu, what the topic" in found


def test_another_package_adds_a_model(monkeypatch):
    point = importlib.metadata.EntryPoint("toy", "toy_package.nowhere:Toy", registry.GROUP)
    monkeypatch.setattr(
        importlib.metadata, "entry_points", lambda group: [point] if group == registry.GROUP else []
    )
    assert registry.model_names()[-1] == "toy"
    with pytest.raises(ConfigError, match=r"`model` is 'toy'.*toy_package.nowhere:Toy.*be loaded"):
        parse_settings({"model": "toy"}, "toy.yaml")
    with pytest.raises(ConfigError, match=r"toys.yaml: `model` is 'toys'.*Did you mean `toy`"):
        parse_settings({"model": "toys"}, "toys.yaml")
