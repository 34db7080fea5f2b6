"""Reddit: posts and comments of dumps and of the API as JSON, and of an account's export as CSV."""

import pathlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tfhashtag.corpus.markup import unescaped
from tfhashtag.corpus.post_faults import OnBad, missing_field
from tfhashtag.corpus.readers.csv import csv_rows
from tfhashtag.corpus.readers.files import plain_suffix
from tfhashtag.corpus.readers.json import json_rows
from tfhashtag.corpus.readers.rows import Layout, Row, platform_rows

_GONE = ("[deleted]", "[removed]")


def reddit_rows(
    paths: Sequence[pathlib.Path], layout: Layout, on_bad: OnBad, counts: Counter[str]
) -> Iterator[Row]:
    """Rows of posts (the title, then the text) and comments; hashtags stand in their texts.

    What accounts that are gone wrote, and what was taken away, is left out and counted.
    """
    for path in paths:
        table = plain_suffix(path) == ".csv"
        read = csv_rows if table else json_rows
        values = read([path], layout, on_bad, counts)
        yield from platform_rows(_fields, values, on_bad, counts)


def _fields(value: Mapping[str, Any], counts: Counter[str]) -> dict[str, Any] | None:
    post = value["data"] if isinstance(value.get("data"), dict) else value  # `{"kind": "t3", ...}`
    parts = [post.get(name) for name in ("title", "selftext", "body")]
    if all(part is None for part in parts):
        raise missing_field("no `title`, `selftext` or `body`", post)
    if post.get("author") in _GONE or any(part in _GONE for part in parts):
        counts["posts that were deleted, left out"] += 1
        return None
    kind = "t3" if "title" in post else "t1"
    identity = post.get("name") or (f"{kind}_{post['id']}" if post.get("id") else None)
    fields = {
        "id": identity,
        "user": post.get("author"),
        "text": unescaped("\n\n".join(part.strip() for part in parts if part)),
        "timestamp": post.get("created_utc") or post.get("created") or post.get("date"),
        "replies": post.get("num_comments"),
    }
    return {name: held for name, held in fields.items() if held is not None or name == "user"}
