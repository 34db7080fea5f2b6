"""Names of systems as people type them."""

import difflib
from collections.abc import Iterable, Mapping, Sequence

from tfhashtag.errors import ConfigError


def chosen_names(
    asked: Iterable[str] | None, names: Sequence[str], aliases: Mapping[str, str] | None = None
) -> list[str]:
    """Names as they stand in `names`, all for None; case, spaces and punctuation do not matter.

    Args:
        asked: what was typed.
        names: of all systems.
        aliases: other names, to the one in `names`.

    Raises:
        ConfigError: an unknown name; the message has the nearest right one.

    Example:

    >>> chosen_names(["phr", "Own-Hashtags"], ["PHR", "MaCon", "Own hashtags"])
    ['PHR', 'Own hashtags']
    """
    if asked is None:
        return list(names)
    known = {_plain(other): name for other, name in (aliases or {}).items()}
    known |= {_plain(name): name for name in names}
    found = []
    for name in asked:
        if _plain(name) not in known:
            near = difflib.get_close_matches(_plain(name), known, n=1)
            hint = f" Did you mean `{known[near[0]]}`?" if near else ""
            raise ConfigError(f"--systems: `{name}` is unknown.{hint} Known: {', '.join(names)}.")
        found.append(known[_plain(name)])
    if not found:
        raise ConfigError(f"--systems: names no system. Known: {', '.join(names)}.")
    return list(dict.fromkeys(found))


def _plain(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())
