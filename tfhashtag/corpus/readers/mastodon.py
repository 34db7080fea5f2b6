"""Mastodon: statuses of the API, and `outbox.json` of an archive."""

import pathlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tfhashtag.corpus.markup import text_of
from tfhashtag.corpus.post_faults import BadPost, OnBad, missing_field
from tfhashtag.corpus.readers.json import json_rows
from tfhashtag.corpus.readers.rows import Layout, Row, platform_fields


def mastodon_rows(
    paths: Sequence[pathlib.Path], layout: Layout, on_bad: OnBad, counts: Counter[str]
) -> Iterator[Row]:
    """Rows of statuses, as text; a boost is the status that it repeats, by who boosted it.

    Pictures and clips of an archive are those under `media_attachments/` beside its outbox; those
    of the API are addresses, and are counted.
    """
    for path in paths:
        for place, value in json_rows([path], layout, on_bad, counts):
            try:
                read = _activity if "actor" in value or "attributedTo" in value else _status
                fields = platform_fields(read, value, counts)
                if fields is not None:
                    there = [path.absolute().parent / name for name in fields.pop("attached", ())]
                    kept = [str(file) for file in there if file.is_file()]
                    gone = bool(there) and not kept
                    counts["posts with pictures that are addresses, not files"] += gone
                    yield Row(place, fields | ({"images": kept} if kept else {}))
            except BadPost as fault:
                on_bad(place, fault)


def _status(status: Mapping[str, Any], counts: Counter[str]) -> dict[str, Any]:
    said = status.get("reblog") or status
    account = status.get("account")
    if not isinstance(account, dict) or said.get("content") is None:
        raise missing_field("no `content` or `account`", status)
    counts["posts with pictures that are addresses, not files"] += bool(
        said.get("media_attachments")
    )
    return {
        "id": status.get("id") or status.get("uri"),
        "user": account.get("acct") or account.get("username") or account.get("id"),
        "text": _text(said.get("spoiler_text"), said["content"]),
        "timestamp": status.get("created_at"),
        "hashtags": [tag.get("name") for tag in said.get("tags") or []],
        "retweet": bool(status.get("reblog")),
        **({} if status.get("reblog") else _outcomes(status, account)),
    }


def _outcomes(status: Mapping[str, Any], account: Mapping[str, Any]) -> dict[str, Any]:
    """What came of a status; of a boost nothing is said."""
    found = {
        "likes": status.get("favourites_count"),
        "shares": status.get("reblogs_count"),
        "replies": status.get("replies_count"),
        "followers": account.get("followers_count"),
    }
    return {name: value for name, value in found.items() if value is not None}


def _activity(activity: Mapping[str, Any], counts: Counter[str]) -> dict[str, Any] | None:
    note = activity.get("object") if "actor" in activity else activity
    if not isinstance(note, dict) or note.get("content") is None:
        counts["boosts and other activities without a text"] += 1
        return None
    attached = [
        one["url"] for one in _several(note.get("attachment")) if isinstance(one.get("url"), str)
    ]
    tags = [tag for tag in _several(note.get("tag")) if tag.get("type") == "Hashtag"]
    return {
        "id": note.get("id") or activity.get("id"),
        "user": note.get("attributedTo") or activity["actor"],
        "text": _text(note.get("summary"), note["content"]),
        "timestamp": note.get("published") or activity.get("published"),
        "hashtags": [tag.get("name") for tag in tags],
        "retweet": activity.get("type") == "Announce",
        "attached": [url.lstrip("/") for url in attached],
        **{
            name: held["totalItems"]
            for name in ("likes", "shares")
            if isinstance(held := note.get(name), dict) and "totalItems" in held
        },
    }


def _several(value: Any) -> Any:
    """The objects of a property, of which ActivityPub writes a single one without a list."""
    return [value] if isinstance(value, dict) else value or []


def _text(warning: str | None, content: str) -> str:
    return "\n\n".join(part for part in (warning, text_of(content)) if part)
