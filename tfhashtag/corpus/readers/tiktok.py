"""TikTok: `user_data_tiktok.json` of the archive that it lets one download, asked for as JSON."""

import pathlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tfhashtag.corpus.post_faults import BadPost, OnBad
from tfhashtag.corpus.readers.json import rows_at
from tfhashtag.corpus.readers.rows import Layout, Row, platform_fields
from tfhashtag.errors import DataError

#: Where videos stand, in archives of several years.
VIDEOS = ("Post.Posts.VideoList.item", "Video.Videos.VideoList.item")
_PROFILES = tuple(
    f"{profile}.{information}.ProfileMap"
    for profile in ("Profile", "Profile And Settings")
    for information in ("Profile Information", "Profile Info")
)


def tiktok_rows(
    paths: Sequence[pathlib.Path], layout: Layout, on_bad: OnBad, counts: Counter[str]
) -> Iterator[Row]:
    """Rows of videos; nobody names the hashtags: they stand in the titles.

    The author is the account of the archive. Videos are addresses, and are counted.

    Raises:
        DataError: a file holds no video.
    """
    for path in paths:
        names = [row.fields.get("userName") for row in rows_at(path, layout, _PROFILES)]
        owner = next((name for name in names if name), None)
        found = False
        for place, video in rows_at(path, layout, VIDEOS):
            found = True
            try:
                fields = platform_fields(_fields, video, counts)
                yield Row(place, {"user": owner, **(fields or {})})
            except BadPost as fault:
                on_bad(place, fault)
        if not found:
            raise DataError(f"{path}: holds no video; expected TikTok's archive as JSON.")


def _fields(video: Mapping[str, Any], counts: Counter[str]) -> dict[str, Any]:
    if "Title" not in video:
        raise BadPost(
            "missing field",
            f"no `Title`, which archives before 2024 lack; found {', '.join(map(str, video))}; ask "
            "for the archive anew",
        )
    counts["posts with pictures that are addresses, not files"] += bool(video.get("Link"))
    return {
        "text": video["Title"] or "",
        "timestamp": str(video.get("Date") or "").removesuffix(" UTC") or None,
        "likes": video.get("Likes") or None,
    }
