"""ZIP archives as they are downloaded: read as they are, and traps refused."""

import io
import json
import zipfile

import pytest
from PIL import Image

import tfhashtag as th
from tfhashtag.corpus.archives import unpacked
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
        ("posts.zip", {"x/posts.jsonl": ROW}, "format: jsonl", ["good"], ["tea"], "ann", [0]),
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
    broken = bytearray(whole)
    broken[45] ^= 0xFF
    path.write_bytes(broken)
    with pytest.raises(DataError, match="cut or damaged"):
        th.import_posts(path, tmp_path / "x")
