"""Times of posts as files have them: seconds and their parts, dates as numbers, texts."""

import collections
import contextlib
import datetime
import decimal
import email.utils
import functools
import math
import pathlib
import re
import time
from typing import Any

from tfhashtag.corpus.months import in_english
from tfhashtag.corpus.no_time import is_no_time
from tfhashtag.corpus.post_faults import BadPost
from tfhashtag.errors import DataError

#: Parts of a second of each unit of numbers.
UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
#: Numbers that are written as dates, by their digits: 2018, 201810, 20181010, ...
DATES = {"%Y": 4, "%Y%m": 6, "%Y%m%d": 8, "%Y%m%d%H": 10, "%Y%m%d%H%M": 12, "%Y%m%d%H%M%S": 14}
LATEST = 7_258_118_400  # the year 2200
_RELATIVE = 10**8  # seconds; a column that ends before 1973 counts from somewhere else
_SURELY_LATER = 10**9  # seconds; one that goes beyond 2001 counts from 1970
_AHEAD = 366 * 86_400  # seconds from now; what is planned, and clocks that are wrong
_SHEET_DAYS = (32_874, 55_153)  # 1990 to 2050 in days since 1900
_FIRST_MS = 10**11
_PARTS = {"ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
_NOTHING = {"", "nan", "nat", "none", "null", "nil", "<na>", "n/a", "#n/a", "na", "\\n", "-", "--"}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
_YEAR = re.compile(r"(?<!\d)[12]\d{3}(?!\d)")
_ROUNDED = re.compile(r"\d[.,]\d{1,6}[eE]\+\d+")
_DAYS_TO_1970 = 25_569  # of spreadsheets, from `_SHEET_START`
_SHEET_START = datetime.date(1899, 12, 30)
_CLOCK = r"(\d{1,2})[:.](\d\d)(?:[:.](\d\d)(?:[.,]\d+)?)?\s*([AaPp]\.?\s?[Mm]\.?)?"
_NUMERIC = re.compile(
    rf"(\d{{1,2}})([./-])\s?(\d{{1,2}})\2\s?(\d{{4}})(?:\.|\s?г\.)?(?:[ T,]+{_CLOCK})?"
)
_YEAR_FIRST = re.compile(
    r"(\d{4})(?:([./-])(\d{1,2})\2(\d{1,2})|[年년]\s?(\d{1,2})[月월]\s?(\d{1,2})[日일])"
    rf"(?:(?:[ T,]+|(?<=[日일])|[ T,]*(오전|오후|上午|下午|午前|午後)\s?){_CLOCK})?"
    r"\s*(Z|[+-]\d\d:?\d\d)?"
)
_COMMA = re.compile(r"\d{9,},\d+|\d{5},\d+")  # of a fraction of seconds or of days
_NAMED = [
    f"{day}{time}"
    for day in ("%b %d %Y", "%B %d %Y", "%d %b %Y", "%d %B %Y")
    for time in ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", " %H:%M:%S GMT%z")
]
_DAY = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}")
_WEEKDAY = re.compile(r"^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*\.? ")
# Zones of RFC 2822; `CST` is also that of China, and stands in that notation alone.
_ZONES = {"EST": 5, "EDT": 4, "CDT": 5, "MST": 7, "MDT": 6, "PST": 8, "PDT": 7}
_ZONE = re.compile(rf"\b({'|'.join(_ZONES)})(?=$| \d{{4}}$)")
_TWITTER = "%a %b %d %H:%M:%S %z %Y"
_WITH_YEAR = re.compile("%[YyGcx]")
_DATE_CELL = re.compile(r"\d{4}-\d\d-\d\d(?:T[\d:.]+)?")  # as `spreadsheet_rows` gives it
_RFC_2822 = re.compile(r"([A-Za-z]{3},\s*)?\d{1,2} [A-Za-z]{3} \d{4} \d\d:\d\d")
_EXPECTED = (
    "expected seconds since 1970, ISO 8601, or a date with its month as a number or by its "
    "name; else say what it is: --time-unit ms, "
    "--time-format '%d.%m.%Y %H:%M'"
)


class Times:
    """Reads the times of a source, after a look at all of them.

    Args:
        unit: `s`, `ms`, `us`, `ns` or, of spreadsheets, `days`, of numbers; None to recognise it
            over the column.
        pattern: how texts are written, in the signs of `datetime.strptime`; None for ISO 8601,
            Twitter's, RFC 2822, months by name, and days and months as numbers in the order that
            the column shows.
        cells: of a spreadsheet, where a date is a cell of its own kind.

    Example:

    >>> times = Times()
    >>> for value in (1700003600000, None, 1700007200000):
    ...     times.see(value, "line 1")
    >>> times.settle(), times.read(1700003600000)
    (['times: numbers are milliseconds'], 1700003600)
    """

    def __init__(
        self, unit: str | None = None, pattern: str | None = None, cells: bool = False
    ) -> None:
        if unit is not None and unit not in (*UNITS, "days"):
            known = ", ".join((*UNITS, "days"))
            raise DataError(f"time unit {unit!r} is not known; expected {known}.")
        if pattern is not None and not _WITH_YEAR.search(pattern.replace("%%", "")):
            raise DataError(f"time format {pattern!r}: it has no year; expected %Y or %y within.")
        self.unit = unit
        self.pattern = pattern
        self._said = unit is not None or pattern is not None
        self._soon = time.time() + _AHEAD
        self._values = self._later = self._days = 0
        self._empty: collections.Counter[str] = collections.Counter()  # `none` and `meant`
        self._recent: collections.Counter[str] = collections.Counter()  # by how they are written
        self._first_empty: dict[str, str] = {}
        self._first_later = ""
        self._empty_is_none = False
        self._limited = False
        self.cells = cells
        self._first_date = ""
        self.date: str | None = None
        self.without_zone = 0
        self._seen: collections.Counter[str] = collections.Counter()
        self._clear: collections.Counter[str] = collections.Counter()
        self._first: dict[str, tuple[str, float]] = {}
        self._dates: collections.Counter[str] = collections.Counter()
        self._none_dates: collections.Counter[str] = collections.Counter()
        self._first_none: dict[str, str] = {}
        self._largest = -math.inf
        self._early = 0
        self._first_early = ""
        self._sheet_days = 0
        self._day_first: bool | None = None
        self._numeric: collections.Counter[str] = collections.Counter()
        self._numeric_first: dict[str, str] = {}

    def see(self, value: Any, place: str) -> None:
        """Looks at one value of the column."""
        if _is_nothing(value):
            return
        number = _number(value)
        if self._counted_as_none(value, number, place):
            return
        self._values += 1
        self._days += isinstance(value, str) and _DAY.fullmatch(value.strip()) is not None
        self._recent["text" if number is None else "number"] += self._is_recent(value, number)
        if self.pattern:
            return
        if self.cells and isinstance(value, str) and _DATE_CELL.fullmatch(value):
            self._first_date = self._first_date or f"{value} ({place})"
        if isinstance(value, str) and (found := _NUMERIC.fullmatch(value.strip())):
            first, second = int(found[1]), int(found[3])
            order = "day" if first > 12 else "month" if second > 12 else f"either{found[2]}"
            self._numeric[order] += 1
            self._numeric_first.setdefault(order, f"{value.strip()} ({place})")
        if number is None:
            return
        kind = _kind(number)
        self._seen[kind] += 1
        self._clear[kind] += _SURELY_LATER <= number / UNITS.get(kind, 1) <= self._soon
        if self.unit:
            return
        for pattern in DATES:
            if (moment := _date(number, pattern)) is not None:
                self._dates[pattern] += 1
                self._recent[pattern] += _SURELY_LATER <= moment.timestamp() <= self._soon
                if is_no_time(moment):
                    self._none_dates[pattern] += 1
                    self._first_none.setdefault(pattern, f"{value}, {pathlib.Path(place).name}")
        self._sheet_days += _SHEET_DAYS[0] <= number <= _SHEET_DAYS[1]
        if number / UNITS.get(kind, 1) > self._soon:
            self._later += 1
            self._first_later = self._first_later or f"{value}, {pathlib.Path(place).name}"
        self._first.setdefault(kind, (place, number))
        self._largest = max(self._largest, number)
        if number < _RELATIVE:
            self._early += 1
            self._first_early = self._first_early or f"{number:.0f}, {place}"

    def _counted_as_none(self, value: Any, number: float | int | None, place: str) -> bool:
        kind = self._no_time(value, number)
        if kind:
            self._empty[kind] += 1
            # Files by their names: `corpus.json` keeps the line.
            self._first_empty.setdefault(kind, f"{value}, {pathlib.Path(place).name}")
        return kind == "none"

    def _no_time(self, value: Any, number: float | int | None) -> str:
        """`none` for what programs write where there is no time, else `""`.

        `meant` where it is a time by the unit or the pattern that was said.
        """
        meant = False
        if self.pattern and (moment := self._moment(value, told=False)) is not None:
            meant = not isinstance(value, datetime.date) and abs(moment.timestamp()) <= LATEST
            value, number = moment, None
        elif number is not None and self.unit == "days" and abs(number) < _SHEET_DAYS[1]:
            value = _SHEET_START + datetime.timedelta(days=math.floor(number))
            meant = self._said and number not in (0, -1)
            number = number if number in (0, -1) else None
        elif self.date and number is not None and (moment := _date(number, self.date)) is not None:
            value, number = moment, None
        elif self._said and self.unit in UNITS and number is not None:
            meant = abs(number) <= LATEST * UNITS[self.unit]
        if not is_no_time(value, number):
            return ""
        return "meant" if meant else "none"

    def _is_recent(self, value: Any, number: float | int | None) -> bool:
        """Whether a time lies between 2001 and a year from now, as far as a look tells."""
        if self.pattern:
            moment = self._moment(value, told=False)
            return moment is not None and _SURELY_LATER <= moment.timestamp() <= self._soon
        if number is not None:
            unit = self.unit or _kind(number)
            if unit == "days":
                return _SHEET_DAYS[0] <= number <= _SHEET_DAYS[1]
            return _SURELY_LATER <= number / UNITS.get(unit, 1) <= self._soon
        years = _YEAR.findall(str(value))
        last = datetime.datetime.fromtimestamp(self._soon, datetime.UTC).year
        return any(2001 <= int(year) <= last for year in years)

    def add(self, other: "Times") -> None:
        """What another has seen of the rows that come after."""
        self._values += other._values
        self._days += other._days
        self._recent.update(other._recent)
        self._empty.update(other._empty)
        self._first_empty = other._first_empty | self._first_empty
        self._later += other._later
        self._first_later = self._first_later or other._first_later
        self._seen.update(other._seen)
        self._clear.update(other._clear)
        for kind, first in other._first.items():
            self._first.setdefault(kind, first)
        self._dates.update(other._dates)
        self._none_dates.update(other._none_dates)
        for kind, example in other._first_none.items():
            self._first_none.setdefault(kind, example)
        self._largest = max(self._largest, other._largest)
        self._early += other._early
        self._first_early = self._first_early or other._first_early
        self._sheet_days += other._sheet_days
        self._first_date = self._first_date or other._first_date
        self._numeric.update(other._numeric)
        for kind, example in other._numeric_first.items():
            self._numeric_first.setdefault(kind, example)

    @property
    def days_alone(self) -> bool:
        """Whether all times are days, so that nothing tells the order within one."""
        return 0 < self._values == self._days

    @property
    def recognised(self) -> str | None:
        """The unit by which most numbers lie between 2001 and a year from now, said or not."""
        total = sum(self._seen.values())
        return next((unit for unit in UNITS if 2 * self._clear[unit] > total), None)

    def settle(self) -> list[str]:
        """Decides what the column's numbers are; lines that say it.

        Raises:
            DataError: they are in several units, or it is not clear what is the day.
        """
        told = self._settle_days() + self._settle_numbers()
        recent = self._recent["text"] + self._recent[self.date or "number"]
        self._limited = not self._said and 2 * recent > self._values
        self._empty_is_none = bool(recent or not self._values)
        if self.date and self._none_dates[self.date]:  # `1970` of years, `197001` of months
            self._empty["none"] += self._none_dates[self.date]
            self._first_empty.setdefault("none", self._first_none[self.date])
        if self._later and not (self._limited or self.date):
            told.append(
                f"times: {self._later:,} lie more than a year ahead (first {self._first_later}); "
                "if they are no seconds since 1970, say --time-unit or --time-format"
            )
        if self._empty["none"] and self._empty_is_none:
            told.append(
                f"times: {self._empty['none']:,} are what programs write for none (first "
                f"{self._first_empty['none']}), read as missing"
            )
        if self._empty["meant"]:
            told.append(
                f"times: {self._empty['meant']:,} are what programs write for none (first "
                f"{self._first_empty['meant']}), and times as was said; if they are none, leave "
                "them out"
            )
        return told

    def _settle_days(self) -> list[str]:
        """Whether the day or the month is first; with dots between it is the day."""
        if not self._numeric:
            return []
        shown = self._numeric_first
        if self._first_date:
            raise DataError(
                f"times: {self._first_date} is a date and {next(iter(shown.values()))} is text; "
                "a program that takes the month for the day leaves such. Bring them to one form."
            )
        if "day" in shown and "month" in shown:
            raise DataError(
                f"times: the day is first in {shown['day']} and the month in {shown['month']}. "
                "Bring them to one form."
            )
        if shown.keys() - {"day", "month", "either."} and shown.keys().isdisjoint({"day", "month"}):
            one = next(example for kind, example in shown.items() if kind != "either.")
            raise DataError(
                f"times: in {one} the day or the month may be first, and no other time tells; say "
                "which: --time-format '%d/%m/%Y %H:%M' or '%m/%d/%Y %H:%M', as they are written."
            )
        self._day_first = "month" not in shown
        first = "day" if self._day_first else "month"
        example = shown.get(first) or next(iter(shown.values()))
        return [f"times: the {first} is first, as in {example.partition(' (')[0]}"]

    def _settle_numbers(self) -> list[str]:
        total = sum(self._seen.values())
        if not total or self.unit:
            return []
        for pattern, count in self._dates.items():
            if count == total:
                self.date = pattern
                return [f"times: numbers are dates such as {self._example()} ({pattern})"]
            if 2 * count > total:
                raise DataError(
                    f"times: {count:,} of {total:,} numbers are dates ({pattern}) and the others "
                    f"are not, {self._told()}. Bring them to one form."
                )
        units = [unit for unit in UNITS if self._seen[unit]]
        if len(units) > 1:
            raise DataError(
                f"times are in several units: {self._told()}. Bring them to one, or say which it "
                "is: --time-unit ms."
            )
        if units and units != ["s"]:
            unit, name = units[0], _PARTS[units[0]]
            if not self._clear[unit]:
                place, number = self._first[unit]
                day = datetime.datetime.fromtimestamp(number / UNITS[unit], datetime.UTC)
                raise DataError(
                    f"times: as {name} none lies between 2001 and now (first {number:.0f}, "
                    f"{place}, in {day:%Y}), as of programs that count from 1601, 2001 or the "
                    "year 1. Bring them to seconds since 1970, or say that they are meant: "
                    f"--time-unit {unit}."
                )
            self.unit = unit
            return [f"times: numbers are {name}"]
        if units and self._sheet_days == total and not self.unit:
            raise DataError(
                f"times: numbers such as {self._example()} look like the days of a spreadsheet; "
                "say --time-unit days, or --time-unit s."
            )
        if self._early and self._largest >= _SURELY_LATER:
            raise DataError(
                f"times: as seconds {self._early:,} lie before 1973 (first {self._first_early}), "
                "others after 2001. Bring them to one form, leave out what is none, or say that "
                "all are seconds: --time-unit s."
            )
        if units and self._largest < _SURELY_LATER:
            return [
                "times: the largest is "
                f"{datetime.datetime.fromtimestamp(self._largest, datetime.UTC):%B %Y} as seconds "
                "since 1970; if they are none, or count from another moment, bring them there or "
                "say --time-unit"
            ]
        return []

    def read(self, value: Any) -> int | None:
        """Seconds since 1970 of one value, rounded down; None where it says nothing.

        Raises:
            BadPost: it is no time, or not between the years 1740 and 2200.
        """
        if _is_nothing(value):
            return None
        if self._empty_is_none and self._no_time(value, _number(value)) == "none":
            return None
        if isinstance(value, str) and _ROUNDED.fullmatch(value.strip()):
            fault = f"`timestamp` is {value}, a number that a spreadsheet has rounded"
            raise BadPost("rounded time", f"{fault}; expected all digits. Export it as text")
        seconds: float | None = None
        if not isinstance(value, bool):
            number = _number(value)
            if number is not None and not self.pattern:
                seconds = self._seconds(number)
            elif number is None or self.pattern:
                moment = self._moment(value)
                if moment is not None:
                    seconds = moment.timestamp()
        if seconds is None or not abs(seconds) <= LATEST:
            raise BadPost("bad timestamp", f"`timestamp` is {value!r:.80}; {_EXPECTED}")
        if self._limited and not _RELATIVE <= seconds <= self._soon:
            last = datetime.datetime.fromtimestamp(self._soon, datetime.UTC).year
            form = f"--time-format '{self.date}'"
            meant = form if self.date else "--time-unit s, --time-format '%Y-%m-%d'"
            raise BadPost(
                "time far from the others",
                f"`timestamp` is {value!r:.80}, and most lie between 2001 and {last}; mend it or "
                f"leave it out, or say that it is meant: {meant}",
            )
        return math.floor(seconds)

    def _seconds(self, number: float) -> float | None:
        if self.date:
            moment = _date(number, self.date)
            return None if moment is None else moment.timestamp()
        if isinstance(number, float) and not math.isfinite(number):
            return None
        if self.unit == "days":
            return round((number - _DAYS_TO_1970) * 86_400)
        parts = UNITS[self.unit or "s"]
        return number // parts if isinstance(number, int) else number / parts

    def _moment(self, value: Any, told: bool = True) -> datetime.datetime | None:
        """A moment with its zone; where it has none it is UTC, which is counted if it is `told`."""
        moment = value
        if self.pattern and not isinstance(value, datetime.date):
            text = str(value).strip()
            moment = _parsed(text, self.pattern)
            if moment is None and _number(value) is not None:  # `2018.0`
                moment = _parsed(text.removesuffix(".0"), self.pattern)
        elif isinstance(value, str):
            text = value.strip()
            found = _NUMERIC.fullmatch(text) if self._day_first is not None else None
            moment = _numeric(found, self._day_first) if found else _parsed(text)
        elif isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
            moment = datetime.datetime(value.year, value.month, value.day)
        if not isinstance(moment, datetime.datetime):
            return None
        if moment.tzinfo is None:
            self.without_zone += told
            moment = moment.replace(tzinfo=datetime.UTC)
        return moment

    def _example(self) -> str:
        _, number = next(iter(self._first.values()))
        return f"{number:.0f}"

    def _told(self) -> str:
        return ", ".join(
            f"{self._seen[kind]:,} look like {kind} (first {number:.0f}, {place})"
            for kind, (place, number) in self._first.items()
        )


def _is_nothing(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().lower() in _NOTHING
    return value is None or (isinstance(value, float) and math.isnan(value))


def _number(value: Any) -> float | int | None:
    if isinstance(value, bool) or _is_nothing(value):
        return None
    if isinstance(value, str):
        text = value.strip()
        text = text.replace(",", ".") if _COMMA.fullmatch(text) else text
        if not _NUMBER.match(text):
            return None
        value = int(text) if text.lstrip("+-").isdecimal() and len(text) < 30 else float(text)
    if isinstance(value, decimal.Decimal):
        value = int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, int) and abs(value) > 2**63:
        return math.inf
    return value if isinstance(value, int | float) else None


def _kind(number: float) -> str:
    """The unit that makes a number a time from 1973 (of parts of a second) to 2200."""
    size = abs(number)
    for unit, parts in UNITS.items():
        if (0 if unit == "s" else _FIRST_MS * parts // 1000) <= size <= LATEST * parts:
            return unit
    return "out of range"


def _date(number: float, pattern: str) -> datetime.datetime | None:
    text = f"{number:.0f}" if number == number // 1 else ""
    if len(text) != DATES[pattern] or not text.isdecimal() or not 1900 <= int(text[:4]) <= 2100:
        return None
    with contextlib.suppress(ValueError):
        return datetime.datetime.strptime(text, pattern).replace(tzinfo=datetime.UTC)
    return None


def _numeric(found: re.Match[str], day_first: bool | None) -> datetime.datetime | None:
    """Of numbers for day and month; None where there is no such day."""
    first, _, second, year, *clock = found.groups()
    day, month = (first, second) if day_first else (second, first)
    return _at(year, month, day, *clock)


def _year_first(found: re.Match[str]) -> datetime.datetime | None:
    """Of a date that begins with the year, which is never followed by the day."""
    year, _, month, day, of_han, day_of_han, before, *clock, zone = found.groups()
    hour, minute, second, half = clock
    half = half or {"오전": "am", "上午": "am", "午前": "am", None: None}.get(before, "pm")
    moment = _at(year, month or of_han, day or day_of_han, hour, minute, second, half)
    if moment is None or not zone:
        return moment
    return moment.replace(tzinfo=datetime.datetime.strptime(zone, "%z").tzinfo)


def _at(
    year: str, month: str, day: str, hour: str | None, minute: str | None,
    second: str | None, half: str | None,
) -> datetime.datetime | None:  # fmt: skip
    hours = int(hour or 0)
    if half:
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + 12 * (half[0] in "Pp")
    with contextlib.suppress(ValueError):
        return datetime.datetime(
            int(year), int(month), int(day), hours, int(minute or 0), int(second or 0)
        )
    return None


@functools.lru_cache(maxsize=16)  # a value is looked at more than once
def _parsed(text: str, pattern: str | None = None) -> datetime.datetime | None:
    if pattern:
        with contextlib.suppress(ValueError):
            return datetime.datetime.strptime(text, pattern)
        return None
    with contextlib.suppress(ValueError):
        if _RFC_2822.match(text) and not re.search(r"[AaPp]\.?[Mm]\.?$", text):
            moment = email.utils.parsedate_to_datetime(text)
            named = moment.tzinfo is None and re.search(r"[A-Za-z]+$", text)
            return None if named else moment  # a zone whose name says nothing, as `CET`
    # As Python, pandas and Java print UTC: `2023-11-14 23:13:20 UTC`, `... +0000 UTC`.
    zoned = re.sub(r"\b(?:UTC|GMT)(?= \d{4}$)", "+0000", text)
    zoned = re.sub(r"\s*(?:[+-]00:?00)?\s*(?:UTC|GMT)$", "+00:00", zoned)
    zoned = re.sub(r"\s+(?=[+-]\d{4}$)", "", _ZONE.sub(lambda z: f"-{_ZONES[z[1]]:02}00", zoned))
    for parse in (
        datetime.datetime.fromisoformat,
        lambda given: datetime.datetime.strptime(given, _TWITTER),
    ):
        with contextlib.suppress(ValueError):
            return parse(zoned)
    if found := _YEAR_FIRST.fullmatch(zoned):
        return _year_first(found)
    return _by_name(text) if re.search(r"[^\W\d_]{3}", text) else None


def _by_name(text: str) -> datetime.datetime | None:
    """Of a text with the name of the month, `Nov 14, 2023, 10:13 PM`."""
    words = re.sub(
        r"[,\u060c]| at |(?<=\d)(?:st|nd|rd|th)\b|(?<=GMT[+-]\d{4})\s*\([^()]*\)$", " ", text
    )
    words = re.sub(r"(\d)-([^\W\d_]+)-(\d)", r"\1 \2 \3", words)
    words = re.sub(r"(:\d\d)([AaPp]\.?[Mm]\.?)$", r"\1 \2", words)
    words = in_english(" ".join(words.split()))
    words = _WEEKDAY.sub("", words)
    words = re.sub(r"\b(Sep)t\b\.?|\b([A-Z][a-z]{2})\.", r"\1\2", words)
    for form in _NAMED:
        with contextlib.suppress(ValueError):
            return datetime.datetime.strptime(words, form)
    return None
