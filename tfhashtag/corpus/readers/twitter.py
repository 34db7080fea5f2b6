"""Twitter: pages of API v2, statuses of API v1.1, `tweets.js` of an archive."""

import html
import json
import pathlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tfhashtag.corpus.post_faults import BadPost, OnBad
from tfhashtag.corpus.readers.files import opened
from tfhashtag.corpus.readers.json import included_users, json_rows
from tfhashtag.corpus.readers.rows import Layout, Row, platform_fields
from tfhashtag.errors import DataError

_ACCOUNT = "account.js"
_MEDIA = ("tweets_media", "tweet_media")  # of today, and of older archives


def twitter_rows(
    paths: Sequence[pathlib.Path], layout: Layout, on_bad: OnBad, counts: Counter[str]
) -> Iterator[Row]:
    """Rows of tweets; hashtags are those that the platform found.

    An archive names no author: it is the account of `account.js` beside the file, or nobody.
    Pictures and clips of an archive are those in `tweets_media` beside the file, named by the id of
    their tweet; all others are addresses, and are counted.
    """
    for path in paths:
        owner, followers, media = _owner(path), _followers(path, layout), _media(path)
        for place, value in json_rows([path], layout, on_bad, counts):
            held = [value[name] for name in ("tweet", "data") if isinstance(value.get(name), dict)]
            tweet = held[0] if held else value
            try:
                fields = platform_fields(_fields, tweet, owner, counts)
                known = followers.get(str(fields["user"])) if fields is not None else None
                if fields is not None and known is not None:
                    fields["followers"] = known
                if fields is not None:
                    there = media.get(str(fields["id"]), [])
                    gone = fields.pop("pictured") and not there
                    counts["posts with pictures that are addresses, not files"] += gone
                    yield Row(place, fields | ({"images": there} if there else {}))
            except BadPost as fault:
                on_bad(place, fault)


def _fields(
    tweet: Mapping[str, Any], owner: str | None, counts: Counter[str]
) -> dict[str, Any] | None:
    long = tweet.get("note_tweet") or tweet.get("extended_tweet") or {}
    text = long.get("text") or long.get("full_text") or tweet.get("full_text") or tweet.get("text")
    if text is None and tweet.keys() <= {"meta", "errors", "includes", "data"}:
        counts["pages without posts"] += 1
        return None
    if text is None:
        found = ", ".join(map(str, tweet)) or "nothing"
        raise BadPost("missing field", f"no `text` or `full_text`; found {found}")
    entities = long.get("entities") or tweet.get("entities") or {}
    author = tweet.get("user") if isinstance(tweet.get("user"), dict) else {}
    user = tweet.get("author_id") or (author or {}).get("id_str") or (author or {}).get("id")
    referred = tweet.get("referenced_tweets") or []
    media = entities.get("media") or (tweet.get("attachments") or {}).get("media_keys")
    tags = entities.get("hashtags") or []
    return {
        "id": tweet.get("id_str") or tweet.get("id"),
        "user": owner if user is None else user,
        "text": html.unescape(text),
        "timestamp": tweet.get("created_at"),
        "hashtags": [tag.get("tag") or tag.get("text") for tag in tags],
        "pictured": bool(media),
        "retweet": "retweeted_status" in tweet
        or any(other.get("type") == "retweeted" for other in referred),
        **_outcomes(tweet, author or {}),
    }


def _outcomes(tweet: Mapping[str, Any], author: Mapping[str, Any]) -> dict[str, Any]:
    """What came of a tweet, in the names of v2, v1.1 and archives; quotes count as shares.

    Of a retweet the counts are those of the tweet that it repeats: nothing is said.
    """
    referred = tweet.get("referenced_tweets") or []
    if "retweeted_status" in tweet or any(one.get("type") == "retweeted" for one in referred):
        return {}
    counts = tweet.get("public_metrics") or tweet
    quotes, shares = counts.get("quote_count"), counts.get("retweet_count")
    found = {
        "likes": counts.get("like_count", counts.get("favorite_count")),
        "shares": shares if quotes is None or shares is None else shares + quotes,
        "replies": counts.get("reply_count"),
        "views": counts.get("impression_count"),
        "followers": author.get("followers_count"),
    }
    return {name: value for name, value in found.items() if value is not None}


def _followers(path: pathlib.Path, layout: Layout) -> dict[str, Any]:
    """How many follow each author, where pages of API v2 name the authors apart from the posts."""
    with opened(path) as stream:
        tail, found = b"", False
        while not found and (block := stream.read(2**20)):
            found, tail = b'"includes"' in tail + block, block[-16:]
    if not found:
        return {}
    counts = {}
    for user in included_users(path, layout):
        identity, metrics = user.get("id"), user.get("public_metrics")
        if isinstance(identity, str) and isinstance(metrics, dict):
            counts[identity] = metrics.get("followers_count")
    return counts


def _media(path: pathlib.Path) -> dict[str, list[str]]:
    """The files of each tweet's pictures and clips in an archive, `tweets_media/ID-NAME`."""
    found: dict[str, list[str]] = {}
    for folder in _MEDIA:
        for file in sorted((path.parent / folder).glob("*-*.*")):
            found.setdefault(file.name.partition("-")[0], []).append(str(file.absolute()))
    return found


def _owner(path: pathlib.Path) -> str | None:
    beside = path.parent / _ACCOUNT
    if not beside.is_file():
        return None
    with opened(beside) as stream:
        content = stream.read().decode("utf-8", "replace")
    try:
        account = json.loads(content[content.index("[") :])[0]["account"]
        return str(account.get("accountId") or account["username"])
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise DataError(f"{beside}: not the account of an archive: {error!r}.") from None
