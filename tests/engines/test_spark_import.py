"""An import on Spark writes what the local import writes, whole: posts, counts, words."""

import json
import zipfile

import numpy as np
import PIL.Image
import pyarrow.parquet as pq
import pytest

import tfhashtag as th
from tests.corpus.readers.test_exports import CASES, repository
from tests.corpus.test_archives import NOTES, TWEETS, js, picture
from tfhashtag.corpus.alike_users import ALIKE
from tfhashtag.corpus.importing import import_posts
from tfhashtag.engines.spark_import import import_posts as import_on_spark
from tfhashtag.errors import DataError

pytestmark = pytest.mark.spark
WORDS = ("tea", "Tea", "#TEA", "coffee", "Coffee", "milk", "Zürich", "日本")


def source(folder, files=5, posts=60, seed=0, times=True, ids=True, bad=True):
    """Parts of a source with all that an import looks at: repeats, spellings, faults, pictures."""
    rng = np.random.default_rng(seed)
    folder.mkdir()
    for shade in range(3):
        picture = PIL.Image.new("RGB", (8, 8), (shade * 40, 10, 10))
        picture.save(folder / f"{shade}.png")
        picture.save(folder / f"{shade}.tiff")
    for file in range(files):
        lines = []
        for post in range(posts):
            row = {
                "user": f"user{rng.integers(9)}",
                "text": f"good {WORDS[rng.integers(8)]} number {rng.integers(9)} @user1 #tea",
                "hashtags": [WORDS[n] for n in rng.integers(0, 8, rng.integers(0, 4))],
            }
            kind = rng.integers(0, 12)
            if ids:
                row["id"] = str(rng.integers(10**6)) if kind % 2 else f"p{file}-{post}"
            if times and kind != 3:
                row["timestamp"] = f"2024-01-{1 + int(rng.integers(9)):02} 10:00:00"
            if kind == 4:
                row["text"] = "RT @user2: said before"
            if kind == 5:
                row["text"] = " "
            if kind == 10:
                row["likes"], row["views"] = int(rng.integers(9)), "12"
            if kind in (6, 7):
                ending = "tiff" if kind == 6 else "png"
                row["images"] = [f"{n}.{ending}" for n in rng.integers(3 + bad, size=1 + post % 3)]
            if bad and kind == 8:
                row = [{"user": "", "text": "x", "hashtags": []}, 7, {**row, "id": "p0-1"}][
                    post % 3
                ]
            lines.append(json.dumps(row))
            if bad and kind == 9:
                lines.append(["", "{broken"][post % 2])
        lines += lines[:3] if not ids else []
        (folder / f"part-{file}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "part-0.jsonl").write_text(  # a user who never says when
        (folder / "part-0.jsonl").read_text("utf-8")
        + json.dumps({"user": "late", "text": "when?", "hashtags": ["tea"], "id": "when"})
        + "\n"
        + json.dumps({"user": "Late", "text": "now", "hashtags": ["tea"], "id": "now"})
        + "\n",
        encoding="utf-8",
    )
    return folder


def same(spark, tmp_path, path, source_format="jsonl", **options):
    reports = []
    for name, run in (("here", import_posts), ("there", import_on_spark)):
        engine = () if name == "here" else (spark,)
        reports.append(run(*engine, source_format, path, tmp_path / name, name="c", **options))
    here, there = (tmp_path / name for name in ("here", "there"))
    tables = [pq.read_table(folder / "posts.parquet") for folder in (here, there)]
    assert tables[0].equals(tables[1])
    infos = [(folder / "corpus.json").read_text(encoding="utf-8") for folder in (here, there)]
    assert json.loads(infos[0]) == json.loads(infos[1])
    assert infos[0] == infos[1]  # what is told stands in the same order, too
    assert reports[0] == reports[1]
    names = [sorted(str(p.relative_to(f)) for p in f.rglob("*")) for f in (here, there)]
    assert names[0] == names[1]
    return reports[0]


def test_the_same_corpus(spark, tmp_path):
    path = source(tmp_path / "source")
    report = same(spark, tmp_path, path, skip_bad=True)
    assert report.posts > 200 and len(report.skipped) == 3
    told = " ".join(report.counted)
    for what in ("spellings", "repeat", "timestamp", "without text", "retweets", "PNG", "pictures"):
        assert what in told, report.counted
    assert f"{ALIKE}: 1, first `Late` and `late`" in report.counted_lines


# The fast twin of the slow ones is the whole comparison above: what they add is in the readers,
# which both engines share.
@pytest.mark.slow
def test_the_same_by_other_wishes(spark, tmp_path):
    key = tmp_path / "key"
    key.write_bytes(bytes(range(32)))
    path = source(tmp_path / "source", files=3, posts=30, ids=False, bad=False)
    wishes = {"split": "global-time", "drop_duplicates": True, "drop_retweets": True}
    same(spark, tmp_path, path, hash_users=key, **wishes)


@pytest.mark.slow
def test_the_same_of_a_published_corpus(spark, tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    for split in ("train", "valid", "test"):
        lines = [f"good tea {n}\tuser{n % 5}\tTea\ttea" for n in range(40)]
        (folder / f"{split}.csv").write_text("\n".join(lines) + "\n")
    (folder / "users.txt").write_text("user3\nuser1\n")
    same(spark, tmp_path, folder, "howyoutag", split="random-90-10", split_seed=3)


@pytest.mark.parametrize("kind", ["row", pytest.param("post", marks=pytest.mark.slow)])
def test_the_first_fault_is_the_same(spark, tmp_path, kind):
    """What cannot be read is found by the look, an id that stands twice in reading."""
    path = source(tmp_path / "source", files=2, posts=20, seed=2, bad=kind == "row")
    with (path / "part-1.jsonl").open("a", encoding="utf-8") as file:
        for user in ("ann", ""):
            post = {"id": "p0-1", "user": user, "text": "x", "hashtags": []}
            file.write(json.dumps({**post, "id": "when"} if user else post) + "\n")
    told = []
    for run, engine in ((import_posts, ()), (import_on_spark, (spark,))):
        with pytest.raises(DataError) as error:
            run(*engine, "jsonl", path, tmp_path / "out")
        told.append(str(error.value))
    assert told[0] == told[1]
    assert [entry.name for entry in tmp_path.iterdir()] == ["source"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bluesky", "telegram"])
def test_the_same_of_other_readers(spark, tmp_path, kind):
    folder = tmp_path / "source"
    folder.mkdir()
    if kind == "bluesky":
        (folder / "repo.car").write_bytes(repository())
    else:
        _, name, content, *_ = CASES[kind]
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    same(spark, tmp_path, folder, kind)


@pytest.mark.slow
def test_the_same_of_an_archive_as_it_is_downloaded(spark, tmp_path):
    path = tmp_path / "twitter-2024.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data/tweets.js", js("tweets", TWEETS))
        archive.writestr("data/note-tweet.js", js("note_tweet", NOTES))
        archive.writestr("data/tweets_media/10-a.jpg", picture())
        archive.writestr("data/account.js", js("account", [{"account": {"accountId": "5"}}]))
    told = {name: [] for name in ("here", "there")}
    for name, engine in (("here", "local"), ("there", spark)):
        out = tmp_path / name / "corpus"
        th.import_posts(path, out, engine=engine, tell=told[name].append)
    assert [line.replace("here", "there") for line in told["here"]] == told["there"]
    tables = [pq.read_table(tmp_path / name / "corpus" / "posts.parquet") for name in told]
    assert tables[0].equals(tables[1]) and tables[0].num_rows == 3
    assert [entry.name for entry in (tmp_path / "there").iterdir()] == ["corpus"]
