"""The settings of every system of a comparison."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from tfhashtag.comparison.foreign import foreign_system, settings_of_run
from tfhashtag.comparison.study import Study
from tfhashtag.comparison.system import System, find_system, folder_name
from tfhashtag.corpus.corpus import Corpus
from tfhashtag.errors import ConfigError
from tfhashtag.recommenders.configuration import load_settings
from tfhashtag.recommenders.registry import recommender_class
from tfhashtag.settings import flat


class SettingsOf:
    """The settings of every system, by name; those that cannot be ranked have none.

    Args:
        study: what is compared.
        asked: names of systems or configurations; None: the study's systems.
        corpus: the posts.
        overrides: `key=value` for all systems that have the key, `SYSTEM:key=value` for one.
        runs: systems from elsewhere, `NAME=PATH` each.

    Attributes:
        systems: those that were asked for, in the order of the study; then those from elsewhere.
        reference: settings of the reference, also where it was not asked for.
        missing: why systems cannot be ranked.

    Raises:
        ConfigError: an unknown system or key, a key that is not for one or not for all to choose,
            or a configuration of another task.
    """

    def __init__(
        self,
        study: Study,
        asked: Iterable[str] | None,
        corpus: Corpus,
        overrides: Iterable[str] = (),
        runs: Iterable[str] = (),
    ) -> None:
        self._study = study
        self._forced = study.forced(corpus)
        self.systems = _chosen(study, asked)
        every = {system.name: system for system in (*study.systems, *self.systems)}
        configs = {system.config for system in every.values()}
        given = {config: flat(load_settings(config).model_dump()) for config in configs}
        self._keys = {name: given[system.config] for name, system in every.items()}
        self._base = every[study.reference]
        self._common: list[tuple[str, str]] = []
        self._own: dict[str, list[str]] = {}
        for override in overrides:
            self._part(override, list(every.values()))
        self.reference = self._load(self._base, ())
        ours = flat(self.reference.model_dump())
        self.missing: dict[str, str] = {}
        self._of: dict[str, Any] = {}
        for system in self.systems:
            reason = system.missing(ours, study.reference)
            if reason:
                self.missing[system.name] = reason
            elif system.name == study.reference:
                self._of[system.name] = self.reference
            else:
                shared = [
                    f"{key}={json.dumps(ours[key])}"
                    for key in study.shared
                    if key in ours and key in self._keys[system.name]
                ]
                self._of[system.name] = self._load(system, (*shared, *system.changes(ours)))
        for system in map(foreign_system, runs):
            taken = {
                folder_name(other.name): other.name for other in (*every.values(), *self.systems)
            }
            if folder_name(system.name) in taken:
                raise ConfigError(
                    f"--run {system.name}=...: {taken[folder_name(system.name)]} is a system "
                    "already; give another name."
                )
            self.systems.append(system)
            self._of[system.name] = settings_of_run(system)

    def __getitem__(self, name: str) -> Any:
        """The settings of a system that can be ranked."""
        return self._of[name]

    def _load(self, system: System, more: Sequence[str]) -> Any:
        """Settings with what is set for all, what the corpus forces, `more`, and its own."""
        keys = self._keys[system.name]
        common = [override for key, override in self._common if self._is_for(system, key)]
        forced = [override for override in self._forced if _key(override) in keys]
        own = self._own.get(system.name, [])
        settings = load_settings(system.config, [*common, *forced, *more, *own])
        task = recommender_class(settings.model).task
        if task is not self._study.task:
            raise ConfigError(
                f"{system.name}: `model` is {settings.model!r}, which ranks for {task.name}, not "
                f"for {self._study.task.name}."
            )
        return settings

    def _is_for(self, system: System, key: str) -> bool:
        keys = self._keys[system.name]
        made_of_reference = system.config == self._base.config
        if key not in keys or (key in self._study.switches and not made_of_reference):
            return False
        ours = self._keys[self._base.name].get(key, keys[key])
        if isinstance(ours, list) != isinstance(keys[key], list):
            return False  # widths of several layers are another setting than that of one
        return bool(keys[key]) or key not in self._study.parts

    def _part(self, override: str, systems: list[System]) -> None:
        """Keeps an override for all or for one."""
        name, colon, key = _key(override).partition(":")
        if "=" not in override:
            raise ConfigError(f"--set {override}: expected [SYSTEM:]KEY=VALUE.")
        if colon:
            system = find_system(name, systems)
            if key in (*self._study.shared, "seed"):
                raise ConfigError(
                    f"--set {override}: `{key}` is the same for all systems; set it without "
                    f"`{name}:`."
                )
            self._own.setdefault(system.name, []).append(override.partition(":")[2])
            return
        key = name
        alike = [system for system in self._study.systems if system.config == self._base.config]
        if key in self._study.switches and len(alike) == 1:
            raise ConfigError(
                f"--set {override}: `{key}` is what tells systems apart; set it of one, "
                f"`SYSTEM:{override}`."
            )
        if not any(key in keys for keys in self._keys.values()):
            load_settings(self._base.config, [override])  # tells the nearest right key
            raise ConfigError(f"--set {override}: no system has `{key}`.")
        self._common.append((key, override))


def _chosen(study: Study, asked: Iterable[str] | None) -> list[System]:
    """Systems of the study in its order, then others by the names of their configurations."""
    if asked is None:
        return list(study.systems)
    names, others = set(), {}
    for name in asked:
        try:
            names.add(find_system(name, study.systems).name)
        except ConfigError as unknown:
            try:
                load_settings(name)
            except ConfigError as error:
                raise error if name.endswith(".yaml") else unknown from None
            others[name] = System(name, name, "by its configuration")
    if not names and not others:
        known = ", ".join(system.name for system in study.systems)
        raise ConfigError(f"--systems: names no system. Known: {known}.")
    return [*(system for system in study.systems if system.name in names), *others.values()]


def _key(override: str) -> str:
    return override.partition("=")[0].strip()
