"""Clips as frames: which, what is no whole clip, and how a post's clip comes into a corpus."""

import io
import json
import sys

import numpy as np
import pytest
from PIL import Image

from tests.corpus.clip_files import write_clip
from tfhashtag.corpus import clips
from tfhashtag.corpus.clips import BrokenClipError, is_clip, sample_frames
from tfhashtag.corpus.importing import import_posts
from tfhashtag.corpus.store import read_corpus, source_of
from tfhashtag.errors import DataError


def greys(frames):
    pixels = [np.asarray(Image.open(io.BytesIO(frame)), np.float32) for frame in frames]
    return [round(float(one.mean()) / 10) for one in pixels]


@pytest.mark.parametrize(
    "name, codec", [("a.mp4", "libx264"), ("a.webm", "libvpx"), ("a.avi", "mpeg4")]
)
def test_frames_are_evenly_spaced(tmp_path, name, codec):
    path = write_clip(tmp_path / name, codec=codec)
    assert is_clip(path) and is_clip(path.read_bytes())
    assert greys(sample_frames(path)) == [3, 9, 15, 21]
    assert greys(sample_frames(path.read_bytes(), 1)) == [12]
    assert greys(sample_frames(write_clip(tmp_path / f"b{name}", 3, codec), 4)) == [0, 1, 2]


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("faststart", [True, False])
def test_a_truncated_clip_is_none(tmp_path, share, faststart):
    content = write_clip(tmp_path / "a.mp4", faststart=faststart).read_bytes()
    with pytest.raises(BrokenClipError):
        sample_frames(content[: int(share * len(content))])


def test_what_cannot_be_read(tmp_path, monkeypatch):
    path = write_clip(tmp_path / "a.mp4")
    with pytest.raises(DataError, match="`frames` must be at least 1, found 0"):
        sample_frames(path, 0)
    monkeypatch.setattr(clips, "MAX_SECONDS", 1)
    with pytest.raises(BrokenClipError, match="2 s, at most 1 are read"):
        sample_frames(path)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(DataError, match=r"a.mp4: to read clips, install PyAV: pip install 'tfh"):
        sample_frames(path)


def test_a_clip_of_a_post_is_its_frames(tmp_path):
    write_clip(tmp_path / "a.mp4")
    (tmp_path / "bad.mp4").write_bytes((tmp_path / "a.mp4").read_bytes()[:900])
    Image.new("RGB", (3, 2), "red").save(tmp_path / "b.png")
    good = {"user": "u", "text": "good", "hashtags": ["books"]}
    source = tmp_path / "posts.jsonl"
    rows = [{**good, "images": ["b.png", "a.mp4"]}, {**good, "images": ["bad.mp4", "b.png"]}]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(DataError, match=r"posts.jsonl:2: clip .*bad.mp4' cannot be read \(.*"):
        import_posts("jsonl", source, tmp_path / "corpus")
    report = import_posts("jsonl", source, tmp_path / "corpus", skip_bad=True, frames=3)
    assert report.counted["clips, of each of which at most 3 frames are read"] == 1
    assert report.counted["pictures left out, broken clip"] == 1
    corpus = read_corpus(tmp_path / "corpus")
    picture, *frames = corpus.images[0]
    assert corpus.images[1] == (picture,) and picture.endswith(".png")
    assert greys([(tmp_path / "corpus" / frame).read_bytes() for frame in frames]) == [4, 12, 20]
    assert source_of(tmp_path / "corpus")["frames"] == 3
