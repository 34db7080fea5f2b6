"""The section `tune`: every mistake is told before anything runs."""

import pytest

from tfhashtag.errors import ConfigError
from tfhashtag.recommenders.configuration import load_settings
from tfhashtag.settings import read_values, shipped
from tfhashtag.tuning.space import SearchSpace

HEAD = "model: audience\n"


@pytest.mark.parametrize(
    "tune, message",
    [
        ("", "no section `tune` that says what to try"),
        ("tune: 5", "no section `tune`"),
        ("tune: {training.epochs: 5}", "expected `{low: ..., high: ...}` or `{choices"),
        ("tune: {trainning.epochs: {low: 1, high: 2}}", "Did you mean `training.epochs`?"),
        ("tune: {training: {epochs: {low: 1, high: 2}}}", "`training`: no setting of `audience`"),
        ("tune: {training.epochs: {low: 0, high: 2}}", "greater than or equal to 1, found 0"),
        ("tune: {training.epochs: {low: 1.5, high: 2}}", "valid integer"),
        ("tune: {training.epochs: {low: 3, high: 2}}", "`low` must be below `high`, found 3 and 2"),
        ("tune: {training.epochs: {low: 1, high: 4, step: 0.5}}", "whole number, found 0.5"),
        ("tune: {training.epochs: {low: 1, high: 4, stop: 2}}", "unknown key. Did you mean `step`"),
        ("tune: {training.epochs: {low: 1}}", "field required"),
        ("tune: {network.dropout: {low: 0.0, high: 0.5, log: true}}", "needs a `low` above 0"),
        ("tune: {network.dropout: {choices: [0.1, 1.5]}}", "less than 1, found 1.5"),
        ("tune: {network.dropout: {choices: []}}", "`choices` is empty"),
        ("tune: {network.hidden: {low: 1, high: 2}}", "is no number, so that it has no range"),
        ("tune: {training.refit: {low: 0, high: 1}}", "is no number"),
        ("tune: {seed: {low: 0, high: 5}}", "the best of several seeds is luck"),
        ("tune: {model: {choices: [phr]}}", "a configuration of its own"),
        ("tune: {data.minimum_contexts: {low: 1, high: 5}}", "it decides what is asked"),
    ],
)  # fmt: skip
def test_mistakes(config_of, tune, message):
    with pytest.raises(ConfigError, match=r"config.yaml") as error:
        SearchSpace(config_of(HEAD + tune))
    assert message in str(error.value)


def test_what_is_tried_cannot_be_set(config_of):
    path = config_of(HEAD + "tune: {training.epochs: {low: 1, high: 2}}")
    with pytest.raises(ConfigError, match=r"--set training.epochs: .* tries values of it"):
        SearchSpace(path, ["training.epochs=2"])
    assert SearchSpace(path, ["network.members=3"]).settings.network.members == 3


def test_values_go_into_the_configuration(config_of):
    space = SearchSpace(
        config_of(HEAD + "tune: {network.hidden: {choices: [[8], [8, 4]]}, seed: {}}".replace(
            ", seed: {}", ", training.learning_rate: {low: 1e-4, high: 1e-2, log: true}"))
    )  # fmt: skip
    settings = space.with_values({"network.hidden": [8, 4], "training.learning_rate": 0.002})
    assert (settings.network.hidden, settings.training.learning_rate) == ([8, 4], 0.002)
    assert [found.network.hidden for found in space.all_settings()] == [[32], [8], [8, 4]]
    assert space.as_configured() is None  # [32] is none of the choices


@pytest.mark.parametrize(
    "name", [name for name in shipped() if "tune" in read_values(name)[1]]
)  # fmt: skip
def test_shipped_spaces_hold_their_own_configuration(name):
    space = SearchSpace(name)
    assert space.settings == load_settings(name)  # for `train`, the section is not there
    assert space.as_configured() is not None
