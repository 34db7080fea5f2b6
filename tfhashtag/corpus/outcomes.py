"""What came of posts: likes, shares, replies, views, and the followers that the author had."""

import decimal
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfhashtag.corpus.post_faults import BadPost

#: Optional fields of a post, whole numbers.
OUTCOMES = ("likes", "shares", "replies", "views", "followers")
UNKNOWN = -1
_NOTHING = ("", "nan", "NaN", "<NA>", "None", "null", "NULL")
_WHOLE = re.compile(r"[0-9]{1,18}(\.0{1,2}|\.0{4,})?")  # 1.000 may be a thousand


def outcomes_of(fields: Mapping[str, Any]) -> tuple[int, ...]:
    """The outcomes among the fields of a post, in order of `OUTCOMES`, -1 for none; () without any.

    Raises:
        BadPost: a value is no whole number of at least 0.

    Example:

    >>> outcomes_of({"likes": "12", "views": 340.0, "text": "tea"})
    (12, -1, -1, 340, -1)
    """
    if not any(name in fields for name in OUTCOMES):
        return ()
    found = tuple(_count(fields.get(name), name) for name in OUTCOMES)
    return found if max(found) >= 0 else ()


def known_outcomes(columns: Mapping[str, np.ndarray] | None) -> dict[str, np.ndarray] | None:
    """The columns in which any post has a number; None where none has."""
    found = {name: values for name, values in (columns or {}).items() if np.any(values >= 0)}
    return {name: found[name] for name in OUTCOMES if name in found} or None


def joined_outcomes(
    parts: Sequence[tuple[Mapping[str, np.ndarray] | None, int]],
) -> dict[str, np.ndarray] | None:
    """Columns of several corpora one after the other, each with its number of posts."""
    return known_outcomes(
        {
            name: np.concatenate(
                [(found or {}).get(name, np.full(count, UNKNOWN)) for found, count in parts]
            )
            for name in OUTCOMES
        }
    )


def _count(value: Any, name: str) -> int:
    """A number as files have it: whole, or such a float or string; -1 for nothing."""
    if isinstance(value, str):
        value = value.strip()
        if value in _NOTHING:
            return UNKNOWN
        if _WHOLE.fullmatch(value):
            return int(value.partition(".")[0])
    elif value is None or (isinstance(value, float) and math.isnan(value)):
        return UNKNOWN
    elif (
        isinstance(value, int | float | decimal.Decimal)
        and not isinstance(value, bool)
        and 0 <= value < 2**62
        and value == int(value)
    ):
        return int(value)
    fault = f"`{name}` is {value!r:.40}; expected a whole number of at least 0, such as 1200"
    raise BadPost("bad outcome", f"{fault}, or nothing where it is not known")
