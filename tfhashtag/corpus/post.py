"""One post as it comes from a file, checked."""

import collections
import contextlib
import dataclasses
import datetime
import math
import re
from typing import Any

import numpy as np

from tfhashtag.corpus.corpus import Split

_SPACE = re.compile(r"\s")
_FLOAT32_MAX = float(np.finfo(np.float32).max)


class BadPost(Exception):
    """A post that breaks a rule; `reason` is its short name, the message says the rest."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclasses.dataclass(frozen=True)
class Post:
    """A message of a user with its hashtags.

    Attributes:
        id: unique in the corpus, not empty.
        user: not empty.
        text: any, may be empty.
        hashtags: without `#`, distinct, none empty or with white space.
        split: where the source says it, else None.
        timestamp: seconds since 1970, or None.
        image: path of an image, relative to the source's folder, or "".
        proposals: float32 `[m, a]`, image proposals that the source gives, or None.
        place: where it stands in the source, `file:line`.
    """

    id: str
    user: str
    text: str
    hashtags: tuple[str, ...]
    split: Split | None = None
    timestamp: int | None = None
    image: str = ""
    proposals: np.ndarray | None = dataclasses.field(default=None, compare=False)
    place: str = dataclasses.field(default="", compare=False)


FIELDS = ("id", "user", "text", "hashtags", "split", "timestamp", "image", "proposals")


def checked_post(
    fields: dict[str, Any],
    default_id: str,
    place: str = "",
    counts: collections.Counter[str] | None = None,
) -> Post:
    """A post from named values of any type.

    Args:
        fields: `user`, `text`, `hashtags` (list of strings) and perhaps `id`, `split`, `timestamp`,
            `image`, `proposals` (list of m lists of `a` numbers, or float32 `[m, a]`). A timestamp
            is seconds since 1970, a `datetime` or ISO 8601 text; without a time zone it is UTC.
        default_id: id where the source has none.
        place: `file:line` of the post.
        counts: gets what is left out of a good post: empty hashtags, fields that are not read.

    Raises:
        BadPost: a value is missing, of the wrong type or out of range.

    Example:

    >>> post = checked_post({"user": "u1", "text": "good read", "hashtags": ["#books"]}, "line 1")
    >>> post.id, post.hashtags
    ('line 1', ('books',))
    """
    for name in ("user", "text", "hashtags"):
        if fields.get(name) is None:
            raise BadPost("missing field", f"field `{name}` is missing")
    user, text = _string(fields["user"], "user"), _string(fields["text"], "text")
    if not user.strip():
        raise BadPost("empty user", "`user` is empty; expected who wrote the post")
    hashtags = fields["hashtags"]
    if not isinstance(hashtags, list | tuple):
        raise BadPost("wrong type", f"`hashtags` is {hashtags!r}; expected a list of strings")
    names = [_hashtag(_string(tag, "hashtags")) for tag in hashtags]
    identity = fields.get("id")
    identity = default_id if identity is None else _string(identity, "id")
    if not identity:
        raise BadPost("empty id", "`id` is empty; leave the field out to have posts numbered")
    if counts is not None:
        empty = sum(not name for name in names)
        if empty:
            counts["empty hashtag fields"] += empty
        for unread in fields.keys() - set(FIELDS):
            counts[f"field `{unread}` is not read"] += 1
    return Post(
        identity,
        user,
        text,
        tuple(dict.fromkeys(name for name in names if name)),
        _split(fields.get("split")),
        _timestamp(fields.get("timestamp")),
        _string("" if fields.get("image") is None else fields["image"], "image"),
        _proposals(fields.get("proposals")),
        place,
    )


def _string(value: Any, name: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # ids are often numbers
    if not isinstance(value, str):
        raise BadPost("wrong type", f"`{name}` is {value!r}; expected a string")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise BadPost("not UTF-8", f"`{name}` holds half a surrogate pair, {value!r}") from None
    return value


def _hashtag(name: str) -> str:
    name = name.removeprefix("#")
    if _SPACE.search(name):
        raise BadPost(
            "white space in a hashtag", f"hashtag {name!r} has white space; expected a single word"
        )
    return name


def _split(value: Any) -> Split | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or value.upper() not in Split.__members__:
        raise BadPost("bad split", f"`split` is {value!r}; expected train, valid or test")
    return Split[value.upper()]


def _timestamp(value: Any) -> int | None:
    if value is None or value == "":
        return None
    number = math.nan
    try:
        number = float(value)
    except (TypeError, ValueError):
        moment = value
        if isinstance(value, str):
            with contextlib.suppress(ValueError):
                moment = datetime.datetime.fromisoformat(value.strip())
        if isinstance(moment, datetime.datetime):
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=datetime.UTC)
            number = moment.timestamp()
    if isinstance(value, bool) or not math.isfinite(number) or abs(number) >= 2**62:
        raise BadPost(
            "bad timestamp", f"`timestamp` is {value!r}; expected seconds since 1970 or ISO 8601"
        )
    return math.floor(number)


def _proposals(value: Any) -> np.ndarray | None:
    """Float32 `[m, a]` of a list of m lists of `a` finite numbers; None of None."""
    if value is None:
        return None
    expected = "expected a list of m lists of `a` numbers each, or nothing"
    if isinstance(value, np.ndarray) and value.dtype == np.float32 and value.ndim == 2:
        if not np.isfinite(value).all():
            raise BadPost("bad proposals", "`proposals` has NaN or infinity; expected numbers")
        return np.array(value)
    if not isinstance(value, list | tuple) or not value:
        found = "an empty list" if value == [] else type(value).__name__
        raise BadPost("bad proposals", f"`proposals` is {found}; {expected}")
    for place, row in enumerate(value):
        if not isinstance(row, list | tuple) or not row:
            found = "empty" if row in ([], ()) else repr(row)[:40]
            raise BadPost("bad proposals", f"`proposals[{place}]` is {found}; {expected}")
        if len(row) != len(value[0]):
            fault = f"{len(row)} numbers, `proposals[0]` has {len(value[0])}; {expected}"
            raise BadPost("bad proposals", f"`proposals[{place}]` has {fault}")
        for column, number in enumerate(row):
            good = isinstance(number, int | float) and not isinstance(number, bool)
            if not good or not abs(number) <= _FLOAT32_MAX:
                fault = f"{number!r:.40}; expected a finite number that fits into float32"
                raise BadPost("bad proposals", f"`proposals[{place}][{column}]` is {fault}")
    return np.array(value, np.float32)
