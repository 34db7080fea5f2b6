"""Spreadsheets: Excel's and OpenDocument's, a post a row below a row of names."""

import datetime
import itertools
import pathlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from tfhashtag.corpus.post_faults import BadPost, OnBad
from tfhashtag.corpus.readers.headings import (
    MOST_ABOVE,
    names_columns,
    numbered_columns,
    rows_above,
    with_list,
)
from tfhashtag.corpus.readers.rows import Layout, Row
from tfhashtag.errors import DataError

LONGEST_NUMBER = 10**15  # Excel keeps fifteen digits, and makes the others zeros
_ERRORS = ("#N/A", "#NAME?", "#REF!", "#VALUE!", "#NULL!", "#DIV/0!", "#NUM!")


def spreadsheet_rows(
    paths: Sequence[pathlib.Path], layout: Layout, on_bad: OnBad, counts: Counter[str]
) -> Iterator[Row]:
    """Rows of spreadsheets; cells are text, numbers as they are written, dates as ISO 8601.

    Of several sheets the one is read whose rows are posts. Titles and headings of groups above the
    names of the columns are passed over and counted.

    Raises:
        DataError: a file is no spreadsheet, or it is not clear which sheet is meant.
    """
    for path in paths:
        yield from _rows(path, layout, on_bad, counts)


def _rows(path: pathlib.Path, layout: Layout, on_bad: OnBad, counts: Counter[str]) -> Iterator[Row]:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        with CalamineWorkbook.from_path(path) as book:
            sheet = _sheet(path, book, layout.sheet, counts)
            first = sheet.start[0] if sheet.start else 0
            rows = iter(sheet.to_python(skip_empty_area=True))
    except (CalamineError, OSError, ValueError) as error:
        raise DataError(f"{path}: not readable as a spreadsheet: {error!s:.200}.") from error
    begin = list(itertools.islice(rows, MOST_ABOVE + 1))
    above = rows_above(begin)
    counts["rows above the names of the columns, passed over"] += above
    header = [str(cell).strip() for cell in begin[above]] if begin else []
    twice = [name for name in header if name and header.count(name) > 1]
    if twice:
        where = f"{path}:{first + above + 1}"
        raise DataError(f"{where}: column `{twice[0]}` stands twice; expected each name once.")
    _check_merged(path, sheet, first + above)
    numbered = numbered_columns(header)
    for number, cells in enumerate(itertools.chain(begin[above + 1 :], rows), first + above + 2):
        texts = [_text(cell) for cell in cells]
        if not any(texts):
            counts["empty lines"] += 1
            continue
        columns = enumerate(zip(header, texts, strict=False))
        # The first may number the rows.
        unnamed = [text for place, (name, text) in columns if place and not name and text]
        if unnamed:
            fault = f"{str(unnamed[0])!r:.80} stands in a column without a name"
            on_bad(f"{path}:{number}", BadPost("a column without a name", fault))
            continue
        fields = {n: t for n, t in zip(header, texts, strict=False) if n}
        yield Row(f"{path}:{number}", with_list(fields, numbered, counts))


def _check_merged(path: pathlib.Path, sheet: Any, header: int) -> None:
    """Of merged cells the first alone has the value; formats that do not tell are not checked."""
    for (top, column), (bottom, last) in sheet.merged_cell_ranges or ():
        if bottom > header and (bottom > top or last > column):
            raise DataError(
                f"{path}:{top + 1}: cells are merged down to row {bottom + 1}, from column "
                f"{column + 1} to {last + 1}, and only the first holds the value. Unmerge them and "
                "fill each."
            )


def _sheet(path: pathlib.Path, book: Any, wanted: str | None, counts: Counter[str]) -> Any:
    sheets = {name: book.get_sheet_by_name(name) for name in book.sheet_names}
    if wanted is not None and wanted not in sheets:
        found = ", ".join(f"`{name}`" for name in sheets)
        raise DataError(f"{path}: no sheet `{wanted}`; found {found}.")
    filled = {name: sheet for name, sheet in sheets.items() if sheet.height}
    named = {
        name: sheet
        for name, sheet in filled.items()
        if any(map(names_columns, sheet.to_python(skip_empty_area=True)[: MOST_ABOVE + 1]))
    }
    chosen = {wanted: sheets[wanted]} if wanted is not None else named or filled
    if not chosen:
        raise DataError(f"{path}: the file is empty; expected a post a row.")
    if len(chosen) > 1:
        found = ", ".join(f"`{name}`" for name in chosen)
        raise DataError(f"{path}: several sheets hold rows, {found}; say which: --sheet NAME.")
    for name in filled.keys() - chosen.keys():
        counts[f"sheet `{name}` is not read"] += 1
    return next(iter(chosen.values()))


def _text(cell: Any) -> Any:
    """As a CSV file has it; a number that has lost its last digits stays what it is."""
    if isinstance(cell, datetime.datetime | datetime.date | datetime.time):
        return cell.isoformat()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < LONGEST_NUMBER:
        return str(int(cell))
    if isinstance(cell, float) and abs(cell) >= LONGEST_NUMBER:
        return cell
    return "" if cell in _ERRORS else str(cell)
