"""Hashtags of a post as files have them: lists, and cells of text with lists or separators."""

import ast
import collections
import csv
import html
import json
import math
import re
import urllib.parse
from collections.abc import Iterable
from typing import Any

from tfhashtag.corpus.hashtag import SIGNS
from tfhashtag.corpus.markup import has_markup
from tfhashtag.corpus.post_faults import BadPost
from tfhashtag.errors import DataError

#: Cells that say that there is none.
NOTHING = {"", "[]", "{}", "()", "set()", "-", "--"}
#: Words that programs write where there is nothing; as a cell of hashtags they are told.
NOTHING_OF_PROGRAMS = {"nan", "NaN", "None", "null", "NULL", "<NA>", "NaT", "NA", "N/A", "n/a"} | {
    *("#N/A", "#NAME?", "#REF!", "#VALUE!", "#NULL!", "#DIV/0!", "#NUM!"),  # of spreadsheets
    *(r"\N", "(null)", "<null>", "undefined", "nil"),  # of MySQL, Objective-C, JavaScript
}
_IN_ANY_CASE = {"nan", "none", "null", "n/a", "undefined", "<na>"}
_HARD = re.compile(
    r"[,;|/\t\n\u3001\uff0c\uff1b\u060c\u061b]|(?<=\s)[\u2022\u00b7~\u2013\u2014-](?=\s+[^\s#\uff03])"
)
_QUOTES = "'\"\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb"
_CLOSING = {"[": "]", "(": ")", "{": "}"}
_NEIGHBOURS = re.compile(r"""(['"])\s+['"]""")  # of NumPy's `['a' 'b']`, which Python would join
_QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_CUT_LIST = re.compile(r"(?:^|[\s,])(?:\.\.\.|\u2026)(?:[\s,]|$)")  # as NumPy prints long ones
_PAIRS = re.compile(r"^\{\s*(['\"]).*?\1\s*:")
_BYTES = re.compile(r"b(['\"]).*\1", re.DOTALL)
_SIGNED = re.compile(rf"[{SIGNS}]")
_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_PIECE = re.compile(
    r"[,;|]|^[\"\[{]|[\"\]}]$|\\u[\dA-Fa-f]{4}|%[\dA-F]{2}"
    rf"|^\d{{4}}-\d\d-\d\d|^\d{{1,2}}-{_MONTH}$|^{_MONTH}-\d\d$"
)
_SIGNED_WORD = re.compile(rf"[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]*[{SIGNS}]")
_LETTER = re.compile(r"[^\W_]")
_IN_ANGLES = re.compile(r"(?:<[^<>/\s][^<>]*>\s*)+")  # markup is none
_LISTED = re.compile(r"^[\[({'\"<]|[\])}'\">]$|[,;|]|\w[:+&~^\\\u2022#\uff03]\w")
#: References of HTML that are no words: `x&pi;y` are two names between `;`.
REFERENCE = re.compile(
    r"&(?:amp|lt|gt|quot|apos|nbsp|szlig|#\d{1,7}|#[xX][\da-fA-F]{1,6}"
    r"|[A-Za-z]{1,2}(?:acute|grave|circ|tilde|uml|cedil|ring|slash|caron|lig));"
)
_END = r"\s,;|\u3001\uff0c\uff1b\u060c\u061b"  # what ends an address, besides brackets and quotes
# The page of a hashtag, as platforms have them; any other address is none.
_PAGE = re.compile(
    rf"https?://[^/{_END}]+/(?:[^?#:{_END}]*/)?(?:hashtags?|tags?|tagged|topics?)/([^/?#:{_END}]+)/?"
    rf"(?:[?#](?:(?!://)[^'\"\])}}>{_END}]|[,;|](?=[\w.%-]+=))*)?(?=$|[/'\"\])}}>{_END}])"
)
_ADDRESS = re.compile(r"https?://")
_OPEN = re.compile(r"^[\[({<]|[\])}>]$")
_FIELDS = ("text", "tag", "name")  # of an object, as platforms have them


class Cells:
    """Reads the hashtags of a source, after a look at all of them.

    Cells of text are lists of JSON, Python, NumPy or PostgreSQL, `<a><b>`, `#a#b`, or names between
    commas, semicolons, bars, tabs or white space. Where names stand between signs in most cells,
    white space inside a name is a fault of the post.

    Args:
        separator: the one between names; None to recognise it over the column.
        split_signs: read `#a#b` as two names.

    Example:

    >>> cells = Cells()
    >>> for cell in ("coffee;roast", "tea", "['a', 'b']"):
    ...     cells.see(cell)
    >>> cells.settle()
    ['hashtags: names stand between `;`', 'hashtags: lists as text']
    >>> cells.read("tea; milk"), cells.read("['a', 'b']"), cells.read("nan"), cells.read("#a#b")
    (['tea', 'milk'], ['a', 'b'], [], ['a', 'b'])
    """

    def __init__(self, separator: str | None = None, split_signs: bool = True) -> None:
        if separator == "":
            raise DataError("the hashtag separator is empty; expected what stands between names.")
        self.separator = separator
        self.split_signs = split_signs
        self.seen: collections.Counter[str] = collections.Counter()
        self._signs: collections.Counter[str] = collections.Counter()
        self._bare = self._mixed = 0
        self._first_mixed = ""
        self._words: collections.Counter[str] = collections.Counter()
        self._hard = False

    def see(self, value: Any, place: str | None = None) -> None:
        """Looks at one value of the column; by `place`, lines name it in place of what it holds."""
        if isinstance(value, str):
            value = _written_out(value)
        if _is_missing(value):
            self.seen["nothing"] += 1
        elif not isinstance(value, str):
            self.seen["list" if value else "nothing"] += 1
        elif value.strip() in NOTHING:
            self.seen["nothing"] += 1
        elif says_nothing(value.strip()):
            self.seen["nothing"] += 1
            self._words[value.strip()] += 1
        elif _is_list(value.strip()):
            self.seen["list as text"] += 1
        elif found := set(_HARD.findall(value.strip())):
            self.seen["separated"] += 1
            self._signs.update(found)
        else:
            words = value.split()
            self.seen["spaced" if len(words) > 1 else "one"] += 1
            signed = [_SIGNED_WORD.match(word) for word in words if _LETTER.search(word)]
            self._bare += len(words) > 1 and not any(signed)
            if any(signed) and not all(signed):
                self._mixed += 1
                self._first_mixed = self._first_mixed or place or f"{value.strip()!r:.60}"

    def add(self, other: "Cells") -> None:
        """What another has seen of the rows that come after."""
        self.seen.update(other.seen)
        self._signs.update(other._signs)
        self._words.update(other._words)
        self._bare += other._bare
        self._mixed += other._mixed
        self._first_mixed = self._first_mixed or other._first_mixed

    @property
    def always_empty(self) -> bool:
        """Whether no value of the column held a hashtag."""
        return sum(self.seen[kind] for kind in self.seen if kind != "nothing") == 0

    def settle(self) -> list[str]:
        """Decides what stands between names; lines that say it."""
        lines = []
        if self.separator is None:
            self._hard = self.seen["separated"] > 0 and (
                self.seen["separated"] >= self.seen["spaced"]
            )
            if self.seen["separated"]:
                signs = (
                    ", ".join(f"`{sign}`" for sign in sorted(self._signs))
                    .replace("\t", "tab")
                    .replace("\n", "ends of lines")
                )
                spaces = "" if self._hard else " and white space"
                lines.append(f"hashtags: names stand between {signs}{spaces}")
            elif self._bare:
                lines.append("hashtags: names stand between white space")
        if self._mixed and self.separator is None:
            lines.append(
                f"hashtags: {self._mixed:,} cells have words with # and others without, such as "
                f"{self._first_mixed}; all are taken (of texts: --hashtags-from text)"
            )
        if self.seen["list as text"]:
            lines.append("hashtags: lists as text")
        if self._words:
            words = ", ".join(f"`{word}` {count:,}" for word, count in self._words.items())
            lines.append(f"hashtags: cells that are read as none: {words}")
        return lines

    def read(self, value: Any) -> list[str]:
        """The names of one value.

        Raises:
            BadPost: it is no list of strings.
        """
        if _is_missing(value):
            return []
        if isinstance(value, str):
            value = self._of_text(_checked(value).strip())
        if not isinstance(value, list | tuple):
            raise BadPost("wrong type", f"`hashtags` is {value!r:.80}; expected a list of strings")
        names = [name for one in value if not _is_missing(one) for name in _inside(_named(one))]
        if self.separator is not None:
            names = [
                part.strip()
                for name in names
                for part in (name.split(self.separator) if isinstance(name, str) else [name])
            ]
        return [part for name in names for part in _parts(name)] if self.split_signs else names

    def _of_text(self, cell: str) -> list[Any]:
        if cell in NOTHING or says_nothing(cell):
            return []
        if self.separator is None and not _is_list(cell) and _OPEN.search(cell):
            fault = f"`hashtags` is {cell!r:.80}; it looks like a piece of a list"
            raise BadPost("no list", f"{fault}. Else say what stands between: --hashtag-separator")
        if self.separator is not None:
            return [name.strip() for name in cell.split(self.separator)]
        if _is_list(cell):
            return _list_of(cell)
        if _HARD.search(cell) or self._hard:
            names = [name.strip().strip(_QUOTES) for name in _HARD.split(cell)]
            return names if self._hard else [part for name in names for part in name.split()]
        return [name.strip(_QUOTES) for name in cell.split()]


def says_nothing(word: str) -> bool:
    """Whether a program writes the word where there is nothing.

    >>> says_nothing("NONE"), says_nothing("#N/A"), says_nothing("na")
    (True, True, False)
    """
    return word in NOTHING_OF_PROGRAMS or word.casefold() in _IN_ANY_CASE


def look_listed(names: Iterable[str]) -> bool:
    """Whether most names look like pieces of a list that was not recognised.

    >>> look_listed(["['coffee',", "'roast']"]), look_listed(["coffee", "rock'n'roll"])
    (True, False)
    """
    marks = [bool(_LISTED.search(name)) for name in names]
    return 2 * sum(marks) > len(marks)


def pieces_among(names: Iterable[str]) -> list[str]:
    """Names that are likely several, a piece of a list, escaped, or a date of a spreadsheet.

    >>> pieces_among(["tea,milk", "rock'n'roll", "['tea'", "caf%C3%A9", "1-May"])
    ['1-May', "['tea'", 'caf%C3%A9', 'tea,milk']
    """
    return sorted(name for name in names if _PIECE.search(name))


def joined(name: Any) -> Any:
    """A name without the white space between its words.

    >>> joined("green tea")
    'greentea'
    """
    return "".join(name.split()) if isinstance(name, str) else name


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _is_list(cell: str) -> bool:
    if cell.startswith("<"):
        return _IN_ANGLES.fullmatch(cell) is not None
    return len(cell) > 1 and _CLOSING.get(cell[0]) == cell[-1]


def _list_of(cell: str) -> list[Any]:
    inside = cell[1:-1].strip()
    if cell[0] == "<":
        return re.split(r">\s*<", inside)
    if _CUT_LIST.search(_QUOTED.sub("", inside)):
        fault = f"`hashtags` is {cell!r:.80}, which a program has cut at `...`"
        raise BadPost("cut list", f"{fault}; write whole lists, as JSON")
    try:
        found = json.loads(cell)
        return found if isinstance(found, list) else [found]
    except (ValueError, RecursionError):
        pass
    if _NEIGHBOURS.search(inside) and "," not in inside:
        return [one or other for one, other in _QUOTED.findall(inside)]
    if cell[0] != "{":  # a set of Python has its order in the text alone
        try:
            found = ast.literal_eval(re.sub(r"\b(nan|NaN|null)\b(?!['\"])", "None", cell))
            return [name for name in found if name is not None]
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            pass
    if _PAIRS.match(cell):
        raise BadPost("no list", f"`hashtags` is {cell!r:.80}, names with values; expected a list")
    if cell[0] == "{" or not re.search(r"['\"]", inside):  # PostgreSQL, or names without quotes
        sign = "," if "," in inside else " "
        rows = list(csv.reader([inside], delimiter=sign, skipinitialspace=True))
        names = [name.strip() for row in rows for name in row]
        # PostgreSQL writes a name of that word with quotes.
        return [
            name.strip("'") for name in names if not says_nothing(name) or f'"{name}"' in inside
        ]
    raise BadPost("no list", f"`hashtags` is {cell!r:.80}; it looks like a list and is none")


def _named(value: Any) -> Any:
    if isinstance(value, dict):
        found = [value[field] for field in _FIELDS if isinstance(value.get(field), str)]
        if not found:
            raise BadPost("wrong type", f"`hashtags` holds {value!r:.80}; expected strings")
        return found[0]
    return value


def _written_out(cell: str) -> str:
    """A cell without references of HTML, and with the names of hashtags' pages for their addresses.

    >>> _written_out("rock&amp;roll, https://x.example/explore/tags/caf%C3%A9/")
    'rock&roll, café'
    """
    if "&" in cell:
        cell = REFERENCE.sub(lambda found: html.unescape(found[0]), cell)
    if "://" in cell:
        cell = _PAGE.sub(lambda found: urllib.parse.unquote(found[1]), cell)
    return cell


def _checked(cell: str) -> str:
    """The cell written out, where no address and no markup is left."""
    cell = _written_out(cell)
    if has_markup(cell) and not _is_list(cell.strip()):
        fault = f"`hashtags` is {cell!r:.80}, with markup"
        raise BadPost("markup for hashtags", f"{fault}; expected names")
    if _BYTES.fullmatch(cell.strip()):
        fault = f"`hashtags` is {cell!r:.80}, bytes as Python writes them"
        raise BadPost("bytes for hashtags", f"{fault}; decode them before they are written")
    if _ADDRESS.search(cell):
        fault = f"`hashtags` is {cell!r:.80}, with an address that is no hashtag's page"
        raise BadPost("address for a hashtag", f"{fault}; expected names")
    return cell


def _inside(name: Any) -> list[Any]:
    """The names that a name of a list is: several where it is a list as text itself."""
    if not isinstance(name, str):
        return [name]
    name = _checked(name)
    bracketed = name.strip().startswith("[") and _is_list(name.strip())
    return _list_of(name.strip()) if bracketed else [name]


def _parts(name: Any) -> list[Any]:
    """`#a#b` and `#a #b` are two."""
    if not isinstance(name, str) or not _SIGNED.match(name):
        return [name]
    words = name.split()
    if len(words) > 1 and not all(_SIGNED.match(word) for word in words):
        return [name]
    parts = [part.strip() for part in _SIGNED.split(name) if part.strip()]
    # Behind a sign what ends a sentence is none of the name; `...` is where it is cut.
    ends = [len(part.rstrip(".!?:;")) for part in parts]
    cut = [part.endswith(("...", "\u2026")) for part in parts]
    return [
        part if whole or not end else part[:end]
        for part, end, whole in zip(parts, ends, cut, strict=True)
    ] or [name]
