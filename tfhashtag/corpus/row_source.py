"""People's own files: what is said of them is recognised over all rows, then each row is read."""

import collections
import copy
import dataclasses
import difflib
import os
import pathlib
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tfhashtag.corpus.cells import NOTHING_OF_PROGRAMS, Cells, joined
from tfhashtag.corpus.columns import (
    RECORDS,
    are_posts,
    deeper,
    leaves,
    times_not_read,
    usual_columns,
    within,
)
from tfhashtag.corpus.garbled import mended
from tfhashtag.corpus.hashtag import SIGNS, find_hashtags, names_are_closed
from tfhashtag.corpus.markup import (
    plain_hashtags,
    splits_hashtag,
    unescaped,
    whole_text_of,
)
from tfhashtag.corpus.outcomes import OUTCOMES
from tfhashtag.corpus.post import CUT_SHORT, FIELDS, Post, checked_post
from tfhashtag.corpus.post_faults import BadPost, OnBad
from tfhashtag.corpus.readers import ROW_FORMATS
from tfhashtag.corpus.readers.csv import opening
from tfhashtag.corpus.readers.files import encoding_of, plain_suffix, source_files, text_lines
from tfhashtag.corpus.readers.headings import USUAL_NAMES, plain_name
from tfhashtag.corpus.readers.looks import check_looks
from tfhashtag.corpus.readers.meta import archive_root
from tfhashtag.corpus.readers.rows import Layout, Row
from tfhashtag.corpus.seen import AROUND, Seen, TextForm, names_nobody
from tfhashtag.corpus.times import Times
from tfhashtag.errors import DataError

STEP = 1000  # posts between two signs of progress
NEEDED = ("user", "text")
PLATFORMS = (
    "twitter",
    "mastodon",
    "bluesky",
    "instagram",
    "facebook",
    "tiktok",
    "linkedin",
    "reddit",
)
_BELOW_TABLES = {"total", "totals", "grand total", "subtotal", "sum", "sums", "average", "mean"} | {
    *("summe", "gesamt", "gesamtergebnis", "totale", "suma", "somme", "итого", "合计", "合計"),
}
_MAY_BE_SEVERAL = {"unknown", "anonymous", "deleted"}
_BETWEEN_PATHS = re.compile(r"[;|,\n]")
_ENDED = re.compile(r".*\.[A-Za-z0-9]{2,5}").fullmatch
_OBJECT = re.compile(r"\s*(?:\{.*['\"]\s*:.*\}|\w+\(\w+=.*\))\s*", re.DOTALL)
_LONG = 80  # characters of a text that may have been cut
_CUT_TAG = re.compile(rf"[{SIGNS}][^\s{SIGNS}]*(?:\u2026|\.\.\.)(?:\s*https?://\S+)?\s*$")
_TABLES = ("jsonl", "json", "csv", "spreadsheet", "parquet", "arrow")
_MAPPED = (*FIELDS, "image")
_HOURS = ("time", "hour", "timeofday", "uhrzeit", "heure", "hora", "ora")


@dataclasses.dataclass(frozen=True)
class Reading:
    """What a person says about their files; what is None or `auto` is recognised, and told.

    Attributes:
        delimiter: between the columns of CSV.
        encoding: of text; None for UTF-8, or what the file's mark says.
        sheet: the name of the sheet of a spreadsheet.
        columns: our names to those of the files, `{"user": "username"}`; what an object within a
            post holds is `entities.hashtags`.
        hashtag_separator: between names in a cell.
        join_words: names of several words, as other platforms have them, are written as one word.
        hashtags_from: `field`, `text`, or `auto`: the texts where the field is absent or always
            empty.
        text_format: `plain`, `html`, or `auto`: HTML where most texts hold tags of it, and UTF-8
            that was read as Latin-1 is mended where most are that.
        escaped: whether texts hold references of HTML, which are read as text; None: recognised.
        time_unit: `s`, `ms`, `us`, `ns`, or `days` of a spreadsheet, of numbers.
        time_format: how times are written, in the signs of `datetime.strptime`.
        keep_spelling: keep hashtags as they are written, instead of the most used spelling of
            each; published data sets are always kept so.
        user: who wrote the posts, where the files do not say it.
    """

    delimiter: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)
    hashtag_separator: str | None = None
    join_words: bool = False
    hashtags_from: str = "auto"
    text_format: str = "auto"
    escaped: bool | None = None
    time_unit: str | None = None
    time_format: str | None = None
    keep_spelling: bool = False
    user: str | None = None

    def __post_init__(self) -> None:
        for field, values in (
            ("hashtags_from", ("auto", "field", "text")),
            ("text_format", ("auto", "plain", "html")),
        ):
            if getattr(self, field) not in values:
                found = getattr(self, field)
                raise DataError(f"`{field}` is {found!r}; expected {', '.join(values)}.")
        for name in self.columns:
            if name not in _MAPPED:
                near = difflib.get_close_matches(name, _MAPPED, n=1)
                hint = f" Did you mean `{near[0]}`?" if near else ""
                expected = ", ".join(_MAPPED)
                raise DataError(f"--columns {name}=...: expected one of {expected}.{hint}")


class RowSource:
    """Files of one format, looked at whole before a post is read.

    Args:
        source_format: a key of `ROW_FORMATS`.
        path: a file, a folder or a pattern.
        reading: what is said about them.
        note_users: whether `users` will be asked for.

    Example:

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "posts.csv")
    >>> _ = path.write_text("user;text;hashtags\\nann;good;['tea', 'milk']\\n")
    >>> source = RowSource("csv", path, Reading())
    >>> source.look(print)
    >>> source.told
    ['columns: between `;`', 'hashtags: lists as text']
    >>> next(source.posts(print, collections.Counter())).hashtags
    ('tea', 'milk')
    """

    def __init__(
        self,
        source_format: str,
        path: str | os.PathLike,
        reading: Reading | None = None,
        note_users: bool = False,
    ) -> None:
        self.reading = reading or Reading()
        self.format = source_format
        self.path = pathlib.Path(path).expanduser()
        chosen = ROW_FORMATS[source_format]
        self.files = chosen.files(self.path)
        self.layout = Layout(self.reading.delimiter, self.reading.encoding, self.reading.sheet)
        check_looks(self.files[0], chosen.endings, self.layout)
        self._rows = chosen.rows
        self._cells = Cells(self.reading.hashtag_separator, not self.reading.keep_spelling)
        cells = source_format == "spreadsheet"
        self._times = Times(self.reading.time_unit, self.reading.time_format, cells)
        self._renamed = {theirs: ours for ours, theirs in self.reading.columns.items()}
        self._looked_into = {name.partition(".")[0] for name in self._renamed if "." in name}
        self.told: list[str] = []
        self.found: collections.Counter[str] = collections.Counter()
        self.hashtags_from_text = self.reading.hashtags_from == "text"
        self._form = TextForm(html=self.reading.text_format == "html")
        self._float_ids: set[str] = set()
        self._number_ids = False
        self._first: Mapping[str, Any] = {}
        self._user = self.reading.user
        self.rows = 0
        self._seen = Seen(users=set() if note_users else None)

    @property
    def folder(self) -> pathlib.Path:
        """What pictures are looked for in."""
        if self.path.is_dir():
            return self.path
        if self.format in ("instagram", "facebook"):
            return archive_root(self.files[0])
        return self.files[0].parent

    @property
    def hashtags_from(self) -> str:
        """`field` or `text`, after a look."""
        return "text" if self.hashtags_from_text else "field"

    @property
    def escaped(self) -> bool:
        """Whether references of HTML are read as text, after a look."""
        return self._form.escaped

    @property
    def unit_of_times(self) -> str | None:
        """As `Times.recognised`, after a look."""
        return self._times.recognised

    @property
    def users(self) -> set[str]:
        """Names of all users, after a look that noted them."""
        found = {mended(name) if self._form.garbled else name for name in self._seen.users or ()}
        return found | ({self._user} if self._user is not None else set())

    def look(
        self, on_bad: OnBad, moved: Callable[[str, int], None] = lambda what, done: None
    ) -> None:
        """Looks at all rows and decides how they are read; `told` says it.

        Args:
            on_bad: what to do with a row that cannot be read.
            moved: called with what is being done and the number of rows done.

        Raises:
            DataError: there is no row, a needed column is missing, or what is found has more than
                one meaning.
        """
        self.see(on_bad, moved)
        self.settle()

    def see(
        self, on_bad: OnBad, moved: Callable[[str, int], None] = lambda what, done: None
    ) -> None:
        """The part of `look` that goes over the rows; errors of single rows as there."""
        for place, fields in self._rows(self.files, self.layout, on_bad, collections.Counter()):
            self.rows += 1
            if self.rows % STEP == 0:
                moved("looking", self.rows)
            self._first = self._first or fields
            self.found.update(name for name in fields if name is not None)
            self.found.update(within(fields, self._renamed).keys())
            self._see(place, self._named(fields), self._seen)

    def part(self, number: int) -> "RowSource":
        """The same source, unseen, with one of its files: `see` of it can run elsewhere."""
        found = copy.deepcopy(self)
        found.files = [self.files[number]]
        return found

    def add(self, part: "RowSource") -> None:
        """What a `part` has seen; parts are added in the order of their files."""
        self.rows += part.rows
        self._first = self._first or part._first
        self.found.update(part.found)
        self._seen.add(part._seen)
        self._cells.add(part._cells)
        self._times.add(part._times)

    def settle(self) -> None:
        """Decides from what was seen; errors as `look`."""
        rows, seen = self.rows, self._seen
        if not rows:
            return
        self._check_columns()
        self.told += _layout_told(self)
        self.told += [
            f"column `{theirs}` is read as `{ours}`" for theirs, ours in self._renamed.items()
        ]
        self.told += [
            f"column `{theirs}` is not read; if it is the {ours}: --columns {ours}={theirs}"
            for ours, theirs in self.usual_columns().items()
            if ours in ("timestamp", "images", "audio_text", *OUTCOMES)
        ]
        self._choose_hashtags(seen)
        if self.reading.text_format == "auto":
            self._form, lines = seen.form_of_texts(self.format in _TABLES, self.reading.escaped)
            self.told += lines
        self.told += seen.odd_texts()
        self.told += self._times.settle()
        unread = [name for name in self.found if name not in self._renamed]
        if "timestamp" not in {*self.found, *self.reading.columns, *self.usual_columns()}:
            self.told += times_not_read(unread, self._first)
        hours = [name for name in unread if plain_name(name) in _HOURS]
        if self._times.days_alone and hours:
            self.told.append(
                f"times: days alone, and column `{hours[0]}` is not read; write both into one "
                "column, else nothing tells the order within a day"
            )
        for name in ("user", "id"):
            whole = seen.float_ids[name] + seen.whole_ids[name]
            if seen.float_ids[name] and whole == seen.texts_of[name]:
                self._float_ids.add(name)
                self.told.append(f"`{name}`: numbers such as `12.0` are read as `12`")
        if not seen.texts_of["user"] and self._user is None and self.format in PLATFORMS:
            self._user = "me"
            self.told.append(
                "`user`: no post names its author, who is called `me`; else --user NAME"
            )
        self._number_ids = 0 < seen.texts_of["id"] < rows

    def posts(
        self,
        on_bad: OnBad,
        counts: collections.Counter[str],
        file: int | None = None,
        before: int = 0,
    ) -> Iterator[Post]:
        """The posts, checked.

        Args:
            on_bad: what to do with a bad one.
            counts: gets what is left out of good ones.
            file: the number of the one file to read; None for all.
            before: rows in the files before it.
        """
        files = self.files if file is None else [self.files[file]]
        rows = self._rows(files, self.layout, on_bad, counts)
        for number, row in enumerate(rows, before + 1):
            try:
                yield self._post(row, number, counts)
            except BadPost as fault:
                on_bad(row.place, fault)

    def _post(self, row: Row, number: int, counts: collections.Counter[str]) -> Post:
        fields = self._known(row.fields, counts)
        text = fields.get("text")
        if isinstance(text, str) and self._form.escaped:
            text = fields["text"] = unescaped(text)
        split = self.reading.text_format == "auto" and isinstance(text, str)
        if isinstance(text, str) and (self._form.html or (split and splits_hashtag(text))):
            if not self._form.html:
                counts["texts with HTML, read as text"] += 1
            text = fields["text"] = whole_text_of(text)
        if self.hashtags_from_text:
            fields["hashtags"] = _of_text(text, counts) if isinstance(text, str) else []
        elif "hashtags" in fields:
            names = self._cells.read(fields["hashtags"])
            fields["hashtags"] = list(map(joined, names)) if self.reading.join_words else names
            if not fields["hashtags"] and isinstance(text, str) and _holds_any(text):
                counts["posts without hashtags whose text holds some (--hashtags-from text)"] += 1
        if "timestamp" in fields:
            self._times.without_zone = 0
            fields["timestamp"] = self._times.read(fields["timestamp"])
            if self._times.without_zone:
                counts["times without a zone, read as UTC"] += 1
        _gather_pictures(fields)
        for name in ("user", "id"):
            if isinstance(fields.get(name), str):
                fields[name] = AROUND.sub("", fields[name])
        for name in self._float_ids:
            fields[name] = str(fields[name]).removesuffix(".0") if name in fields else None
        line = row.place.rpartition(":")[2]
        own = len(self.files) == 1 and self.format == "jsonl" and line.isdecimal()
        default = line if own else str(number)
        default = f"row {default}" if self._number_ids else default
        keep = self.reading.keep_spelling
        return checked_post(fields, default, row.place, counts, keep_spelling=keep)

    def _known(self, given: Mapping[str, Any], counts: collections.Counter[str]) -> dict[str, Any]:
        """Fields under our names, with what is known of all posts."""
        fields = self._named(given)
        for name, value in fields.items():
            if any("\0" in text for text in _texts_in(value)):
                counts["values with NUL characters, which are taken out"] += 1
                fields[name] = _changed(value, lambda text: text.replace("\0", ""))
        if self._form.garbled:
            fields = {name: _changed(value, mended) for name, value in fields.items()}
        if self._user is not None:
            fields.setdefault("user", self._user)
        if self.format in ("csv", "spreadsheet"):
            _without_nothing(fields, counts)
        elif fields.get("user") and names_nobody(fields["user"]):
            named = f"posts of a user `{fields['user']}`, as programs write where there is none"
            counts[named] += 1
        if isinstance(fields.get("user"), str) and _OBJECT.fullmatch(fields["user"]):
            fault = f"`user` is {fields['user']!r:.80}, an object as a program prints it"
            raise BadPost("an object for a user", f"{fault}; write its name alone into the column")
        if _is_total(fields):
            counts[
                f"posts of a user `{fields['user']}` without text and hashtags, as below a table"
            ] += 1
        if str(fields.get("user")).strip().lower() in _MAY_BE_SEVERAL:
            counts[f"posts of a user `{fields['user']}`, who may be several people"] += 1
        if names_nobody(fields.get("id")):
            fields.pop("id", None)  # numbered, as others without one
        return fields

    def _named(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Fields under our names; what is empty and not needed is left out."""
        result = {}
        for theirs, value in {**fields, **within(fields, self._renamed)}.items():
            ours = self._renamed.get(theirs, theirs)
            while isinstance(value, dict) and len(value) == 1 and next(iter(value))[:1] == "$":
                value = next(iter(value.values()))  # noqa: PLW2901  `{"$date": ...}` of MongoDB
            if isinstance(value, dict) and theirs in self._looked_into:
                continue
            if theirs in _MAPPED and ours == theirs and theirs in self.reading.columns:
                continue  # another column has been given this name
            nothing = value is None or (isinstance(value, str) and value.strip() == "")
            if ours == "text" and isinstance(value, str):
                value = plain_hashtags(value)  # noqa: PLW2901
            if ours == "hashtags" or not nothing or (ours in NEEDED and value is not None):
                result[ours] = value
        if "." in self.reading.columns.get("hashtags", ""):
            result.setdefault("hashtags")  # objects leave out what is empty
        return result

    def _see(self, place: str, fields: Mapping[str, Any], seen: Seen) -> None:
        text = fields.get("text")
        shown = seen.shown(place)
        if isinstance(text, str) and text.strip():
            seen.see_text(text, shown or f"{text!r:.40}")
        if "hashtags" in fields:
            self._cells.see(fields["hashtags"], shown)
        without = not fields.get("hashtags") or self._cells.always_empty
        if without and isinstance(text, str) and _holds_any(text):
            seen.tagged_texts += 1
            seen.closed_texts += names_are_closed(text)
        self._times.see(fields.get("timestamp"), place)
        seen.see_names(place, fields, self.format == "spreadsheet")

    def _check_columns(self) -> None:
        if self.format == "json" and isinstance(self._first.get("text"), dict):
            raise DataError(
                f"{self.path}: columns in place of posts, as pandas writes them. {RECORDS}"
            )
        if self.format in ("json", "jsonl") and are_posts(self._first):
            raise DataError(
                f"{self.path}: posts stand by their numbers or ids, first "
                f"{next(iter(self._first))!r:.40}; expected a list. Write these alone: jq '.[]'."
            )
        for ours, theirs in self.reading.columns.items():
            if theirs not in self.found:
                near = difflib.get_close_matches(theirs, [*self.found, *leaves(self._first)], n=1)
                hint = f" Did you mean `{near[0]}`?" if near else ""
                raise DataError(
                    f"{self.path}: no column `{theirs}` for --columns {ours}={theirs}; found "
                    f"{self._found()}.{hint}"
                )
        for name in NEEDED:
            if name not in self.found and name not in self.reading.columns:
                if name == "user" and self.reading.user is not None:
                    continue
                other = " Where one person wrote all: --user NAME." if name == "user" else ""
                other += "" if self.usual_columns() else deeper(self._first)
                if self.format == "csv" and not self.usual_columns() and not self.reading.columns:
                    other = " The first line must name the columns." + other
                    if len(self.found) == 1:
                        other = " What stands between columns: --delimiter ':'." + other
                raise DataError(
                    f"{self.path}: no column `{name}`; found {self._found()}.{self.mend()}{other}"
                )

    def _choose_hashtags(self, seen: Seen) -> None:
        if self.reading.hashtags_from == "text":
            self.told += ["hashtags: taken from the texts", *seen.closed_names()]
            return
        absent = "hashtags" not in self.found and "hashtags" not in self.reading.columns
        asked = self.reading.hashtags_from == "field"
        # What stands within objects may be of something else, where the texts hold hashtags.
        named = self.usual_columns().get("hashtags")
        likely = absent and (named in self.found or (named is not None and not seen.tagged_texts))
        if absent and (asked or likely or not seen.tagged_texts):
            held = "" if likely or asked else ", and no text holds a #hashtag"
            taken = " To take them from the texts: --hashtags-from text." if likely else ""
            raise DataError(
                f"{self.path}: no column `hashtags`; found {self._found()}{held}.{self.mend()}"
                f"{taken}"
            )
        if absent or (self._cells.always_empty and seen.tagged_texts and not asked):
            self.hashtags_from_text = True
            why = "there is no such field" if absent else "the field is always empty"
            seen.check_names_in_texts(self.path)
            self.told.append(f"hashtags: taken from the texts, as {why}")
            return
        self.told += self._cells.settle()
        filled = [name for name in USUAL_NAMES["hashtags"].split() if name in self.found]
        if self._cells.always_empty and filled:
            self.told.append(
                f"hashtags: the field is always empty; if they are in column `{filled[0]}`: "
                f"--columns hashtags={filled[0]}"
            )

    def usual_columns(self) -> dict[str, str]:
        """Our names of columns that are missing, and the columns that are likely meant."""
        objects = [name for name, value in self._first.items() if _is_object(value)]
        names = [name for name in self.found if name not in objects]
        return usual_columns(names, self.reading.columns, leaves(self._first))

    def mend(self) -> str:
        """The option that names the columns, as a sentence; empty where none is likely."""
        columns = {**self.reading.columns, **self.usual_columns()}
        if len(columns) == len(self.reading.columns):
            return ""
        said = ",".join(f"{ours}={theirs}" for ours, theirs in columns.items())
        return f" Likely: --columns {shlex.quote(said)}."

    def _found(self) -> str:
        return ", ".join(map(str, self.found)) or "nothing"


def _layout_told(source: RowSource) -> list[str]:
    """Lines about how the files are written."""
    told = []
    if len(source.files) > 1:
        told.append(f"files: {len(source.files)}, {source.files[0].name} first")
    if source.path.is_dir():
        endings = {ending for known in ROW_FORMATS.values() for ending in known.endings}
        every = set(source_files(source.path, sorted(endings - {".txt"})))
        if left := sorted(file.name for file in every.difference(source.files)):
            some = ", ".join(left[:3])
            told.append(f"files of other formats, which are not read: {len(left)}, {some}")
    if (
        source.format in ("parquet", "arrow", "spreadsheet")
        or plain_suffix(source.files[0]) == ".car"
    ):
        return told
    encoding = encoding_of(source.files[0], source.reading.encoding)
    if encoding != "utf-8":
        told.append(f"encoding: {encoding}")
    if source.format == "csv":
        lines = text_lines(source.files[0], lambda *_: None, source.reading.encoding)
        delimiter = opening(lines, source.layout.delimiter).delimiter
        if delimiter != ",":
            told.append(f"columns: between `{delimiter}`".replace("\t", "tab"))
    return told


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not (len(value) == 1 and next(iter(value))[:1] == "$")


def _texts_in(value: Any) -> Iterator[str]:
    """A field that is a text, or the texts of a list."""
    yield from (one for one in (value if isinstance(value, list) else [value]) if type(one) is str)


def _changed(value: Any, change: Callable[[str], str]) -> Any:
    """A field with each text of it changed, also in a list."""
    if isinstance(value, list):
        return [_changed(one, change) for one in value]
    return change(value) if isinstance(value, str) else value


def _of_text(text: str, counts: collections.Counter[str]) -> list[str]:
    """The hashtags of a text but for one that is cut at the end of a long one."""
    cut = _CUT_TAG.search(text, _LONG)
    if cut is None:
        return find_hashtags(text)
    counts[CUT_SHORT] += 1
    return find_hashtags(text[: cut.start()])


def _is_total(fields: Mapping[str, Any]) -> bool:
    """Whether a row is the sum below a table, which has no text."""
    named = str(fields.get("user")).strip().rstrip(":").casefold() in _BELOW_TABLES
    return named and not fields.get("hashtags") and not str(fields.get("text") or "").strip()


def _holds_any(text: str) -> bool:
    return any(sign in text for sign in SIGNS) and bool(find_hashtags(text))


def _without_nothing(fields: dict[str, Any], counts: collections.Counter[str]) -> None:
    """A user that a program wrote for nothing is a fault, and such a text is empty."""
    if fields.get("user") and names_nobody(fields["user"]):
        fault = f"`user` is {fields['user']!r}, which programs write where there is none"
        raise BadPost("missing field", f"{fault}; expected who wrote the post")
    if fields.get("audio_text") in NOTHING_OF_PROGRAMS:
        del fields["audio_text"]
    if fields.get("text") in NOTHING_OF_PROGRAMS:
        counts[f"texts `{fields['text']}`, read as empty"] += 1
        fields["text"] = ""


def _gather_pictures(fields: dict[str, Any]) -> None:
    """What `image` and `images` name stands in `images`: paths, lists, or such as text."""
    found: list[Any] = []
    for name in ("image", "images"):
        given = fields.pop(name, None)
        if isinstance(given, str):
            given = Cells().read(given) if given.startswith("[") else _paths(given)
        found += given if isinstance(given, list | tuple) else [given]
    if found := [path for path in found if path]:
        fields["images"] = found


def _paths(cell: str) -> list[str]:
    """The paths between `;`, `|` or `,` where each part has an ending; else the cell is one."""
    parts = [part.strip() for part in _BETWEEN_PATHS.split(cell)]
    return parts if all(map(_ENDED, parts)) else [cell]
