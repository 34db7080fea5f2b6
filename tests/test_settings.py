"""Configurations: every mistake is named, with the nearest right key."""

import pytest
import yaml

from tfhashtag.errors import ConfigError
from tfhashtag.settings import dump_settings, load_settings, parse_settings


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
        ("seed.x=1", r"`seed` is a value, not a section"),
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
