"""The own format as CSV with a header; hashtags are separated by spaces, `proposals` are JSON."""

import csv
import json
import pathlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tfhashtag.corpus.post import BadPost, Post, checked_post
from tfhashtag.corpus.readers.lines import OnBad, numbered_lines
from tfhashtag.errors import DataError

_NEEDED = ("user", "text", "hashtags")


def read_csv(path: pathlib.Path, on_bad: OnBad, counts: Counter[str]) -> Iterator[Post]:
    """Posts of a CSV file whose header names `user,text,hashtags` and perhaps the other fields.

    Raises:
        DataError: the header lacks a needed column.
    """
    csv.field_size_limit(2**31 - 1)
    place = str(path)

    def lines() -> Any:
        nonlocal place
        for place, line in numbered_lines(path, on_bad):  # noqa: B007 (read outside)
            yield line + "\n"

    rows = csv.reader(lines(), strict=True)
    try:
        header = next(rows, [])
    except csv.Error as error:
        raise DataError(f"{path}:1: the header is not readable as CSV: {error}.") from error
    twice = [name for name in header if header.count(name) > 1]
    if twice:
        raise DataError(f"{path}:1: column `{twice[0]}` stands twice; expected each name once.")
    missing = [name for name in _NEEDED if name not in header]
    if missing:
        raise DataError(
            f"{path}:1: no column `{missing[0]}`; found {', '.join(header) or 'nothing'}; expected "
            f"a header with {', '.join(_NEEDED)}."
        )
    number = 0
    while True:
        start = f"{path}:{rows.line_num + 1}"
        try:
            row = next(rows, None)
            if row is None:
                return
            if not row:
                counts["empty lines"] += 1
                continue
            number += 1
            if len(row) != len(header):
                fault = f"{len(row)} fields; the header has {len(header)}"
                raise BadPost(
                    "too few fields" if len(row) < len(header) else "too many fields", fault
                )
            values: dict[str, Any] = dict(zip(header, row, strict=True))
            values["hashtags"] = values["hashtags"].split()
            given = {k: v for k, v in values.items() if v != "" or k in _NEEDED}
            if "proposals" in given:
                given["proposals"] = _json(given["proposals"])
            yield checked_post(given, str(number), start, counts)
        except csv.Error as error:
            upto = "" if place == start else f" (a row up to line {place.rpartition(':')[2]})"
            on_bad(start, BadPost("not CSV", f"not readable as CSV: {error}{upto}"))
        except BadPost as fault:
            on_bad(start, fault)


def _json(cell: str) -> Any:
    try:
        return json.loads(cell)
    except (ValueError, RecursionError) as error:
        fault = f"`proposals` is not readable as JSON: {error}; expected [[0.1, ...], ...]"
        raise BadPost("bad proposals", fault) from None
