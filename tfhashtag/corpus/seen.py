"""What the rows of people's own files hold, and how their texts are to be read."""

import collections
import dataclasses
import pathlib
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from tfhashtag.corpus.cells import NOTHING, REFERENCE, says_nothing
from tfhashtag.corpus.garbled import mended, surely_garbled
from tfhashtag.corpus.markup import has_markup
from tfhashtag.corpus.readers.spreadsheet import LONGEST_NUMBER
from tfhashtag.errors import DataError

#: White space and invisible characters, as directions of writing, at the ends of names.
AROUND = re.compile(r"^[\s\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+|"
                    r"[\s\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+$")  # fmt: skip
_NOBODY = {*NOTHING, "?", "[object Object]", "[deleted]", "[removed]"}
_FLOAT_ID = re.compile(r"\d+\.0")
_FLOATS_WHOLE = 2**53  # from here on floats leave out whole numbers
_BYTES = re.compile(r"b'.*'|b\".*\"", re.DOTALL)
_CONTROLS = re.compile("[\x80-\x9f]")
_ENDS = re.compile(r"\\[rn](?=[#\uff03\W]|[A-Z]|\\[rn]|$)")
_CHANNEL = re.compile(r"<#[CG][A-Z0-9]{6,}(?:\|[^<>]*)?>")
_BARE = re.compile(r"&(?!#?\w{1,31};)|[<>]")


def names_nobody(name: Any) -> bool:
    """Whether a user or an id is what programs write where there is none.

    >>> [names_nobody(name) for name in ("N/A", "none", "[deleted]", "", None, 0, "ann")]
    [True, True, True, True, True, False, False]
    """
    written = "" if name is None else str(name).strip()
    return written in _NOBODY or says_nothing(written)


class TextForm(NamedTuple):
    """How texts are read: as HTML; as UTF-8 that was read as Latin-1; with references of HTML."""

    html: bool = False
    garbled: bool = False
    escaped: bool = False


@dataclasses.dataclass
class Seen:
    """What the rows hold, counted.

    Example:

    >>> seen = Seen()
    >>> seen.see_text("rock &amp; roll", "line 1")
    >>> seen.form_of_texts(may_be_escaped=True)[0]
    TextForm(html=False, garbled=False, escaped=True)
    """

    texts: int = 0
    html: int = 0
    wide_texts: int = 0
    garbled: int = 0
    surely_garbled: int = 0
    garbled_text: str = ""
    bytes: int = 0
    bytes_text: str = ""
    controls: int = 0
    channels: int = 0
    ends: int = 0
    ends_text: str = ""
    escaped: int = 0
    escaped_text: str = ""
    bare: int = 0
    tagged_texts: int = 0
    closed_texts: int = 0
    float_ids: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    whole_ids: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    texts_of: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    users: set[str] | None = None

    def shown(self, place: str) -> str | None:
        """What lines show in place of an excerpt where users, whom it may name, are hashed."""
        return None if self.users is None else pathlib.Path(place).name

    def see_text(self, text: str, shown: str) -> None:
        """Looks at a text that is not blank, which lines name by what is `shown`."""
        self.texts += 1
        self.html += has_markup(text)
        self.channels += "<#" in text and _CHANNEL.search(text) is not None
        if "\\" in text and _ENDS.search(text):
            self.ends += 1
            self.ends_text = self.ends_text or shown
        if _BYTES.fullmatch(text.strip()):
            self.bytes += 1
            self.bytes_text = self.bytes_text or shown
        if "&" in text or "<" in text or ">" in text:
            if reference := REFERENCE.search(text):
                self.escaped += 1
                self.escaped_text = self.escaped_text or reference[0]
            self.bare += _BARE.search(text) is not None
        if not text.isascii():
            self.wide_texts += 1
            self.controls += _CONTROLS.search(text) is not None
            if mended(text) != text:
                self.garbled += 1
                self.surely_garbled += surely_garbled(text)
                self.garbled_text = self.garbled_text or shown

    def closed_names(self) -> list[str]:
        """A line where most texts that hold hashtags have them between two signs."""
        if 2 * self.closed_texts <= self.tagged_texts:
            return []
        return [
            f"hashtags: in {self.closed_texts:,} of {self.tagged_texts:,} texts they stand between "
            "two signs, `#tea#`, as Weibo has them; what stands behind would be one, too"
        ]

    def check_names_in_texts(self, path: pathlib.Path) -> None:
        """Refuses texts whose hashtags would be taken for more than they are."""
        for line in self.closed_names():
            raise DataError(
                f"{path}: {line}. Write the names into a column `hashtags`, or say that each sign "
                "begins one: --hashtags-from text."
            )

    def see_names(self, place: str, fields: Mapping[str, Any], spreadsheet: bool) -> None:
        """Looks at user and id of a row; refuses floats that have lost digits."""
        for name in ("user", "id"):
            value = fields.get(name)
            bound = LONGEST_NUMBER if spreadsheet else _FLOATS_WHOLE
            as_text = value if isinstance(value, str) and _FLOAT_ID.fullmatch(value) else ""
            number = value if isinstance(value, float) else float(as_text or 0)
            if abs(number) >= bound:
                mend = f'pandas.read_csv(..., dtype={{"{name}": "string"}})'
                if spreadsheet:
                    mend = "give the column the format Text, and fill it anew"
                raise DataError(
                    f"{place}: `{name}` is {value!r}, a float, which has lost its last digits. "
                    f"Make the file anew with ids as text: {mend}."
                )
            written = "" if value is None else str(value).strip()
            self.texts_of[name] += not names_nobody(written)
            if name == "user" and self.users is not None and written:
                self.users.add(AROUND.sub("", written))
            self.float_ids[name] += as_text != ""
            self.whole_ids[name] += str(value).isdecimal()

    def form_of_texts(
        self, may_be_escaped: bool, kept: bool | None = None
    ) -> tuple[TextForm, list[str]]:
        """How all texts are read, and lines that say it.

        Where no text has a bare `&` or `<`, those with references were escaped, as all are by
        Twitter and on web pages; a single `IRMÃ…` may also be what it says.

        Args:
            may_be_escaped: whether nobody has written references out yet, as readers do.
            kept: whether other posts of the same corpus were read as escaped; None: there are none.
        """
        lines = []
        html = 2 * self.html > self.texts
        if html:
            lines.append("texts: HTML, read as text")
        sure = self.garbled > 1 or self.surely_garbled > 0
        garbled = sure and 2 * self.garbled > self.wide_texts
        what = f"UTF-8 that was read as Latin-1, such as {self.garbled_text}"
        if garbled:
            lines.append(f"texts: {what}, which is mended (--text plain: left as it is)")
        elif self.garbled:
            lines.append(f"texts: {self.garbled:,} look like {what}; mend them in the file")
        if kept is not None:
            return TextForm(html, garbled, kept and not html), lines
        found = may_be_escaped and self.escaped > 0 and not html
        what = f"references of HTML, such as `{self.escaped_text}`"
        if found and not self.bare:
            lines.append(f"texts: {what}, read as text (--text plain: left as they are)")
        elif found:
            lines.append(
                f"texts: {self.escaped:,} hold {what}, and others a bare `&`, `<` or `>`; all stay "
                "(--text html: read as text)"
            )
        return TextForm(html, garbled, found and not self.bare), lines

    def odd_texts(self) -> list[str]:
        """Lines about texts that are to be mended in the file."""
        lines = []
        if self.bytes:
            lines.append(
                f"texts: {self.bytes:,} are bytes as Python writes them, such as "
                f"{self.bytes_text}; decode them before they are written to the file"
            )
        if self.ends:
            lines.append(
                f"texts: {self.ends:,} hold ends of lines as a backslash and a letter, such as "
                f"{self.ends_text}; what stands behind is none, also of a #hashtag; write them out"
            )
        if self.channels:
            lines.append(
                f"texts: {self.channels:,} name channels as Slack does, `<#C...>`, which would be "
                "hashtags; write their names without a sign"
            )
        if self.controls:
            lines.append(
                f"texts: {self.controls:,} hold control characters, as of Windows-1252 that is "
                "read as Latin-1; if it is: --encoding cp1252"
            )
        return lines

    def add(self, other: "Seen") -> None:
        """Counts of the rows that come after."""
        for name, theirs in vars(other).items():
            ours = getattr(self, name)
            if isinstance(ours, collections.Counter | set):
                ours.update(theirs or ())
            elif isinstance(ours, str):
                setattr(self, name, ours or theirs)
            elif ours is not None:
                setattr(self, name, ours + theirs)
