"""Which columns of a file are likely meant, also within the objects that a post holds."""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tfhashtag.corpus.readers.headings import USUAL_NAMES, plain_name

RECORDS = 'Write it anew: `to_json(..., orient="records", lines=True)`.'
_LOOKED_INTO = 50  # objects within one
_NOT_WITHIN = ("id", "images", "audio_text", "split")  # an author has an id and pictures, too
_OF_HASHTAGS = re.compile(  # no number of them, and not whether there are any
    r"^(?!nhash|has(?!htag)|contains|.*(?:count|number|num$|position|indic|rate)).*hashtag"
)
_TIME_NAME = re.compile(
    r"date|time(?!.?zone)|created|posted|publish|sent(?![ie])|datum|fecha", re.I
)
_DIGITS = re.compile(r"\d{4}|\d[./:-]\d")
_AUTHORS = {plain_name(name) for name in ("user", "authorMeta", *USUAL_NAMES["user"].split())}


def leaves(fields: Mapping[str, Any]) -> list[str]:
    """The names of what objects within a post hold, as `--columns` takes them.

    >>> leaves({"text": "x", "user": {"id": 7, "place": {"name": "y"}}})
    ['user.id', 'user.place.name']
    """
    found, waiting = [], [("", fields)]
    for path, held in waiting:  # which grows
        for name, value in held.items():
            if isinstance(value, dict) and len(waiting) < _LOOKED_INTO:
                waiting.append((f"{path}{name}.", value))
            elif path:
                found.append(f"{path}{name}")
    return found


def within(fields: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """By their names, values that objects within a post hold.

    >>> within({"text": "x", "user": {"id": 7}}, ["text", "user.id", "user.name"])
    {'user.id': 7}
    """
    found = {}
    for name in names:
        value: Any = None if name in fields or "." not in name else fields
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            found[name] = value
    return found


def usual_columns(
    names: Iterable[Any], columns: Mapping[str, str], inner: Sequence[str] = ()
) -> dict[str, str]:
    """By our names, columns that are likely meant.

    Args:
        names: of the columns; what is an object is none.
        columns: those that were named.
        inner: what objects hold, as `leaves` names it; looked through for what no column is.

    >>> usual_columns(["Tweet", "tags"], {}, ["author.created_at", "author.username", "meta.tags"])
    {'user': 'author.username', 'text': 'Tweet', 'hashtags': 'tags'}
    """
    names = list(map(str, names))
    plain = {plain_name(name): name for name in reversed(names)}
    there = {*names, *columns}
    there |= {"images"} if "image" in there else set()
    found = {}
    for ours in (name for name in USUAL_NAMES if name not in there):
        usual = (ours, *USUAL_NAMES[ours].split())
        flat = (plain.get(plain_name(name)) for name in usual)
        within = (_named_within([*names, *inner], ours, name) for name in usual)
        for theirs in (*flat, *within):
            if theirs is not None and theirs not in columns.values():
                found[ours] = theirs
                break
    if "user" not in {*there, *found}:  # of an author without a handle, the id before the name
        author = _named_within(inner, "user", "id") or _named_within(inner, "user", "name")
        found |= {} if author is None else {"user": author}
    asked = [name for name in names if _OF_HASHTAGS.search(plain_name(name))]  # by a form
    if len(asked) == 1 < len(names) and "hashtags" not in {*there, *found}:
        found["hashtags"] = asked[0]
    return found


def _named_within(names: Iterable[str], ours: str, usual: str) -> str | None:
    """The first name that ends with a usual one, as `entities.hashtags`; of an author only who."""
    for name in names if ours not in _NOT_WITHIN else ():
        outer, _, last = name.rpartition(".")
        of_author = any(plain_name(part) in _AUTHORS for part in outer.split("."))
        right = not of_author or ours in ("user", "followers")
        if usual in ("id", "name"):
            right = plain_name(outer) in _AUTHORS
        if outer and right and plain_name(last) == plain_name(usual):
            return name
    return None


def times_not_read(names: Iterable[Any], first: Mapping[str, Any]) -> list[str]:
    """A line about columns that may hold the time, where none is read as it.

    >>> times_not_read(["user", "Sent on", "timezone"], {"Sent on": "2023-11-14"})
    ["times: none are read; they may stand in `Sent on`: --columns 'timestamp=Sent on'"]
    """
    named = [name for name in names if _TIME_NAME.search(str(name))]
    found = [name for name in named if _DIGITS.search(str(first.get(name)))]
    columns = ", ".join(f"`{name}`" for name in found[:3])
    told = f"times: none are read; they may stand in {columns}: --columns "
    return [told + shlex.quote(f"timestamp={found[0]}")] if found else []


def are_posts(fields: Mapping[str, Any]) -> bool:
    """Whether an object holds posts by their numbers or ids, as `to_json(orient="index")` does.

    >>> are_posts({"7": {"text": "x"}, "8": {"text": "y"}}), are_posts({"user": {"id": 7}})
    (True, False)
    """
    held = list(fields.values())
    if not held or not all(isinstance(one, dict) and one for one in held):
        return False
    shared = set.intersection(*map(set, held))
    return bool(shared) and (len(held) > 1 or next(iter(fields)).isdecimal())


def deeper(fields: Mapping[str, Any]) -> str:
    """A sentence that says where posts stand within an object of JSON; empty where none do.

    >>> deeper({"page": {"posts": [{"user": "ann"}]}})
    " Objects stand in `page.posts`; write these alone: jq '.page.posts'."
    """
    if isinstance(fields.get("columns"), list) and isinstance(fields.get("data"), list):
        return f" It is a table as pandas writes it. {RECORDS}"
    waiting = [("", fields)]
    for path, held in waiting:  # which grows
        for name, value in held.items():
            if isinstance(value, list) and value and isinstance(value[0], dict):
                inner = f"{path}.{name}"
                return f" Objects stand in `{inner[1:]}`; write these alone: jq '{inner}'."
            if isinstance(value, dict) and len(waiting) < _LOOKED_INTO:
                waiting.append((f"{path}.{name}", value))
    return ""
