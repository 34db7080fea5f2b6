"""The door: ten lines in Python, from posts to answers."""

import csv
import json

import numpy as np
import pyarrow.parquet as pq
import pytest

import tfhashtag as th
from tfhashtag.corpus.synthetic import synthetic_corpus
from tfhashtag.errors import ArtifactError, ConfigError, DataError, TfHashtagError
from tfhashtag.recommenders.configuration import load_settings
from tfhashtag.recommenders.registry import recommender_class
from tfhashtag.testing.small_world import write_word_encoder

SMALL = {
    "network.members": 2,
    "network.hidden": [8],
    "training.epochs": 1,
    "data.taste_width": 6,
    "training.futures": [[0.6, 1.0], [0.8, 1.0]],
}


def rows_of(corpus):
    return [
        {
            "id": corpus.post_ids[post],
            "user": corpus.users[corpus.user_of_post[post]],
            "text": corpus.messages[corpus.message_of_post[post]],
            "hashtags": [corpus.hashtags[tag] for tag in corpus.hashtags_of_post(post)],
        }
        for post in range(len(corpus))
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A file of posts and a text encoder."""
    folder = tmp_path_factory.mktemp("door")
    rows = rows_of(synthetic_corpus(600, 30, 0))
    (folder / "posts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    write_word_encoder(folder / "words")
    return folder


@pytest.fixture(scope="module")
def corpus(folder):
    return th.import_posts(folder / "posts.jsonl", out=folder / "corpus")


@pytest.fixture(scope="module")
def run(folder, corpus):
    return th.train(
        "engagement",
        corpus,
        out=folder / "run",
        **{"text_encoder": str(folder / "words"), **SMALL},
    )


@pytest.mark.usefixtures("two_signatures")
def test_the_ten_lines(folder, corpus, run):
    assert "600 posts" in repr(corpus)
    table = run.evaluate()
    assert "MAP" in str(table)
    assert (folder / "run" / "metrics.json").is_file()
    found = run.recommend(user="user0003", k=5)
    assert [row["rank"] for row in found] == [1, 2, 3, 4, 5]
    assert "<table" in found._repr_html_()
    for row in found:  # what is recommended can be explained
        explained = run.explain(user="user0003", hashtag=row["hashtag"])
        assert row["hashtag"] in explained.title
    assert "so far." in explained._repr_html_()
    said = []
    version = run.export(folder / "models" / "engagement", check=False, step=said.append)
    assert version.name == "1"
    assert {"loading", "building", "writing"} <= {line.split()[0] for line in said}
    assert th.load(folder / "run").recommend(user="user0003", k=5).rows == found.rows


@pytest.mark.parametrize("config", ["popular", "post_popularity"])
def test_what_reads_no_vector_is_trained_without_an_encoder(folder, tmp_path, config):
    corpus = th.import_posts(folder / "posts.jsonl", out=tmp_path / "corpus")
    run = th.train(config, corpus, tmp_path / "run", text_encoder="hf://nobody/none")
    assert run.data.texts is None
    assert {path.name for path in (tmp_path / "corpus").iterdir()} == {
        path.name for path in (tmp_path / "run" / "data").iterdir()
    }
    assert run.evaluate().rows
    settings = load_settings("bert_sim")
    with pytest.raises(DataError, match="reads the vectors of `texts`"):
        recommender_class(settings.model)(settings).fit(run.data)


def test_many_at_once_equal_one_by_one(run):
    alone = run.recommend(user="user0004", k=3)
    many = run.recommend(users=["user0003", "user0004"], k=3)
    assert [row["query"] for row in many] == ["user0003"] * 3 + ["user0004"] * 3
    assert [row["hashtag"] for row in many[3:]] == [row["hashtag"] for row in alone]
    assert np.allclose([row["score"] for row in many[3:]], [row["score"] for row in alone])
    asked = run.recommend(queries=[{"history": ["tea #time"]}, {"user": "user0004"}], k=3)
    assert [row["hashtag"] for row in asked[3:]] == [row["hashtag"] for row in alone]


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_a_file_of_queries(run, tmp_path, ending):
    source = tmp_path / f"q.{ending}"
    queries = [{"user": "user0003"}, {"user": "user0004"}]
    if ending == "jsonl":
        source.write_text("".join(json.dumps(query) + "\n" for query in queries))
    elif ending == "csv":
        source.write_text("user\nuser0003\nuser0004\n")
    else:
        import pyarrow as pa

        pq.write_table(pa.Table.from_pylist(queries), source)
    from tfhashtag.runs.recommendation import recommend_file

    out = tmp_path / f"out.{ending}"
    assert recommend_file(run, source, out, k=2) == 2
    if ending == "jsonl":
        rows = [json.loads(line) for line in out.read_text().splitlines()]
    elif ending == "csv":
        rows = list(csv.DictReader(out.open()))
    else:
        rows = pq.read_table(out).to_pylist()
    expected = run.recommend(users=["user0003", "user0004"], k=2)
    assert [row["hashtag"] for row in rows] == [row["hashtag"] for row in expected]
    assert [row["query"] for row in rows] == ["user0003", "user0003", "user0004", "user0004"]


def test_a_bad_row_names_its_line_and_leaves_no_file(run, tmp_path):
    from tfhashtag.runs.recommendation import recommend_file

    source = tmp_path / "q.jsonl"
    source.write_text('{"user": "user0003"}\n{"usr": "user0004"}\n')
    with pytest.raises(DataError, match=r"q\.jsonl:2: `usr` .*Did you mean `user`"):
        recommend_file(run, source, tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()
    with pytest.raises(ConfigError, match="ends in"):
        recommend_file(run, source, tmp_path / "out.txt")
    table = tmp_path / "q.csv"
    for content, told in (
        ("user\nuser0003\nzoë\n".encode("latin-1"), r"q\.csv: .*not UTF-8"),
        (b"user,user\na,b\n", "two columns are called `user`"),
        (b'user\n"' + b"x" * (2**27 + 1) + b'"\n', "not CSV: field larger"),
        (b"user,new_only\nuser0003,perhaps\n", r"q\.csv:2: `new_only` must be true or false"),
        (b"user,new_only\nuser0003\n", r"q\.csv:2: expected 2 fields"),
    ):
        table.write_bytes(content)
        with pytest.raises(DataError, match=told):
            recommend_file(run, table, tmp_path / "out.jsonl")


def test_cells_of_csv_are_read_as_they_are_meant(run, tmp_path):
    from tfhashtag.runs.recommendation import recommend_file

    long = "tea " * 40_000
    used = "tea #cooking #garlic"
    rows = [["[photo] tea", ""], ['["tea", "time"]', ""], [long, ""]]
    rows += [[used, "true"], [used, "False"], [used, ""]]
    with (tmp_path / "q.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["history", "new_only"], *rows])
    assert recommend_file(run, tmp_path / "q.csv", tmp_path / "out.jsonl", k=999) == len(rows)
    found = {}
    for line in (tmp_path / "out.jsonl").read_text().splitlines():
        row = json.loads(line)
        found.setdefault(row["query"], []).append(row["hashtag"])
    histories = [["[photo] tea"], ["tea", "time"], [long], [used], [used], [used]]
    for number, (history, (_, flag)) in enumerate(zip(histories, rows, strict=True), 1):
        asked = run.recommend(history=history, k=999, new_only=flag == "true")
        assert [row["hashtag"] for row in asked] == found[str(number)]
    assert "cooking" in found["5"] == found["6"] and "cooking" not in found["4"]


def test_tables_are_imported(folder, tmp_path):
    import pyarrow as pa

    rows = rows_of(synthetic_corpus(60, 6, 0))
    table = pa.Table.from_pylist(rows)
    first = th.import_posts(table, tmp_path / "arrow")
    assert len(first) == 60
    pandas = pytest.importorskip("pandas", reason="pandas is an extra")
    second = th.import_posts(pandas.DataFrame(rows), tmp_path / "pandas")
    assert second.digest == first.digest
    bare = {name: value for name, value in rows[-1].items() if name != "id"}
    listed = [{**bare, "timestamp": None}, {**bare, "likes": 7}]  # more than the first row has
    third = th.import_posts(listed, tmp_path / "listed")
    assert third.outcomes["likes"].tolist() == [-1, 7]
    indexed = pandas.DataFrame(rows).set_index("id")
    assert th.import_posts(indexed, tmp_path / "indexed").digest == first.digest
    assert th.import_posts(table.to_reader(), tmp_path / "stream").digest == first.digest
    monthly = pandas.DataFrame(rows[:1]).assign(timestamp=pandas.PeriodIndex(["2023-11"], freq="M"))
    with pytest.raises(DataError, match=r"`timestamp` is of type .*period"):
        th.import_posts(monthly, tmp_path / "bad")
    with pytest.raises(DataError, match=r"or a table of pandas, Arrow .*; found generator"):
        th.import_posts((row for row in rows), tmp_path / "bad")
    with pytest.raises(DataError, match="no column `user`"):
        th.import_posts(table.drop(["user"]), tmp_path / "bad")
    with pytest.raises(DataError, match="row 1: "):
        th.import_posts(pa.Table.from_pylist([{**rows[0], "user": ""}]), tmp_path / "bad")
    with pytest.raises(DataError, match=r"cannot be read: .*column user.* values of one type"):
        th.import_posts(pandas.DataFrame({"user": [("a",), "b"]}), tmp_path / "bad")
    with pytest.raises(TypeError, match=r"no option 'skip'; expected one of .* skip_bad"):
        th.import_posts(table, tmp_path / "bad", skip=True)
    with pytest.raises(DataError, match=r"^the table is empty"):
        th.import_posts(pandas.DataFrame(rows).iloc[:0], tmp_path / "bad")
    with pytest.raises(DataError, match=r"Duplicate column .* a name of its own\.$"):
        th.import_posts(pandas.DataFrame([["a", "b"]], columns=["user", "user"]), tmp_path / "bad")
    half = pandas.DataFrame({"user": ["ann"], "text": ["a\ud83d"]}, dtype=object)
    with pytest.raises(DataError, match=r"half a surrogate pair, '\\ud83d'"):
        th.import_posts(half, tmp_path / "bad")


def test_a_row_that_is_skipped_is_told_as_one_of_the_table(tmp_path):
    rows = [{"user": "ann", "text": "a", "hashtags": ["t"]}, {"user": None, "text": "b"}]
    lines: list[str] = []
    th.import_posts(rows, tmp_path / "made", tell=lines.append, skip_bad=True)
    assert any(", first row 2: field `user` is missing" in line for line in lines)
    assert not any("table.parquet" in line for line in lines)


def test_what_cannot_be_is_told_before_anything_is_encoded(folder, run, tmp_path):
    data = th.import_posts(folder / "posts.jsonl", tmp_path / "data", tell=lambda line: None)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    for wish, error, told in (
        ({"out": tmp_path / "full"}, ArtifactError, "exists already"),
        ({"out": tmp_path / "a", "track": "nowhere"}, TfHashtagError, "nowhere"),
    ):
        with pytest.raises(error, match=told):
            th.train("engagement", data, **wish)
    with pytest.raises(DataError, match="exists already"):
        th.prepare("engagement", data, tmp_path / "full")
    with pytest.raises(ConfigError, match="nothing to prepare"):
        th.prepare("phr", data, tmp_path / "lists")
    assert not list(data.folder.rglob("vectors.npy"))


def test_what_does_not_go_together_is_told(run):
    for wish in ({"user": "ann"}, {"history": ["tea"]}, {"queries": [{"user": "bob"}]}):
        with pytest.raises(ConfigError, match=r"asks several questions.* does not go with"):
            run.recommend(users=["bob"], **wish)
    with pytest.raises(DataError, match="either a user or a history"):
        run.recommend()
    with pytest.raises(DataError, match=r"nearest: .*user0003"):
        run.recommend(user="user3003")
    with pytest.raises(ConfigError, match="give `user`"):
        run.explain(post="1")
