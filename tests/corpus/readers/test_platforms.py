"""Exports of Twitter, Mastodon and Bluesky in the layouts that they come in."""

import gzip
import io
import json

import pytest
from PIL import Image

from tests.corpus.clip_files import write_clip
from tfhashtag.corpus.importing import import_posts
from tfhashtag.corpus.recognition import format_of
from tfhashtag.corpus.store import read_corpus
from tfhashtag.errors import DataError

NOON = 1_700_000_000  # 2023-11-14 22:13:20 UTC
V2 = {
    "id": "1800000000000000001",
    "text": "good &amp; hot #Tea #日本",
    "author_id": "1234567890123456702",
    "created_at": "2023-11-14T22:13:20.000Z",
    "entities": {"hashtags": [{"tag": "Tea"}, {"tag": "日本"}]},
}
V1 = {
    "id": 1800000000000000001,
    "id_str": "1800000000000000001",
    "text": "cut …",
    "extended_tweet": {
        "full_text": "good &amp; hot #Tea #日本",
        "entities": {"hashtags": [{"text": "Tea"}, {"text": "日本"}]},
    },
    "created_at": "Tue Nov 14 22:13:20 +0000 2023",
    "user": {"id_str": "1234567890123456702", "screen_name": "ann"},
    "entities": {"hashtags": []},
}
ARCHIVED = {
    "id_str": "1800000000000000001",
    "full_text": "good &amp; hot #Tea #日本",
    "created_at": "Tue Nov 14 22:13:20 +0000 2023",
    "entities": {"hashtags": [{"text": "Tea"}, {"text": "日本"}]},
}
STATUS = {
    "id": "1800000000000000001",
    "created_at": "2023-11-14T22:13:20.000Z",
    "content": '<p>good &amp; hot <a href="x">#<span>Tea</span></a> #日本</p>',
    "account": {"acct": "1234567890123456702"},
    "tags": [{"name": "tea"}, {"name": "日本"}],
    "media_attachments": [],
}
NOTE = {
    "id": "https://m.example/1800000000000000001",
    "type": "Create",
    "actor": "1234567890123456702",
    "published": "2023-11-14T22:13:20Z",
    "object": {
        "id": "1800000000000000001",
        "content": "<p>good &amp; hot #<span>Tea</span> #日本</p>",
        "tag": [{"type": "Hashtag", "name": "#tea"}, {"type": "Hashtag", "name": "#日本"}],
    },
}
SKEET = {
    "text": "good & hot #Tea #日本",
    "createdAt": "2023-11-14T22:13:20.000Z",
    "facets": [
        {"features": [{"$type": "app.bsky.richtext.facet#tag", "tag": "Tea"}]},
        {"features": [{"$type": "app.bsky.richtext.facet#link", "uri": "https://x.org"}]},
        {"features": [{"$type": "app.bsky.richtext.facet#tag", "tag": "日本"}]},
    ],
}
DID = "did:plc:1234567890123456702"
LAYOUTS = {
    "a page of v2": ("twitter", {"data": [V2], "includes": {"users": [{"id": "1"}]}}, ".json"),
    "pages, a line each": ("twitter", [{"data": [V2]}], ".jsonl"),
    "v1.1, an array": ("twitter", [V1], ".json"),
    "v1.1, a line each": ("twitter", [V1], ".jsonl"),
    "statuses of a search": ("twitter", {"statuses": [V1]}, ".json"),
    "an archive": ("twitter", [{"tweet": ARCHIVED}], ".js"),
    "statuses": ("mastodon", [STATUS], ".json"),
    "statuses, a line each": ("mastodon", [STATUS], ".jsonl"),
    "an outbox": ("mastodon", {"type": "x", "orderedItems": [NOTE]}, ".json"),
    "records": ("bluesky", [{"did": DID, "rkey": "3k", "record": SKEET}], ".jsonl"),
    "a stream": ("bluesky", [{"did": DID, "commit": {"rkey": "3k", "record": SKEET}}], ".jsonl"),
    "plain records": ("bluesky", [{"did": DID, **SKEET}], ".jsonl"),
    "a feed": (
        "bluesky",
        {"feed": [{"post": {"uri": f"at://{DID}/x/3k", "author": {"did": DID}, "record": SKEET}}]},
        ".json",
    ),
}


def write(folder, content, ending, indent=None):
    path = folder / f"posts{ending}"
    if ending == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in content), encoding="utf-8")
    else:
        prefix = "window.YTD.tweets.part0 = " if ending == ".js" else ""
        path.write_text(prefix + json.dumps(content, indent=indent), encoding="utf-8")
    return path


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(tmp_path, layout, indent):
    platform, content, ending = LAYOUTS[layout]
    path = write(tmp_path, content, ending, indent)
    assert format_of(path) == platform
    report = import_posts(platform, path, tmp_path / "corpus")
    corpus = read_corpus(tmp_path / "corpus")
    assert corpus.messages == ["good & hot"]
    assert [name.lower() for name in corpus.hashtags] == ["tea", "日本"]
    assert corpus.timestamps.tolist() == [NOON]
    known = layout != "an archive"
    assert corpus.users[0][-19:] == ("1234567890123456702" if known else "me")
    assert any("called `me`" in line for line in report.told) is not known
    assert report.skipped == {}


def test_an_archive_has_its_account_beside_it(tmp_path):
    path = write(tmp_path, [{"tweet": ARCHIVED}], ".js").rename(tmp_path / "tweets.js")
    account = [{"account": {"accountId": "77", "username": "ann"}}]
    (tmp_path / "account.js").write_text("window.YTD.account.part0 = " + json.dumps(account))
    import_posts("twitter", path, tmp_path / "corpus")
    assert read_corpus(tmp_path / "corpus").users == ["77"]
    (tmp_path / "like.js").write_text("window.YTD.like.part0 = [{}]")
    assert format_of(tmp_path) == "twitter"
    assert import_posts("twitter", tmp_path, tmp_path / "folder").posts == 1
    (tmp_path / "account.js").write_text("window.YTD.account.part0 = [5]")
    with pytest.raises(DataError, match=r"account.js: not the account of an archive"):
        import_posts("twitter", path, tmp_path / "x")
    (tmp_path / "account.js").unlink()
    import_posts("twitter", path, tmp_path / "named", user="bob")
    assert read_corpus(tmp_path / "named").users == ["bob"]


def test_what_repeats_others_is_counted_and_can_go(tmp_path):
    others = [
        {**V2, "id": "2", "referenced_tweets": [{"type": "retweeted", "id": "1"}]},
        {**V2, "id": "3", "text": "RT @bob: good tea"},
        {**V2, "id": "4", "referenced_tweets": [{"type": "quoted", "id": "1"}]},
        {**V2, "id": "5", "retweetedTweet": {"id": "1"}, "likeCount": 9},
        {**V2, "id": "6", "retweeted_status": None, "likeCount": 7},
    ]
    path = write(tmp_path, [V2, *others], ".jsonl")
    report = import_posts("twitter", path, tmp_path / "all")
    assert (report.posts, report.counted["retweets"]) == (6, 3)
    assert sorted(read_corpus(tmp_path / "all").outcomes["likes"].tolist()) == [-1] * 5 + [7]
    report = import_posts("twitter", path, tmp_path / "own", drop_retweets=True)
    assert (report.posts, report.counted["retweets, left out"]) == (3, 3)


def test_entities_that_were_not_asked_for(tmp_path):
    bare = {name: value for name, value in V2.items() if name != "entities"}
    endless = {**bare, "id": "2", "text": "&#" + "9" * 5000 + "; #Tea #日本"}
    path = write(tmp_path, [bare, endless], ".jsonl")
    report = import_posts("twitter", path, tmp_path / "corpus")
    assert read_corpus(tmp_path / "corpus").hashtags == ["Tea", "日本"]
    assert "hashtags: taken from the texts, as the field is always empty" in report.told


def test_versions_of_a_tweet_and_tweets_without_their_ends(tmp_path):
    ids = {"editTweetIds": ["10", "11"]}
    first = {**ARCHIVED, "id_str": "10", "full_text": "god #Tea", "edit_info": {"initial": ids}}
    last = {**ARCHIVED, "id_str": "11", "edit_info": {"edit": {"editControlInitial": ids}}}
    cut = {**ARCHIVED, "id_str": "12", "full_text": "good #Te\u2026 https://t.co/x"}
    rows = [{"tweet": tweet} for tweet in (first, last, {**cut, "truncated": True})]
    report = import_posts("twitter", write(tmp_path, rows, ".js"), tmp_path / "corpus")
    assert read_corpus(tmp_path / "corpus").post_ids == ["11", "12"]
    assert report.counted["earlier versions of tweets that were edited, left out"] == 1
    assert report.counted["tweets whose end is missing in the file, `...`"] == 1


def test_what_is_no_post(tmp_path):
    rows = [{"did": DID, "record": SKEET}, {"did": DID, "record": {"$type": "app.bsky.feed.like"}}]
    report = import_posts("bluesky", write(tmp_path, rows, ".jsonl"), tmp_path / "corpus")
    assert (report.posts, report.counted["records that are no posts"]) == (1, 1)
    path = write(tmp_path, [{"a": 1}], ".jsonl")
    with pytest.raises(DataError, match=r"posts.jsonl:1: no `text` or `full_text`; found a"):
        import_posts("twitter", path, tmp_path / "x")
    path.write_text("[{]")
    with pytest.raises(DataError, match=r"posts.jsonl: not readable as JSON after post 0"):
        import_posts("mastodon", path, tmp_path / "x")


@pytest.mark.parametrize(
    "platform, row",
    [
        ("twitter", {**V2, "text": 5}),
        ("twitter", {**V2, "entities": {"hashtags": [5]}}),
        ("mastodon", {"id": 1, "content": "x", "account": {"acct": "a"}, "tags": ["tea"]}),
        ("mastodon", {"id": 1, "content": 5, "account": {"acct": "a"}}),
        ("bluesky", {"did": DID, "record": {"text": "x", "facets": [{"features": ["x"]}]}}),
    ],
)
def test_values_of_other_types_are_faults_of_the_post(tmp_path, platform, row):
    path = write(tmp_path, [row], ".jsonl")
    with pytest.raises(DataError, match=r"posts.jsonl:1: its values have other types"):
        import_posts(platform, path, tmp_path / "x")


def test_pages_of_one_post_and_of_none(tmp_path):
    path = write(tmp_path, [{"data": V2}, {"meta": {"result_count": 0}}], ".jsonl")
    report = import_posts("twitter", path, tmp_path / "corpus")
    assert (report.posts, report.counted["pages without posts"]) == (1, 1)


def test_a_packed_file_of_arrays_is_read_as_it_comes(tmp_path):
    tweets = [{**V2, "id": str(i), "text": f"{i} " * 200} for i in range(300)]
    path = tmp_path / "tweets.json.gz"
    path.write_bytes(gzip.compress(json.dumps({"data": tweets}, indent=2).encode()))
    assert import_posts("twitter", path, tmp_path / "corpus").posts == 300


def test_archives_bring_their_pictures_and_films(tmp_path, monkeypatch):
    picture = io.BytesIO()
    Image.new("RGB", (3, 2), "red").save(picture, "PNG")
    tweets, toots = tmp_path / "twitter" / "data", tmp_path / "mastodon"
    files = toots / "media_attachments" / "files"
    for folder in (tweets / "tweets_media", files):
        folder.mkdir(parents=True)
        (folder / "7-a.png").write_bytes(picture.getvalue())
        write_clip(folder / "7-b.mp4", 2)
    media = {"entities": {"hashtags": [{"text": "tea"}], "media": [{"id": "1"}]}}
    posts = [{"tweet": {"id_str": f"{n}", "full_text": f"good {n}", **media}} for n in (7, 8)]
    (tweets / "tweets.js").write_text("window.YTD.tweets.part0 = " + json.dumps(posts))
    addresses = ["/media_attachments/files/7-a.png", "/media_attachments/files/7-b.mp4"]
    for_notes = (addresses, ["https://example.org/c.png"])
    notes = [
        {
            "type": "Create",
            "actor": "https://m.example/users/ann",
            "object": {
                "id": f"{n}",
                "content": f"<p>good {n}</p>",
                "attachment": [{"url": url} for url in urls],
                "tag": [{"type": "Hashtag", "name": "#tea"}],
            },
        }
        for n, urls in enumerate(for_notes)
    ]
    (toots / "outbox.json").write_text(json.dumps({"orderedItems": notes}))
    monkeypatch.chdir(tmp_path)  # named as on a command line
    for source, path in (
        ("twitter", "twitter/data/tweets.js"),
        ("mastodon", "mastodon/outbox.json"),
    ):
        report = import_posts(source, path, tmp_path / f"{source}-corpus")
        assert list(map(len, read_corpus(tmp_path / f"{source}-corpus").images)) == [3, 0]
        assert report.counted["posts with pictures that are addresses, not files"] == 1
