"""The whole comparison of posts, with a system that fails, on a page."""

import csv
import dataclasses
import html.parser
import json
import re
import shutil

import numpy as np
import pytest

from tfhashtag.cli.main import main
from tfhashtag.comparison import compare
from tfhashtag.comparison.outcome import read_outcome
from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.store import read_corpus, write_corpus
from tfhashtag.encoders import encoded_corpus as encoded_corpus_module
from tfhashtag.errors import ArtifactError, ComparisonError, ConfigError, DataError

EVIL = '<script>alert("x")</script>'  # as the corpus of these tests has it
SYSTEMS = ["phr", "tagnet", "own-hashtags", "nearest by image"]
NO_PAIR = "TAGNet:network.sides=[visual]"  # its co-attention has nothing to pair


@pytest.fixture(scope="module")
def overrides(overrides):
    """One pair of sides in place of six: each is traced."""
    return (*overrides, "PHR:network.sides=[visual, own]")


@pytest.fixture(scope="module")
def compared(encoded_posts, overrides, tmp_path_factory):
    """A comparison with two seeds, a system that fails, and what was said."""
    out, said = tmp_path_factory.mktemp("compared") / "out", []
    found = compare(
        "phr", encoded_posts, out, systems=SYSTEMS, seeds=2,
        overrides=(*overrides, NO_PAIR), say=said.append, apart=False,
    )  # fmt: skip
    return out, found, said


def test_a_failing_system_is_told_and_takes_nobody_with_it(compared):
    out, found, said = compared
    with pytest.raises(ComparisonError, match=r"TAGNet \(seed 0\), TAGNet \(seed 1\)") as told:
        found.check()
    assert "leave no pair" in str(told.value)
    assert any("TAGNet, seed 0: failed:" in line and "leave no pair" in line for line in said)
    systems = json.loads((out / "comparison.json").read_text())["systems"]
    assert [failure["seed"] for failure in systems["TAGNet"]["failed"]] == [0, 1]
    assert systems["PHR"]["seeds"] == systems["Own hashtags"]["seeds"] == [0, 1]
    assert "leave no pair" in (out / "runs/tagnet/seed-0/failed.txt").read_text()
    assert "leave no pair" in (out / "report.html").read_text()


def test_a_run_from_elsewhere_has_the_figures_of_its_lists(
    compared, encoded_posts, overrides, tmp_path
):
    """Own hashtags' files under another name; and without the lines of a post."""
    out = tmp_path / "out"
    shutil.copytree(compared[0], out)
    theirs = tmp_path / "theirs"
    for seed in (0, 1):
        (theirs / f"seed-{seed}").mkdir(parents=True)
        path = out / "runs" / "own-hashtags" / f"seed-{seed}" / "run.trec"
        shutil.copy(path, theirs / f"seed-{seed}")
    cut, lines = tmp_path / "cut.trec", path.read_text().splitlines()
    post = lines[0].split()[0]
    cut.write_text("\n".join(line for line in lines if line.split()[0] != post))
    found = compare(
        "phr", encoded_posts, out, systems=["own-hashtags"], seeds=2, overrides=overrides,
        apart=False, runs=[f"Rival={theirs}", f"Cut={cut}"], against="own hashtags",
    )  # fmt: skip
    assert found.ranked["Rival"].by_seed == found.ranked["Own hashtags"].by_seed
    assert found.ranked["Rival"].against["F1@9"].p_value == 1
    assert found.beside["Rival"] == found.beside["Own hashtags"]
    assert {system for system, *_ in found.failed} == {"Cut"}
    assert f"{cut}: lacks 1 of " in found.failed[0][2] and post in found.failed[0][2]


def test_every_result_has_its_files(compared):
    out = compared[0]
    for name in ("phr", "own-hashtags", "nearest-by-image"):
        for seed in (0, 1):
            folder = out / "runs" / name / f"seed-{seed}"
            metrics = json.loads((folder / "metrics.json").read_text())
            result = json.loads((folder / "result.json").read_text())
            outcome = read_outcome(folder, result["identity"])
            assert metrics["split"] == "test" and metrics["seed"] == seed
            assert len(outcome.queries) == metrics["posts"]
            for metric, value in metrics["metrics"].items():
                np.testing.assert_allclose(outcome.values[metric].mean(), value, atol=1e-12)
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
        self.addresses += [value for name, value in attributes if name in ("src", "srcset", "href")]

    def handle_data(self, data):
        self.text.append(data)


def test_report_is_one_file_and_escapes_everything(compared):
    text = (compared[0] / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    assert "script" not in page.tags
    assert EVIL in "".join(page.text)  # as text, that is
    assert all(re.match(r"data:image/(jpeg|svg\+xml);base64,|#", url) for url in page.addresses)
    assert "@import" not in text and "url(" not in text
    assert page.tags.count("svg") == 2  # two directions of a pair
    assert page.tags.count("img") >= 4 + 6  # Figure 5 and pictures of posts
    assert "✓" in text
    assert text.count('class="heat"') >= 2


def test_what_is_done_is_not_done_again(compared, encoded_posts, overrides, capsys):
    out = compared[0]
    settings = [part for value in overrides for part in ("--set", value)]
    main(
        ["compare", "phr", "--data", str(encoded_posts), "--out", str(out), "--seeds", "2",
         "--systems", "own hashtags", *settings]
    )  # fmt: skip
    shown = capsys.readouterr()
    assert shown.err.count("there already") == 2
    assert "Table 2" in shown.out and "Own hashtags" in shown.out
    page = (out / "report.html").read_text()
    assert "PHR is not among the systems" in page and "<h2>Figure 10" not in page
    assert "against" in (out / "comparison.json").read_text()


def test_results_of_another_version_are_not_taken(compared, encoded_posts, overrides, monkeypatch):
    monkeypatch.setattr(encoded_corpus_module, "__version__", "9.9.9")
    with pytest.raises(ArtifactError, match=r"`tfhashtag` .*, now it is '9.9.9'"):
        compare(
            "phr", encoded_posts, compared[0], systems=["own hashtags"], seeds=2,
            overrides=overrides,
        )  # fmt: skip


def test_other_settings_are_refused_before_anything_is_trained(compared, encoded_posts, overrides):
    with pytest.raises(ArtifactError, match=r"`settings.network.features` 8, now it is 10"):
        compare(
            "phr", encoded_posts, compared[0], systems=["tagnet", "phr"], seeds=2,
            overrides=(*overrides, "network.features=10"),
        )  # fmt: skip


def test_complete_trainings_share_their_data(compared):
    runs = compared[0] / "runs" / "phr"
    first, second = (runs / f"seed-{seed}" / "training" for seed in (0, 1))
    assert not (first / "checkpoints").exists()
    assert (first / "data/posts.parquet").samefile(second / "data/posts.parquet")


def test_a_corpus_without_what_is_needed_is_refused(encoded_posts, overrides, tmp_path):
    corpus = read_corpus(encoded_posts)
    bare = dataclasses.replace(corpus, images=None, proposals=None)
    write_corpus(bare, tmp_path / "bare")
    with pytest.raises(ArtifactError, match="tfhashtag encode"):
        compare("phr", tmp_path / "bare", tmp_path / "o", overrides=overrides)
    split = np.where(corpus.split_of_post == Split.TEST, Split.VALID, corpus.split_of_post)
    write_corpus(
        dataclasses.replace(bare, split_of_post=split.astype(np.int8)), tmp_path / "corpus"
    )
    with pytest.raises(DataError, match=r"no post of the test split .* = 2; there is nothing"):
        compare("phr", tmp_path / "corpus", tmp_path / "o", overrides=overrides)
    assert not (tmp_path / "o").exists()


def test_wrong_arguments(encoded_posts, overrides, tmp_path):
    with pytest.raises(ConfigError, match="Did you mean `PHR-MN`"):
        compare("phr", encoded_posts, tmp_path / "o", systems=["phrmm"], overrides=overrides)
    with pytest.raises(ConfigError, match="one of engagement, phr"):
        compare("posts", encoded_posts, tmp_path / "o")
    with pytest.raises(ConfigError, match="at least 1"):
        compare("phr", encoded_posts, tmp_path / "o", seeds=0, overrides=overrides)
    (tmp_path / "file").touch()
    with pytest.raises(ArtifactError, match="is a file"):
        compare("phr", encoded_posts, tmp_path / "file", overrides=overrides)
    assert not (tmp_path / "o").exists()
