"""`tfhashtag eval` on a run of a rule, which costs nothing; what is written is the same of all."""

import json

import ir_measures
import numpy as np
import pytest

from tests.fixtures import commands
from tfhashtag.corpus.store import write_corpus
from tfhashtag.runs.run import Run
from tfhashtag.runs.train import train
from tfhashtag.training.options import TrainingOptions


@pytest.fixture(scope="module")
def run(make_corpus, tmp_path_factory):
    """Folder of a run on 12 users who use 8 hashtags."""
    rng = np.random.default_rng(0)
    posts = [
        (f"user{user}", f"post {number} of {user}", [f"tag{t}" for t in rng.integers(0, 8, 2)], s)
        for s, count in ((0, 4), (1, 2), (2, 2))
        for number in range(s * 10, s * 10 + count)
        for user in range(12)
    ]
    folder = tmp_path_factory.mktemp("eval")
    corpus = make_corpus(posts)
    write_corpus(corpus, folder / "corpus")
    np.save(folder / "v.npy", rng.normal(size=(len(corpus.messages), 8)).astype("float32"))
    vectors = f"text_encoder={folder / 'v.npy'}"
    options = TrainingOptions(progress=False)
    run = train("bert_sim", folder / "corpus", folder / "run", overrides=[vectors], options=options)
    return run.folder


def call(capsys, *arguments):
    return commands.call(capsys, "eval", *arguments)


def test_files_and_table(run, capsys):
    code, out, err = call(capsys, run)
    assert code == 0, err
    metrics = json.loads((run / "metrics.json").read_text())
    assert (metrics["split"], metrics["protocol"], metrics["users"]) == ("test", "sampled", 12)
    assert set(metrics["averages"]) == {"all", "answerable"}
    assert "nDCG@5" in out and f"{metrics['averages']['all']['MAP']:.4f}" in out
    qrels = list(ir_measures.read_trec_qrels(str(run / "qrels.trec")))
    ranked = list(ir_measures.read_trec_run(str(run / "run.trec")))
    values = ir_measures.iter_calc([ir_measures.AP], qrels, ranked)
    mean = sum(value.value for value in values) / metrics["users"]
    assert metrics["averages"]["all"]["MAP"] == pytest.approx(mean, abs=1e-9)
    assert mean > 0


def test_options(run, capsys, tmp_path):
    code, _, err = call(
        capsys, run, "--split", "valid", "--protocol", "full", "--out", tmp_path / "a" / "b",
        "--cutoffs", "1,3", "--seed", 7,
    )  # fmt: skip
    assert code == 0, err
    metrics = json.loads((tmp_path / "a" / "b" / "metrics.json").read_text())
    assert (metrics["split"], metrics["protocol"], metrics["seed"]) == ("valid", "full", 7)
    assert {"P@1", "P@3"} < set(metrics["averages"]["all"])
    assert "P@5" not in metrics["averages"]["all"]


def test_own_candidates(run, capsys, tmp_path):
    lines = [
        {"user": "user3", "hashtag": "tag1", "label": 1},
        {"user": "user0", "hashtag": "tag2", "label": 0},
        {"user": "user0", "hashtag": "tag5", "label": 1},
    ]
    path = tmp_path / "lists.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines))
    code, _, err = call(capsys, run, "--candidates", path, "--out", tmp_path)
    assert code == 0, err
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert (metrics["protocol"], metrics["users"]) == ("candidates", 2)
    qrels = (tmp_path / "qrels.trec").read_text().splitlines()
    assert qrels == ["user3 0 tag1 1", "user0 0 tag2 0", "user0 0 tag5 1"]
    assert len((tmp_path / "run.trec").read_text().splitlines()) == 3


def test_failures_are_one_line_and_leave_the_results(run, capsys, tmp_path):
    call(capsys, run, "--out", tmp_path / "out")
    before = (tmp_path / "out" / "metrics.json").read_bytes()
    path = tmp_path / "lists.jsonl"
    path.write_text('{"user": "user33", "hashtag": "tag1", "label": 1}\n')
    code, _, err = call(capsys, run, "--candidates", path, "--out", tmp_path / "out")
    assert code == 1
    assert err.startswith(f"Error: {path}:1: user 'user33' is not in the corpus. Did you mean")
    assert (tmp_path / "out" / "metrics.json").read_bytes() == before
    code, _, err = call(capsys, tmp_path / "absent")
    assert code == 1 and "no such run folder" in err
    code, _, err = call(capsys, run, "--out", path)
    assert code == 1 and "is a file; `--out` takes a folder" in err


def test_a_file_as_folder_is_told_before_the_ranking(run, capsys, tmp_path, monkeypatch):
    monkeypatch.delattr(Run, "recommender")  # whoever ranks would need it
    (tmp_path / "file").touch()
    code, _, err = call(capsys, run, "--out", tmp_path / "file")
    assert code == 1 and "is a file; `--out` takes a folder" in err


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--split", "train"], "'train' is not one of 'valid', 'test'"),
        (["--protocol", "all"], "'all' is not one of 'sampled', 'full'"),
        (["--cutoffs", "5,x"], "found '5,x'"),
        (["--cutoffs", "0"], "found '0'"),
        (["--seed", "-1"], "-1 is not in the range"),
        (["--protocol", "full", "--candidates", "lists.jsonl"], "give one of them"),
    ],
)
def test_wrong_usage(run, capsys, arguments, message):
    code, _, err = call(capsys, run, *arguments)
    assert code == 2 and message in err


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_figures_of_each_user(run, capsys, tmp_path, ending):
    import pandas as pd

    path = tmp_path / f"users.{ending}"
    code, out, err = call(capsys, run, "--out", tmp_path, "--per-query", path, "--json")
    assert code == 0, err
    found = json.loads(out)
    read = {
        "jsonl": lambda: pd.read_json(path, lines=True),
        "csv": lambda: pd.read_csv(path),
        "parquet": lambda: pd.read_parquet(path),
    }
    table = read[ending]()
    assert len(table) == table["user"].nunique() == 12
    assert table["MAP"].mean() == pytest.approx(found["averages"]["all"]["MAP"], abs=1e-9)
    code, _, err = call(capsys, run, "--per-query", tmp_path / "users.xlsx")
    assert code == 1 and "ends in .jsonl, .csv or .parquet" in err
