"""Names of users beside the field `user`: hashed where they stand for sure, else counted."""

import json
import unicodedata

import pytest

from tfhashtag.corpus.importing import import_posts
from tfhashtag.corpus.named_users import NamedUsers
from tfhashtag.corpus.store import read_corpus, source_of
from tfhashtag.corpus.user_hashes import UserHashes

USERS = (
    "ann_smith",
    "tea",
    "Bob Brown",
    "zoë.q@m.org",
    "@dot",
    "7",
    "liz.bsky.social",
    "or",
    "taro_99",
    "राहुल",
    "김철수_1",
)


@pytest.fixture
def key(tmp_path):
    path = tmp_path / "key"
    path.write_bytes(bytes(range(32)))
    return path


@pytest.mark.parametrize(
    "text, names",
    [
        ("by @ann_smith, @Ann_Smith and ann_smith!", ["ann_smith"] * 3),
        ("#ann_smith #AnnSmith ＃annsmith #ann", ["ann_smith"] * 3),
        ("I met Bob Brown; @Bob Brown, bob brown", ["Bob Brown"] * 3),
        ("good tea, #tea, and/or milk", [None, "tea"]),
        ("https://x.example/tea/status/7?u=or see", ["tea", "or"]),
        ("@zoë.q@m.org, zoë.q and #zoëq", ["zoë.q@m.org"] * 3),
        ("cc @dot, dot", ["@dot", None]),
        ("@liz.bsky.social #liz", ["liz.bsky.social"] * 2),
        ("@stranger@else.org 7 apples, annsmith@mail.org", ["stranger@else.org"]),
        ("今日はtaro_99と会った taro_99さん @taro_99さん", ["taro_99"] * 3),
        ("_taro_99_ __taro_99 ann_smith__", ["taro_99", "taro_99", "ann_smith"]),
        ("xtaro_99 taro_99x taro_99_x taro_99ë #taro_99さん", []),
        ("teaを飲む", [None]),
        ("ａｎｎ＿ｓｍｉｔｈ #ＡｎｎＳｍｉｔｈ ＠ａｎｎ_smith", ["ann_smith"] * 3),
        ("an\u200dn_sm\u00adith @\u2068ann_smith\u2069 #ann\u200bsmith", ["ann_smith"] * 3),
        ("Zoe\u0308.q and #zoe\u0308q by @ZOE\u0308.Q", ["zoë.q@m.org"] * 3),
        ("Bob\u00a0Brown, ann_smith™ ann_smith² ❤️ann_smith", ["Bob Brown"] + ["ann_smith"] * 3),
        ("@राहुल, #राहुल, @राहुला", ["राहुल"] * 2),
        (unicodedata.normalize("NFD", "김철수_1 @김철수_1님"), ["김철수_1"] * 2),
        ("ｔｅａ is te\u00ada", [None]),
        ("teapot ann_smiths bobbrown RT@ann_smith", ["ann_smith"]),
    ],
)
def test_names_in_texts(key, text, names):
    hashes = UserHashes(key)
    named = NamedUsers(hashes, USERS)
    found = named.in_text(text)
    hidden = [hashes.of_user(name) for name in names if name]
    assert sorted(found.count(one) for one in set(hidden)) == sorted(
        hidden.count(one) for one in set(hidden)
    )
    assert named.held == (None in names)
    seen = unicodedata.normalize("NFKC", found.lower()).translate(
        dict.fromkeys([0xAD, 0x200B, 0x200D])
    )
    for name in ("ann_smith", "annsmith ", "bob b", "zoë", "stranger", "김철수", "राहुल,"):
        assert name not in seen.replace("ann_smiths", "")
    assert NamedUsers(hashes, USERS).in_text("no name here") == "no name here"


def test_case_of_names(key):
    """Of `Ann` and `ann` each is the one that is written so, `ANN` the first of both."""
    hashes = UserHashes(key)
    of = hashes.of_user
    text = "@ann, @Ann, @ANN, @dot, @DOT7"
    named = NamedUsers(hashes, ["ann", "Ann", "Dot7"])
    expected = ", ".join(f"@{of(name)}" for name in ("ann", "Ann", "Ann", "dot", "Dot7"))
    assert named.in_text(text) == expected
    by_hash = NamedUsers(hashes, [], {of("Ann"), of("Dot7"), of("EVE")})
    assert by_hash.in_text("@ann @dot7 @eve") == f"@{of('Ann')} @{of('Dot7')} @{of('EVE')}"


def test_names_that_are_hashtags_and_ids(key):
    hashes = UserHashes(key)
    named = NamedUsers(hashes, USERS)
    for tag, user in (
        ("Ann_Smith", "ann_smith"), ("annsmith", "ann_smith"), ("TEA", "tea"), ("zoeq", None),
        ("BobBrown", "Bob Brown"), ("zoëq", "zoë.q@m.org"), ("dot", "@dot"), ("7", None),
    ):  # fmt: skip
        assert named.of_hashtag(tag) == (hashes.of_user(user) if user else tag)
    by_hash = NamedUsers(hashes, [], {hashes.of_user(user) for user in USERS})
    assert by_hash.of_hashtag("Ann_Smith") == hashes.of_user("ann_smith")
    for text in (
        "by ann_smith of #tea", "_taro_99_, taro_99さん", "今日はtaro_99と", "I met Bob Brown",
        "zoë.q@m.org: ａｎｎ＿ｓｍｉｔｈ", "@TEA, @taro_99さん", "x.example/tea/1", "good tea",
    ):  # fmt: skip
        assert by_hash.in_text(text) == named.in_text(text)
        assert (named.in_text(text) == text) is (text == "good tea")
    assert by_hash.held == 1
    for identity, user, stays in (
        ("123", "ann", True), ("123", "23", False), ("bob/status/123", "ann", False),
        ("b0b0b0b0-1111-2222-3333-444444444444", "ann", True), ("t3_abc", "ann", False),
    ):  # fmt: skip
        assert (named.of_id(identity, user) == identity) is stays


def test_no_name_comes_in(key, tmp_path):
    """Not by a hashtag, an id, a link, or the name of a file, of which there are several."""
    rows = [
        {"user": "ann_smith", "text": "my day #annsmith", "hashtags": ["Tea"], "id": "x/ann_smith"},
        {"user": "bob7", "text": "for ann_smith", "hashtags": ["Ann_Smith", "tea"], "id": "2"},
        {"user": "carl", "text": "see https://x.example/bob7/1", "hashtags": ["AnnSmith", "bob7"]},
        {"user": "dora", "text": "#keep #Bob7 carl says", "hashtags": ["keep"], "id": "re:bob7"},
        # Which lines of what is told would show, cut and with escapes.
        {"user": "eve", "text": "b'an\u200dn_smith'", "hashtags": "by an\u200dn_smith #keep"},
        {"user": "flo", "text": "cafÃ© of the whole long morning to ann_smith", "hashtags": "keep"},
    ]
    folder = tmp_path / "posts"
    folder.mkdir()
    for row in rows:
        (folder / f"{row['user']}.jsonl").write_text(json.dumps(row) + "\n")
    for options in ({}, {"keep_hashtags_in_text": True, "keep_spelling": True}):
        out = tmp_path / f"corpus{len(options)}"
        report = import_posts("jsonl", folder, out, hash_users=key, **options)
        corpus = read_corpus(out)
        counted = "posts with hashtags that are names of users, which are hashed"
        assert report.counted[counted] == 3
        assert report.counted[
            "posts whose text has a word that is the name of a user, too, and stays"
        ] == 1  # fmt: skip
        kept = json.dumps(
            [list(corpus.messages), corpus.hashtags, list(corpus.post_ids), source_of(out)]
        ).lower()
        assert not [name for name in ("ann", "smith", "bob", "dora") if name in kept]
        told = " ".join(source_of(out)["told"])
        assert all(line in told for line in ("bytes as Python", "others without", "Latin-1"))
        hashes = UserHashes(key)
        assert {hashes.of_user("ann_smith"), hashes.of_user("bob7"), "keep"} < set(corpus.hashtags)
