"""The whole comparison: stopped, gone on with, with a system that fails, on a page."""

import csv
import html.parser
import json
import os
import re
import signal
import threading
import time

import numpy as np
import pytest

from tfhashtag.cli.main import main
from tfhashtag.comparison.compare_posts import compare_posts
from tfhashtag.comparison.outcome import read_outcome
from tfhashtag.errors import ArtifactError, ConfigError
from tfhashtag.training.options import TrainingOptions

QUIET = TrainingOptions(progress=False)
EVIL = '<script>alert("x")</script>'  # as the corpus of these tests has it
SYSTEMS = "phr,tagnet,own-hashtags,nearest by image"
NO_PAIR = "TAGNet:network.sides=[visual]"  # its co-attention has nothing to pair


def arguments(data, out, overrides, *more):
    settings = [part for value in overrides for part in ("--set", value)]
    return ["compare", "phr", "--data", str(data), "--out", str(out), "--systems", SYSTEMS,
            "--seeds", "2", "--quiet", *settings, *more]  # fmt: skip


def interrupt_after_an_epoch(log, done):
    while not done.is_set():
        if log.is_file() and log.read_text().count("\n"):
            os.kill(os.getpid(), signal.SIGINT)
            return
        time.sleep(0.002)


@pytest.fixture(scope="module")
def compared(encoded_posts, overrides, tmp_path_factory):
    """Folder of a comparison that was stopped inside a training and given again; its output."""
    import contextlib
    import io

    out = tmp_path_factory.mktemp("compared") / "out"
    log = out / "runs" / "phr" / "seed-0" / "training" / "training.jsonl"
    done = threading.Event()
    watcher = threading.Thread(target=interrupt_after_an_epoch, args=(log, done))
    watcher.start()
    with pytest.raises(SystemExit) as stopped:
        main(arguments(encoded_posts, out, (*overrides, NO_PAIR)))
    done.set()
    watcher.join()
    assert stopped.value.code == 130
    before = log.read_text()
    assert not (out / "runs" / "phr" / "seed-0" / "result.json").exists()
    shown, said = io.StringIO(), io.StringIO()
    with (
        pytest.raises(SystemExit) as failed,
        contextlib.redirect_stdout(shown),
        contextlib.redirect_stderr(said),
    ):
        main(arguments(encoded_posts, out, (*overrides, NO_PAIR)))
    return out, before, failed.value.code, shown.getvalue(), said.getvalue()


def test_goes_on_inside_a_training(compared):
    out, before, *_ = compared
    log = (out / "runs/phr/seed-0/training/training.jsonl").read_text()
    assert log.startswith(before)
    epochs = [json.loads(line)["epoch"] for line in log.splitlines() if "loss" in line]
    assert epochs == [0, 1, 2]


def test_a_failing_system_is_told_and_takes_nobody_with_it(compared):
    out, _, code, shown, said = compared
    assert code == 1
    assert "TAGNet (seed 0), TAGNet (seed 1)" in said and "leave no pair" in said
    assert len(said.strip().splitlines()) <= 2
    assert "TAGNet: failed:" in shown and "Table 2" in shown
    found = json.loads((out / "comparison.json").read_text())["systems"]
    assert [failure["seed"] for failure in found["TAGNet"]["failed"]] == [0, 1]
    assert found["PHR"]["seeds"] == found["Own hashtags"]["seeds"] == [0, 1]
    assert "leave no pair" in (out / "runs/tagnet/seed-0/failed.txt").read_text()
    assert "leave no pair" in (out / "report.html").read_text()


def test_every_result_has_its_files(compared):
    out = compared[0]
    for name in ("phr", "own-hashtags", "nearest-by-image"):
        for seed in (0, 1):
            folder = out / "runs" / name / f"seed-{seed}"
            metrics = json.loads((folder / "metrics.json").read_text())
            result = json.loads((folder / "result.json").read_text())
            outcome = read_outcome(folder, result["identity"])
            assert metrics["split"] == "test" and metrics["seed"] == seed
            assert len(outcome.ranked.queries) == metrics["posts"]
            for metric, value in metrics["metrics"].items():
                np.testing.assert_allclose(outcome.ranked.values[metric].mean(), value, atol=1e-12)
            queries = {line.split()[0] for line in (folder / "run.trec").open()}
            assert queries == {line.split()[0] for line in (folder / "qrels.trec").open()}
            assert len(queries) == metrics["posts"]


def test_tables_hold_means_and_tests(compared):
    out = compared[0]
    rows = list(csv.DictReader((out / "tables.csv").open(newline="")))
    picked = {(row["system"], row["metric"]): row for row in rows if row["table"] == "table2"}
    seeds = [
        json.loads((out / f"runs/phr/seed-{seed}/metrics.json").read_text())["metrics"]["F1@9"]
        for seed in (0, 1)
    ]
    phr = picked["PHR", "F1@9"]
    assert float(phr["mean"]) == pytest.approx(np.mean(seeds), rel=1e-5)
    assert float(phr["deviation"]) == pytest.approx(np.std(seeds, ddof=1), rel=1e-4, abs=1e-9)
    own = picked["Own hashtags", "F1@9"]
    assert own["reference"] == "PHR"
    assert float(own["difference"]) == pytest.approx(
        float(own["mean"]) - float(phr["mean"]), abs=1e-5
    )
    assert float(own["low"]) <= float(own["difference"]) <= float(own["high"])
    assert picked["TAGNet", ""]["note"].startswith("failed: ")
    assert "| PHR |" in (out / "tables.md").read_text()
    assert r"\toprule" in (out / "tables.tex").read_text()
    assert (out / "figure5.png").read_bytes()[:4] == b"\x89PNG"
    assert b"<svg" in (out / "figure5.svg").read_bytes()


class Page(html.parser.HTMLParser):
    """Elements and addresses of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.addresses, self.text = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.addresses += [value for name, value in attributes if name in ("src", "href")]

    def handle_data(self, data):
        self.text.append(data)


def test_report_is_one_file_and_escapes_everything(compared):
    text = (compared[0] / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert "script" not in page.tags
    assert EVIL in "".join(page.text)  # as text, that is
    assert all(re.match(r"data:image/(jpeg|svg\+xml);base64,|#", url) for url in page.addresses)
    assert "@import" not in text and "url(" not in text
    assert page.tags.count("svg") == 12  # two directions of six pairs
    assert page.tags.count("img") >= 4 + 6  # Figure 5 and pictures of posts
    assert "✓" in text
    assert text.count('class="heat"') >= 2


def test_what_is_done_is_not_done_again(compared, encoded_posts, overrides):
    out = compared[0]
    said = []
    found = compare_posts(
        encoded_posts, out, systems=["own hashtags"], seeds=2, overrides=overrides,
        options=QUIET, say=said.append,
    )  # fmt: skip
    found.check()
    assert sum(line.endswith("there already") for line in said) == 2
    page = (out / "report.html").read_text()
    assert "PHR is not among the systems" in page and "<h2>Figure 10" not in page
    assert not found.summaries[0].against


def test_other_settings_are_refused_before_anything_is_trained(compared, encoded_posts, overrides):
    with pytest.raises(ArtifactError, match=r"`settings.network.features` 8, now it is 10"):
        compare_posts(
            encoded_posts, compared[0], systems=["tagnet", "phr"], seeds=2, options=QUIET,
            overrides=(*overrides, "network.features=10"),
        )  # fmt: skip


def test_complete_trainings_share_their_data(compared):
    runs = compared[0] / "runs" / "phr"
    first, second = (runs / f"seed-{seed}" / "training" for seed in (0, 1))
    assert not (first / "checkpoints").exists()
    assert (first / "data/posts.parquet").samefile(second / "data/posts.parquet")


def test_wrong_arguments(encoded_posts, overrides, tmp_path):
    with pytest.raises(ConfigError, match="Did you mean `PHR-MN`"):
        compare_posts(encoded_posts, tmp_path / "o", systems=["phrmm"], overrides=overrides)
    with pytest.raises(ConfigError, match=r"network\.no_such"):
        compare_posts(encoded_posts, tmp_path / "o", overrides=(*overrides, "network.no_such=1"))
    with pytest.raises(ConfigError, match="the same for all systems"):
        compare_posts(
            encoded_posts, tmp_path / "o", overrides=(*overrides, "MaCon:text_encoder=minilm")
        )
    with pytest.raises(ConfigError, match="at least 1"):
        compare_posts(encoded_posts, tmp_path / "o", seeds=0, overrides=overrides)
    (tmp_path / "file").touch()
    with pytest.raises(ArtifactError, match="is a file"):
        compare_posts(encoded_posts, tmp_path / "file", overrides=overrides)
    assert not (tmp_path / "o").exists()
