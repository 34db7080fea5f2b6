"""Twitter: pages of API v2, statuses of API v1.1, `tweets.js` of an archive."""

import contextlib
import json
import pathlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tfhashtag.corpus.markup import unescaped
from tfhashtag.corpus.post_faults import BadPost, OnBad, missing_field
from tfhashtag.corpus.readers.files import opened
from tfhashtag.corpus.readers.json import included_users, json_rows
from tfhashtag.corpus.readers.rows import Layout, Row, platform_fields
from tfhashtag.errors import DataError

#: The files of posts in an archive, which holds `tweet-headers.js` and `deleted-tweets.js`, too.
ARCHIVE = re.compile(r"(?:tweets?|(?P<note>note-tweet)|community-tweet)(?:-part\d+)?\.js$")
_ACCOUNT = "account.js"
_HEAD = 100  # characters by which a long tweet and its beginning know one another
_CUT = re.compile(r"(.{100,})\u2026(?:\s*https://t\.co/\w+)?\s*", re.DOTALL)
_ENDS_CUT = re.compile(r"\u2026(?:\s*https://t\.co/\w+)?\s*$")
_REPEATS = re.compile(r"RT @\w+: ")
_MEDIA = ("tweets_media", "tweet_media")  # of today, and of older archives

# What a stream has between tweets.
_NOTICES = {"delete", "limit", "scrub_geo", "status_withheld", "user_withheld", "warning"} | {
    *("disconnect", "event", "friends"),
}


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
        notes, begun = _notes(path, layout), _begun(path, layout)
        for place, value in json_rows([path], layout, on_bad, counts):
            try:
                fields = platform_fields(_fields, value, owner, counts)
                if fields is not None and fields["text"][:_HEAD] in begun:
                    continue  # read with the tweet that is its beginning
                if fields is not None and (note := notes.get(_beginning(fields["text"])[:_HEAD])):
                    counts["tweets that the archive cuts, read whole from its notes"] += 1
                    fields |= {name: note[name] for name in ("text", "hashtags")}
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
    value: Mapping[str, Any], owner: str | None, counts: Counter[str]
) -> dict[str, Any] | None:
    held = [value[name] for name in ("tweet", "data") if isinstance(value.get(name), dict)]
    tweet = held[0] if held else _of_note(value) if "noteTweet" in value else value
    if _was_edited(tweet):
        counts["earlier versions of tweets that were edited, left out"] += 1
        return None
    text, entities = _whole(tweet)
    if text is None and tweet.keys() <= {"meta", "errors", "includes", "data"}:
        counts["pages without posts"] += 1
        return None
    if text is None and len(tweet) == 1 and tweet.keys() <= _NOTICES:
        counts["records that are no posts"] += 1
        return None
    if text is None:
        raise missing_field("no `text` or `full_text`", tweet)
    may_be_cut = tweet.get("truncated") or _REPEATS.match(text)
    counts["tweets whose end is missing in the file, `...`"] += bool(
        may_be_cut and _ENDS_CUT.search(text)
    )
    author = tweet.get("user") if isinstance(tweet.get("user"), dict) else {}
    user = tweet.get("author_id") or (author or {}).get("id_str") or (author or {}).get("id")
    media = entities.get("media") or (tweet.get("attachments") or {}).get("media_keys")
    tags = entities.get("hashtags") or []
    return {
        "id": tweet.get("id_str") or tweet.get("id"),
        "user": owner if user is None else user,
        "text": unescaped(text),
        "timestamp": tweet.get("created_at") or tweet.get("date"),
        "hashtags": [
            tag if isinstance(tag, str) else tag.get("tag") or tag.get("text") for tag in tags
        ],
        "pictured": bool(media),
        "retweet": _is_retweet(tweet),
        **_outcomes(tweet, author or {}),
    }


def _whole(tweet: Mapping[str, Any]) -> tuple[Any, Mapping[str, Any]]:
    """Text and entities, where the tweet holds them whole: also of the one that it repeats."""
    long = tweet.get("note_tweet") or tweet.get("extended_tweet") or {}
    names = ("full_text", "text", "rawContent", "content")
    texts = (held[name] for held in (long, tweet) for name in names if held.get(name))
    text = next(texts, tweet.get("text"))
    entities = long.get("entities") or tweet.get("entities") or {}
    if not entities.get("hashtags") and tweet.get("hashtags"):
        entities = {**entities, "hashtags": tweet["hashtags"]}
    begins = _REPEATS.match(text or "")
    if text and begins and text.rstrip().endswith("\u2026"):
        for other in _repeated(tweet):
            whole, of_other = _whole(other)
            if whole:
                return begins[0] + whole, of_other
    return text, entities


def _repeated(tweet: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The tweet that one repeats, where it stands within."""
    within = [tweet.get("retweeted_status"), tweet.get("retweetedTweet")]
    referred = tweet.get("referenced_tweets") or []
    within += [other for other in referred if other.get("type") == "retweeted"]
    yield from (other for other in within if isinstance(other, dict))


def _was_edited(tweet: Mapping[str, Any]) -> bool:
    """Whether a later version of a tweet is known; an archive holds them all."""
    info = tweet.get("edit_info") or {}
    first = (info.get("edit") or {}).get("editControlInitial") or info.get("initial") or {}
    versions = first.get("editTweetIds") or tweet.get("edit_history_tweet_ids") or []
    identity = tweet.get("id_str") or tweet.get("id")
    return str(identity) in map(str, versions[:-1])


def _is_retweet(tweet: Mapping[str, Any]) -> bool:
    referred = tweet.get("referenced_tweets") or []
    return bool(tweet.get("retweeted_status") or tweet.get("retweetedTweet")) or any(
        other.get("type") == "retweeted" for other in referred
    )


def _outcomes(tweet: Mapping[str, Any], author: Mapping[str, Any]) -> dict[str, Any]:
    """What came of a tweet, in the names of v2, v1.1 and archives; quotes count as shares.

    Of a retweet the counts are those of the tweet that it repeats: nothing is said.
    """
    if _is_retweet(tweet):
        return {}
    counts = tweet.get("public_metrics") or tweet

    def said(*names: str, of: Mapping[str, Any] = counts) -> Any:
        return next((of[name] for name in names if of.get(name) is not None), None)

    quotes, shares = said("quote_count", "quoteCount"), said("retweet_count", "retweetCount")
    found = {
        "likes": said("like_count", "favorite_count", "likeCount"),
        "shares": shares if quotes is None or shares is None else shares + quotes,
        "replies": said("reply_count", "replyCount"),
        "views": said("impression_count", "viewCount"),
        "followers": said("followers_count", "followersCount", of=author),
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


def _beginning(text: str) -> str:
    """What stands before the sign of a cut; empty for a whole tweet."""
    found = _CUT.fullmatch(text)
    return found[1] if found else ""


def _notes(path: pathlib.Path, layout: Layout) -> dict[str, dict[str, Any]]:
    """The long tweets beside a file of an archive's tweets, by how they begin."""
    name = ARCHIVE.match(path.name)
    if not name or name["note"]:
        return {}
    return {note["text"][:_HEAD]: note for note in _beside(path, layout, notes=True)}


def _begun(path: pathlib.Path, layout: Layout) -> frozenset[str]:
    """How those tweets begin, beside a file of an archive's notes, of which the rest is a note."""
    name = ARCHIVE.match(path.name)
    if not name or not name["note"]:
        return frozenset()
    heads = {_beginning(one["text"])[:_HEAD] for one in _beside(path, layout, notes=False)}
    return frozenset(heads - {""})


def _beside(path: pathlib.Path, layout: Layout, notes: bool) -> Iterator[dict[str, Any]]:
    """The tweets of an archive's other files; what is none is told where its file is read."""
    for other in sorted(path.parent.iterdir()):
        name = ARCHIVE.match(other.name)
        if not name or bool(name["note"]) is not notes:
            continue
        for _, value in json_rows([other], layout, lambda *_: None, Counter()):
            with contextlib.suppress(BadPost):
                fields = platform_fields(_fields, value, None, Counter())
                if fields is not None:
                    yield fields


def _of_note(value: Mapping[str, Any]) -> dict[str, Any]:
    """A long tweet of `note-tweet.js` in the names of the others."""
    note = value["noteTweet"]
    core = note.get("core") or {}
    return {
        "id": note.get("noteTweetId"),
        "text": core.get("text"),
        "created_at": note.get("createdAt"),
        "hashtags": core.get("hashtags"),
    }
