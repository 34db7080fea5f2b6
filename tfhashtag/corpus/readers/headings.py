"""Which row of a table names its columns: spreadsheets have titles and groups above it."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from tfhashtag.corpus.cells import says_nothing

#: What people call the fields, most usual first.
USUAL_NAMES = {
    "user": "username author author_id user_id user_name screen_name user_screen_name handle "
    "account account_username userid owner owner_username owner_user_id channel_title channel_name "
    "uploader channel_id page_name blog_name author_name posted_by sent_by sender sender_id "
    "creator pubkey influencer profile benutzer benutzername nutzer autor auteur utilisateur "
    "usuario utente 用户昵称",
    "text": "tweet content caption message body full_text post description title post_text "
    "tweet_text sharecommentary rawcontent video_title video_title_original video_description "
    "contents hit_sentence opening_text your_post post_title beitrag nachricht "
    "texte texto testo 微博正文",
    "hashtags": "tags hashtag tag labels keywords hash_tags hashtag_names 话题",
    "timestamp": "created_at createdat published published_at posted_at created created_time "
    "creation_time creation_timestamp creation_date created_date taken_at timestamp_utc "
    "publish_time post_created post_time posted created_utc createtime create_time "
    "video_create_timestamp date datetime time date_utc ts timestamp_ms datum fecha 发布时间",
    "id": "tweet_id post_id status_id id_str uri video_id",
    "images": "image picture pictures photo photos media image_path filename video videos",
    "audio_text": "transcript transcription subtitles spoken_text",
    "likes": "like_count likes_count favorite_count favourites_count favorites favourites "
    "digg_count",
    "shares": "share_count shares_count retweet_count reblogs_count repost_count retweets reposts",
    "replies": "reply_count replies_count comments_count comment_count",
    "views": "view_count views_count impression_count impressions play_count",
    "followers": "followers_count follower_count author_followers",
}
#: Rows that may stand above the names of the columns.
MOST_ABOVE = 10
_SIGNS = re.compile(r"[\W_]+")


def plain_name(name: object) -> str:
    """A column's name without case, spaces and signs.

    >>> plain_name("User name"), plain_name("created_at")
    ('username', 'createdat')
    """
    return _SIGNS.sub("", str(name)).lower()


_KNOWN = {
    plain_name(name) for ours, others in USUAL_NAMES.items() for name in (ours, *others.split())
}


def names_columns(cells: Sequence[str]) -> bool:
    """Whether a row may be the one of the names: several, without a gap, of which one is usual.

    >>> names_columns(["user", "text"]), names_columns(["Posts of 2023", "", "by user"])
    (True, False)
    """
    return _is_full(cells) and _usual(cells) > 0


def _usual(cells: Sequence[str]) -> int:
    return sum(plain_name(cell) in _KNOWN for cell in cells)


def _is_full(cells: Sequence[str]) -> bool:
    filled = [place for place, cell in enumerate(cells) if str(cell).strip()]
    return len(filled) > 1 and filled[-1] - filled[0] + 1 == len(filled)


def rows_above(rows: Sequence[Sequence[str]]) -> int:
    """How many of the first rows stand above the names; 0 where no row looks like that.

    >>> rows_above([["My posts"], [], ["user", "text"], ["ann", "good"]])
    2
    >>> rows_above([["Who", "What", ""], ["user", "text", "hashtags"]]), rows_above([["u", "t"]])
    (1, 0)
    >>> rows_above([["", "nutzer", "beitrag"], ["0", "ann", "Photo"]])  # a post
    0
    """
    widest = 0  # of rows that may be names which are not usual, or groups of columns
    for number, cells in enumerate(rows[: MOST_ABOVE + 1]):
        filled = sum(bool(str(cell).strip()) for cell in cells)
        if names_columns(cells) and filled > widest and (not widest or _usual(cells) > 1):
            return number
        widest = max(widest, filled * _is_full(cells))
    return 0


_NUMBERED = re.compile(
    r"(?:.*[._ /])?(?:hash_?)?tags?[ _./\[(]*(\d{1,3})[\])]*(?:[./_](?:text|tag|name))?", re.I
)


def numbered_columns(header: Sequence[str]) -> list[str]:
    """Columns that hold a hashtag each, as tables of APIs and of videos have them, in their order.

    >>> numbered_columns(["text", "hashtags/1", "hashtags/0"]), numbered_columns(["Tag 1", "Tag 2"])
    (['hashtags/0', 'hashtags/1'], ['Tag 1', 'Tag 2'])
    >>> numbered_columns(["hashtags", "hashtag_1"]), numbered_columns(["tag_2020"])
    ([], [])
    """
    found = {name: int(match[1]) for name in header if (match := _NUMBERED.fullmatch(name))}
    if "hashtags" in header or not {0, 1} & set(found.values()):
        return []
    return sorted(found, key=found.__getitem__)


def with_list(
    fields: dict[str, Any], numbered: Sequence[str], counts: Counter[str]
) -> dict[str, Any]:
    """A row with the list that its numbered columns are, which are counted.

    >>> with_list({"user": "ann", "Tag 1": "tea", "Tag 2": ""}, ["Tag 1", "Tag 2"], Counter())
    {'user': 'ann', 'hashtags': ['tea']}
    """
    if not numbered:
        return fields
    cells = [str(fields.pop(name, "")).strip() for name in numbered]
    counts[f"posts with a column for each hashtag, such as `{numbered[0]}`, read as a list"] += 1
    return {**fields, "hashtags": [cell for cell in cells if cell and not says_nothing(cell)]}
