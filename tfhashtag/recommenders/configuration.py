"""Configurations: from a file or a name to the settings of the recommender that it names."""

import os
from collections.abc import Iterable
from typing import Any

from tfhashtag.errors import ConfigError
from tfhashtag.recommenders.registry import model_names, settings_class
from tfhashtag.settings import (
    RecommenderSettings,
    override,
    read_values,
    shipped,
    validate,
)

TUNE = "tune"
"""The section of a configuration that `tfhashtag.tuning` alone reads: no setting of a model."""


def load_settings(config: str | os.PathLike, overrides: Iterable[str] = ()) -> RecommenderSettings:
    """Reads a configuration and checks every key, type and range.

    Args:
        config: the name of a file in `configs/` (`"engagement"` or `"engagement.yaml"`) or a path.
        overrides: `"dotted.key=value"` strings; values are read as YAML.

    Raises:
        ConfigError: the file cannot be read, or a key is unknown, of the wrong type or out of
            range. The message names the key and, for an unknown one, the nearest right one.

    Example:

    >>> settings = load_settings("engagement_paper", ["text_encoder=minilm", "seed=7"])
    >>> settings.network.topics, settings.seed
    (100, 7)
    >>> load_settings("engagement_paper", ["netwrok.topics=5"])
    Traceback (most recent call last):
    ...
    tfhashtag.errors.ConfigError: --set netwrok.topics: unknown key. Did you mean `network.topics`?
    """
    path, values = read_values(config)
    values.pop(TUNE, None)
    model = values.get("model")
    overridden = override(values, overrides)
    asked = values.get("model")
    if model is not None and asked != model and asked in model_names():
        names = [name for name in shipped() if read_values(name)[1]["model"] == asked]
        raise ConfigError(
            f"--set model={asked}: {path} is for `{model}`, whose settings are others. "
            f"Name a configuration of `{asked}` instead: {', '.join(names)}."
        )
    return parse_settings(values, str(path), overridden)


def parse_settings(
    values: dict[str, Any], where: str, overridden: Iterable[str] = ()
) -> RecommenderSettings:
    """Validates plain values, as read from a file; `where` stands at the head of an error.

    `overridden` are the dotted keys that came from `--set`, so that an error names their source.

    Raises:
        ConfigError: as `load_settings`.
    """
    try:
        schema = settings_class(values.get("model"))
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error.__cause__
    return validate(values, schema, where, overridden)
