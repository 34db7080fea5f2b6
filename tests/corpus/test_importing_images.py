"""Import of images and given proposals."""

import hashlib
import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tfhashtag.corpus.editing import join_posts, select_posts
from tfhashtag.corpus.importing import corpus_of_posts, import_posts
from tfhashtag.corpus.pictures import picture_name
from tfhashtag.corpus.post import Post
from tfhashtag.corpus.store import check_proposals, read_corpus, write_corpus
from tfhashtag.errors import ArtifactError, DataError

GOOD = {"user": "u", "text": "good read", "hashtags": ["books"]}


def picture(kind, colour, **options):
    content = io.BytesIO()
    Image.new("RGB", (3, 2), colour).save(content, kind, **options)
    return content.getvalue()


PNG, JPEG = picture("PNG", "red"), picture("JPEG", "blue")


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    (folder / "pictures").mkdir(parents=True)
    (folder / "pictures" / "a.png").write_bytes(PNG)
    (folder / "pictures" / "same.jpg").write_bytes(PNG)
    (folder / "b.jpg").write_bytes(JPEG)
    return folder


def write(folder, ending, rows):
    """The rows in one of the own formats."""
    path = folder / f"posts.{ending}"
    if ending == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif ending == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        import csv

        names = list(dict.fromkeys(name for row in rows for name in row))
        with path.open("w", newline="") as file:
            table = csv.DictWriter(file, names)
            table.writeheader()
            for row in rows:
                row = row | {"hashtags": " ".join(row["hashtags"])}  # noqa: PLW2901
                if row.get("proposals") is not None:
                    row["proposals"] = json.dumps(row["proposals"])
                table.writerow(row)
    return path


IMAGES = ["pictures/a.png", "b.jpg", None, "pictures/same.jpg", "pictures/../b.jpg"]
VECTORS = [[[0.5, 1], [2, -3.25]], None, [[0.0, 1], [2, 3]], [[0.5, 1], [2, -3.25]], None]


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_images_and_proposals_come_along(source, tmp_path, ending):
    rows = [
        {**GOOD, "image": image, "proposals": vectors}
        for image, vectors in zip(IMAGES, VECTORS, strict=True)
    ]
    import_posts(ending, write(source, ending, rows), tmp_path / "corpus")
    corpus = read_corpus(tmp_path / "corpus")
    png, jpeg = picture_name(PNG), picture_name(JPEG)
    assert corpus.images == [(png,), (jpeg,), (), (png,), (jpeg,)]
    kept = {path.name: path.read_bytes() for path in (tmp_path / "corpus" / "images").iterdir()}
    assert kept == {png.removeprefix("images/"): PNG, jpeg.removeprefix("images/"): JPEG}
    assert corpus.proposal_rows.tolist() == [0, -1, 1, 0, -1]
    assert corpus.proposal_rows.dtype == np.int32
    assert isinstance(corpus.proposals, np.memmap) and corpus.proposals.dtype == np.float32
    assert corpus.proposals.tolist() == [VECTORS[0], VECTORS[2]]
    check_proposals(tmp_path / "corpus", corpus)


def test_corpus_without_either_has_neither(source, tmp_path):
    import_posts("jsonl", write(source, "jsonl", [GOOD]), tmp_path / "corpus")
    corpus = read_corpus(tmp_path / "corpus")
    assert (corpus.images, corpus.proposals, corpus.proposal_rows) == (None, None, None)
    names = {path.name for path in (tmp_path / "corpus").iterdir()}
    assert names == {"corpus.json", "posts.parquet"}


@pytest.mark.parametrize("image", ["gone.png", "pictures", "http://x.org/a.png", "a\0b", "x" * 999])
def test_missing_image(source, tmp_path, image):
    path = write(source, "jsonl", [GOOD, {**GOOD, "image": image}])
    with pytest.raises(DataError, match=r"posts.jsonl:2: image .* cannot be read .*--skip-bad"):
        import_posts("jsonl", path, tmp_path / "corpus")
    report = import_posts("jsonl", path, tmp_path / "corpus", skip_bad=True)
    assert (report.posts, report.skipped) == (2, {})
    assert report.counted["pictures left out, missing image"] == 1
    assert "posts.jsonl:2: image" in report.examples["pictures left out, missing image"]
    assert read_corpus(tmp_path / "corpus").images is None


BAD_VECTORS = {
    "[]": (r"`proposals` is an empty list"),
    '"x"': (r"`proposals` is str"),
    "[1, 2]": (r"`proposals\[0\]` is 1"),
    "[[], []]": (r"`proposals\[0\]` is empty"),
    "[[1, 2], [3]]": (r"`proposals\[1\]` has 1 numbers, `proposals\[0\]` has 2"),
    "[[1, NaN]]": (r"`proposals\[0\]\[1\]` is nan; expected a finite number"),
    "[[1, 2], [-Infinity, 1]]": (r"`proposals\[1\]\[0\]` is -inf"),
    "[[1, 1e39]]": (r"is 1e\+39; expected a finite number that fits into float32"),
    '[[1, "2"]]': (r"`proposals\[0\]\[1\]` is '2'"),
    "[[1, true]]": (r"is True"),
    "[[1, null]]": (r"is None"),
}


@pytest.mark.parametrize("vectors", BAD_VECTORS)
def test_bad_proposals_name_file_and_line(source, tmp_path, vectors):
    line = json.dumps(GOOD)[:-1] + f', "proposals": {vectors}}}\n'
    (source / "p.jsonl").write_text(json.dumps(GOOD) + "\n" + line)
    with pytest.raises(DataError, match=rf"p.jsonl:2: .*{BAD_VECTORS[vectors]}"):
        import_posts("jsonl", source / "p.jsonl", tmp_path / "corpus")
    report = import_posts("jsonl", source / "p.jsonl", tmp_path / "corpus", skip_bad=True)
    assert report.skipped == {"bad proposals": 1}


def test_proposals_of_another_shape(source, tmp_path):
    rows = [{**GOOD, "proposals": [[1, 2]]}, GOOD, {**GOOD, "proposals": [[1, 2], [3, 4]]}]
    path = write(source, "jsonl", rows)
    with pytest.raises(DataError, match=r"jsonl:3: .* are 2 x 2; expected 1 x 2 as at .*jsonl:1"):
        import_posts("jsonl", path, tmp_path / "corpus")
    report = import_posts("jsonl", path, tmp_path / "corpus", skip_bad=True)
    assert report.skipped == {"proposals of another shape": 1}


def test_csv_cell_that_is_no_json(source, tmp_path):
    (source / "p.csv").write_text("user,text,hashtags,proposals\nu,t,h,1;2\n")
    with pytest.raises(DataError, match=r"p.csv:2: `proposals` is not readable as JSON"):
        import_posts("csv", source / "p.csv", tmp_path / "corpus")


def test_digest_covers_pictures_and_proposals(tmp_path):
    digests = set()
    for number, (picture, vectors) in enumerate(
        [(b"", None), (PNG, None), (JPEG, None), (b"", [[1]]), (b"", [[2]]), (b"", [[1], [1]])]
    ):
        name = picture_name(picture) if picture else ""
        vectors = None if vectors is None else np.array(vectors, np.float32)  # noqa: PLW2901
        post = Post("1", "u", "t", ("h",), images=(name,) * bool(name), proposals=vectors)
        corpus = corpus_of_posts([post], "c")
        write_corpus(corpus, tmp_path / str(number), {name: picture})
        digests.add(read_corpus(tmp_path / str(number)).digest)
    assert len(digests) == 6


def test_pictures_to_write(tmp_path):
    name = picture_name(PNG)
    corpus = corpus_of_posts([Post("1", "u", "t", ("h",), images=(name,))], "c")
    with pytest.raises(DataError, match="post '1': no content is given for its image"):
        write_corpus(corpus, tmp_path / "a")
    assert not (tmp_path / "a").exists()
    for bad in ("../x.png", "x.png", "/x.png", "images/../x", "images/.."):
        odd = corpus_of_posts([Post("1", "u", "t", ("h",), images=(bad,))], "c")
        with pytest.raises(DataError, match="is not in `images/`"):
            write_corpus(odd, tmp_path / "a", {bad: PNG})
    with pytest.raises(DataError, match="its content's name is"):
        write_corpus(corpus, tmp_path / "a", {name: JPEG})
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("change", ["cut", "other", "gone", "shape"])
def test_damaged_proposals(source, tmp_path, change):
    rows = [{**GOOD, "proposals": [[float(i), 2]]} for i in range(3)]
    folder = tmp_path / "corpus"
    import_posts("jsonl", write(source, "jsonl", rows), folder)
    path = folder / "proposals.npy"
    content = path.read_bytes()
    path.unlink()
    if change == "other":
        path.write_bytes(content[:-1] + b"\1")
        with pytest.raises(ArtifactError, match="does not fit the digest"):
            check_proposals(folder, read_corpus(folder))
        return
    if change == "cut":
        path.write_bytes(content[:-3])
    elif change == "shape":
        np.save(path, np.ones((2, 1, 2), np.float32))
    with pytest.raises(ArtifactError, match=r"proposals.npy: .*Import again"):
        read_corpus(folder)


def test_wrong_proposals_are_not_written(tmp_path, make_corpus):
    import dataclasses

    corpus = make_corpus([("u", "t", ["h"], 0), ("u", "s", ["h"], 0)])
    vectors = np.ones((1, 2, 3), np.float32)
    rows = np.array([0, -1], np.int32)
    for proposals, proposal_rows, message in (
        (vectors, None, "belong together"),
        (vectors[0], rows, r"\[rows, m, a\]"),
        (vectors * np.nan, rows, "NaN"),
        (vectors, rows + 1, "a row from -1 to 0"),
        (vectors, rows[:1], "for each of 2 posts"),
    ):
        odd = dataclasses.replace(corpus, proposals=proposals, proposal_rows=proposal_rows)
        with pytest.raises(DataError, match=message):
            write_corpus(odd, tmp_path / "corpus")


def test_splits(source, tmp_path):
    rows = [{**GOOD, "user": f"u{i % 2}", "split": "train", "timestamp": -i} for i in range(20)]
    path = write(source, "jsonl", rows)
    found = {}
    for split in (None, "own-time", "global-time", "random-90-10"):
        import_posts("jsonl", path, tmp_path / str(split), split=split, split_seed=1)
        found[split] = read_corpus(tmp_path / str(split)).split_of_post.tolist()
    assert found[None] == [0] * 20
    assert found["own-time"] == [0] * 16 + [1, 1, 2, 2] == found["global-time"]
    assert sorted(found["random-90-10"]) == found["own-time"] != found["random-90-10"]
    with pytest.raises(DataError, match="split 'x' is not known"):
        import_posts("jsonl", path, tmp_path / "x", split="x")


def digest_before(folder, info):
    """That of formats 1 and 2, as it was made then."""
    table = pq.read_table(folder / "posts.parquet")
    content = json.dumps(table.to_pylist()) + json.dumps(info["evaluation_users"])
    return hashlib.sha256((content + (info.get("proposals") or "")).encode()).hexdigest()


def test_format_1_is_read(source, tmp_path):
    folder = tmp_path / "corpus"
    import_posts("jsonl", write(source, "jsonl", [GOOD]), folder)
    info = json.loads((folder / "corpus.json").read_text())
    del info["proposals"]
    info |= {"format": 1, "digest": digest_before(folder, info)}
    (folder / "corpus.json").write_text(json.dumps(info))
    assert read_corpus(folder).digest == info["digest"]
    folder = tmp_path / "with-images"
    import_posts("jsonl", write(source, "jsonl", [{**GOOD, "image": "b.jpg"}]), folder)
    info = json.loads((folder / "corpus.json").read_text())
    info |= {"format": 1, "digest": digest_before(folder, info)}
    (folder / "corpus.json").write_text(json.dumps(info))
    with pytest.raises(ArtifactError, match="format 1 names pictures and does not hold them"):
        read_corpus(folder)


def image_of(array_or_picture, kind, **options):
    content = io.BytesIO()
    array_or_picture.save(content, kind, **options)
    return content.getvalue()


def test_pictures_of_all_kinds(source, tmp_path):
    red = Image.new("RGB", (3, 2), "red")
    turned = Image.Exif()
    turned[0x0112] = 6
    deep = Image.fromarray(np.array([[0, 65535], [32768, 65535]], np.uint16))
    kept = {
        "a.webp": image_of(red, "WEBP"),
        "a.gif": image_of(red, "GIF"),
        "a.bmp": image_of(red, "BMP"),
        "cmyk.jpg": image_of(red.convert("CMYK"), "JPEG"),
        "deep.png": image_of(deep, "PNG"),
        "turned.jpg": image_of(red, "JPEG", exif=turned),
    }
    rewritten = {
        "a.tif": image_of(red, "TIFF", exif=turned),
        "a.avif": image_of(red, "AVIF"),
        "deep.tif": image_of(deep, "TIFF"),
        "cmyk.tif": image_of(red.convert("CMYK"), "TIFF"),
    }
    rows = []
    for number, (name, content) in enumerate({**kept, **rewritten}.items()):
        (source / name).write_bytes(content)
        rows.append({**GOOD, "text": f"text {number}", "image": name})
    report = import_posts("jsonl", write(source, "jsonl", rows), tmp_path / "corpus")
    assert report.counted == {"pictures written anew as PNG": 4}
    corpus = read_corpus(tmp_path / "corpus")
    found = [(tmp_path / "corpus" / name).read_bytes() for (name,) in corpus.images]
    assert found[: len(kept)] == list(kept.values())
    anew = [Image.open(io.BytesIO(content)) for content in found[len(kept) :]]
    assert [(one.format, one.size, one.mode) for one in anew] == [
        ("PNG", (2, 3), "RGB"), ("PNG", (3, 2), "RGB"), ("PNG", (2, 2), "L"),
        ("PNG", (3, 2), "RGB"),
    ]  # fmt: skip
    assert np.asarray(anew[2]).tolist() == [[0, 255], [127, 255]]


def test_pictures_outside_the_folder(source, tmp_path):
    outside = tmp_path / "outside.png"
    outside.write_bytes(PNG)
    (source / "link.png").symlink_to(outside)
    (source / "inside.png").symlink_to(source / "b.jpg")
    for image in (str(outside), "../outside.png", "link.png", "/etc/hostname"):
        path = write(source, "jsonl", [{**GOOD, "image": image}])
        with pytest.raises(DataError, match=r"posts.jsonl:1: image .* lies outside .*--images"):
            import_posts("jsonl", path, tmp_path / "corpus")
        report = import_posts("jsonl", path, tmp_path / f"c{len(image)}", skip_bad=True)
        assert report.counted["pictures left out, image outside the folder"] == 1
    path = write(source, "jsonl", [{**GOOD, "image": "inside.png"}])
    assert import_posts("jsonl", path, tmp_path / "corpus").posts == 1
    path = write(source, "jsonl", [{**GOOD, "image": "outside.png"}])
    assert import_posts("jsonl", path, tmp_path / "other", images=tmp_path).posts == 1


@pytest.mark.parametrize("content", [PNG[:40], JPEG[:200], b"root:x:0:0\n", b""])
def test_what_is_no_picture_is_told_by_its_name(source, tmp_path, content):
    (source / "bad.png").write_bytes(content)
    path = write(source, "jsonl", [GOOD, {**GOOD, "text": "x", "image": "bad.png"}])
    with pytest.raises(DataError, match=r"posts.jsonl:2: image .*bad.png' cannot be decoded"):
        import_posts("jsonl", path, tmp_path / "corpus")
    report = import_posts("jsonl", path, tmp_path / "corpus", skip_bad=True)
    assert (report.posts, report.skipped) == (2, {})
    assert "bad.png" in report.examples["pictures left out, broken image"]


def test_several_pictures_stand_in_their_order(source, tmp_path):
    rows = [{**GOOD, "images": ["b.jpg", "pictures/a.png", "b.jpg"]}, {**GOOD, "images": []}]
    rows.append({**GOOD, "image": '["pictures/a.png"]'})
    rows += [{**GOOD, "images": cell} for cell in ("b.jpg; pictures/a.png", "b.jpg", "a, b.png")]
    path = write(source, "jsonl", rows)
    report = import_posts("jsonl", path, tmp_path / "corpus", skip_bad=True)
    assert report.counted["pictures left out, missing image"] == 1  # `a, b.png` is one path
    corpus, (jpeg, png) = read_corpus(tmp_path / "corpus"), (picture_name(JPEG), picture_name(PNG))
    assert corpus.images == [(jpeg, png), (), (png,), (jpeg, png), (jpeg,), ()]
    assert corpus.pictures == [jpeg, png]
    part = select_posts(corpus, np.array([1, 2]))
    assert part.images == [(), (png,)]
    assert join_posts(select_posts(corpus, np.array([0])), part).images == [(jpeg, png), (), (png,)]


def test_of_several_pictures_the_good_ones_stay(source, tmp_path):
    path = write(source, "jsonl", [{**GOOD, "images": ["gone.png", "b.jpg", "no.png"]}])
    with pytest.raises(DataError, match=r"posts.jsonl:1: image .*gone.png' cannot be read"):
        import_posts("jsonl", path, tmp_path / "corpus")
    report = import_posts("jsonl", path, tmp_path / "corpus", skip_bad=True)
    assert report.counted["pictures left out, missing image"] == 2
    assert read_corpus(tmp_path / "corpus").images == [(picture_name(JPEG),)]


def test_what_is_heard_stands_with_the_text(source, tmp_path):
    heard = {**GOOD, "audio_text": "and #tea again"}
    rows = [heard, {**heard, "text": ""}, {**GOOD, "audio_text": "  "}]
    import_posts("jsonl", write(source, "jsonl", rows), tmp_path / "corpus")
    texts = [read_corpus(tmp_path / "corpus").messages[n] for n in (0, 1, 2)]
    assert texts == [f"{GOOD['text']}\n\nand #tea again", "and #tea again", GOOD["text"]]
