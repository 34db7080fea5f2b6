"""Archives of Instagram, Threads and Facebook, pages of their APIs."""

import io
import json
import lzma

import pytest
from PIL import Image

from tests.corpus.clip_files import write_clip
from tfhashtag.corpus.importing import import_posts
from tfhashtag.corpus.recognition import format_of
from tfhashtag.corpus.store import read_corpus
from tfhashtag.errors import DataError

NOON = 1_700_000_000  # 2023-11-14 22:13:20 UTC
MENDED = "texts that are UTF-8 written as Latin-1, mended"


def garbled(text):
    """As the archives have it."""
    return text.encode().decode("latin-1")


TEXT = garbled("Café ☕ gut #Café #日本")
CUT = garbled("Café ☕ gut #Café #日本 ☕")[:-1]  # within its last character
MEDIUM = {"uri": "media/posts/a.jpg", "creation_timestamp": NOON}
API = {"id": "17", "timestamp": "2023-11-14T22:13:20+0000", "permalink": "https://x.example/p/1"}
LAYOUTS = {
    "a picture": ("instagram", "posts_1.json", [{"media": [{**MEDIUM, "title": TEXT}]}]),
    "several": (
        "instagram",
        "posts_1.json",
        [{"media": [MEDIUM, MEDIUM], "title": CUT, "creation_timestamp": NOON}],
    ),
    "reels": (
        "instagram",
        "reels.json",
        {"ig_reels_media": [{"media": [{**MEDIUM, "uri": "media/a.mp4", "title": TEXT}]}]},
    ),
    "threads": (
        "instagram",
        "threads_and_replies.json",
        {"text_post_app_text_posts": [{"media": [{**MEDIUM, "uri": "", "title": TEXT}]}]},
    ),
    "labels": (
        "instagram",
        "posts_1.json",
        [
            {
                "timestamp": NOON,
                "media": [MEDIUM],
                "label_values": [{"label": "Caption", "value": TEXT}, {"label": "x", "dict": []}],
                "fbid": "178",
            }
        ],
    ),
    "the first archives": (
        "instagram",
        "media.json",
        {
            "photos": [{"caption": TEXT, "taken_at": "2023-11-14T22:13:20+00:00", "path": "a.jpg"}],
            "videos": [],
        },
    ),
    "a status": (
        "facebook",
        "your_posts_1.json",
        [{"timestamp": NOON, "data": [{"post": TEXT}, {"update_timestamp": 1}], "title": "x"}],
    ),
    "a described picture": (
        "facebook",
        "your_posts_1.json",
        [
            {
                "timestamp": NOON,
                "data": [],
                "attachments": [{"data": [{"media": {"uri": "a.jpg", "description": TEXT}}]}],
            }
        ],
    ),
    "the API": (
        "instagram",
        "page.json",
        {"data": [{**API, "caption": "Café ☕ gut #Café #日本", "username": "ann"}], "paging": {}},
    ),
    "the API of pages": (
        "facebook",
        "page.json",
        {
            "data": [
                {
                    "message": "Café ☕ gut #Café #日本",
                    "created_time": API["timestamp"],
                    "from": {"name": "ann", "id": "1"},
                }
            ]
        },
    ),
    "what scrapers keep": (
        "instagram",
        "2023.json",
        {
            "node": {
                "shortcode": "abc",
                "taken_at_timestamp": NOON,
                "owner": {"id": "7", "username": "ann"},
                "edge_media_to_caption": {"edges": [{"node": {"text": "Café ☕ gut #Café #日本"}}]},
            },
            "instaloader": {"version": "4"},
        },
    ),
    "a feed": (
        "instagram",
        "feed.json",
        {
            "items": [
                {
                    "pk": 1,
                    "taken_at": NOON,
                    "caption": {"text": "Café ☕ gut #Café #日本"},
                    "user": {"username": "ann"},
                }
            ]
        },
    ),
}


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(tmp_path, layout, indent):
    platform, name, content = LAYOUTS[layout]
    path = tmp_path / name
    path.write_text(json.dumps(content, indent=indent))
    assert format_of(path) == platform
    report = import_posts(platform, path, tmp_path / "corpus")
    corpus = read_corpus(tmp_path / "corpus")
    assert corpus.messages == ["Café ☕ gut"]
    assert corpus.hashtags == ["Café", "日本"]
    assert corpus.timestamps.tolist() == [NOON]
    archived = name not in ("page.json", "2023.json", "feed.json")
    assert corpus.users == (["me"] if archived else ["ann"])
    assert report.counted.get(MENDED, 0) == archived
    assert report.skipped == {}


def archive(folder, username):
    """An archive as Instagram ships it: posts among much else, pictures below its top."""
    picture = io.BytesIO()
    Image.new("RGB", (3, 2), "red").save(picture, "JPEG")
    posts = [{"media": [{**MEDIUM, "title": TEXT}]}, {"media": [{**MEDIUM, "uri": "media/b.jpg"}]}]
    film = {"uri": "a.mp4", "creation_timestamp": NOON, "title": "r"}
    reels = {"ig_reels_media": [{"media": [film]}]}
    profile = {"profile_user": [{"string_map_data": {"Username": {"value": username}}}]}
    for name, content in {
        "your_instagram_activity/media/posts_1.json": posts,
        "your_instagram_activity/media/reels.json": reels,
        "your_instagram_activity/messages/message_1.json": {"messages": [{"content": "hi"}]},
        "connections/followers_1.json": [{"title": "", "string_list_data": []}],
        "personal_information/personal_information/personal_information.json": profile,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(content, indent=1))
    (folder / "media" / "posts").mkdir(parents=True)
    (folder / "media" / "posts" / "a.jpg").write_bytes(picture.getvalue())
    write_clip(folder / "a.mp4", 4)


def test_archives_of_two_accounts(tmp_path):
    for name in ("ann", "bob"):
        archive(tmp_path / "exports" / f"instagram-{name}", name)
    assert format_of(tmp_path / "exports") == "instagram"
    report = import_posts("instagram", tmp_path / "exports", tmp_path / "corpus")
    corpus = read_corpus(tmp_path / "corpus")
    assert [corpus.users[user] for user in corpus.user_of_post].count("bob") == 3
    assert sorted(map(len, corpus.images)) == [0, 0, 1, 1, 4, 4]  # a film is its frames
    assert report.counted["posts whose pictures do not lie in the archive"] == 2
    assert report.counted["clips, of each of which at most 4 frames are read"] == 2
    assert any("not read: 6" in line for line in report.told)
    one = tmp_path / "exports" / "instagram-ann" / "your_instagram_activity" / "media"
    import_posts("instagram", one / "posts_1.json", tmp_path / "one")
    corpus = read_corpus(tmp_path / "one")
    assert corpus.users == ["ann"] and sum(map(bool, corpus.images)) == 1


def test_an_account_that_only_the_folder_or_facebook_names(tmp_path):
    archive(tmp_path / "instagram-eve_x-2024-01-02-q7", "x")
    path = tmp_path / "instagram-eve_x-2024-01-02-q7"
    profile = path / "personal_information" / "personal_information" / "personal_information.json"
    profile.unlink()
    import_posts("instagram", path, tmp_path / "named")
    assert read_corpus(tmp_path / "named").users == ["eve_x"]
    folder = tmp_path / "facebook" / "profile_information"
    folder.mkdir(parents=True)
    full = {"profile_v2": {"name": {"full_name": garbled("Zoë B")}}}
    (folder / "profile_information.json").write_text(json.dumps(full))
    path = folder.parent / "posts" / "your_posts_1.json"
    path.parent.mkdir()
    path.write_text(json.dumps(LAYOUTS["a status"][2]))
    import_posts("facebook", tmp_path / "facebook", tmp_path / "book")
    assert read_corpus(tmp_path / "book").users == ["Zoë B"]
    (folder / "profile_information.json").write_text("[]")
    with pytest.raises(DataError, match=r"profile_information.json: not the profile of an archive"):
        import_posts("facebook", path, tmp_path / "x")


def test_a_folder_of_packed_posts_and_a_profile(tmp_path):
    folder = tmp_path / "ann"
    folder.mkdir()
    node = {**LAYOUTS["what scrapers keep"][2]["node"], "edge_media_preview_like": {"count": 4}}
    for name, held in (("2023", node), ("profile", {"biography": "x", "username": "ann"})):
        content = json.dumps({"node": held, "instaloader": {}}).encode()
        (folder / f"{name}.json.xz").write_bytes(lzma.compress(content))
    report = import_posts(format_of(folder), folder, tmp_path / "corpus")
    assert report.counted == {"records that are no posts": 1}
    assert read_corpus(tmp_path / "corpus").outcomes["likes"].tolist() == [4]


@pytest.mark.parametrize(
    "post, fault",
    [({"media": [5]}, "its values have other types"), ({"a": 1}, "no `caption`.*; found a")],
)
def test_what_is_no_post(tmp_path, post, fault):
    path = tmp_path / "posts_1.json"
    path.write_text(json.dumps([post]))
    with pytest.raises(DataError, match=f"post 1: {fault}"):
        import_posts("instagram", path, tmp_path / "corpus")


def test_an_archive_as_html_is_told(tmp_path):
    (tmp_path / "posts_1.json").write_text("<html><body></body></html>")
    with pytest.raises(DataError, match="a page of HTML; ask the platform for its archive as JSON"):
        import_posts("instagram", tmp_path / "posts_1.json", tmp_path / "corpus")
