"""LinkedIn: `Shares.csv` of the archive that it lets one download."""

import pathlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tfhashtag.corpus.post_faults import OnBad, missing_field
from tfhashtag.corpus.readers.csv import csv_rows
from tfhashtag.corpus.readers.rows import Layout, Row, platform_rows


def linkedin_rows(
    paths: Sequence[pathlib.Path], layout: Layout, on_bad: OnBad, counts: Counter[str]
) -> Iterator[Row]:
    """Rows of what the account shared; hashtags stand in the texts, which name no author."""
    values = csv_rows(paths, layout, on_bad, counts)
    yield from platform_rows(_fields, values, on_bad)


def _fields(value: Mapping[str, Any]) -> dict[str, Any]:
    if "ShareCommentary" not in value:
        raise missing_field("no `ShareCommentary`", value)
    # Ends of lines stand in quotes of their own there.
    text = value["ShareCommentary"].replace('"\n"', "\n")
    identity = value.get("ShareLink") or None
    return {"id": identity, "user": None, "text": text, "timestamp": value.get("Date")}
