"""One post as it comes from a file, checked."""

import collections
import dataclasses
import decimal
import math
import re
import sys
from typing import Any

import numpy as np
import regex

from tfhashtag.corpus.cells import Cells
from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.hashtag import distinct_names, hashtag_name
from tfhashtag.corpus.outcomes import OUTCOMES, outcomes_of
from tfhashtag.corpus.post_faults import BadPost, missing_field
from tfhashtag.corpus.times import Times

_SPACE = re.compile(r"\s")
_ROUNDED = re.compile(r"[0-9][.,][0-9]+[eE]\+[0-9]+")
# As `+` of `tea + milk`; signs of punctuation alone are no names anyway.
_SIGNS_ALONE = regex.compile(r"[[\p{P}\p{Sm}\p{Sc}\p{Sk}]--_]+", regex.V1)
#: Under which hashtags are counted of which only the beginning is there.
CUT_SHORT = "hashtags that are cut short, `...` at their ends, left out"
#: The fault of a name of several words, and what stands between them where that is a sign.
SEVERAL_WORDS = re.compile("white space in a hashtag(?:, and `(.)` between words)?")
_BETWEEN = re.compile(r"[,;|\u2022\u3001\uff0c\uff1b\u060c\u061b]|(?<=\s)[/+~\u00b7](?=\s)")
_CUT = "..."  # NFKC of the one character, too
_SPLITS = {
    name: split
    for split, names in (
        (Split.TRAIN, "train training"),
        (Split.VALID, "valid validation val dev"),
        (Split.TEST, "test testing"),
    )
    for name in names.split()
}
_FLOAT32_MAX = float(np.finfo(np.float32).max)


@dataclasses.dataclass(frozen=True, slots=True)
class Post:
    """A message of a user with its hashtags.

    Attributes:
        id: unique in the corpus, not empty.
        user: not empty.
        text: any, may be empty.
        hashtags: without `#`, distinct, none empty or with white space.
        split: where the source says it, else None.
        timestamp: seconds since 1970, or None.
        images: paths of pictures and clips, relative to the source's folder, in their order.
        retweet: whether it repeats a post of somebody else.
        numbered: whether its id is its place in the source, as the source gives none.
        outcomes: what came of it, as `tfhashtag.corpus.outcomes.outcomes_of` gives it.
        proposals: float32 `[m, a]`, image proposals that the source gives, or None.
        place: where it stands in the source, `file:line`.
    """

    id: str
    user: str
    text: str
    hashtags: tuple[str, ...]
    split: Split | None = None
    timestamp: int | None = None
    images: tuple[str, ...] = ()
    proposals: np.ndarray | None = dataclasses.field(default=None, compare=False)
    retweet: bool = dataclasses.field(default=False, compare=False)
    place: str = dataclasses.field(default="", compare=False)
    numbered: bool = dataclasses.field(default=False, compare=False)
    outcomes: tuple[int, ...] = dataclasses.field(default=(), compare=False)


_OWN = ("id", "user", "text", "hashtags", "split", "timestamp", "images", "proposals", "audio_text")
FIELDS = (*_OWN, *OUTCOMES)
_RETWEET = re.compile(r"RT @\w+:")


def checked_post(
    fields: dict[str, Any],
    default_id: str,
    place: str = "",
    counts: collections.Counter[str] | None = None,
    *,
    keep_spelling: bool = False,
) -> Post:
    """A post from named values of any type.

    Args:
        fields: `user`, `text`, `hashtags` (list of strings) and perhaps `id`, `split`, `timestamp`,
            `audio_text` (what is spoken or heard, which is read after the text, see `with_audio`),
            `images` (a path, or a list of paths), `proposals` (list of m lists of `a` numbers, or
            float32 `[m, a]`), `retweet`, and whole numbers `likes`, `shares`, `replies`, `views`,
            `followers`. A timestamp is seconds since 1970, a time of Python or ISO 8601; without a
            zone it is UTC.
        default_id: id where the source has none.
        place: `file:line` of the post.
        counts: gets what is left out of a good post: empty hashtags, fields that are not read.
        keep_spelling: take hashtags as they are written, but for one `#` before them.

    Raises:
        BadPost: a value is missing, of the wrong type or out of range.

    Example:

    >>> post = checked_post({"user": "u1", "text": "good read", "hashtags": ["#Books"]}, "line 1")
    >>> post.id, post.hashtags
    ('line 1', ('Books',))
    """
    for name in ("user", "text", "hashtags"):
        if fields.get(name) is None:
            raise missing_field(f"field `{name}` is missing", fields)
    user, text = _string(fields["user"], "user"), _string(fields["text"], "text")
    if fields.get("audio_text") is not None:
        text = with_audio(text, _string(fields["audio_text"], "audio_text"))
    if not user.strip():
        raise BadPost("empty user", "`user` is empty; expected who wrote the post")
    names = _hashtags(fields["hashtags"], keep_spelling)
    cut = sum(name.endswith(_CUT) for name in names)
    identity = fields.get("id")
    identity = default_id if identity is None else _string(identity, "id")
    if not identity:
        raise BadPost("empty id", "`id` is empty; leave the field out to have posts numbered")
    if counts is not None:
        if cut and not keep_spelling:
            counts[CUT_SHORT] += cut
        empty = sum(not name for name in names)
        if empty:
            counts["empty hashtag fields"] += empty
        for unread in fields.keys() - {*FIELDS, "retweet"}:
            counts[f"field `{unread}` is not read"] += 1
    whole = [name for name in names if name and (keep_spelling or not name.endswith(_CUT))]
    kept = dict.fromkeys(whole) if keep_spelling else distinct_names(whole)
    return Post(
        identity,
        sys.intern(user),
        text,
        tuple(map(sys.intern, kept)),
        _split(fields.get("split")),
        Times().read(fields.get("timestamp")),
        _images(fields.get("images")),
        _proposals(fields.get("proposals")),
        _flag(fields.get("retweet")) or _RETWEET.match(text) is not None,
        place,
        fields.get("id") is None,
        outcomes_of(fields),
    )


def _hashtags(given: Any, keep_spelling: bool) -> list[str]:
    """Names without white space; `""` for those of which nothing is left."""
    if not isinstance(given, list | tuple):
        raise BadPost("wrong type", f"`hashtags` is {given!r}; expected a list of strings")
    parts = Cells(split_signs=not keep_spelling).read(given)
    tags = [_string(tag, "hashtags") for tag in parts]
    names = [tag.removeprefix("#") if keep_spelling else hashtag_name(tag) for tag in tags]
    if not keep_spelling:
        names = ["" if _SIGNS_ALONE.fullmatch(name) else name for name in names]
    for name in names:
        if _SPACE.search(name):
            fault = f"hashtag {name!r} has white space; expected a single word"
            reason, sign = "white space in a hashtag", _BETWEEN.search(name)
            mend = "Names of several words as one: --join-words"
            if sign:
                reason += f", and `{sign[0]}` between words"
                mend = f"What stands between names: --hashtag-separator '{sign[0]}'"
            mend += "; from the texts instead: --hashtags-from text"
            raise BadPost(reason, f"{fault}. {mend}")
    return names


def with_audio(text: str, heard: str) -> str:
    """A post's text and what is spoken or heard in it, as one text; the post's own words first.

    >>> with_audio("look at that", "Welcome to the zoo."), with_audio("", "Hello")
    ('look at that\\n\\nWelcome to the zoo.', 'Hello')
    """
    return "\n\n".join(part for part in (text, heard) if part.strip()) if heard.strip() else text


def _string(value: Any, name: str) -> str:
    if isinstance(value, float) and name in ("id", "user"):
        value = _whole(value, name)
    if isinstance(value, decimal.Decimal) and value == value.to_integral_value():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)  # ids are often numbers
    if not isinstance(value, str):
        fault = f"`{name}` is {value!r:.80}; expected a string"
        if isinstance(value, dict) and value:
            fault += f". Say which of its fields: --columns {name}={name}.{next(iter(value))}"
        raise BadPost("wrong type", fault)
    if name in ("id", "user") and _ROUNDED.fullmatch(value):
        fault = f"`{name}` is {value}, a number that a spreadsheet has rounded; expected all digits"
        raise BadPost("rounded id", f"{fault}. Export it as text")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise BadPost("not UTF-8", f"`{name}` holds half a surrogate pair, {value!r}") from None
    return value


def _flag(value: Any) -> bool:
    """Whether a flag is set, also as tables write it; a number may count and sets none."""
    return value is True or str(value).strip().lower() == "true"


def _images(value: Any) -> tuple[str, ...]:
    """Paths, each once; of a single path that one."""
    if value is None:
        return ()
    given = value if isinstance(value, list | tuple) else [value]
    return tuple(dict.fromkeys(filter(None, (_string(path, "images") for path in given))))


def _whole(value: float, name: str) -> int:
    """The whole number that a float holds, where floats hold every whole number."""
    if math.isnan(value):
        raise BadPost("missing field", f"field `{name}` is missing; found nan")
    if value != math.floor(value):
        raise BadPost("wrong type", f"`{name}` is {value!r}; expected a string or a whole number")
    if abs(value) >= 2**53:
        fault = f"`{name}` is {value!r}, a float, which has lost its last digits"
        mend = f'read it as text: `pandas.read_csv(..., dtype={{"{name}": "string"}})`'
        raise BadPost("rounded id", f"{fault}; {mend}")
    return int(value)


def _split(value: Any) -> Split | None:
    if value is None or value == "":
        return None
    found = _SPLITS.get(value.strip().lower()) if isinstance(value, str) else None
    if found is None:
        raise BadPost("bad split", f"`split` is {value!r}; expected train, valid or test")
    return found


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
