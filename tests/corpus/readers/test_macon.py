"""MaCon's files: small ones made after the description of the published layout."""

import io
import re
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from tfhashtag.corpus.importing import import_posts
from tfhashtag.corpus.readers import read_macon
from tfhashtag.corpus.store import read_corpus
from tfhashtag.errors import DataError

DATA = "p1\t0 2\t1 0\tann\np2\t\t2\tbob\np3\t1,1\t0\tann\n"
NAMES = {"vocabulary": "sun\nsea\nday\n", "tags": "beach\nlove\ncat\n"}


@pytest.fixture
def folder(tmp_path):
    source = tmp_path / "macon"
    source.mkdir()
    for name, content in {"Instagram.data": DATA, **NAMES}.items():
        (source / name).write_text(content)
    return source


def read(folder):
    faults, counts = [], Counter()
    posts = list(read_macon(folder, lambda *fault: faults.append(fault), counts))
    return posts, faults, counts


def test_posts(folder):
    posts, faults, counts = read(folder)
    assert [(p.id, p.user, p.text, p.hashtags) for p in posts] == [
        ("p1", "ann", "sun day", ("love", "beach")),
        ("p2", "bob", "", ("cat",)),
        ("p3", "ann", "sea sea", ("beach",)),
    ]
    assert (faults, counts) == ([], {"posts without words": 1})
    assert read(folder / "Instagram.data")[0] == posts


@pytest.mark.parametrize(
    "tags",
    [
        "love\t1\nbeach\t0\ncat\t2\n",
        "1\tlove\n0\tbeach\n2\tcat\n",
        "beach\r\nlove\r\ncat",
    ],
)
def test_layouts_of_the_name_files(folder, tags):
    (folder / "tags").write_bytes(tags.encode())
    assert [post.hashtags for post in read(folder)[0]] == [("love", "beach"), ("cat",), ("beach",)]


def test_hashtags_that_are_numbers(folder):
    (folder / "tags").write_text("2018\t0\n2017\t1\n1\t2\n")
    assert read(folder)[0][0].hashtags == ("2017", "2018")


@pytest.mark.parametrize(
    "line, reason, message",
    [
        ("p4\t0\t1", "too few fields", "3 fields"),
        ("p4\t0\t1\tu\tx", "too many fields", "5 fields"),
        ("p4\t9\t1\tu", "unknown word id", r"word id '9' is not in `vocabulary` \(ids 0 to 2\)"),
        ("p4\t0\t-1\tu", "unknown tag id", "tag id '-1' is not in `tags`"),
        ("p4\t0\tx\tu", "unknown tag id", "tag id 'x'"),
        ("p4\t0\t1\t ", "empty user", "`user` is empty"),
        ("\t0\t1\tu", "empty id", "`id` is empty"),
        ("p1\t0\t1\tu", "duplicate id", "id 'p1' stood before"),
    ],
)
def test_faults_name_file_and_line(folder, tmp_path, line, reason, message):
    with (folder / "Instagram.data").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(DataError, match=rf"Instagram.data:4: .*{message}"):
        import_posts("macon", folder, tmp_path / "corpus")
    report = import_posts("macon", folder, tmp_path / "corpus", skip_bad=True)
    assert (report.posts, report.skipped) == (3, {reason: 1})


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("tags", "a\t0\nb\n", "tags:2: 1 columns"),
        ("tags", "a\tb\tc\n", "tags:1: 3 columns"),
        ("tags", "a\n\nb\n", "tags:2: an empty name"),
        ("tags", "a\t0\nb\t0\n", "tags: two columns, and neither holds distinct"),
        ("tags", "a\t0\nb\tx\n", "tags: two columns"),
        ("vocabulary", "", "vocabulary: the file is empty"),
        ("vocabulary", None, "vocabulary: no such file; expected a folder with Instagram.data"),
        ("Instagram.data", None, "Instagram.data: no such file"),
    ],
)
def test_name_files(folder, name, content, message):
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)
    with pytest.raises(DataError, match=re.escape(message)):
        read(folder)


def test_not_utf8(folder):
    (folder / "vocabulary").write_bytes(b"sun\n\xff\n")
    with pytest.raises(DataError, match=r"vocabulary:2: byte 1 is not UTF-8"):
        read(folder)


def test_image_vectors(folder, tmp_path):
    vectors = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)
    np.save(folder / "Instagram.npy", vectors)
    import_posts("macon", folder, tmp_path / "corpus")
    corpus = read_corpus(tmp_path / "corpus")
    np.testing.assert_array_equal(corpus.proposals[corpus.proposal_rows], vectors)
    np.save(folder / "Instagram.npy", vectors[:2])
    with pytest.raises(DataError, match=r"Instagram.npy: 2 rows; .*Instagram.data:3 needs row 3"):
        read(folder)
    np.save(folder / "Instagram.npy", np.repeat(vectors, 2, 0))
    with pytest.raises(DataError, match="6 rows; expected one for each of the 3 lines"):
        read(folder)
    np.save(folder / "Instagram.npy", vectors[0])
    with pytest.raises(DataError, match=r"float32 \[lines, m, a\] was expected"):
        read(folder)
    (folder / "Instagram.npy").write_bytes(b"x")
    with pytest.raises(DataError, match="cannot be read as a NumPy array"):
        read(folder)


def test_not_finite_vectors_name_the_line(folder):
    vectors = np.ones((3, 2, 2), np.float32)
    vectors[1, 0, 1] = np.nan
    np.save(folder / "Instagram.npy", vectors)
    _, faults, _ = read(folder)
    assert [(place[-17:], fault.reason) for place, fault in faults] == [
        (f"/Instagram.data:{2}", "bad proposals")
    ]


def test_pictures_beside_it(folder, tmp_path):
    (folder / "images").mkdir()
    made = {}
    for name, kind in (("p1.jpg", "JPEG"), ("p2", "PNG"), ("p3.png", "PNG")):
        content = io.BytesIO()
        Image.new("L", (2, len(made) + 1)).save(content, kind)
        made[name] = content.getvalue()
        (folder / "images" / name).write_bytes(made[name])
    import_posts("macon", folder, tmp_path / "corpus")
    corpus = read_corpus(tmp_path / "corpus")
    contents = [(tmp_path / "corpus" / name).read_bytes() for (name,) in corpus.images]
    assert contents == list(made.values())
    (folder / "images" / "p2").unlink()
    with pytest.raises(DataError, match=r"Instagram.data:2: image .*p2' cannot be read"):
        import_posts("macon", folder, tmp_path / "other")
