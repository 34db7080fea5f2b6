"""Posts on the disk: the order of time against plain lists, repeats, ids, memory, a full disk."""

import dataclasses
import os
import pathlib
import sqlite3
import tempfile
import threading
import tracemalloc
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfhashtag.corpus import post_spool as module
from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.importing import corpus_of_posts
from tfhashtag.corpus.ordering import tie_key
from tfhashtag.corpus.post import Post
from tfhashtag.corpus.post_faults import BadPost
from tfhashtag.corpus.post_spool import PostSpool
from tfhashtag.errors import ArtifactError

TAGS = st.lists(st.sampled_from(["tea", "Tea", "milk"]), max_size=2, unique=True)
POSTS = st.lists(
    st.builds(
        Post,
        id=st.sampled_from(["7", "10", "b", "a9"]),
        user=st.sampled_from(["ann", "bob"]),
        text=st.sampled_from(["", "hot tea", "a\0b"]),
        hashtags=TAGS.map(tuple),
        timestamp=st.one_of(st.none(), st.integers(-2, 2)),
        numbered=st.booleans(),
    ),
    max_size=9,
)


def near_of(posts, place):
    """Whose time a post gets: its own, else of the same user before, behind, else of anybody."""
    timed = [at for at, post in enumerate(posts) if post.timestamp is not None]
    own = [at for at in timed if posts[at].user == posts[place].user]
    for some in (own, timed):
        before = [at for at in some if at <= place]
        behind = [at for at in some if at > place]
        if before or behind:
            return place if place in timed else (max(before) if before else min(behind))


def in_time_order(posts):
    """What `PostSpool` says of the order, with lists alone."""
    if 2 * sum(post.timestamp is not None for post in posts) <= len(posts):
        return [dataclasses.replace(post, timestamp=None) for post in posts]
    near = [near_of(posts, place) for place in range(len(posts))]

    def key(place):
        other = posts[near[place]]
        side = (near[place] < place) - (near[place] > place)
        return other.timestamp, tie_key(other), side, place

    return [
        dataclasses.replace(posts[place], timestamp=posts[near[place]].timestamp)
        for place in sorted(range(len(posts)), key=key)
    ]


@given(POSTS)
def test_order_is_that_of_lists(posts):
    assert list(PostSpool(posts)) == in_time_order(posts)


@given(POSTS, st.booleans())
def test_repeats_are_told_and_the_first_of_each_stays(posts, drop):
    spool = PostSpool(posts)
    spool.name_of = {"Tea": "tea"}
    ordered = [
        dataclasses.replace(post, hashtags=tuple("tea" if t == "Tea" else t for t in post.hashtags))
        for post in posts
    ]
    ordered = in_time_order(ordered)
    contents = [(post.user, post.text, post.hashtags) for post in ordered]
    first = [at for at, content in enumerate(contents) if content not in contents[:at]]
    assert spool.repeats(drop) == len(posts) - len(first)
    assert list(spool) == ([ordered[at] for at in first] if drop else ordered)
    assert len(spool) == (len(first) if drop else len(posts))


def test_a_post_comes_back_whole(monkeypatch):
    monkeypatch.setattr(module, "_AT_ONCE", 2)
    posts = [
        Post(
            str(number), "ann", "tea\0", ("a", "ß"), Split.TEST, number, ("a.png", "b.png"),
            np.full((2, 3), number, np.float32), True, f"f:{number}", True, (1, -1, 2, -1, 3),
        )
        for number in range(5)
    ]  # fmt: skip
    found = list(PostSpool(posts))
    fields = [field.name for field in dataclasses.fields(Post) if field.name != "proposals"]
    for before, after in zip(posts, found, strict=True):
        assert [getattr(before, name) for name in fields] == [
            getattr(after, name) for name in fields
        ]
        assert before.proposals.tolist() == after.proposals.tolist()
        assert type(after.split) is Split and after.proposals.dtype == np.float32


def test_an_id_that_stood_before_is_told_with_its_place():
    spool = PostSpool()
    spool.note("7", "f:1")
    with pytest.raises(BadPost, match="id '7' stood before, at f:1"):
        spool.note("7", "f:2")
    spool.note("8", "f:3")


def test_texts_do_not_stay_in_memory():
    """Of 20 MB of texts an import holds a part, and what it makes lies in files."""
    text = "tea " * 500

    def posts():
        for number in range(10_000):
            yield Post(str(number), f"u{number % 9}", f"{number} {text}", ("a",), timestamp=number)

    tracemalloc.start()
    try:
        corpus = corpus_of_posts(posts(), "long texts")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(corpus.messages) == 10_000 and corpus.messages[9].startswith("9 tea")
    assert peak < 8 << 20


def test_the_database_goes_with_the_spool():
    spool = PostSpool([Post("1", "u", "tea", (), timestamp=2)])
    assert [post.id for post in spool] == ["1"]
    base, gone = spool._base, weakref.ref(spool)
    del spool  # no other part holds it, so that it need not be searched for
    assert gone() is None
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        base.execute("SELECT 1")


def test_the_database_lies_where_temporary_files_go(tmp_path, monkeypatch):
    """Not in /var/tmp, which is what SQLite takes where TMPDIR is not set."""
    place = tmp_path / "it's here"
    place.mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(place))
        patch.setattr(module, "_CACHE", 64)
        spool = PostSpool(Post(str(n), "u", "tea" * 500, ()) for n in range(500))
        files = pathlib.Path("/proc/self/fd").iterdir()
        assert any(str(place) in os.readlink(file) for file in files if file.is_symlink())
        assert len(list(spool)) == 500
    PostSpool()  # what others in this process make lies where it did


def test_another_thread_may_go_through_the_posts_and_let_them_go():
    spool, found = PostSpool([Post("a", "u", "tea", ())]), []
    thread = threading.Thread(target=lambda: found.extend(spool))
    thread.start()
    thread.join()
    assert [post.id for post in found] == ["a"]


def test_a_full_disk_is_one_clear_line(monkeypatch):
    monkeypatch.setattr(module, "_TABLES", module._TABLES + "PRAGMA max_page_count = 20;")
    with pytest.raises(ArtifactError, match=r"no place for the posts .*full.* TMPDIR"):
        PostSpool(Post(str(n), "u", "tea" * 500, ()) for n in range(1000))
