"""The search space: what the section `tune` of a configuration says may be tried."""

import copy
import dataclasses
import os
from collections.abc import Iterable, Mapping
from typing import Any

from tfhashtag.errors import ConfigError
from tfhashtag.recommenders.configuration import TUNE, load_settings, parse_settings
from tfhashtag.recommenders.registry import recommender_class
from tfhashtag.settings import (
    RecommenderSettings,
    Section,
    as_yaml,
    describe,
    nearest,
    read_values,
    setting,
    validate,
)

EXAMPLE = "tune:\n  training.learning_rate: {low: 1e-4, high: 1e-2, log: true}"


class _Range(Section):
    low: float = setting(meaning="the least value")
    high: float = setting(meaning="the greatest value")
    step: float | None = setting(None, "between two values", gt=0)
    log: bool = setting(False, "whether ratios count, not differences")


class _Choices(Section):
    choices: list[Any] = setting(meaning="values, each as it stands in a configuration")


@dataclasses.dataclass(frozen=True)
class Dimension:
    """What one setting may be.

    Attributes:
        key: dotted.
        whole: whether it takes whole numbers alone.
        low, high, step, log: of a range; a step None is 1 for whole numbers, none for others.
        choices: in place of a range.
    """

    key: str
    whole: bool = False
    low: float = 0.0
    high: float = 0.0
    step: float | None = None
    log: bool = False
    choices: tuple[Any, ...] = ()

    def suggest(self, trial: Any) -> Any:
        """A value for an `optuna.trial.Trial`, which keeps it."""
        if self.choices:
            names = [as_yaml(choice) for choice in self.choices]
            return self.choices[names.index(trial.suggest_categorical(self.key, names))]
        if self.whole:
            step = 1 if self.step is None else int(self.step)
            return trial.suggest_int(
                self.key, int(self.low), int(self.high), step=step, log=self.log
            )
        return trial.suggest_float(self.key, self.low, self.high, step=self.step, log=self.log)

    def parameter(self, value: Any) -> Any:
        """A value as the storage has it; None where it is none of this space."""
        if self.choices:
            return as_yaml(value) if value in self.choices else None
        if not isinstance(value, int | float) or not self.low <= value <= self.high:
            return None
        steps = 0.0 if self.step is None else (value - self.low) / self.step
        return value if abs(steps - round(steps)) < 1e-9 else None

    def value(self, parameter: Any) -> Any:
        """What `suggest` gave for a value of the storage."""
        if not self.choices:
            return parameter
        return self.choices[[as_yaml(choice) for choice in self.choices].index(parameter)]

    def text(self) -> str:
        """For people."""
        if self.choices:
            return " or ".join(as_yaml(choice) for choice in self.choices)
        parts = [f"{self.low:g} to {self.high:g}"]
        parts += [f"by {self.step:g}"] if self.step else []
        return ", ".join([*parts, "by ratios"] if self.log else parts)


class SearchSpace:
    """A configuration and what of it may be tried.

    Args:
        config: the name of a shipped configuration, or a path.
        overrides: `"dotted.key=value"` strings, of settings that are not tried.

    Attributes:
        settings: the configuration as it stands.
        dimensions: what may be tried.

    Raises:
        ConfigError: no section `tune`, an unknown key, a range or a choice that the model does not
            take, or a key that decides what is asked. Every bound and choice is tried.
    """

    def __init__(self, config: str | os.PathLike, overrides: Iterable[str] = ()) -> None:
        overrides = list(overrides)
        path, values = read_values(config)
        self.settings = load_settings(config, overrides)
        self._where = f"{path}: `{TUNE}`"
        given = values.get(TUNE)
        if not isinstance(given, dict) or not given:
            raise ConfigError(
                f"{path}: no section `{TUNE}` that says what to try, such as\n{EXAMPLE}"
            )
        self._known = {row.key for row in describe(self.settings)}
        fixed = {text.partition("=")[0].strip() for text in overrides}
        self.dimensions = [self._dimension(key, about) for key, about in given.items()]
        for key in fixed & given.keys():
            raise ConfigError(
                f"--set {key}: {self._where} tries values of it. Take it out of one of them."
            )

    def suggest(self, trial: Any) -> dict[str, Any]:
        """Values for a trial: dotted keys."""
        return {one.key: one.suggest(trial) for one in self.dimensions}

    def with_values(self, values: Mapping[str, Any]) -> RecommenderSettings:
        """The configuration with these values of dotted keys.

        Raises:
            ConfigError: they do not go together.
        """
        plain = copy.deepcopy(self.settings.model_dump())
        for key, value in values.items():
            *sections, last = key.split(".")
            section = plain
            for name in sections:
                section = section[name]
            section[last] = value
        return parse_settings(plain, self._where)

    def as_configured(self) -> dict[str, Any] | None:
        """The configuration's own values as the storage has them; None where one is out of it."""
        own = {row.key: row.value for row in describe(self.settings)}
        found = {one.key: one.parameter(own[one.key]) for one in self.dimensions}
        return None if None in found.values() else found

    def all_settings(self) -> list[RecommenderSettings]:
        """The configuration, and with each single choice: what has to be encoded for them."""
        singles = [(one.key, value) for one in self.dimensions for value in one.choices]
        return [self.settings, *(self.with_values({key: value}) for key, value in singles)]

    def as_json(self) -> dict[str, Any]:
        """Dotted keys to what they may be."""
        return {one.key: dataclasses.asdict(one) | {"choices": list(one.choices)} for one in
                self.dimensions}  # fmt: skip

    def _dimension(self, key: str, about: Any) -> Dimension:
        where = f"{self._where}: `{key}`"
        least = recommender_class(self.settings.model).task.least
        for name, why in {
            "model": "its settings are others; tune each model by a configuration of its own",
            "seed": "the best of several seeds is luck",
            least: "it decides what is asked, so that figures of two values do not compare",
        }.items():
            if key == name:
                raise ConfigError(f"{where}: is not to be tried: {why}.")
        if key not in self._known:
            hint = nearest(key, self._known)
            raise ConfigError(f"{where}: no setting of `{self.settings.model}`.{hint}")
        if not isinstance(about, dict) or not about:
            raise ConfigError(
                f"{where}: expected `{{low: ..., high: ...}}` or `{{choices: [...]}}`, found "
                f"{about!r}."
            )
        if "choices" in about:
            choices = tuple(validate(about, _Choices, where).choices)
            if not choices:
                raise ConfigError(f"{where}: `choices` is empty.")
            ends: tuple[Any, ...] = choices
            found = Dimension(key, choices=choices)
        else:
            ends = (about.get("low"), about.get("high"))
            limits = validate(about, _Range, where)
            whole = self._is_whole(key)
            found = Dimension(key, whole, limits.low, limits.high, limits.step, limits.log)
            self._check_range(found, where)
        for value in ends:
            self.with_values({key: value})
        return found

    def _check_range(self, found: Dimension, where: str) -> None:
        if found.low >= found.high:
            raise ConfigError(
                f"{where}: `low` must be below `high`, found {found.low:g} and {found.high:g}."
            )
        if found.log and (found.low <= 0 or found.step is not None):
            raise ConfigError(f"{where}: `log` needs a `low` above 0, and takes no `step`.")
        if found.whole and (found.step or 1) % 1:
            raise ConfigError(f"{where}: `step` must be a whole number, found {found.step:g}.")

    def _is_whole(self, key: str) -> bool:
        """Whether a setting refuses numbers that are not whole."""
        value = next(row.value for row in describe(self.settings) if row.key == key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError(
                f"{self._where}: `{key}`: is no number, so that it has no range; give "
                "`{choices: [...]}`."
            )
        return isinstance(value, int)
