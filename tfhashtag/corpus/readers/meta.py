"""Instagram, Threads and Facebook: archives as they are downloaded, pages of their APIs."""

import json
import pathlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tfhashtag.corpus.garbled import mended
from tfhashtag.corpus.post_faults import BadPost, OnBad, missing_field
from tfhashtag.corpus.readers.files import opened
from tfhashtag.corpus.readers.json import LISTS_OF_ARCHIVES, json_rows
from tfhashtag.corpus.readers.rows import Layout, Row, platform_fields
from tfhashtag.errors import DataError

_ROOTS = (
    *("personal_information", "your_instagram_activity"),
    *("profile_information", "your_facebook_activity"),
)
_LEVELS = 4  # that a file of posts lies below the top of its archive, at most
_PROFILES = (
    "personal_information/personal_information/personal_information.json",
    "personal_information/personal_information.json",
    "profile_information/profile_information.json",
    "personal_information/profile_information/profile_information.json",
)
_USERNAME = re.compile(
    r"user\s?name|benutzername|nom d.utilisateur|nome utente|usu[aá]rio|"
    "nome de usu[aá]rio|gebruikersnaam",
    re.I,
)
_NAMED_FOLDER = re.compile(r"(?:instagram|facebook|threads)-(.+?)-\d{4}-?\d\d-?\d\d")
_CAPTION = re.compile(
    r"caption|text|l[ée]gende|bildunterschrift|didascalia|pie de foto|legenda|bijschrift", re.I
)
_OTHER = re.compile(r"ur[li]|link|location|place|latitude|longitude|music|audience|privacy", re.I)


def meta_rows(
    paths: Sequence[pathlib.Path], layout: Layout, on_bad: OnBad, counts: Counter[str]
) -> Iterator[Row]:
    """Rows of posts: archives of Instagram, Threads and Facebook, pages of their APIs.

    Archives hold UTF-8 that was written as Latin-1, which is mended and counted. Nobody names the
    hashtags: they stand in the texts. The author is the account of the archive. Pictures and
    films are those of the archive, where they lie beside it; those that are addresses are counted.
    """
    for path in paths:
        root = archive_root(path)
        owner = _owner(root)
        for place, value in json_rows([path], layout, on_bad, counts, LISTS_OF_ARCHIVES):
            try:
                fields = platform_fields(_fields, value, counts)
                if fields is not None:
                    fields.setdefault("user", owner)
                    _picture(fields, root, counts)
                    yield Row(place, fields)
            except BadPost as fault:
                on_bad(place, fault)


def archive_root(path: pathlib.Path) -> pathlib.Path:
    """The top of the archive that a file lies in; the file's folder without an archive."""
    for folder in list(path.absolute().parents)[:_LEVELS]:
        if any((folder / name).is_dir() for name in _ROOTS):
            return folder
    beside = path.absolute().parent
    return beside.parent if (beside.parent / "media").is_dir() else beside


def _fields(value: Mapping[str, Any], counts: Counter[str]) -> dict[str, Any] | None:
    value = value["node"] if isinstance(value.get("node"), dict) else value
    if "biography" in value:
        counts["records that are no posts"] += 1
        return None
    if "label_values" in value:
        fields = _labelled(value)
    elif isinstance(value.get("data"), list):
        fields = _of_facebook(value)
    elif isinstance(value.get("media"), list) or "uri" in value or "path" in value:
        fields = _of_archive(value)
    else:
        return _of_api(value)
    for name in ("text", "user"):
        if isinstance(fields.get(name), str):
            whole = mended(fields[name])
            counts["texts that are UTF-8 written as Latin-1, mended"] += (
                name == "text" and whole != fields[name]
            )
            fields[name] = whole
    return {name: held for name, held in fields.items() if held is not None}


def _of_archive(post: Mapping[str, Any]) -> dict[str, Any]:
    """Of Instagram and Threads: a caption stands with the post or, of one picture, with it."""
    media = post["media"] if isinstance(post.get("media"), list) else [post]
    captions = [one.get("title") or one.get("caption") for one in (post, *media)]
    times = [one.get("creation_timestamp") or one.get("taken_at") for one in (post, *media)]
    return {
        "text": "\n\n".join(_distinct(captions)),
        "timestamp": next((time for time in times if time), None),
        "images": [name for one in media if (name := one.get("uri") or one.get("path"))],
    }


def _labelled(post: Mapping[str, Any]) -> dict[str, Any]:
    """Archives of later years, whose fields have labels in the language of the account."""
    labels = [one for one in post["label_values"] if isinstance(one.get("value"), str)]
    texts = [one["value"] for one in labels if _CAPTION.fullmatch(mended(one.get("label") or ""))]
    own = _of_archive({"media": post.get("media") or []})
    unknown = [
        label for one in labels if not _OTHER.fullmatch(label := mended(one.get("label") or ""))
    ]
    if unknown and not texts and not own["text"]:
        found = ", ".join(f"`{label}`" for label in unknown)
        raise BadPost(
            "missing field",
            f"which of {found} is the caption is not known; ask for the archive in English",
        )
    return {
        "id": post.get("fbid"),
        "text": texts[0] if texts else own["text"],
        "timestamp": post.get("timestamp") or own["timestamp"],
        "images": own["images"],
    }


def _of_facebook(post: Mapping[str, Any]) -> dict[str, Any]:
    """A status, or the descriptions of what it shows; the title says who did what, and is left."""
    held = [one for part in post.get("attachments") or [] for one in part.get("data") or []]
    media = [one["media"] for one in held if isinstance(one.get("media"), dict)]
    said = [one.get("post") for one in post["data"]]
    shown = [one.get("description") for one in media]
    return {
        "text": "\n\n".join(_distinct([*said, *shown])),
        "timestamp": post.get("timestamp"),
        "images": [one["uri"] for one in media if one.get("uri")],
    }


def _of_api(post: Mapping[str, Any]) -> dict[str, Any]:
    """Of the APIs of all three, and of what scrapers keep of them: text is UTF-8 there."""
    edges = (post.get("edge_media_to_caption") or {}).get("edges") or []
    text = post.get("caption", post.get("message", post.get("text")))
    text = text.get("text") if isinstance(text, dict) else text
    text = edges[0]["node"]["text"] if edges else text
    time = post.get("timestamp") or post.get("created_time") or post.get("taken_at")
    time = time or post.get("taken_at_timestamp")
    if time is None and text is None:
        raise missing_field("no `caption`, `message` or `media`", post)
    author: Any = next((post[key] for key in ("owner", "user", "from") if post.get(key)), {})
    author = author if isinstance(author, dict) else {"id": author}
    name = author.get("username") or author.get("name") or author.get("id") or author.get("pk")
    likes = post.get("edge_media_preview_like") or post.get("edge_liked_by") or {}
    replies = post.get("edge_media_to_comment") or {}
    fields = {
        "id": post.get("id") or post.get("pk") or post.get("shortcode") or post.get("code"),
        "user": post.get("username") or name,
        "text": text or "",
        "timestamp": time,
        "images": post.get("media_url") or post.get("display_url") or post.get("full_picture"),
        "likes": post.get("like_count", likes.get("count")),
        "replies": post.get("comments_count", post.get("comment_count", replies.get("count"))),
        "shares": (post.get("shares") or {}).get("count"),
        "views": post.get("video_view_count", post.get("play_count")),
        "followers": (author.get("edge_followed_by") or {}).get("count"),
    }
    hidden = {name for name in ("likes", "replies") if fields[name] == -1}  # by the account
    return {name: held for name, held in fields.items() if held is not None and name not in hidden}


def _picture(fields: dict[str, Any], root: pathlib.Path, counts: Counter[str]) -> None:
    """Only pictures and films that lie in the archive are given on."""
    given = fields.pop("images", None) or []
    names = [given] if isinstance(given, str) else given
    addresses = [name for name in names if "://" in name]
    counts["posts with pictures that are addresses, not files"] += bool(addresses)
    pictures = [name for name in names if name not in addresses]
    there = [str(root / name) for name in pictures if (root / name).is_file()]
    counts["posts whose pictures do not lie in the archive"] += bool(pictures) and not there
    if there:
        fields["images"] = there


def _owner(root: pathlib.Path) -> str | None:
    """Who an archive is of, by its profile, else by the name of its folder."""
    for name in _PROFILES:
        path = root / name
        if not path.is_file():
            continue
        with opened(path) as stream:
            content = stream.read()
        try:
            profile = json.loads(content)
            if "profile_user" in profile:
                labels = profile["profile_user"][0]["string_map_data"]
                names = [v["value"] for k, v in labels.items() if _USERNAME.search(mended(k))]
                return mended(names[0]) if names else None
            return mended(profile[next(iter(profile))]["name"]["full_name"])
        except (ValueError, LookupError, TypeError, AttributeError, StopIteration) as error:
            raise DataError(f"{path}: not the profile of an archive: {error!r}.") from None
    named = _NAMED_FOLDER.match(root.name)
    return named[1] if named else None


def _distinct(texts: Sequence[Any]) -> list[str]:
    return list(dict.fromkeys(text.strip() for text in texts if text and text.strip()))
