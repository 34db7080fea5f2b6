"""CSV with a header: a post a row."""

import contextlib
import csv
import functools
import itertools
import json
import pathlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from tfhashtag.corpus.post_faults import BadPost, OnBad
from tfhashtag.corpus.readers.files import text_lines
from tfhashtag.corpus.readers.headings import MOST_ABOVE, numbered_columns, rows_above, with_list
from tfhashtag.corpus.readers.rows import Layout, Row
from tfhashtag.errors import DataError

_DELIMITERS = ",;\t|"
_BLANK = " \t\r\n\ufeff"
_RULE = re.compile(r":?[-=]{2,}:?")
_FORMULA = re.compile(r'="([^"]*)"')
_SWALLOWED = "rows with a quoted cell of several lines that has as many"
_TAKEN = re.compile(r"\"|\\(?:[^\w ]|$)")  # a quote, or what may be an escape, also of an end
_TOLD = {
    "slashed": "files whose quotes within cells have a backslash before them, read so",
    "plain": "files whose quotes are signs like others, as nothing is quoted, read so",
}
_SIGNS: dict[str, dict[str, Any]] = {
    "doubled": {},
    "slashed": {"escapechar": "\\"},
    "plain": {"quoting": csv.QUOTE_NONE},
}
_FEWER = 10  # times as few faults another way of reading must leave
_SAID = re.compile(r"sep=(.)", re.IGNORECASE)  # the first line of Excel's


def csv_rows(
    paths: Sequence[pathlib.Path], layout: Layout, on_bad: OnBad, counts: Counter[str]
) -> Iterator[Row]:
    """Rows of CSV files, each with a header; empty cells but those of texts are left out.

    Args:
        paths: the files.
        layout: a delimiter that is not given is the sign that stands most often in the header.
        on_bad: what to do with a row that cannot be read.
        counts: gets `empty lines`, and how many files have quotes written `\\"`, as MySQL and Spark
            do, or as they are: those of which nearly all is read so that cannot be read else.

    Raises:
        DataError: a header cannot be read.
    """
    for path in paths:
        quotes = _quotes(path, layout)
        if quotes != "doubled":
            counts[_TOLD[quotes]] += 1
        yield from _rows(path, layout, on_bad, counts, quotes)


def _quotes(path: pathlib.Path, layout: Layout) -> str:
    """What a quote within a cell is written as: the usual way, unless another fits far better."""
    lines = text_lines(path, lambda *_: None, layout.encoding)
    if not any(_TAKEN.search(line) for _, line in lines):
        return "doubled"
    changed = path.stat().st_mtime_ns
    usual, _ = _faults(path, layout, changed, "doubled")
    for other in _TOLD if usual else ():
        with contextlib.suppress(DataError):  # it does not fit at all
            if _FEWER * _faults(path, layout, changed, other)[0] <= usual:
                return other
    return "doubled"


@functools.lru_cache(maxsize=64)  # files are read twice
def _faults(path: pathlib.Path, layout: Layout, changed: int, quotes: str) -> tuple[int, str]:
    """How many rows cannot be read, or may have swallowed others, and the first of the former."""
    first = ""
    counts: Counter[str] = Counter()

    def on_bad(place: str, fault: BadPost) -> None:
        nonlocal first
        first = first or f"{place}: {fault}"
        counts[_SWALLOWED] += 1

    for row in _rows(path, layout, on_bad, counts, quotes):
        # Such a cell is one that is quoted.
        cells = row.fields.values()
        quoted = (len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in cells)
        counts[_SWALLOWED] += quotes == "plain" and any(quoted)
    doubts = sum(n for what, n in counts.items() if what.startswith(_SWALLOWED))
    # The usual way is right where cells are odd, but can be read.
    return counts[_SWALLOWED] if quotes == "doubled" else doubts, first


def delimiter_of(header: str) -> str:
    """The sign between the columns of a header.

    >>> delimiter_of("user;text;hashtags"), delimiter_of("text")
    (';', ',')
    """
    return max(_DELIMITERS, key=header.count)


def column_names(path: pathlib.Path, layout: Layout) -> list[str]:
    """The names of the columns; none where their line is no row of CSV."""
    lines = text_lines(path, lambda *_: None, layout.encoding)
    found = opening(lines, layout.delimiter)
    return _cells(found.lines[0][1], found.delimiter) if found.lines else []


class Opening(NamedTuple):
    """How a file of CSV begins.

    Attributes:
        above: lines before the names of the columns.
        lines: the names' line, and those that were read after it, with their places.
        delimiter: between the columns.
    """

    above: int
    lines: list[tuple[str, str]]
    delimiter: str


def opening(lines: Iterator[tuple[str, str]], delimiter: str | None = None) -> Opening:
    """Reads the first lines: Excel's `sep=;`, titles and headings of groups, the names.

    Args:
        lines: of the file, with their places.
        delimiter: the one that is said; None for the sign that stands most often in the names.
    """
    first = list(itertools.islice(lines, 1))
    said = _SAID.fullmatch(first[0][1].strip()) if first else None
    first = first if said is None else []
    first += itertools.islice(lines, MOST_ABOVE + 1 - len(first))
    delimiter = delimiter or (said[1] if said else None)
    cells = [_cells(line, delimiter or delimiter_of(line)) for _, line in first]
    above = rows_above(cells)
    names = first[above][1] if first else ""
    return Opening(above + (said is not None), first[above:], delimiter or delimiter_of(names))


def _cells(line: str, delimiter: str) -> list[str]:
    """Of a line that is a whole row; none of another."""
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return []


def _rows(
    path: pathlib.Path, layout: Layout, on_bad: OnBad, counts: Counter[str], quotes: str
) -> Iterator[Row]:
    csv.field_size_limit(2**31 - 1)
    place, line = str(path), ""
    lines = text_lines(path, on_bad, layout.encoding)
    above, first, delimiter = opening(lines, layout.delimiter)
    header_line = first[0][1] if first else ""
    if "\r" in header_line:
        raise DataError(f"{path}: its lines end as on old Macs; save it with usual ends of lines.")
    counts["rows above the names of the columns, passed over"] += above
    spaced = f"{delimiter} " in header_line  # `user, text`: the spaces belong to no cell

    def read() -> Iterator[str]:
        nonlocal place, line
        for place, line in itertools.chain(first, lines):  # noqa: B007 (read outside)
            # Before other signs it is one itself, as in Spark's.
            yield (
                kept.sub(lambda found: found[1] or r"\\", line) if quotes == "slashed" else line
            ) + "\n"

    kept = re.compile(rf'(\\(?:["\\{re.escape(delimiter)}]|$))|\\')
    rows = csv.reader(
        read(), delimiter=delimiter, strict=True, skipinitialspace=spaced, **_SIGNS[quotes]
    )
    header = _header(path, rows)
    numbered = numbered_columns(header)
    while True:
        start = f"{path}:{rows.line_num + 1 + above}"
        try:
            row = next(rows, None)
            if row is None:
                return
            if len(row) > len(header) and not any(map(str.strip, row[len(header) :])):
                del row[len(header) :]  # of spreadsheets, which fill up with empty columns
            if passed := _passed_over(row, header, start):
                counts[passed] += 1
                continue
            if len(row) != len(header):
                fault = f"{len(row)} fields; the header has {len(header)}"
                few = len(row) < len(header)
                raise BadPost("too few fields" if few else "too many fields", fault)
            fields = _fields(header, row, delimiter, counts)
            yield Row(start, with_list(fields, numbered, counts))
        except csv.Error as error:
            upto = "" if place == start else f" (a row up to line {place.rpartition(':')[2]})"
            fault = f"not readable as CSV: {error}{upto}"
            if '\\"' in line and quotes == "doubled":
                fault += '; quotes within a cell are written `""` in CSV, not `\\"`'
                _, other = _faults(path, layout, path.stat().st_mtime_ns, "slashed")
                fault += f"; read so, the file stops at {other}" * bool(other)
            on_bad(start, BadPost("not CSV", fault))
        except BadPost as fault:
            on_bad(start, fault)


def _fields(
    header: list[str], row: list[str], delimiter: str, counts: Counter[str]
) -> dict[str, Any]:
    if any("\n" in cell and _holds_rows(cell, header, delimiter) for cell in row):
        if delimiter == "\t":
            fault = "a quoted cell holds as many tabs as rows do, and ends of lines, as where a "
            fault += "quote that opens a text is not closed; expected such quotes doubled, within "
            raise BadPost("a cell over several rows", f"{fault}quotes")
        counts[
            f"{_SWALLOWED} `{delimiter}` as rows have, as where a quote that opens a text is not "
            "closed"
        ] += 1
    if any(cell.startswith('="') for cell in row):
        found = [_FORMULA.fullmatch(cell) for cell in row]
        if any(found):
            counts['cells such as `="007"` of spreadsheets, read as text'] += sum(map(bool, found))
        row = [one[1] if one else cell for one, cell in zip(found, row, strict=True)]
    fields: dict[str, Any] = dict(zip(header, row, strict=True))
    if fields.pop("", "").strip():
        counts["cells of a column without a name, not read"] += 1
    if fields.get("proposals"):
        fields["proposals"] = _json(fields["proposals"])
    return fields


def _holds_rows(cell: str, header: list[str], delimiter: str) -> bool:
    """Whether a cell of several lines may have swallowed rows: it has the signs between theirs."""
    between = len(header) - 1
    return between > 0 and cell.count(delimiter) >= between * cell.count("\n")


def _passed_over(row: list[str], header: list[str], place: str) -> str:
    """What a row is called that holds no post; `""` for one that does."""
    cells = [cell.strip(_BLANK) for cell in row]
    if cells == header:  # of files that were put one behind the other
        return "rows that repeat the names of the columns, passed over"
    if len(cells) == len(header) > 1 and cells[0] in header and set(cells) == set(header):
        raise DataError(
            f"{place}: the names of the columns once more, in another order: files of different "
            "columns stand one behind the other. Take them apart, and import their folder."
        )
    filled = list(filter(None, cells))
    if len(filled) > 1 and all(map(_RULE.fullmatch, filled)):  # of tables as Markdown has them
        return "rules between rows, passed over"
    return "" if filled else "empty lines"


def _header(path: pathlib.Path, rows: Iterator[list[str]]) -> list[str]:
    try:
        header = [name.strip() for name in next(rows, [])]
        while len(header) > 1 and not header[-1]:
            header.pop()
    except csv.Error as error:
        raise DataError(f"{path}:1: the header is not readable as CSV: {error}.") from error
    twice = [name for name in header if header.count(name) > 1]
    if twice and not twice[0]:
        raise DataError(f"{path}: {len(twice)} columns have no name; expected a name for each.")
    if twice:
        raise DataError(f"{path}:1: column `{twice[0]}` stands twice; expected each name once.")
    return header


def _json(cell: str) -> Any:
    try:
        return json.loads(cell)
    except (ValueError, RecursionError) as error:
        fault = f"`proposals` is not readable as JSON: {error}; expected [[0.1, ...], ...]"
        raise BadPost("bad proposals", fault) from None
