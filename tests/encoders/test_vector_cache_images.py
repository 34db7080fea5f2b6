"""The cache of proposals: each picture once, through kills, broken pictures and changes."""

import dataclasses
import io
import json
import os
import signal

import numpy as np
import pytest
from PIL import Image

from tfhashtag.corpus.importing import corpus_of_posts
from tfhashtag.corpus.pictures import picture_name
from tfhashtag.corpus.post import Post
from tfhashtag.corpus.store import read_corpus, write_corpus
from tfhashtag.encoders import encode_images, load_proposals
from tfhashtag.encoders.image_encoder import ImageEncoder
from tfhashtag.errors import ArtifactError, DataError

BROKEN = b"\x89PNG\r\n\x1a\n and no more"


def png(number):
    buffer = io.BytesIO()
    Image.new("RGB", (4, 3), (number % 256, number // 256, 9)).save(buffer, "PNG")
    return buffer.getvalue()


class Counting(ImageEncoder):
    """Proposals of the picture's colour; decodes with Pillow; counts its work."""

    def __init__(self, name="counting", fingerprint="c" * 64, proposals=4, fail_at=None):
        self.name, self.fingerprint = name, fingerprint
        self.proposals, self.width, self.size = proposals, 3, 4
        self.fail_at, self.seen = fail_at, []

    def pooled(self, pixels):
        raise NotImplementedError

    def trackables(self):
        return []

    def encode(self, images, batch_images=16):
        if self.fail_at is not None and len(self.seen) >= self.fail_at:
            raise KeyboardInterrupt
        self.seen += images
        valid = np.array([image != BROKEN for image in images])
        vectors = np.zeros((len(images), self.proposals, 3), np.float32)
        for row in np.flatnonzero(valid):
            with Image.open(io.BytesIO(images[row])) as image:
                vectors[row] = image.getpixel((0, 0))
        return vectors, valid


def make(folder, contents):
    """A corpus with a post for each content, None for no picture."""
    posts, pictures = [], {}
    for place, content in enumerate(contents):
        names = () if content is None else (picture_name(content),)
        pictures |= dict.fromkeys(names, content)
        posts.append(Post(str(place), "u", "t", ("h",), images=names))
    write_corpus(corpus_of_posts(posts, "made"), folder, pictures)
    return read_corpus(folder)


def check(proposals, contents):
    """Every post has its picture's colour, -1 without one; nothing is NaN."""
    assert np.isfinite(proposals.vectors).all()
    assert proposals.rows_of_post.dtype == np.int32
    for row, content in zip(proposals.rows_of_post[:, 0], contents, strict=True):
        if content is None or content == BROKEN:
            assert row == -1
        else:
            with Image.open(io.BytesIO(content)) as image:
                assert (proposals.vectors[row] == image.getpixel((0, 0))).all()


MANY = [png(i) for i in range(40)] + [None, png(3), BROKEN, None, png(0)]


def test_round_trip(tmp_path):
    corpus, encoder = make(tmp_path / "c", MANY), Counting()
    made = encode_images(tmp_path / "c", corpus, encoder, progress=False, batch_images=4)
    assert (made.encoded, made.reused, made.broken) == (41, 0, (picture_name(BROKEN),))
    assert len(encoder.seen) == 41
    check(made, MANY)
    table = load_proposals(tmp_path / "c", corpus, "counting", 4)
    assert isinstance(table.vectors, np.memmap) and table.vectors.shape == (41, 4, 3)
    assert table.broken == made.broken
    check(table, MANY)
    check(load_proposals(tmp_path / "c", corpus, "c" * 10), MANY)
    again = Counting()
    assert encode_images(tmp_path / "c", corpus, again, progress=False).reused == 41
    assert again.seen == []


def test_progress_bar(tmp_path, capfd):
    encode_images(tmp_path / "c", make(tmp_path / "c", MANY), Counting())
    assert "images/s" in capfd.readouterr().err


def test_only_new_pictures_are_encoded(tmp_path):
    folder = tmp_path / "c"
    encode_images(folder, make(folder, MANY), Counting(), progress=False)
    (folder / "image_proposals").rename(tmp_path / "kept")
    grown = [png(99), BROKEN, *reversed(MANY[5:]), None]
    other = tmp_path / "d"
    corpus = make(other, grown)
    (tmp_path / "kept").rename(other / "image_proposals")
    with pytest.raises(ArtifactError, match="has changed since"):
        load_proposals(other, corpus, "counting", 4)
    encoder = Counting()
    made = encode_images(other, corpus, encoder, progress=False)
    # What could not be decoded is tried again.
    assert sorted(encoder.seen) == sorted([png(99), BROKEN])
    assert (made.encoded, made.reused) == (2, 37)
    check(made, grown)
    check(load_proposals(other, corpus, "counting"), grown)


def test_interruption_keeps_finished_chunks(tmp_path):
    corpus = make(tmp_path / "c", MANY[::-1])
    options = {"progress": False, "batch_images": 4, "chunk_rows": 8}
    with pytest.raises(KeyboardInterrupt):
        encode_images(tmp_path / "c", corpus, Counting(fail_at=20), **options)
    with pytest.raises(ArtifactError, match=r"tfhashtag encode .* --image-encoder counting"):
        load_proposals(tmp_path / "c", corpus, "counting")
    encoder = Counting()
    made = encode_images(tmp_path / "c", corpus, encoder, **options)
    assert len(encoder.seen) <= 41 - 20 + 8
    # The broken one was in the first part.
    assert BROKEN not in encoder.seen
    assert made.broken == (picture_name(BROKEN),)
    check(made, MANY[::-1])


def test_kill_between_description_and_end(tmp_path):
    """The zeros of broken pictures are written, the journal is still there."""
    folder = tmp_path / "c"
    corpus = make(folder, MANY)
    made = encode_images(folder, corpus, Counting(), progress=False)
    from tfhashtag.encoders.journal_table import JournalTable, keys_of

    names = corpus.pictures
    table = JournalTable(made.folder.parent, keys_of(names), (4, 3), chunk_rows=64)

    def stop(partial):
        data = np.load(partial / "vectors.npy", mmap_mode="r+")
        data[np.isnan(data)] = 0
        data.flush()
        raise KeyboardInterrupt

    import shutil

    shutil.rmtree(made.folder)
    with pytest.MonkeyPatch.context() as patch:
        original = JournalTable.fill
        patch.setattr(
            JournalTable, "fill", lambda self, *a, **k: original(self, *a, **{**k, "finish": stop})
        )
        with pytest.raises(KeyboardInterrupt):
            encode_images(folder, corpus, Counting(), progress=False)
    assert not table.finished and (table.partial / "meta.json").is_file()
    encoder = Counting()
    resumed = encode_images(folder, corpus, encoder, progress=False)
    assert encoder.seen == [] and resumed.broken == (picture_name(BROKEN),)
    check(resumed, MANY)


class Logged(Counting):
    """Writes down what it has encoded; ends its process without mercy after so many pictures."""

    def __init__(self, log, most):
        super().__init__()
        self.log, self.most = log, most

    def encode(self, images, batch_images=16):
        with self.log.open("a") as log:
            log.writelines(f"{picture_name(image)}\n" for image in images)
        if len(self.log.read_text().splitlines()) >= self.most:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().encode(images)


def test_killed_anywhere_and_resumed(tmp_path, forked):
    contents = [BROKEN, *(png(i) for i in range(160))]
    corpus, log = make(tmp_path / "c", contents), tmp_path / "log"
    for most, ended in ((60, -signal.SIGKILL), (10**9, 0)):
        encoder = Logged(log, most)
        code = forked(
            lambda encoder=encoder: encode_images(
                *(tmp_path / "c", corpus, encoder), progress=False, batch_images=4, chunk_rows=8
            )
        )
        assert code == ended
    encoded = log.read_text().splitlines()
    assert set(encoded) == set(corpus.pictures)
    # What is encoded twice: the open chunk and the batch under way.
    assert 0 < len(encoded) - len(contents) <= 8 + 4
    proposals = load_proposals(tmp_path / "c", corpus, "counting")
    assert proposals.broken == (picture_name(BROKEN),)
    check(proposals, contents)


def test_number_of_proposals_chooses(tmp_path):
    corpus = make(tmp_path / "c", MANY)
    for proposals in (4, 9):
        encoder = Counting(fingerprint=str(proposals) * 64, proposals=proposals)
        encode_images(tmp_path / "c", corpus, encoder, progress=False)
    assert load_proposals(tmp_path / "c", corpus, "counting", 9).vectors.shape == (41, 9, 3)
    assert load_proposals(tmp_path / "c", corpus, "4" * 16).vectors.shape == (41, 4, 3)
    with pytest.raises(ArtifactError, match="several tables of vectors of image encoder"):
        load_proposals(tmp_path / "c", corpus, "counting")
    with pytest.raises(
        ArtifactError, match=r"no finished 16 proposals .*\(it has: .*--proposals 16"
    ):
        load_proposals(tmp_path / "c", corpus, "counting", 16)


def test_faults(tmp_path):
    folder = tmp_path / "c"
    corpus = make(folder, [None, None])
    with pytest.raises(DataError, match="no image to encode"):
        encode_images(folder, corpus, Counting(), progress=False)
    folder = tmp_path / "d"
    corpus = make(folder, MANY)
    with pytest.raises(DataError, match="must be at least 1"):
        encode_images(folder, corpus, Counting(), progress=False, batch_images=0)

    class NotFinite(Counting):
        def encode(self, images, batch_images=16):
            vectors, valid = super().encode(images)
            vectors[[image == png(7) for image in images]] = np.inf
            return vectors, valid

    with pytest.raises(DataError, match=r"image 7 \('images/.*'\) is not finite"):
        encode_images(folder, corpus, NotFinite(), progress=False)
    (folder / picture_name(png(20))).unlink()
    with pytest.raises(ArtifactError, match=r"cannot be read .*Import the corpus again"):
        encode_images(folder, corpus, Counting(fingerprint="e" * 64), progress=False)


def test_damage_is_seen(tmp_path):
    corpus = make(tmp_path / "c", MANY)
    folder = encode_images(tmp_path / "c", corpus, Counting(), progress=False).folder
    table = np.load(folder / "vectors.npy", mmap_mode="r+")
    table[3, 0, 1] = np.nan
    table.flush()
    with pytest.raises(DataError, match=r"vector of image 3 \('images/.*'\) is not finite"):
        load_proposals(tmp_path / "c", corpus, "counting")
    (folder / "vectors.npy").write_bytes(b"short")
    with pytest.raises(ArtifactError, match="cannot be read as a table"):
        load_proposals(tmp_path / "c", corpus, "counting")
    (folder / "meta.json").write_text(json.dumps({"broken": []}))
    with pytest.raises(ArtifactError, match="not the description"):
        load_proposals(tmp_path / "c", corpus, "counting")


def test_given(tmp_path):
    vectors = np.random.default_rng(0).normal(size=(2, 5, 3)).astype(np.float32)
    posts = [
        Post(str(i), "u", "t", ("h",), proposals=None if row is None else vectors[row])
        for i, row in enumerate([1, None, 0, 1])
    ]
    write_corpus(corpus_of_posts(posts, "given"), tmp_path / "c")
    corpus = read_corpus(tmp_path / "c")
    for m in (None, 5):
        proposals = load_proposals(tmp_path / "c", corpus, "given", m)
        assert proposals.rows_of_post.tolist() == [[0], [-1], [1], [0]]
        np.testing.assert_array_equal(proposals.vectors, vectors[::-1])
        assert isinstance(proposals.vectors, np.memmap)
    with pytest.raises(DataError, match="bring 5 proposals each, expected 9"):
        load_proposals(tmp_path / "c", corpus, "given", 9)
    without = dataclasses.replace(corpus, proposals=None, proposal_rows=None)
    with pytest.raises(DataError, match="the posts bring no proposals"):
        load_proposals(tmp_path / "c", without, "given", 9)
    content = (tmp_path / "c" / "proposals.npy").read_bytes()
    (tmp_path / "c" / "proposals.npy").write_bytes(content[:-4] + b"\0\0\x80\x3f")
    with pytest.raises(ArtifactError, match="does not fit the digest"):
        load_proposals(tmp_path / "c", corpus, "given")


def test_posts_of_several_pictures_share_the_rows_of_pictures(tmp_path):
    from tfhashtag.encoders.corpus_without import write_without

    contents = [png(number) for number in range(4)] + [BROKEN]
    names = [picture_name(content) for content in contents]
    of_posts = [(0, 1), (), (4, 2), (1, 3, 0)]
    posts = [
        Post(str(at), "u", "t", ("h",), images=tuple(names[n] for n in some))
        for at, some in enumerate(of_posts)
    ]
    folder = tmp_path / "c"
    write_corpus(corpus_of_posts(posts, "made"), folder, dict(zip(names, contents, strict=True)))
    corpus, encoder = read_corpus(folder), Counting()
    made = encode_images(folder, corpus, encoder, progress=False)
    assert sorted(map(picture_name, encoder.seen)) == sorted(names)  # each once
    place = {name: row for row, name in enumerate(corpus.pictures)}
    row = [place[name] for name in names]
    expected = [[row[0], row[1], -1], [-1] * 3, [row[2], -1, -1], [row[1], row[3], row[0]]]
    assert made.rows_of_post.tolist() == expected and made.broken == (names[4],)
    first = load_proposals(folder, corpus, encoder.name, pictures=1)
    assert first.rows_of_post.tolist() == [[one[0]] for one in expected]
    (tmp_path / "left").mkdir()
    smaller = write_without(folder, corpus, np.array([0, 1]), tmp_path / "left")
    left = load_proposals(tmp_path / "left", smaller, encoder.name)
    assert left.rows_of_post.tolist() == [[0, 1], [-1, -1]]
    np.testing.assert_array_equal(left.vectors, made.vectors[[row[0], row[1]]])
    kept = {path.name for path in (tmp_path / "left" / "images").iterdir()}
    assert kept == {name.removeprefix("images/") for name in names[:2]}
