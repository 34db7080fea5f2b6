"""`tfhashtag data`: download, import, synth and stats from the command line."""

import json
import sys

import pytest

from tests.fixtures import commands
from tfhashtag.corpus.store import read_corpus


def call(capsys, *arguments):
    return commands.call(capsys, "data", *arguments)


@pytest.fixture
def posts(tmp_path):
    path = tmp_path / "posts.jsonl"
    rows = [{"user": "u", "text": f"text {i}", "hashtags": ["a"]} for i in range(4)]
    lines = [json.dumps(row) for row in rows]
    path.write_text("\n".join([*lines[:2], "{broken", *lines[2:]]) + "\n")
    return path


def test_import_names_the_bad_line(posts, capsys, tmp_path):
    code, _, err = call(capsys, "import", "jsonl", posts, "--out", tmp_path / "corpus")
    assert code == 1
    assert err.startswith(f"Error: {posts}:3: not readable as JSON")
    assert len(err.splitlines()) <= 2 and "Traceback" not in err
    assert not (tmp_path / "corpus").exists()


def test_import_skips_and_reports(posts, capsys, tmp_path):
    out = tmp_path / "corpus"
    code, text, err = call(
        capsys, "import", "jsonl", posts, "--out", out, "--skip-bad", "--name", "mine"
    )
    assert code == 0 and "4 posts" in text
    assert f"skipped, not JSON: 1, first {posts}:3: " in err
    corpus = read_corpus(out)
    assert (corpus.name, len(corpus)) == ("mine", 4)
    code, _, err = call(capsys, "import", "jsonl", posts, "--out", out, "--skip-bad")
    assert code == 1 and "exists already" in err
    assert read_corpus(out).digest == corpus.digest


def test_import_of_what_is_not_there(capsys, tmp_path):
    for source_format in ("howyoutag", "jsonl", "csv", "parquet"):
        code, _, err = call(
            capsys, "import", source_format, tmp_path / "nowhere", "--out", tmp_path / "corpus"
        )
        assert code == 1 and "nowhere" in err, source_format
    (path := tmp_path / "posts.jsonl").write_text("user;text;hashtags\nann;good;tea\n")
    for arguments, code, said in (
        ([path], 2, f"FORMAT is missing before {path}: tfhashtag data import auto {path} "),
        ([path, "csv"], 2, f"FORMAT stands before PATH: tfhashtag data import csv {path} "),
        (["csv"], 2, "PATH is missing, a file or a folder of posts"),
        (["jsonl", path], 1, f"{path}: looks like CSV with the columns user, text, hashtags, not"),
        (["auto", path], 1, "`data import csv`, or `--format csv` of `data check` and `update`."),
        (["csv", path], 0, ""),
    ):
        ended, _, err = call(capsys, "import", *arguments, "--out", tmp_path / "corpus")
        assert ended == code and said in " ".join(err.split()), err
    (tmp_path / "posts.json").write_text('{"user": "ann", "text": "x", "hashtags": ["tea"]}')
    for wrong in ("csv", "parquet", "spreadsheet"):
        code, _, err = call(capsys, "check", tmp_path / "posts.json", "--format", wrong)
        assert code == 1 and "looks like JSON, not " in err, err
    code, _, err = call(capsys, "import", "xml", tmp_path, "--out", tmp_path / "other")
    assert code == 1 and "howyoutag, macon, jsonl, json, csv, spreadsheet, parquet" in err


def test_synth_and_stats(capsys, tmp_path):
    pytest.importorskip("matplotlib", reason="the extra `plots` is not installed")
    out = tmp_path / "corpus"
    arguments = ["synth", "--posts", 150, "--users", 10, "--seed", 5, "--out"]
    code, text, err = call(capsys, *arguments, out)
    assert code == 0 and "150 posts, 10 users" in text, err
    assert call(capsys, *arguments, tmp_path / "again")[0] == 0
    assert read_corpus(out).digest == read_corpus(tmp_path / "again").digest
    plots = ["--plot", tmp_path / "figure.png", "--overview", tmp_path / "overview.svg"]
    code, text, err = call(capsys, "stats", out, *plots)
    assert code == 0, err
    assert "Number of Tweets" in text and "150" in text and "15.0" in text
    assert "models of users: " in text and "models of posts: " in text
    assert "scripts of texts: Latin 100%" in text and "times: 20" in text
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "overview.svg").read_text()
    code, _, err = call(capsys, "stats", out, "--plot", tmp_path / "figure.txt")
    assert code == 1 and ".png or .svg" in err
    code, _, err = call(capsys, "stats", tmp_path)
    assert code == 1 and "not a corpus folder" in err


def test_plot_without_matplotlib(capsys, tmp_path, monkeypatch):
    call(capsys, "synth", "--posts", 20, "--users", 2, "--out", tmp_path / "corpus")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    code, _, err = call(capsys, "stats", tmp_path / "corpus", "--plot", tmp_path / "f.png")
    assert code == 1 and "pip install 'tfhashtag[plots]'" in err
    assert not (tmp_path / "f.png").exists()


def test_download_then_import_then_stats(howyoutag, capsys, tmp_path):
    url = howyoutag.absolute().as_uri()
    code, text, err = call(capsys, "download", "howyoutag", "--url", url, "--out", tmp_path / "raw")
    assert code == 0 and "train.csv, valid.csv, test.csv" in text, err
    code, text, err = call(
        capsys, "import", "howyoutag", tmp_path / "raw", "--out", tmp_path / "corpus"
    )
    assert code == 0 and "33,881 posts" in text and "empty hashtag fields: 254" in text, err
    code, text, err = call(capsys, "stats", tmp_path / "corpus")
    assert code == 0, err
    for value in ("33,881", "2,571", "22,319"):
        assert value in text


def test_download_of_an_unknown_dataset(capsys, tmp_path):
    code, _, err = call(capsys, "download", "howyoutags", "--out", tmp_path)
    assert code == 1 and "'howyoutags' is not known" in err


@pytest.mark.parametrize(
    "tags, option, names",
    [
        (["green tea", "rum"], "--join-words", {"greentea", "rum"}),
        (
            ["tea, milk", "green tea"],
            "--hashtag-separator , --join-words",
            {"tea", "milk", "greentea"},
        ),
        (["tea / milk"], "--hashtag-separator /", {"tea", "milk"}),
        (["food & drink", "tea"], "--join-words", {"food&drink", "tea"}),
    ],
)
def test_names_of_several_words_in_lists(capsys, tmp_path, tags, option, names):
    """No post is lost for them by the import that a check proposes."""
    rows = [json.dumps({"user": "ann", "text": "x", "hashtags": [tag]}) for tag in tags]
    (tmp_path / "p.jsonl").write_text("\n".join(rows))
    code, text, err = call(capsys, "check", tmp_path / "p.jsonl")
    assert code == 0 and text.splitlines()[-1].endswith(f"--out corpus {option}"), text + err
    assert f"import without {option.split()[0]} stops: {tmp_path}/p.jsonl:1: hashtag" in text
    code, _, err = call(
        capsys, "import", "jsonl", tmp_path / "p.jsonl", "--out", tmp_path / "c", *option.split()
    )
    assert code == 0 and set(read_corpus(tmp_path / "c").hashtags) == names, err


def test_synth_posts(capsys, tmp_path):
    arguments = ["synth", "--task", "posts", "--posts", 60, "--users", 5, "--themes", 2, "--noise"]
    code, text, err = call(capsys, *arguments, 0, "--similar", 2.5, "--out", tmp_path / "corpus")
    assert code == 0 and "60 posts, 5 users" in text and "noise 0.0%" in text, err
    truth = json.loads((tmp_path / "corpus" / "truth.json").read_text())
    assert truth["parameters"]["similar"] == 2.5 and truth["taggings"]["noise"] == 0
    assert any((tmp_path / "corpus" / "images").iterdir())
    code, _, err = call(capsys, *arguments, 4, "--out", tmp_path / "no")
    assert code == 2 and "--noise" in err
    code, _, err = call(capsys, "synth", "--without-text", 0.5, "--out", tmp_path / "no")
    assert code == 2 and "--without-text is for --task posts" in err
    assert not (tmp_path / "no").exists()


def test_check_writes_nothing_and_names_the_import(posts, capsys, tmp_path):
    rows = tmp_path / "rows.csv"
    rows.write_text("username;tweet;tags\nann;good #Tea;tea|milk\nbob;x;['a'\n")
    before = sorted(tmp_path.iterdir())
    code, text, err = call(capsys, "check", rows)
    assert code == 0, err
    assert sorted(tmp_path.iterdir()) == before
    assert text.startswith("format: csv\ncolumns: between `;`\ncolumn `username` is read as `user`")
    assert "hashtags: names stand between `|`" in text and "bad, no list: 1" in text
    assert f"oddity 1: {rows}:3: `hashtags` is" in text and "piece of a list" in text
    command = text.splitlines()[-1]
    columns = "user=username,text=tweet,hashtags=tags"
    assert command.endswith(f"csv {rows} --out corpus --columns {columns} --skip-bad")
    arguments = [str(tmp_path / "corpus") if word == "corpus" else word for word in command.split()]
    code, text, err = call(capsys, *arguments[2:])
    assert code == 0 and "1 posts" in text and "column `tweet` is read as `text`" in text, err
    assert read_corpus(tmp_path / "corpus").messages == ["good"]
    code, text, err = call(capsys, "check", posts)
    assert code == 0 and "bad, not JSON: 1" in text
    code, _, err = call(capsys, "check", tmp_path / "nowhere.csv")
    assert code == 1 and "nowhere.csv" in err
    rows.write_text('{"user": "u", "text": "t", "hashtags": ["[\'a", "b\']"]}\n')
    code, _, err = call(capsys, "check", rows, "--format", "jsonl")
    assert code == 1 and "look like pieces of lists" in err


def test_options_of_import(capsys, tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("name\ttext\thashtags\nann\tgood\ta/b\nann\tgood\ta/b\n")
    options = ["--delimiter", "tab", "--columns", "user=name", "--hashtag-separator", "/"]
    options += ["--drop-duplicates"]
    code, text, err = call(capsys, "import", "auto", path, "--out", tmp_path / "c", *options)
    assert code == 0 and "1 posts" in text and "left out: 1" in text, err
    assert read_corpus(tmp_path / "c").hashtags == ["a", "b"]
    code, _, err = call(capsys, "check", path, "--columns", "user")
    assert code == 2 and "expected OURS=THEIRS" in err
    code, _, err = call(capsys, "check", path, "--delimiter", "tabs")
    assert code == 2 and "expected one sign" in err
