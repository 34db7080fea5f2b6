"""The whole comparison of users, its figures worked out again from its files."""

import base64
import csv
import gzip
import json
import pathlib
import re
import shutil
import subprocess
import sys
import time
import urllib.parse

import ir_measures
import numpy as np
import pytest
import scipy.stats

from tfhashtag.cli.main import main
from tfhashtag.comparison import compare
from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.store import read_corpus
from tfhashtag.errors import ArtifactError, ConfigError, DataError

ROOT = pathlib.Path(__file__).parent.parent.parent
SYSTEMS = ["full", "lstm_att", "bert_sim", "popular"]
MEASURES = {
    "MAP": ir_measures.AP,
    "P@5": ir_measures.P @ 5,
    "nDCG@5": ir_measures.nDCG @ 5,
}


@pytest.fixture(scope="module")
def compared(user_data, tmp_path_factory):
    """Folder of a comparison with two seeds and a system that fails."""
    data, overrides = user_data
    out = tmp_path_factory.mktemp("engagement") / "out"
    broken = out / "runs" / "popular" / "seed-0" / "training"
    broken.mkdir(parents=True)
    (broken / "config.yaml").write_text("model: no such\n")
    found = compare(
        "engagement", data, out, systems=SYSTEMS, seeds=2, overrides=overrides, apart=False
    )
    return out, found


def read(path):
    """Lines of a TREC file, packed or not, split at white space."""
    packed = path.with_name(f"{path.name}.gz")
    with gzip.open(packed, "rt") if packed.is_file() else path.open() as file:
        return [line.split() for line in file]


def measured(folder):
    """Metric to user to value by ir-measures, of the files of one run."""
    run = [ir_measures.ScoredDoc(u, h, float(s)) for u, _, h, _, s, _ in read(folder / "run.trec")]
    qrels = [ir_measures.Qrel(u, h, int(r)) for u, _, h, r in read(folder / "qrels.trec")]
    found = {name: {} for name in MEASURES}
    for name, measure in MEASURES.items():
        for row in ir_measures.iter_calc([measure], qrels, run):
            found[name][row.query_id] = row.value
    return found, {row.query_id for row in qrels if row.relevance > 0}


def values_of(out, system, protocol, metric, average):
    """Values `[seeds, users]` by ir-measures; a user without a list counts 0."""
    corpus = read_corpus(next((out / "runs").glob("*/seed-0/training/data/corpus.json")).parent)
    names = [urllib.parse.quote(corpus.users[u], safe='<>()/"=&') for u in corpus.evaluation_users]
    rows = []
    for seed in (0, 1):
        found, answerable = measured(out / "runs" / system / f"seed-{seed}" / protocol)
        users = names if average == "all" else [name for name in names if name in answerable]
        assert answerable <= set(names)
        rows.append([found[metric].get(user, 0.0) for user in users])
    return np.array(rows)


def test_a_run_from_elsewhere_stands_beside_the_others(compared, user_data, tmp_path):
    """BERT-SIM's own files under another name: all figures must be its own."""
    (data, overrides), ours = user_data, tmp_path / "out"
    shutil.copytree(compared[0], ours)
    theirs = tmp_path / "elsewhere"
    for seed in (0, 1):
        files = ours / "runs" / "bert-sim" / f"seed-{seed}"
        shutil.copytree(files / "sampled", theirs / f"seed-{seed}" / "sampled")
        (theirs / f"seed-{seed}" / "memory.json").write_text(f'{{"peak_mib": {100 + seed * 10}}}')
        (theirs / f"seed-{seed}" / "timing.json").write_text('{"fit": 7}')
    packed = theirs / "seed-1" / "sampled" / "run.trec"
    packed.with_name("run.trec.gz").write_bytes(gzip.compress(packed.read_bytes()))
    packed.unlink()
    cut = tmp_path / "cut.trec"
    lines = (theirs / "seed-0/sampled/run.trec").read_text().splitlines()
    cut.write_text("\n".join(lines[1:]))

    def again(*runs, **more):
        return compare(
            "engagement", data, ours, systems=SYSTEMS[1:3], seeds=2, overrides=overrides,
            apart=False, runs=runs, **more
        )  # fmt: skip

    found = again(f"Rival={theirs}", f"Cut={cut}", against="rival")
    rows = {
        (row["table"], row["system"], row["metric"]): row
        for row in csv.DictReader((ours / "tables.csv").open(newline=""))
    }
    for metric in MEASURES:
        rival = rows["table2-sampled-all", "Rival", metric]
        bert = rows["table2-sampled-all", "BERT-SIM", metric]
        other = rows["table2-sampled-all", "LSTM-ATT", metric]
        assert (rival["mean"], rival["deviation"]) == (bert["mean"], bert["deviation"])
        assert rival["p_value"] == "" and float(bert["p_value"]) == 1
        assert float(other["difference"]) == pytest.approx(
            float(other["mean"]) - float(rival["mean"]), abs=1e-5
        )
    assert rows["table2-full-all", "Rival", ""]["note"].endswith("its run has no lists of full")
    assert found.beside["Rival"] == found.beside["BERT-SIM"]
    assert found.times["Rival"]["fit"] == 7 and found.memory == {"Rival": 105}
    assert "Rival, Cut: ranked elsewhere" in (ours / "report.html").read_text()
    user, _, hashtag, *_ = lines[0].split()
    pairs = f"first {urllib.parse.unquote(user)!r} and {urllib.parse.unquote(hashtag)!r}"
    assert {system for system, *_ in found.failed} == {"Cut"}
    assert f"{cut}: lacks 1 of {len(lines):,} pairs, {pairs}" in found.failed[0][2]
    shutil.rmtree(theirs / "seed-1")
    with pytest.raises(DataError, match="no run of seed 1; expected seed-1/sampled/"):
        again(f"Other={theirs}")
    with pytest.raises(ConfigError, match="BERT-SIM is a system already"):
        again(f"bert sim={theirs}")


@pytest.mark.parametrize("protocol", ["sampled", "full"])
@pytest.mark.parametrize("average", ["all", "answerable"])
def test_tables_are_what_the_trec_files_say(compared, protocol, average):
    out, _ = compared
    rows = list(csv.DictReader((out / "tables.csv").open(newline="")))
    picked = {
        (row["system"], row["metric"]): row
        for row in rows
        if row["table"] == f"table2-{protocol}-{average}"
    }
    for metric in MEASURES:
        base = values_of(out, "full-model", protocol, metric, average)
        for name, config in (("BERT-SIM", "bert-sim"), ("LSTM-ATT", "lstm-att")):
            values = values_of(out, config, protocol, metric, average)
            row = picked[name, metric]
            assert float(row["mean"]) == pytest.approx(values.mean(), abs=1e-6)
            deviation = np.std(values.mean(axis=1), ddof=1)
            assert float(row["deviation"]) == pytest.approx(deviation, rel=1e-4, abs=1e-8)
            test = scipy.stats.ttest_rel(values.mean(axis=0), base.mean(axis=0))
            if np.isfinite(test.pvalue):
                assert float(row["p_value"]) == pytest.approx(test.pvalue, rel=1e-4)
            assert float(row["low"]) <= float(row["difference"]) <= float(row["high"])
            if (protocol, average) != ("sampled", "all"):
                assert row["published"] == ""
    if (protocol, average) == ("sampled", "all"):
        assert picked["BERT-SIM", "MAP"]["published"] == "0.2264"


def test_a_failing_system_is_told_and_takes_nobody_with_it(compared):
    out, found = compared
    assert {(name, seed) for name, seed, _ in found.failed} == {("POPULAR", 0)}
    systems = json.loads((out / "comparison.json").read_text())["systems"]
    assert systems["POPULAR"]["seeds"] == [1] and systems["FULL MODEL"]["seeds"] == [0, 1]
    assert "run.json" in (out / "runs/popular/seed-0/failed.txt").read_text()
    assert "1 of 2 seeds failed" in (out / "report.html").read_text()


def test_all_rank_the_same_lists(compared):
    out, _ = compared
    for protocol in ("sampled", "full"):
        lists = [
            sorted((user, hashtag) for user, _, hashtag, *_ in read(path / protocol / "run.trec"))
            for path in sorted((out / "runs").glob("*/seed-*"))
            if (path / "result.json").is_file()
        ]
        assert len(lists) == 7 and all(one == lists[0] for one in lists)


def test_figure_4_and_5_by_plain_loops(compared, user_data):
    out, _ = compared
    corpus = read_corpus(user_data[0])
    figures = json.loads((out / "comparison.json").read_text())["figures"]
    posts = np.bincount(corpus.user_of_post[corpus.split_of_post == Split.TRAIN])
    name_of = {
        urllib.parse.quote(name, safe='<>()/"=&'): at for at, name in enumerate(corpus.users)
    }
    hashtag_of = {name: at for at, name in enumerate(corpus.hashtags)}
    for system, config in (("FULL MODEL", "full-model"), ("LSTM-ATT", "lstm-att")):
        values = values_of(out, config, "sampled", "P@5", "all").mean(axis=0)
        for row in figures["history"][system]:
            low, _, high = row["label"].replace("+", "-999").partition("-")
            inside = [
                value
                for user, value in zip(corpus.evaluation_users, values, strict=True)
                if int(low) <= posts[user] <= int(high)
            ]
            assert row["count"] == len(inside)
            if inside:
                assert row["value"] == pytest.approx(np.mean(inside))
                assert row["low"] <= row["value"] <= row["high"]
        places, right = {}, {}
        for seed in (0, 1):
            folder = out / "runs" / config / f"seed-{seed}" / "sampled"
            labels = {
                (user, tag): int(label) for user, _, tag, label in read(folder / "qrels.trec")
            }
            for user, _, tag, rank, *_ in read(folder / "run.trec"):
                if int(rank) <= 5:
                    count = seen(corpus, name_of[user], hashtag_of[tag])
                    start = next(at for at in (26, 21, 16, 11, 6, 0) if count >= at)
                    places[start] = places.get(start, 0) + 1
                    right[start] = right.get(start, 0) + labels[user, tag]
        for row in figures["contexts"][system]:
            start = int(re.match(r"\d+", row["label"])[0])
            assert (row["count"], row["right"]) == (places.get(start, 0), right.get(start, 0))
        assert sum(places.values()) == sum(row["count"] for row in figures["contexts"][system])


def seen(corpus, user, hashtag):
    """How many messages of a hashtag a user may see at test, in the plainest words of the rule."""
    texts, count = set(), 0
    mine = {
        corpus.message_of_post[post]
        for post in range(len(corpus))
        if corpus.user_of_post[post] == user and corpus.split_of_post[post] == Split.TEST
    }
    tagged = [post for post in range(len(corpus)) if hashtag in corpus.hashtags_of_post(post)]
    own = {corpus.message_of_post[p] for p in tagged if corpus.user_of_post[p] == user
           and corpus.split_of_post[p] == Split.TRAIN}  # fmt: skip
    for post in tagged:
        message, split = corpus.message_of_post[post], corpus.split_of_post[post]
        if split == Split.TRAIN:
            count += corpus.user_of_post[post] != user and message not in own
        elif split == Split.TEST and message not in texts:
            texts.add(message)
            count += message not in mine
    return count


def test_figure_7_by_plain_loops(compared, user_data):
    out, _ = compared
    corpus = read_corpus(user_data[0])
    vectors = np.load(user_data[1][0].partition("=")[2])
    figures = json.loads((out / "comparison.json").read_text())["figures"]["similarity"]
    users = {urllib.parse.quote(name, safe='<>()/"=&'): at for at, name in enumerate(corpus.users)}
    for system, config, looks_at in (
        ("FULL MODEL", "full-model", "contexts"),
        ("LSTM-ATT", "lstm-att", "history"),
    ):
        cosines = []
        for seed in (0, 1):
            folder = out / "runs" / config / f"seed-{seed}"
            labels = {(u, h): int(r) for u, _, h, r in read(folder / "sampled" / "qrels.trec")}
            right = {
                (users[user], tag)
                for user, _, tag, rank, *_ in read(folder / "sampled" / "run.trec")
                if int(rank) <= 5 and labels[user, tag]
            }
            attended = np.load(folder / "attended.npz")
            for user, tag, post, message in zip(
                attended["user"], attended["hashtag"], attended["post"], attended["message"],
                strict=True,
            ):  # fmt: skip
                assert corpus.split_of_post[post] == Split.TEST
                assert corpus.user_of_post[post] == user and tag in corpus.hashtags_of_post(post)
                pool = [
                    corpus.message_of_post[p]
                    for p in range(len(corpus))
                    if (corpus.user_of_post[p] == user and corpus.split_of_post[p] == Split.TRAIN)
                    == (looks_at == "history")
                    and (looks_at == "history" or tag in corpus.hashtags_of_post(p))
                ]
                assert message in pool
                if (int(user), corpus.hashtags[tag]) in right:
                    one, other = vectors[corpus.message_of_post[post]], vectors[message]
                    cosines.append(one @ other / np.linalg.norm(one) / np.linalg.norm(other))
        found = figures[system]
        assert cosines and found["looks_at"] == looks_at
        assert found["predicted"] == len(cosines) / 2
        assert found["mean"] == pytest.approx(np.mean(cosines), abs=1e-5)
        assert sum(found["posts"]) == pytest.approx(found["predicted"])


def test_the_page_is_one_file_that_loads_nothing(compared):
    out, _ = compared
    page = (out / "report.html").read_text()
    assert "<script" not in page and "<img/src=x>" not in page
    assert "&lt;script&gt;" in page
    sources = re.findall(r'(?:src|srcset|href)="([^"]*)"', page)
    assert all(source.startswith(("data:image/svg+xml;base64,", "#")) for source in sources)
    assert sum(source.startswith("data:") for source in sources) == 6  # light and dark
    for alt in re.findall(r'<img [^>]*alt="([^"]*)"', page):
        assert len(alt) > 30
    for number in (4, 5, 6, 7):
        assert f'id="figure{number}"' in page
    assert b"<svg" in base64.b64decode(sources[-1].partition(",")[2]) or sources[-1] == "#method"


def test_figures_are_files(compared):
    out, _ = compared
    for name in ("figure4", "figure5", "figure6-1", "figure7"):
        assert (out / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert b"<svg" in (out / f"{name}.svg").read_bytes()[:1000]
    case = json.loads((out / "comparison.json").read_text())["figures"]["cases"][0]
    weights = next(one for one in case["panels"] if one["key"] == "attention")["weights"][1]
    assert sum(weights) == pytest.approx(1, abs=1e-4) and case["about"]["tags_ahead"]


def arguments(data, out, overrides):
    settings = [part for value in overrides for part in ("--set", value)]
    return ["compare", "engagement", "--data", str(data), "--out", str(out),
            "--systems", "mlp", "--seeds", "1", *settings]  # fmt: skip


def killed_in_a_training(data, out, overrides):
    """Starts the command and kills it, without mercy, after the first epoch."""
    log = out / "runs/mlp/seed-0/training/training.jsonl"
    code = "from tfhashtag.cli.main import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments(data, out, overrides)],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while process.poll() is None and not (log.is_file() and log.read_text().count("\n")):
        time.sleep(0.01)
    assert process.poll() is None, "ended before it could be killed"
    process.kill()
    process.wait()


def ended(log):
    """Waits until nobody writes the log any more: the trainer ends when its parent is gone."""
    worker = str(log.parent.parent / "job.json")
    for _ in range(1000):
        found = subprocess.run(["pgrep", "-f", worker], capture_output=True, check=False).stdout
        if not found.strip():
            return
        time.sleep(0.02)
    raise AssertionError("the trainer outlived the comparison")


# Fast twins: of posts `test_what_is_done_is_not_done_again`, of a comparison that is gone
# `test_own_process`, of a training that was killed `runs/test_train`.
@pytest.mark.slow
def test_killed_and_given_again_it_finds_the_same(user_data, tmp_path, capfd):
    data, overrides = user_data
    more = (*overrides, "training.epochs.joint=6", "training.patience=0")
    killed_in_a_training(data, tmp_path / "killed", more)
    log = tmp_path / "killed/runs/mlp/seed-0/training/training.jsonl"
    ended(log)
    before = log.read_text()
    assert not (log.parent.parent / "result.json").exists()
    capfd.readouterr()
    main(arguments(data, tmp_path / "killed", more))
    shown = capfd.readouterr()
    assert "[1/1] MLP, seed 0: done" in shown.err
    words = " ".join(shown.out.split())
    assert "Table 2, full, users with a hashtag to find" in words and "MLP" in words
    assert log.read_text().startswith(before)
    compare(
        "engagement",
        data,
        tmp_path / "whole",
        systems=["mlp"],
        seeds=1,
        overrides=more,
        apart=False,
    ).check()
    for name in ("comparison.json", "tables.csv", "figure5.svg"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    main(arguments(data, tmp_path / "killed", more))
    assert "there already" in capfd.readouterr().err


def test_who_reads_no_texts_needs_none_encoded(user_data, tmp_path):
    data, _ = user_data
    given = "engagement", data, tmp_path / "out"
    found = compare(*given, systems=["POPULAR"], seeds=1, apart=False)
    found.check()
    assert (tmp_path / "out" / "report.html").is_file()
    with pytest.raises(ArtifactError, match="no finished vectors of text encoder `minilm`"):
        compare(*given[:2], tmp_path / "other", systems=["POPULAR", "BERT-SIM"], apart=False)
    assert not (tmp_path / "other").exists()


def test_other_settings_are_refused(compared, user_data):
    data, overrides = user_data
    with pytest.raises(ArtifactError, match="head_hidden"):
        compare(
            *("engagement", data, compared[0]),
            systems=["full"],
            overrides=[*overrides, "network.head_hidden=9"],
        )


def test_what_the_command_prints_as_json_is_valid_and_what_places_are_told_is_whole(compared):
    import jsonschema

    from tfhashtag.cli.compare import as_json, engagement_command
    from tfhashtag.cli.output import schema_of

    out, found = compared
    told = json.loads(json.dumps(as_json(found)))
    jsonschema.validate(told, schema_of(engagement_command))
    assert told["failed"] and told["report"] == str(out / "report.html")
    parts = found.for_trackers()["parts"]
    assert len(parts) == len(found.outcomes) - len(found.failed)
    assert all(part["metrics"] and "seed" in part["parameters"] for part in parts)
