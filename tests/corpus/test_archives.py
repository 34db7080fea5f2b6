"""ZIP archives as they are downloaded: read as they are, and traps refused."""

import io
import json
import shlex
import zipfile

import pytest
from PIL import Image

import tfhashtag as th
from tfhashtag.corpus.archives import unpacked
from tfhashtag.corpus.importing import import_posts
from tfhashtag.corpus.recognition import examine
from tfhashtag.errors import DataError

ROW = json.dumps({"user": "ann", "text": "good", "hashtags": ["tea"]})
HEAD = "word " * 60
TWEETS = [
    {"tweet": {"id_str": "10", "full_text": "good #Tea &amp; milk", "created_at": "2023-11-14"}},
    {
        "tweet": {
            "id_str": "11",
            "full_text": f"{HEAD[:277].strip()}… https://t.co/abc",
            "created_at": "2023-11-15",
            "favorite_count": "9",
        }
    },
]
NOTES = [
    {"noteTweet": {"noteTweetId": n, "createdAt": "2023-11-16", "core": {"text": text}}}
    for n, text in (("77", f"{HEAD}#end"), ("78", "another long #tea"))
]
POSTS = [
    {
        "media": [{"uri": "media/a.jpg", "creation_timestamp": 1_700_000_000}],
        "title": "Café #café".encode().decode("latin-1"),
        "creation_timestamp": 1_700_000_000,
    }
]


def picture():
    content = io.BytesIO()
    Image.new("RGB", (3, 2), "red").save(content, "JPEG")
    return content.getvalue()


def zipped(path, **files):
    path.parent.mkdir(exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def js(part, content):
    return f"window.YTD.{part}.part0 = {json.dumps(content)}"


@pytest.mark.parametrize(
    "name, files, told, texts, tags, user, pictures",
    [
        (
            "twitter-2024.zip",
            {
                "Your archive.html": "<html>",
                "data/tweets.js": js("tweets", TWEETS),
                "data/note-tweet.js": js("note_tweet", NOTES),
                "data/tweet-headers.js": js("tweet", [{"tweet": {"tweet_id": "10"}}]),
                "data/deleted-tweets.js": js("deleted_tweets", TWEETS),
                "data/community-tweet.js": js("community_tweet", []),
                "data/account.js": js("account", [{"account": {"accountId": "5"}}]),
                "data/tweets_media/10-a.jpg": picture(),
                "__MACOSX/data/._tweets.js": "x",
            },
            "format: twitter",
            ["good & milk", HEAD.strip(), "another long"],
            ["Tea", "end"],
            "5",
            [1, 0, 0],
        ),
        (
            "instagram-ann-2024-01-02-x.zip",
            {
                "your_instagram_activity/media/posts_1.json": json.dumps(POSTS),
                "your_instagram_activity/messages/inbox/message_1.json": "{}",
                "media/a.jpg": picture(),
            },
            "format: instagram",
            ["Café"],
            ["café"],
            "ann",
            [1],
        ),
        (
            "posts.zip",
            {"x\\12:30 posts.jsonl": ROW},
            "format: jsonl",
            ["good"],
            ["tea"],
            "ann",
            [0],
        ),
    ],
)
def test_archives_as_they_are_downloaded(
    tmp_path, name, files, told, texts, tags, user, pictures, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    path = zipped(tmp_path / name, **files)
    found = examine(path)
    assert told in found.lines and str(path) in found.command and found.error is None
    corpus = th.import_posts(name, "corpus", tell=lambda line: None)
    assert (corpus.messages, corpus.hashtags, corpus.users) == (texts, tags, [user])
    assert list(map(len, corpus.images or [()] * len(corpus))) == pictures
    assert corpus.name == path.stem
    if "twitter" in name:
        assert corpus.outcomes["likes"].tolist() == [-1, 9, -1]


def test_places_name_the_archive(tmp_path):
    path = zipped(tmp_path / "p.zip", **{"posts.jsonl": f"{ROW}\n{{broken"})
    with pytest.raises(DataError, match=rf"^{path}/posts.jsonl:2: not readable as JSON"):
        th.import_posts(path, tmp_path / "x")
    told = []
    th.import_posts(path, tmp_path / "corpus", tell=told.append, skip_bad=True)
    assert any(f"{path}/posts.jsonl:2" in line for line in told)
    there = zipped(tmp_path / "in here" / "p.zip", **{"posts.jsonl": ROW})
    assert shlex.split(examine(there).command)[4] == str(there)
    assert f"{path}/posts.jsonl:2" in examine(path).odd[0]


def test_several_parts_of_one_pattern(tmp_path):
    for part in "ab":
        zipped(tmp_path / f"export-{part}.zip", **{f"{part}.jsonl": ROW})
    corpus = th.import_posts(tmp_path / "export-*.zip", tmp_path / "corpus", tell=lambda line: None)
    assert len(corpus) == 2
    with pytest.raises(DataError, match=r"It holds ZIP archives; give '.*/\*.zip'"):
        th.import_posts(zipped(tmp_path / "x" / "a.zip", **{"a.jsonl": ROW}).parent, tmp_path / "y")
    with (
        pytest.raises(DataError, match=r"'a.jsonl' stands twice"),
        unpacked(zipped(tmp_path / "export-c.zip", **{"a.jsonl": ROW}).parent / "export-?.zip"),
    ):
        pass


def linked():
    info = zipfile.ZipInfo("posts.jsonl")
    info.external_attr = 0o120777 << 16
    return info


@pytest.mark.parametrize(
    "files, fault",
    [
        ({"../../evil.jsonl": ROW}, "'../../evil.jsonl' lies outside"),
        ({"/etc/evil.jsonl": ROW}, "'/etc/evil.jsonl' lies outside"),
        ({"C:/evil.jsonl": ROW}, "'C:/evil.jsonl' lies outside"),
        ({"posts.jsonl": b"0" * 2**25}, "33,554,432 bytes packed into .* as no posts are"),
        ({"index.html": "<html>", "posts_1.html": "<html>"}, "found 2 .html. Ask the platform"),
        ({"readme": "x"}, "holds no file of posts; found 1 without ending"),
    ],
)
def test_traps_and_what_holds_no_posts(tmp_path, files, fault):
    path = zipped(tmp_path / "trap.zip", **files)
    with pytest.raises(DataError, match=rf"^{path}.*{fault}"):
        th.import_posts(path, tmp_path / "x")
    assert list(tmp_path.iterdir()) == [path]


def test_links_locks_and_damage(tmp_path):
    path = tmp_path / "p.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(linked(), "/etc/passwd")
    with pytest.raises(DataError, match=r"'posts.jsonl' is a link"):
        th.import_posts(path, tmp_path / "x")
    whole = zipped(path, **{"posts.jsonl": ROW}).read_bytes()
    path.write_bytes(whole[:-9])
    with pytest.raises(DataError, match="cut or damaged"):
        th.import_posts(path, tmp_path / "x")
    locked = bytearray(whole)
    locked[whole.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(locked)
    with pytest.raises(DataError, match="locked with a password"):
        th.import_posts(path, tmp_path / "x")
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):
        with zipfile.ZipFile(path, "w", method) as archive:
            archive.writestr("posts.jsonl", ROW * 9)
        broken = bytearray(path.read_bytes())
        for place in range(44, 65):
            broken[place] ^= 0xFF
        path.write_bytes(broken)
        with pytest.raises(DataError, match="cut or damaged"):
            th.import_posts(path, tmp_path / "x")


@pytest.mark.parametrize("name", ["tweets.js", "note-tweet.js"])
def test_what_is_no_tweet_is_a_fault_of_its_file_alone(tmp_path, name):
    bad = [{"noteTweet": 5}, {"noteTweet": {"noteTweetId": "9"}}, {"tweet": {"id_str": "12"}}]
    (tmp_path / "tweets.js").write_text(js("tweets", [*TWEETS, bad[2]]))
    (tmp_path / "note-tweet.js").write_text(js("note_tweet", [*NOTES, *bad[:2]]))
    (tmp_path / "tweet-headers.js").write_text(js("tweet", [{"tweet": {"tweet_id": "10"}}]))
    report = import_posts("twitter", tmp_path / name, tmp_path / "x", skip_bad=True)
    assert sum(report.skipped.values()) == {"tweets.js": 1, "note-tweet.js": 2}[name]
    assert report.posts == {"tweets.js": 2, "note-tweet.js": 1}[name]
