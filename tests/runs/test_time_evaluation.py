"""The protocol `time` and what rises, of runs that need no training."""

import dataclasses
import json
import math
import shutil

import numpy as np
import pytest
import tensorflow as tf

import tfhashtag as th
from tfhashtag.cli.main import main
from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.store import write_corpus
from tfhashtag.corpus.synthetic import synthetic_corpus
from tfhashtag.errors import ArtifactError, ConfigError, DataError
from tfhashtag.runs.drift import at_the_moment


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("time")
    main(["data", "synth", "--trends", "--posts", "6000", "--users", "80",
          "--out", str(folder / "trends")])  # fmt: skip
    th.train("popular", folder / "trends", folder / "rising")
    write_corpus(synthetic_corpus(900, 40, 0), folder / "corpus")
    for name in ("popular_contexts", "post_popularity"):
        th.train(name, folder / "corpus", folder / name)
    return folder


def test_windows_are_evaluations_that_know_what_was_before(folder, tmp_path, capsys):
    run = th.load(folder / "popular_contexts")
    main(["eval", str(run.folder), "--protocol", "time", "--windows", "3", "--out", str(tmp_path)])
    said = capsys.readouterr().out
    assert "the weights learned from" in said and "gain" in said
    result = json.loads((tmp_path / "over_time.json").read_text())
    corpus, first = run.corpus, result["windows"][0]
    assert first["until"] == result["windows"][1]["from"] and len(result["windows"]) == 3
    assert sum(window["posts"] for window in result["windows"]) == 90
    # The first window by hand.
    times = corpus.timestamps
    begin = np.datetime64(first["from"][:19]).astype("datetime64[s]").astype(int)
    until = np.datetime64(first["until"][:19]).astype("datetime64[s]").astype(int)
    earlier = np.flatnonzero(times <= until)
    from tfhashtag.corpus.editing import select_posts

    known = select_posts(corpus, earlier[times[earlier] < until])
    moment = at_the_moment(known, known.timestamps >= begin)
    queries = run.task.queries(moment, run.settings.data, Split.TEST)
    assert first["posts"] == (known.timestamps >= begin).sum()
    assert 0 < first["figures"]["queries"] <= len(queries)


def test_no_query_is_an_error_and_names_stay_forgotten(folder, tmp_path):
    run = th.load(folder / "post_popularity")
    splits = np.full(len(run.corpus), Split.TRAIN, np.int8)
    vars(run)["corpus"] = dataclasses.replace(run.corpus, split_of_post=splits)
    for asked in (run.evaluate, lambda: run.evaluate(split="valid")):
        with pytest.raises(DataError, match=r"anything to be ranked for.*protocol `time`"):
            asked()
    shutil.copytree(folder / "post_popularity", tmp_path / "run")
    run, corpus = th.load(tmp_path / "run"), th.load(tmp_path / "run").corpus
    assert run.recommender is not None
    th.forget(run.folder, user=corpus.users[0])
    with pytest.raises(ArtifactError, match="changed by an update or a forgetting"):
        run.evaluate()
    assert not (run.folder / "run.trec").exists()
    with pytest.raises(ConfigError, match=r"another corpus than .*Leave `--data` out"):
        th.train("post_popularity", folder / "corpus", run.folder, resume=True)


@pytest.mark.parametrize("name", ["popular_contexts", "post_popularity"])
def test_users_and_posts_are_evaluated_over_time(folder, tmp_path, name):
    shutil.copytree(folder / name, tmp_path / "run")  # its book of what was told changes
    found = th.load(tmp_path / "run").evaluate(
        protocol="time", windows=2, out=tmp_path, track=f"tensorboard:{tmp_path / 'told'}"
    )
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    windows = [window["figures"] for window in found.result["windows"]]
    weights = [figures["queries"] for figures in windows]
    mean = np.average([figures["value"] for figures in windows], weights=weights)
    assert len(windows) == 2 and min(weights) > 0
    assert found.result["value"] == pytest.approx(mean) and 0 < mean < 1
    assert len(found.beyond) == len(found.slices) == 0
    told = EventAccumulator(str(next((tmp_path / "told").rglob("*tfevents*")).parent)).Reload()
    (value,) = told.Tensors("after/time/value")
    assert float(tf.make_ndarray(value.tensor_proto)) == pytest.approx(mean, rel=1e-6)
    if name == "post_popularity":  # the same ranking twice
        assert found.result["gain"] == 0 and found.result["metric"] == "HitRate@5"
    assert len(found) == 3 and found[2]["from"] == "all"


def test_what_is_asked_wrongly_is_told(folder, post_run, tmp_path):
    run = th.load(folder / "popular_contexts")
    for wish, told in (
        ({"windows": 0}, "`windows` must be at least 1"),
        ({"windows": 10**6}, "`windows` is 1,000,000, and 90 posts lie after the moment"),
        ({"start": "soon"}, "expected a date such as"),
        ({"start": "1999-01-01"}, "expected a moment between 2023"),
        ({"candidates": "x.jsonl"}, "`candidates` does not go with"),
        ({"per_query": tmp_path / "x.csv"}, "`per_query` does not go with"),
        ({"cutoffs": [3]}, "`cutoffs` does not go with"),
    ):
        with pytest.raises(ConfigError, match=told):
            run.evaluate(protocol="time", out=tmp_path, **wish)
    for wish in ({"windows": 2}, {"start": "2026-01-01"}):
        with pytest.raises(ConfigError, match="`windows` and `start` are of `protocol` time"):
            run.evaluate(out=tmp_path, **wish)
    with pytest.raises(DataError, match="none of the 1 posts after the moment"):
        last = np.datetime64(int(run.corpus.timestamps[-1]), "s").item().isoformat()
        run.evaluate(protocol="time", out=tmp_path, start=last, windows=1)
    with pytest.raises(ConfigError, match="are of the labels of its training"):
        post_run("macon").evaluate(protocol="time", out=tmp_path)


def test_what_rises_was_planted(folder, capsys):
    truth = json.loads((folder / "trends" / "truth.json").read_text())["hashtags"]
    run = th.load(folder / "rising")
    rows = run.trending(days=14, k=5)
    assert [truth[row["hashtag"]] for row in rows].count("rising") >= 4
    assert all(1 < row["low"] < row["ratio"] < row["high"] and row["users"] >= 3 for row in rows)
    capsys.readouterr()
    main(["trending", str(run.folder), "--days", "14", "--k", "1"])
    assert rows[0]["hashtag"] in capsys.readouterr().out
    main(["trending", str(run.folder), "--days", "14", "--least", "5000"])
    assert "nothing rises more than chance" in capsys.readouterr().out
    for days in (0, math.nan, math.inf, 1e300):
        with pytest.raises(ConfigError, match=r"`days` is .*; expected a number above 0"):
            run.trending(days=days)
    with pytest.raises(
        DataError, match=r"no hashtag before to compare; choose another span .`days`, .*--days"
    ):
        run.trending(days=10**5)
    with pytest.raises(ConfigError, match="ranks hashtags for posts; leave `user` out"):
        th.load(folder / "post_popularity").trending("user0001")
