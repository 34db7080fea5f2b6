"""A named system of a comparison."""

import dataclasses
import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tfhashtag.errors import ConfigError


@dataclasses.dataclass(frozen=True, eq=False)
class System:
    """Something that ranks, by name: a configuration and what is changed in it.

    Keys of settings are dotted.

    Attributes:
        name: as it stands in tables.
        config: name of its configuration, or a file.
        about: one line for people.
        drawn: what differs from seed to seed.
        published: the paper's figures by metric, to stand beside ours.
        set: settings with other values than the reference's.
        without: settings that are lists, each with a value of the reference's that is left out.
        like: settings that are the reference's.
        without_images: settings where there are no images.
        needs: settings of the reference that must be, or must hold, one of these values.
        images: whether it is another system by its images alone.
        run: of a system from elsewhere, its run file or their folder; else "".

    Example:

    >>> calm = System("PHR-CR", "phr", set={"network.residual": False})
    >>> calm.missing({"network.residual": False}, "PHR")
    'PHR is configured without it'
    """

    name: str
    config: str
    about: str = ""
    drawn: str = ""
    published: Mapping[str, float] = dataclasses.field(default_factory=dict)
    set: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    without: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    like: Sequence[str] = ()
    without_images: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    needs: Mapping[str, Sequence[Any]] = dataclasses.field(default_factory=dict)
    images: bool = False
    run: str = ""

    def changes(self, reference: Mapping[str, Any]) -> list[str]:
        """`key=value` strings of what is changed, for the settings of the reference."""
        values = dict(self.set) | {key: reference[key] for key in self.like}
        for key, left_out in self.without.items():
            values[key] = [value for value in reference[key] if value != left_out]
        if _no_images(reference):
            values |= self.without_images
        return [f"{key}={json.dumps(value)}" for key, value in values.items()]

    def missing(self, reference: Mapping[str, Any], name: str) -> str:
        """Why it cannot be ranked beside a reference of these settings; "" where it can.

        Args:
            reference: settings of the reference.
            name: of the reference, for the message.
        """
        if self.images and _no_images(reference):
            return "no images, `image_encoder` is none"
        there = [
            *(reference[key] != value for key, value in self.set.items()),
            *(value in reference[key] for key, value in self.without.items()),
            *(bool(_all(reference[key]) & _all(values)) for key, values in self.needs.items()),
        ]
        return "" if all(there) else f"{name} is configured without it"


def folder_name(name: str) -> str:
    """Name of the folder of a system's results: lower case, hyphens between letters and digits.

    >>> folder_name("Own + nearest")
    'own-nearest'
    """
    return "-".join("".join(c if c.isalnum() else " " for c in name.lower()).split())


def _no_images(reference: Mapping[str, Any]) -> bool:
    return reference.get("image_encoder", "none") == "none"


def _all(value: Any) -> frozenset[Any]:
    return frozenset(value if isinstance(value, list | tuple) else [value])


def find_system(asked: str, systems: Iterable[System], option: str = "--systems") -> System:
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
    raise ConfigError(f"{option}: `{asked}` is unknown.{hint} Known: {names}.")


def _plain(name: str) -> str:
    return "".join(character for character in str(name).lower() if character.isalnum())
