"""Exports of Telegram, TikTok, Reddit, LinkedIn and Bluesky, what scrapers keep, files of Arrow."""

import hashlib
import json

import pyarrow as pa
import pyarrow.feather
import pytest
from pyarrow import orc

from tfhashtag.corpus.importing import import_posts
from tfhashtag.corpus.recognition import format_of
from tfhashtag.corpus.store import read_corpus
from tfhashtag.errors import DataError

NOON = 1_700_000_000  # 2023-11-14 22:13:20 UTC
ENTITIES = [{"type": "hashtag", "text": "#tea@c"}, {"type": "plain", "text": " day"}]
MESSAGES = [
    {"id": 1, "type": "service", "date": "2023-11-14T23:13:20", "actor": "x", "text": ""},
    {
        "id": 2,
        "type": "message",
        "date": "2023-11-14T23:13:20",
        "date_unixtime": str(NOON),
        "from": "Ann",
        "from_id": "user5",
        "text": ["good ", *ENTITIES],
        "text_entities": [{"type": "plain", "text": "good "}, *ENTITIES],
    },
]
CHAT = {"name": "c", "type": "public_channel", "id": 7, "messages": MESSAGES}
VIDEO = {"Date": "2023-11-14 22:13:20", "Link": "https://x.example/1", "Likes": "3"}
TIKTOK = {
    "Activity": {"Favorite Videos": {"FavoriteVideoList": [{"Date": "x"}]}},
    "Profile": {"Profile Information": {"ProfileMap": {"userName": "ann"}}},
    "Video": {"Videos": {"VideoList": [{**VIDEO, "Title": "good day #tea"}]}},
}
REDDIT = {
    "id": "a1",
    "author": "ann",
    "title": "good",
    "selftext": "day #tea &amp; milk",
    "created_utc": NOON,
    "subreddit": "s",
    "num_comments": 2,
}
SCRAPED = {
    "id": 1,
    "date": "2023-11-14 22:13:20+00:00",
    "user": {"id": 5, "username": "ann", "followersCount": 3},
    "rawContent": "good day #tea",
    "hashtags": ["tea"],
    "likeCount": 4,
    "retweetCount": 1,
}
SHARES = (
    "Date,ShareLink,ShareCommentary,SharedUrl,MediaUrl,Visibility\r\n"
    '2023-11-14 22:13:20,https://x.example/1,"good day hashtag#tea",,,ALL\r\n'
)
COMMENTS = "id,permalink,date,ip,subreddit,gildings,link,parent,body,media\n" + (
    "a1,https://x.example,2023-11-14 22:13:20 UTC,,s,0,x,,good day #tea,\n"
)
NOTE = {
    "type": "Note",
    "content": "<p>good day #tea</p>",
    "attributedTo": "https://m.example/ann",
    "published": "2023-11-14T22:13:20Z",
    "tag": {"type": "Hashtag", "name": "#tea"},
    "attachment": {"type": "Document", "url": "https://m.example/a.png"},
}
RECORD = {
    "$type": "app.bsky.feed.post",
    "text": "good day #tea",
    "createdAt": "2023-11-14T22:13:20.000Z",
    "facets": [{"features": [{"$type": "app.bsky.richtext.facet#tag", "tag": "tea"}]}],
}
BARE = {name: value for name, value in RECORD.items() if name != "facets"}
REPOSTED = {
    "post": {
        "uri": "at://did:plc:bob/app.bsky.feed.post/1",
        "author": {"did": "did:plc:bob"},
        "record": {**RECORD, "createdAt": "2023-11-13T22:13:20.000Z"},
        "likeCount": 9,
    },
    "reason": {
        "$type": "app.bsky.feed.defs#reasonRepost",
        "by": {"did": "did:plc:ann"},
        "indexedAt": "2023-11-14T22:13:20.000Z",
    },
}
LONG = "good day " * 12
RETWEETED = {
    "id_str": "2",
    "text": f"RT @bob: {LONG}#te\u2026",
    "user": {"id": 7},
    "created_at": "Tue Nov 14 22:13:20 +0000 2023",
    "entities": {"hashtags": []},
    "retweeted_status": {
        "full_text": f"{LONG}#tea",
        "entities": {"hashtags": [{"text": "tea"}]},
        "favorite_count": 9,
    },
}
EVENT = {
    "id": "ab",
    "pubkey": "ff01",
    "created_at": NOON,
    "kind": 1,
    "tags": [["p", "00"], ["t", "tea"], ["e"]],
    "content": "good day #tea",
    "sig": "x",
}
CASES = {
    "nostr": ("nostr", "n.jsonl", EVENT, "ff01", "ab", "good day", {}),
    "telegram": ("telegram", "result.json", CHAT, "user5", "7/2", "good day", {}),
    "all chats": (
        "telegram",
        "result.json",
        {"about": "x", "chats": {"about": "x", "list": [CHAT, {**CHAT, "id": 8}]}},
        "user5",
        "7/2",
        "good day",
        {},
    ),
    "tiktok": ("tiktok", "user_data_tiktok.json", TIKTOK, "ann", "1", "good day", {"likes": 3}),
    "reddit": (
        "reddit",
        "RS.zst.jsonl",
        REDDIT,
        "ann",
        "t3_a1",
        "good\n\nday & milk",
        {"replies": 2},
    ),
    "comments": ("reddit", "comments.csv", COMMENTS, "me", "t1_a1", "good day", {}),
    "linkedin": ("linkedin", "Shares.csv", SHARES, "me", "https://x.example/1", "good day", {}),
    "scraped": (
        "twitter",
        "t.jsonl",
        SCRAPED,
        "5",
        "1",
        "good day",
        {"likes": 4, "shares": 1, "followers": 3},
    ),
    "a record": ("bluesky", "3k.json", BARE, "me", "1", "good day", {}),
    "a repost": (
        "bluesky",
        "feed.json",
        {"feed": [REPOSTED]},
        "did:plc:ann",
        "at://did:plc:bob/app.bsky.feed.post/1 by did:plc:ann",
        "good day",
        {},
    ),
    "a retweet": ("twitter", "t.jsonl", RETWEETED, "7", "2", f"RT @bob: {LONG}".strip(), {}),
    "notes": ("mastodon", "n.jsonl", NOTE, "https://m.example/ann", "1", "good day", {}),
}


@pytest.mark.parametrize("case", CASES)
def test_exports(tmp_path, case):
    platform, name, content, user, identity, text, outcomes = CASES[case]
    path = tmp_path / name
    line = name.endswith("jsonl")
    made = content if isinstance(content, str) else json.dumps(content, indent=None if line else 1)
    path.write_text(made, "utf-8")
    assert format_of(path) == platform
    report = import_posts(platform, path, tmp_path / "corpus")
    corpus = read_corpus(tmp_path / "corpus")
    assert (corpus.users, corpus.post_ids[0], corpus.messages) == ([user], identity, [text])
    assert corpus.hashtags == ["tea"] and set(corpus.timestamps.tolist()) == {NOON}
    assert {n: v[0].item() for n, v in (corpus.outcomes or {}).items() if v[0] >= 0} == outcomes
    if platform == "telegram":
        assert report.counted["records that are no posts"] == len(corpus)


@pytest.mark.parametrize(
    "platform, content, fault",
    [
        ("telegram", {"messages": []}, "holds no message"),
        ("tiktok", {"Video": {"Videos": {"VideoList": []}}}, "holds no video"),
        ("tiktok", {"Video": {"Videos": {"VideoList": [VIDEO]}}}, "no `Title`, which .* lack"),
        ("reddit", {"id": 1}, "no `title`, `selftext` or `body`; found id"),
        ("reddit", {**REDDIT, "author": "[deleted]"}, "no post is left"),
        ("linkedin", "user,text\na,b\n", "no `ShareCommentary`; found user, text"),
        ("bluesky", b"", "the file is empty"),
    ],
)
def test_what_is_no_post(tmp_path, platform, content, fault):
    path = tmp_path / ("x.car" if platform == "bluesky" else "x.json")
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
    with pytest.raises(DataError, match=fault):
        import_posts(platform, path, tmp_path / "corpus", skip_bad="left" in fault)


def block(value):
    """DAG-CBOR of a value, whose links are bytes in a tuple, and its identifier."""
    content = cbor(value)
    return b"\x01\x71\x12\x20" + hashlib.sha256(content).digest(), content


def cbor(value):  # noqa: PLR0911
    def head(major, size):
        if size < 24:
            return bytes([major << 5 | size])
        return bytes([major << 5 | 24 + (size > 255)]) + size.to_bytes(1 + (size > 255), "big")

    if isinstance(value, tuple):
        return b"\xd8\x2a" + head(2, 37) + b"\0" + value[0]
    if value is None:
        return b"\xf6"
    if isinstance(value, int):
        return head(0, value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(cbor, value))
    names = sorted(value, key=lambda name: (len(name), name))
    return head(5, len(names)) + b"".join(cbor(name) + cbor(value[name]) for name in names)


def varint(number):
    low, rest = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def repository():
    """A CAR file of an account with two posts, a like and a post that was deleted."""
    tag = {"features": [{"$type": "app.bsky.richtext.facet#tag", "tag": "tea"}]}
    time = "2023-11-14T22:13:20.000Z"
    post = {"$type": "app.bsky.feed.post", "text": "good #tea day", "createdAt": time}
    records = [
        block({"$type": "app.bsky.feed.like", "createdAt": time}),
        block({**post, "facets": [{**tag, "index": {"byteStart": 5, "byteEnd": 9}}]}),
        block({**post, "text": "plain"}),
        block({**post, "text": "deleted"}),
    ]
    names = [b"app.bsky.feed.like/3a", b"app.bsky.feed.post/3k1", b"app.bsky.feed.post/3k2"]
    entries = [
        {"p": kept, "k": name[kept:], "v": (identity,), "t": None}
        for kept, name, (identity, _) in zip((0, 14, 21), names, records, strict=False)
    ]
    node = block({"l": None, "e": entries})
    commit = block(
        {"did": "did:plc:abc", "rev": "3", "sig": b"x", "data": (node[0],), "version": 3}
    )
    head = cbor({"roots": [(commit[0],)], "version": 1})
    parts = [head, *(b"".join(part) for part in (records[0], commit, node, *records[1:]))]
    return b"".join(varint(len(part)) + part for part in parts)


def test_a_repository_of_bluesky(tmp_path):
    path = tmp_path / "repo.car"
    path.write_bytes(repository())
    import_posts(format_of(path), path, tmp_path / "corpus")
    corpus = read_corpus(tmp_path / "corpus")
    assert corpus.messages == ["good day", "plain"] and corpus.hashtags == ["tea"]
    assert corpus.post_ids[0] == "at://did:plc:abc/app.bsky.feed.post/3k1"
    assert corpus.users == ["did:plc:abc"] and corpus.timestamps.tolist() == [NOON, NOON]
    for cut, fault in ((-9, "it ends within a block"), (70, "without a commit|ends within")):
        path.write_bytes(repository()[:cut])
        with pytest.raises(DataError, match=fault):
            import_posts("bluesky", path, tmp_path / "x")
    path.write_bytes(b"\xff\xff\xff\xff\x7f")
    with pytest.raises(DataError, match=r"not readable as CAR.*a block of"):
        import_posts("bluesky", path, tmp_path / "x")


def test_files_of_arrow(tmp_path):
    times = pa.array([NOON * 10**9 + 5, None, NOON * 10**9], pa.timestamp("ns", "Europe/Berlin"))
    table = pa.table(
        {
            "user": pa.array(["ann", "bob", "ann"]).dictionary_encode(),
            "text": ["good", "x", "y"],
            "hashtags": [["tea"], ["milk", "tea"], None],
            "timestamp": times,
        }
    )
    pyarrow.feather.write_feather(table, tmp_path / "a.feather")
    for name, writer in (("b.arrow", pa.ipc.new_file), ("c.arrows", pa.ipc.new_stream)):
        with pa.OSFile(str(tmp_path / name), "wb") as file, writer(file, table.schema) as stream:
            stream.write_table(table)
    plain = table.set_column(0, "user", table["user"].cast(pa.string()))
    orc.write_table(plain, tmp_path / "d.orc")
    for path in sorted(tmp_path.glob("?.*")):
        import_posts(format_of(path), path, tmp_path / "corpus" / path.name)
        corpus = read_corpus(tmp_path / "corpus" / path.name)
        assert corpus.messages == ["good", "x", "y"] and corpus.timestamps.tolist() == [NOON] * 3
        assert [len(corpus.hashtags_of_post(post)) for post in range(3)] == [1, 2, 0]
        path.write_bytes(path.read_bytes()[:99])
        with pytest.raises(DataError, match=r"not readable as Arrow|damaged after row"):
            import_posts("arrow", path, tmp_path / "x")
    pa.ipc.new_file(tmp_path / "e.arrow", table.schema).close()
    with pytest.raises(DataError, match="the file is empty"):
        import_posts("arrow", tmp_path / "e.arrow", tmp_path / "x")


def test_chats_of_one_folder_have_their_own_numbers(tmp_path):
    for chat in (7, 8):
        (tmp_path / f"in/{chat}").mkdir(parents=True)
        (tmp_path / f"in/{chat}/result.json").write_text(json.dumps({**CHAT, "id": chat}))
    report = import_posts("telegram", tmp_path / "in", tmp_path / "corpus")
    assert report.skipped == {}
    assert sorted(read_corpus(tmp_path / "corpus").post_ids) == ["7/2", "8/2"]


@pytest.mark.parametrize(
    "name, content",
    [
        ("a.json", [{"username": "ann", "tweet": "good", "tags": ["tea"]}]),
        ("a.json", [{"username": "ann", "post": "good", "tags": ["tea"]}]),
        ("a.json", [{"from_id": "ann", "text": "good", "date": "2023-11-14"}]),
        ("a.json", [{"subreddit": "s", "author": "ann", "text": "good", "tags": ["tea"]}]),
        ("a.csv", "subreddit,author,text,tags,created_utc\ns,ann,good,tea,1700000000\n"),
        ("a.csv", "kind,data,user,text\nx,y,ann,good\n"),
    ],
)
def test_plain_tables_are_of_no_platform(tmp_path, name, content):
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    assert format_of(path) == path.suffix[1:]
