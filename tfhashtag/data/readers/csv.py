"""The own format as CSV with a header; hashtags are separated by spaces."""

import csv
import pathlib
from collections.abc import Iterator

from tfhashtag.data.post import BadPost, Post, checked_post
from tfhashtag.data.readers.lines import OnBad, numbered_lines
from tfhashtag.errors import DataError

_NEEDED = ("user", "text", "hashtags")


def read_csv(path: pathlib.Path, on_bad: OnBad, counts: dict[str, int]) -> Iterator[Post]:
    """Posts of a CSV file whose header names `user,text,hashtags` and perhaps the other fields.

    Raises:
        DataError: the header lacks a needed column.
    """
    csv.field_size_limit(2**31 - 1)
    place = str(path)

    def lines():
        nonlocal place
        for place, line in numbered_lines(path, on_bad):  # noqa: B007 (read outside)
            yield line + "\n"

    rows = csv.reader(lines(), strict=True)
    header = next(rows, [])
    missing = [name for name in _NEEDED if name not in header]
    if missing:
        raise DataError(
            f"{path}:1: no column `{missing[0]}`; found {', '.join(header) or 'nothing'}; expected "
            f"a header with {', '.join(_NEEDED)}."
        )
    number = 0
    while True:
        try:
            row = next(rows, None)
            if row is None:
                return
            if not row:
                counts["empty lines"] = counts.get("empty lines", 0) + 1
                continue
            number += 1
            if len(row) != len(header):
                fault = f"{len(row)} fields; the header has {len(header)}"
                raise BadPost(
                    "too few fields" if len(row) < len(header) else "too many fields", fault
                )
            values = dict(zip(header, row, strict=True))
            values["hashtags"] = values["hashtags"].split()
            yield checked_post(
                {k: v for k, v in values.items() if v != "" or k in _NEEDED}, str(number)
            )
        except csv.Error as error:
            on_bad(place, BadPost("not CSV", f"not readable as CSV: {error}"))
        except BadPost as fault:
            on_bad(place, fault)
