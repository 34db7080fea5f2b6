"""Which releases of the stock server know the operations of a graph."""

import functools
import importlib.resources
import json
from collections.abc import Collection, Iterable
from typing import Any

from tfhashtag.errors import ConfigError


def release_of(version: str) -> str:
    """The release that a version belongs to, `2.19` for `2.19.1`.

    Args:
        version: of a stock server, which has the numbers of the TensorFlow that it is built with.

    Raises:
        ConfigError: nothing is known of that release.

    Example:

    >>> release_of("2.19.1"), release_of("2.20")
    ('2.19', '2.20')
    """
    known = _table()["releases"]
    release = ".".join(version.split(".")[:2])
    if release not in known:
        raise ConfigError(
            f"`{version}` is no release of the stock server whose operations are known; expected "
            f"one of {', '.join(known)}."
        )
    return release


def newer_ops(release: str) -> frozenset[str]:
    """Operations that later releases have and this one lacks.

    >>> "DecodeWebP" in newer_ops("2.19"), "DecodeWebP" in newer_ops("2.20")
    (True, False)
    """
    return frozenset(op for op, names in _table()["in_some"].items() if release not in names)


def check_release(ops: Iterable[str], release: str) -> list[str]:
    """One sentence for each operation that a release of the stock server lacks.

    Args:
        ops: names of the operations of a graph.
        release: as `release_of` gives it.

    Example:

    >>> check_release(["MatMul", "DecodeWebP"], "2.19")
    ['op `DecodeWebP` is not in release 2.19 of the stock server, but in 2.20 and 2.21.']
    >>> check_release(["MatMul", "DecodeWebP"], "2.20")
    []
    """
    table = _table()
    lacking = [op for op in sorted(set(ops)) if release not in _releases_with(op, table)]
    return [
        f"op `{op}` is not in release {release} of the stock server, but in "
        f"{' and '.join(_releases_with(op, table)) or 'none that is known'}."
        for op in lacking
    ]


def lowest_release(ops: Collection[str]) -> str | None:
    """The first release from which on every stock server that is known has all operations.

    >>> lowest_release(["MatMul", "DecodeWebP"]), lowest_release(["MyOp"])
    ('2.20', None)
    """
    lowest = None
    for release in reversed(_table()["releases"]):
        if check_release(ops, release):
            break
        lowest = release
    return lowest


def server_note(ops: Collection[str]) -> dict[str, Any]:
    """For the model card: the lowest release of the stock server, and the newer operations.

    >>> server_note(["MatMul", "DecodeWebP"])
    {'lowest': '2.20', 'newer': ['DecodeWebP']}
    """
    oldest = _table()["releases"][0]
    return {"lowest": lowest_release(ops), "newer": sorted(newer_ops(oldest).intersection(ops))}


def _releases_with(op: str, table: dict[str, Any]) -> list[str]:
    return table["releases"] if op in table["everywhere"] else table["in_some"].get(op, [])


@functools.cache
def _table() -> dict[str, Any]:
    path = importlib.resources.files("tfhashtag.export") / "server_releases.json"
    table = json.loads(path.read_text(encoding="utf-8"))
    table["everywhere"] = frozenset(table["everywhere"])
    return table
