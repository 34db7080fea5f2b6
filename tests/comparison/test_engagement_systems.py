"""Names, settings and what overrides may not touch."""

import pytest

from tfhashtag.comparison.engagement_systems import (
    NAMES,
    PUBLISHED,
    SYSTEMS,
    TABLES,
    EngagementSettingsOf,
    chosen,
)
from tfhashtag.errors import ConfigError
from tfhashtag.recommenders.configuration import load_settings


def test_every_name_and_every_configuration_is_understood():
    assert chosen(None) == list(NAMES)
    for name, found in SYSTEMS.items():
        assert chosen([name]) == chosen([found.config]) == [name]
        assert load_settings(found.config).text_encoder == "minilm"
    assert chosen(["W/o joint", "mlp", "without-joint"]) == ["MLP", "W/O JOINT"]
    with pytest.raises(ConfigError, match="Did you mean `LSTM-ATT`"):
        chosen(["lstmat"])


def test_tables_hold_all_systems():
    assert {name for _, _, names in TABLES for name in names} == set(NAMES)
    assert PUBLISHED["FULL MODEL"] == {"MAP": 0.3114, "P@5": 0.1148, "nDCG@5": 0.3257}
    assert "RECOMMENDED" not in PUBLISHED


def test_a_value_for_all_does_not_give_a_system_what_it_is_without():
    settings = EngagementSettingsOf(
        NAMES, ["network.topics=7", "training.epochs.joint=2", "training.epochs.topics=3"]
    )
    assert settings["FULL MODEL"].network.topics == settings["+ TOPICS"].network.topics == 7
    assert settings["MLP"].network.topics is None
    assert settings["W/O JOINT"].training.epochs.joint == 0
    assert settings["LSTM"].training.epochs.topics == 0
    assert settings["FULL MODEL"].training.epochs.joint == 2


def test_a_value_for_one_is_for_one():
    settings = EngagementSettingsOf(["LSTM", "LSTM-ATT"], ["lstm:network.hidden=5"])
    assert settings["LSTM"].network.hidden == 5
    assert settings["LSTM-ATT"].network.hidden == load_settings("lstm_att").network.hidden


def test_what_all_are_asked_is_set_for_all():
    settings = EngagementSettingsOf(NAMES, ["data.minimum_contexts=3", "seed=4"])
    assert settings.minimum_contexts == 3 and settings.seed == 4
    for name in NAMES:
        assert settings[name].data.minimum_contexts == 3 and settings[name].seed == 4
    with pytest.raises(ConfigError, match="the same for all"):
        EngagementSettingsOf(NAMES, ["cf:data.minimum_contexts=3"])
    with pytest.raises(ConfigError, match=r"expected .*KEY=VALUE"):
        EngagementSettingsOf(NAMES, ["seed"])
