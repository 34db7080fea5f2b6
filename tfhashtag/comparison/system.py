"""A named system of a comparison."""

import dataclasses
import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tfhashtag.errors import ConfigError


@dataclasses.dataclass(frozen=True, eq=False)
class System:
    """Something that ranks, by name: a configuration and what is changed in it.

    Attributes:
        name: as it stands in tables.
        config: name of its configuration, or a file.
        about: one line for people.
        drawn: what differs from seed to seed.
        published: the paper's figures by metric, to stand beside ours.
        changes: from the reference's settings, by dotted key, to `key=value` strings.
        missing: from the same to why it cannot be ranked; "" where it can.
        folder: of its results; "": the name in lower case.

    Example:

    >>> System("Own hashtags", "own_hashtags", "counts of the user").folder_name
    'own-hashtags'
    """

    name: str
    config: str
    about: str = ""
    drawn: str = ""
    published: Mapping[str, float] = dataclasses.field(default_factory=dict)
    changes: Callable[[Mapping[str, Any]], Sequence[str]] = lambda reference: ()
    missing: Callable[[Mapping[str, Any]], str] = lambda reference: ""
    folder: str = ""

    @property
    def folder_name(self) -> str:
        """Name of the folder of its results: lower case, hyphens for all but letters and digits."""
        words = "".join(c if c.isalnum() else " " for c in self.name.lower()).split()
        return self.folder or "-".join(words)


def find_system(asked: str, systems: Iterable[System]) -> System:
    """A system by its name or configuration; case, spaces and punctuation do not matter.

    Raises:
        ConfigError: an unknown name; the message has the nearest right one.

    Example:

    >>> find_system("own-Hashtags", [System("PHR", "phr"), System("Own hashtags", "own")]).name
    'Own hashtags'
    """
    systems = list(systems)
    known = {_plain(system.config): system for system in reversed(systems)}
    known |= {_plain(system.name): system for system in systems}
    if _plain(asked) in known:
        return known[_plain(asked)]
    near = difflib.get_close_matches(_plain(asked), known, n=1)
    hint = f" Did you mean `{known[near[0]].name}`?" if near else ""
    names = ", ".join(system.name for system in systems)
    raise ConfigError(f"--systems: `{asked}` is unknown.{hint} Known: {names}.")


def _plain(name: str) -> str:
    return "".join(character for character in str(name).lower() if character.isalnum())


def flat(values: Mapping, prefix: str = "") -> dict[str, Any]:
    """Nested values by dotted keys.

    >>> flat({"a": {"b": 1}, "c": 2})
    {'a.b': 1, 'c': 2}
    """
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found
