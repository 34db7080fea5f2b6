"""Nostr: events as relays and clients keep them."""

import pathlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tfhashtag.corpus.post_faults import OnBad
from tfhashtag.corpus.readers.json import json_rows
from tfhashtag.corpus.readers.rows import Layout, Row, platform_rows

# Short notes, pictures, comments, and articles (NIP-01, NIP-68, NIP-22, NIP-23).
_POSTS = (1, 20, 1111, 30023)


def nostr_rows(
    paths: Sequence[pathlib.Path], layout: Layout, on_bad: OnBad, counts: Counter[str]
) -> Iterator[Row]:
    """Rows of notes, by the keys of who signed them; what is no note is counted.

    Hashtags are the tags `t`, which clients write for those of the text, too.
    """
    for path in paths:
        values = json_rows([path], layout, on_bad, counts)
        yield from platform_rows(_fields, values, on_bad, counts)


def _fields(event: Mapping[str, Any], counts: Counter[str]) -> dict[str, Any] | None:
    if event.get("kind") not in _POSTS:
        counts["records that are no posts"] += 1
        return None
    tags = [tag for tag in event.get("tags") or [] if len(tag) > 1]
    return {
        "id": event.get("id"),
        "user": event.get("pubkey"),
        "text": event.get("content"),
        "timestamp": event.get("created_at"),
        "hashtags": [tag[1] for tag in tags if tag[0] == "t"],
    }
