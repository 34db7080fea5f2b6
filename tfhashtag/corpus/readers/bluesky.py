"""Bluesky: a repository (CAR), records of one, events of the stream, pages of a feed."""

import pathlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tfhashtag.corpus.post_faults import OnBad, missing_field
from tfhashtag.corpus.readers.files import plain_suffix
from tfhashtag.corpus.readers.json import json_rows
from tfhashtag.corpus.readers.repository import repository_records
from tfhashtag.corpus.readers.rows import Layout, Row, platform_rows

_TAG = "app.bsky.richtext.facet#tag"


def bluesky_rows(
    paths: Sequence[pathlib.Path], layout: Layout, on_bad: OnBad, counts: Counter[str]
) -> Iterator[Row]:
    """Rows of posts; hashtags are the facets of type tag, and the record's own `tags`.

    In a feed a repost is by whoever reposted, at the time of that.

    What is no post (likes, follows, deletions) is counted. Pictures are blobs there, and are
    counted.
    """
    values = _values(paths, layout, on_bad, counts)
    yield from platform_rows(_fields, values, on_bad, counts)


def _values(
    paths: Sequence[pathlib.Path], layout: Layout, on_bad: OnBad, counts: Counter[str]
) -> Iterator[Row]:
    for path in paths:
        if plain_suffix(path) != ".car":
            yield from json_rows([path], layout, on_bad, counts)
            continue
        for number, record in enumerate(repository_records(path), 1):
            yield Row(f"{path}:post {number}", record)


def _fields(value: Mapping[str, Any], counts: Counter[str]) -> dict[str, Any] | None:
    view = value["post"] if isinstance(value.get("post"), dict) else value
    reason = value.get("reason") or {}
    repost = str(reason.get("$type", "")).endswith("reasonRepost")
    event = view["commit"] if isinstance(view.get("commit"), dict) else view
    record = next(
        (held for key in ("record", "value") if isinstance(held := event.get(key), dict)), event
    )
    if record.get("text") is None:
        if value.get("kind") or record.get("$type"):
            counts["records that are no posts"] += 1
            return None
        raise missing_field("no `text`", record)
    uri = str(view.get("uri") or "")
    author = view.get("author")
    author = author.get("did") or author.get("handle") if isinstance(author, dict) else author
    user = author or view.get("did") or view.get("repo") or uri.removeprefix("at://").split("/")[0]
    embed = record.get("embed") or {}
    counts["posts with pictures that are addresses, not files"] += bool(
        embed.get("images") or (embed.get("media") or {}).get("images")
    )
    features = [one for facet in record.get("facets") or [] for one in facet.get("features") or []]
    tags = [one.get("tag") for one in features if one.get("$type", _TAG) == _TAG]
    key = event.get("rkey") or view.get("rkey")
    identity = uri or (f"{user}/{key}" if key else view.get("id") or view.get("cid"))
    time = record.get("createdAt")
    if repost:  # by whoever does it, as a boost of Mastodon
        user = (reason.get("by") or {}).get("did") or user
        identity = reason.get("uri") or f"{identity} by {user}"
        time = reason.get("indexedAt") or time
    outcomes = {
        "likes": view.get("likeCount"),
        "shares": _sum(view.get("repostCount"), view.get("quoteCount")),
        "replies": view.get("replyCount"),
    }
    return {
        "id": identity,
        "user": user or None,
        "text": record["text"],
        "timestamp": time,
        "hashtags": [tag for tag in [*tags, *(record.get("tags") or [])] if tag],
        "retweet": repost,
        **{name: count for name, count in outcomes.items() if count is not None and not repost},
    }


def _sum(*counts: Any) -> Any:
    """Of those that are there; None without any."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
