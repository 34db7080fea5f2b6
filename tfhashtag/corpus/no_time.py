"""What programs write where there is no time, in whatever notation."""

import datetime
import re
from typing import Any

# Of Unix (also as seen west of Greenwich), .NET, Windows, SQL Server, spreadsheets and MySQL.
_DAYS = {
    (1970, 1, 1), (1969, 12, 31), (1, 1, 1), (1601, 1, 1), (1753, 1, 1), (1899, 12, 30),
    (1899, 12, 31), (1900, 1, 0), (1900, 1, 1), (1904, 1, 1), (0, 0, 0), (9999, 12, 31),
}  # fmt: skip
_UNITS = (1, 10**3, 10**6, 10**9)
_EPOCH = datetime.date(1970, 1, 1)
_REAL = [datetime.date(*day) for day in _DAYS if day[2] and day[0] not in (1969, 1970)]
_LEAST = -(2**63)  # pandas' NaT as a number, also divided down to microseconds ... seconds
#: As numbers: seconds of these days and the last one of 9999 in every unit.
_NUMBERS = {
    *(0, -1),
    *((day - _EPOCH).days * 86_400 * parts for day in _REAL for parts in _UNITS),
    *(253_402_300_800 * parts - 1 for parts in _UNITS),
    *(253_402_300_799 * parts for parts in _UNITS),
    *(_LEAST // parts for parts in _UNITS),
    *(-(-_LEAST // parts) for parts in _UNITS),
}
_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T?(?:\d{4}|\d{6})Z?)?")
_CLOCK = r"(?:[T ,]+\d[\d:.,]*\s*(?:[AP]\.?M\.?)?)?\s*(?:Z|(?:[+-]\d\d:?\d\d)?\s*(?:UTC|GMT)?)?"
_YEAR_FIRST = re.compile(rf"(\d{{4}})([-/.])(\d\d?)\2(\d\d?){_CLOCK}", re.IGNORECASE)
_YEAR_LAST = re.compile(rf"(\d\d?)([-/.])(\d\d?)\2(\d{{4}}){_CLOCK}", re.IGNORECASE)
_NAMED = re.compile(
    r"\b(?:(?P<day>\d{1,2})(?:st)?[\s-]+)?(?P<month>Jan|Dec)[a-z]*\.?(?:[\s-]+(?P<after>\d{1,2})(?:st)?\b)?",
    re.IGNORECASE,
)
_YEAR = re.compile(r"(?<![\d+:])\d{4}(?!\d)")
_NO_DAY = re.compile(r"0?0:00(?::00(?:\.0+)?)?|12:00(?::00)? AM")  # 0 as a date of a spreadsheet
_MAY_BE = re.compile(
    r"^\s*(?:0?0:00|12:00)|1970|1969|0001|1601|1753|1899|1900|1904|9999|(?<![+\-])0000"
)


def is_no_time(value: Any, number: float | int | None = None) -> bool:
    """Whether a value is what programs write where there is no time.

    Args:
        value: a text, a date or a number.
        number: the value as a number, where it is one.

    Example:

    >>> [is_no_time(text) for text in ("01/01/1970 00:00", "Jan 1, 1970, 12:00 AM", "1970-01-02")]
    [True, True, False]
    >>> is_no_time(0, 0), is_no_time("19700101", 19700101), is_no_time(5, 5)
    (True, True, False)
    """
    if number is not None:
        # Ten digits may as well be seconds: 1601010100 is in 2020.
        text = str(value).strip().removesuffix(".0")
        days = _compact(text) if len(text) != 10 else []
        return number in _NUMBERS or not _DAYS.isdisjoint(days)
    if isinstance(value, datetime.date):
        moments = [value]
        if isinstance(value, datetime.datetime) and value.tzinfo and 1 < value.year < 9999:
            moments.append(value.astimezone(datetime.UTC))
        return not _DAYS.isdisjoint((at.year, at.month, at.day) for at in moments)
    if not isinstance(value, str) or not _MAY_BE.search(value):
        return False
    text = value.strip()
    return _NO_DAY.fullmatch(text) is not None or not _DAYS.isdisjoint(_written(text))


def _compact(text: str) -> list[tuple[int, int, int]]:
    found = _COMPACT.fullmatch(text)
    return [(int(found[1]), int(found[2]), int(found[3]))] if found else []


def _written(text: str) -> list[tuple[int, int, int]]:
    """The days that a text may be, as year, month and day; there need not be such a day."""
    if found := _YEAR_FIRST.fullmatch(text):
        return [(int(found[1]), int(found[3]), int(found[4]))]
    if found := _YEAR_LAST.fullmatch(text):
        first, second, year = int(found[1]), int(found[3]), int(found[4])
        return [(year, first, second), (year, second, first)]
    named = _NAMED.search(text)
    day = named and (named["day"] or named["after"])
    if not named or not day:
        return _compact(text)
    month = 1 if named["month"].lower() == "jan" else 12
    return [(int(year), month, int(day)) for year in _YEAR.findall(text)]
