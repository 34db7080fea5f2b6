"""Telegram: `result.json` of one chat or channel, or of all, as the desktop program exports it."""

import pathlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tfhashtag.corpus.post_faults import BadPost, OnBad
from tfhashtag.corpus.readers.json import rows_under
from tfhashtag.corpus.readers.rows import Layout, Row, platform_fields
from tfhashtag.errors import DataError

# Where the messages of one chat stand, and those of all, and before them which chat it is.
_MESSAGES = ("messages.item", "chats.list.item.messages.item")
_CHATS = ("id", "chats.list.item.id")


def telegram_rows(
    paths: Sequence[pathlib.Path], layout: Layout, on_bad: OnBad, counts: Counter[str]
) -> Iterator[Row]:
    """Rows of messages; hashtags are those that the platform found.

    What is no message (calls, who came and went) is counted. Pictures are those beside the file;
    those that were not exported are counted. Messages are numbered in each chat: an id is that of
    the chat and the message's.

    Raises:
        DataError: a file holds no message.
    """
    for path in paths:
        found = False
        for chat, (place, message) in rows_under(path, layout, _MESSAGES, _CHATS):
            found = True
            try:
                fields = platform_fields(_fields, message, chat, path.parent, counts)
                if fields is not None:
                    yield Row(place, fields)
            except BadPost as fault:
                on_bad(place, fault)
        if not found:
            raise DataError(f"{path}: holds no message; expected an export of Telegram as JSON.")


def _fields(
    message: Mapping[str, Any], chat: Any, folder: pathlib.Path, counts: Counter[str]
) -> dict[str, Any] | None:
    if message.get("type", "message") != "message":
        counts["records that are no posts"] += 1
        return None
    parts = message.get("text_entities") or message.get("text") or ""
    parts = [parts] if isinstance(parts, str) else parts
    texts = [_text(part) for part in parts]
    text = "".join(said for said, _ in texts)
    tags = [said for said, is_tag in texts if is_tag]
    named = str(message.get("photo") or "")
    there = named if named and (folder / named).is_file() else None
    counts["posts whose pictures do not lie in the archive"] += bool(named) and there is None
    identity = message.get("id")
    # `date` is of the clock of whoever exported.
    return {
        "id": None if chat is None or identity is None else f"{chat}/{identity}",
        "user": message.get("from_id") or message.get("from") or message.get("actor_id"),
        "text": text,
        "timestamp": message.get("date_unixtime") or message.get("date"),
        "hashtags": tags,
        "retweet": "forwarded_from" in message,
        "images": there,
    }


def _text(part: Any) -> tuple[str, bool]:
    """What a part of a message says, and whether it is a hashtag: `#tea@channel` is `#tea`."""
    if isinstance(part, str):
        return part, False
    is_tag = part.get("type") == "hashtag"
    return (part["text"].partition("@")[0] if is_tag else part["text"]), is_tag
