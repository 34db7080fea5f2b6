"""Trials: the best wins, what was stopped goes on, and nobody looks at the test split."""

import json
import re

import jsonschema
import pytest

import tfhashtag as th
from tfhashtag.cli.main import main
from tfhashtag.cli.output import schema_of
from tfhashtag.cli.tune import command
from tfhashtag.corpus.store import read_corpus
from tfhashtag.encoders import encoded_corpus as encoded_corpus_module
from tfhashtag.errors import ArtifactError, ConfigError, TuningError
from tfhashtag.files import exclusive_lock
from tfhashtag.recommenders.configuration import load_settings
from tfhashtag.training.monitor import TrainingMonitor
from tfhashtag.tuning import tune
from tfhashtag.tuning.storage import JOURNAL

HEIGHT = "model: stub\ntune:\n  network.height: {low: 0.0, high: 1.0}\n"


def figures(found):
    """Number, state, figures and settings of every trial."""
    trials = json.loads((found.folder / "tuning.json").read_text())["trials"]
    return [
        (one["trial"], one["state"], one["figures"], one["epochs"], one["settings"])
        for one in trials
    ]


@pytest.fixture
def run(stub, encoded_corpus, tmp_path):
    """Tunes the stub in this process."""

    def tuned(config, out="out", **options):
        return tune(config, encoded_corpus[0], tmp_path / out, apart=False, **options)

    return tuned


def test_the_best_is_what_train_takes_and_the_page_stands_alone(run, config_of):
    found = run(config_of(HEIGHT), trials=12)
    assert [trial["trial"] for trial in found].count(0) == 1 and len(found) == 12
    assert found.as_configured.params == {"network.height": 0.5}  # the first
    values = [trial.values[0] for trial in found.complete]
    assert values == sorted(values, reverse=True) and values[0] > 0.5
    assert found.best.params["network.height"] == values[0]
    assert load_settings(found.config).network.height == values[0]
    assert list(found.importances) == ["network.height"]
    page = (found.folder / "report.html").read_text()
    assert f"{values[0]:.4f}" in page and "against the configuration as it stands" in page
    assert not re.search(r"<script|https?://(?!www\.w3\.org)|src=\"(?!data:)", page)
    assert found.to_arrow().num_rows == 12 and "valid_MAP" in found.columns


def test_what_is_worse_ends_early(run, config_of, stub):
    found = run(config_of(HEIGHT), trials=25)
    states = [row["state"] for row in found]
    assert states.count("pruned") >= 3 and states.count("complete") >= 5
    worst = min(found.complete[:5], key=lambda trial: trial.values[0])
    for number, state, own, epochs, settings in figures(found):
        if state == "pruned":
            assert not own and len(epochs) < 3
            assert settings["network.height"] < worst.values[0], number
    assert len(stub.fits) == 25


@pytest.mark.parametrize("stopped", [0, 3])
def test_stopped_it_goes_on_to_the_same(run, config_of, monkeypatch, stopped, stub):
    config = config_of(HEIGHT)
    whole = run(config, "whole", trials=6)
    report, seen = TrainingMonitor.report, []

    def killed(self, phase, epoch, step, values):
        seen.append(step)
        if len(seen) == 3 * stopped + 2:  # within a trial
            raise KeyboardInterrupt
        report(self, phase, epoch, step, values)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(TrainingMonitor, "report", killed)
        run(config, trials=6)
    lines: list[str] = []
    found = run(config, trials=6, say=lines.append)
    assert lines[0] == f"trial {stopped} was stopped and goes on"
    assert figures(found) == figures(whole)
    assert (found.folder / "best.yaml").read_text() == whole.config.read_text()
    before = len(stub.fits)
    assert figures(run(config, trials=6)) == figures(whole)  # all there already
    assert len(stub.fits) == before
    assert len(run(config, trials=8)) == 8 and len(stub.fits) == before + 2


def test_half_a_line_at_the_end_of_the_journal_is_a_kill(run, config_of):
    found = run(config_of(HEIGHT), trials=2)
    with (found.folder / JOURNAL).open("ab") as file:
        file.write(b'{"op_code": 5, "wor')
    assert len(run(config_of(HEIGHT), trials=4)) == 4


def test_failures_are_told_and_others_go_on(run, config_of):
    tried = "model: stub\ntune:\n  network.kind: {choices: [good, broken, silent]}\n"
    found = run(config_of(tried), trials=9)
    states = {row["kind"]: row["state"] for row in found}
    assert states == {"good": "complete", "broken": "failed", "silent": "failed"}
    page = (found.folder / "report.html").read_text()
    assert "nothing to learn from." in page and "reports no `valid_MAP`" in page
    broken = "model: stub\nnetwork: {kind: broken}\n" + HEIGHT.partition("\n")[2]
    with pytest.raises(TuningError, match=r"every trial failed. First: nothing to learn from"):
        run(config_of(broken, "broken.yaml"), "broken", trials=2)
    assert not (found.folder.parent / "broken" / "report.html").exists()


@pytest.mark.parametrize("against", ["size", "latency"])
def test_pareto(run, config_of, against):
    tried = HEIGHT + "  network.width: {choices: [1, 20, 400]}\n"
    found = run(config_of(tried), trials=12, against=against)
    assert {row["state"] for row in found} == {"complete"}  # what is worse may be smaller
    best = found.complete[0]
    points = [tuple(trial.values) for trial in found.complete]
    front = [
        point for point in points
        if not any(q != point and q[0] >= point[0] and q[1] <= point[1] for q in points)
    ]  # fmt: skip
    assert sorted(tuple(trial.values) for trial in found.front) == sorted(set(front))
    if against == "size":
        sizes = {trial.params["network.width"]: trial.values[1] for trial in found.complete}
        assert sizes.items() <= {"1": 0.001, "20": 0.02, "400": 0.4}.items()
    assert best.number == found.front[0].number
    names = sorted(path.name for path in (found.folder / "front").iterdir())
    assert names == sorted(f"{trial.number:04d}.yaml" for trial in found.front)
    assert "Pareto" in (found.folder / "report.html").read_text()


def test_refused_before_anything_runs(run, config_of, encoded_corpus, tmp_path, stub, monkeypatch):
    config = config_of(HEIGHT)
    for options, message in (
        ({"trials": 0}, "`trials` must be at least 1"),
        ({"timeout": 0}, "`timeout` must be above 0"),
        ({"against": "weight"}, "`against` must be one of latency, size"),
        ({"against": "latency", "workers": 2}, "measured while nothing else computes"),
        ({"workers": 2}, "processes of their own"),
    ):
        with pytest.raises(ConfigError, match=message):
            run(config, **options)
    (tmp_path / "file").touch()
    with pytest.raises(ArtifactError, match="is a file"):
        run(config, "file")
    assert not stub.fits and not (tmp_path / "out").exists()
    run(config, trials=1)
    with exclusive_lock(tmp_path / "out", ""), pytest.raises(ArtifactError, match="another tuning"):
        run(config)
    with pytest.raises(ArtifactError, match=r"`settings.epochs` 3, now it is 2"):
        run(config, overrides=["epochs=2"])
    with monkeypatch.context() as patched:
        patched.setattr(encoded_corpus_module, "__version__", "9.9.9")
        with pytest.raises(ArtifactError, match=r"`tfhashtag` .*, now it is '9.9.9'"):
            run(config)
    (tmp_path / "out" / JOURNAL).write_text("no journal\n")
    with pytest.raises(ArtifactError, match="not a readable journal"):
        run(config)
    with pytest.raises(TuningError, match="no trial came to its end in the time given"):
        run(config, "late", timeout=1e-9)


SMALL = {
    "cf": "model: collaborative\ntune: {training.factors: {low: 2, high: 8}}\n",
    "audience": (
        "model: audience\ndata: {taste_width: 6, hashtag_names: messages}\n"
        "network: {members: 1, hidden: [8]}\n"
        "training: {epochs: 1, futures: [[0.65, 1.0]], refit: false}\n"
        "tune: {training.learning_rate: {low: 1e-3, high: 1e-1, log: true}}\n"
    ),
}


# `cf` is the fast twin of the tuning, `audience/test_recommender` of the training.
@pytest.mark.parametrize("name", ["cf", pytest.param("audience", marks=pytest.mark.slow)])
def test_the_test_split_is_not_looked_at(name, encoded_corpus, spoilt, config_of, tmp_path):
    config = config_of(SMALL[name])
    text = [f"text_encoder={encoded_corpus[1]}"]
    options = {"trials": 1 + (name == "cf"), "apart": False, "overrides": text}
    clean = tune(config, encoded_corpus[0], tmp_path / "clean", **options)
    other = tune(config, spoilt, tmp_path / "other", **options)
    assert read_corpus(spoilt).digest != read_corpus(encoded_corpus[0]).digest
    assert figures(other) == figures(clean)
    assert other.config.read_text() == clean.config.read_text()
    run = th.train(clean.config, encoded_corpus[0], tmp_path / "run")
    lines = [json.loads(line) for line in run.log_file.read_text().splitlines()]
    own = [line["valid_MAP"] for line in lines if "valid_MAP" in line]
    assert own[-1] == clean.best.values[0]  # the file gives what the trial gave


def test_command_with_two_workers(encoded_corpus, config_of, tmp_path, capsys):
    """In processes of their own, on one journal."""
    out = tmp_path / "out"
    main(
        ["tune", str(config_of(SMALL["cf"])), "--data", str(encoded_corpus[0]), "--out", str(out),
         "--trials", "2", "--workers", "2", "--set", f"text_encoder={encoded_corpus[1]}", "--json"]
    )  # fmt: skip
    told = capsys.readouterr()
    assert "[2/2] trial" in told.err
    printed = json.loads(told.out)
    jsonschema.validate(printed, schema_of(command))
    assert printed["config"] == str(out / "best.yaml")
    kept = {path.name for path in (out / "trials" / "0001").iterdir()}
    assert kept == {"settings.yaml", "result.json", "training.jsonl"}
    assert sorted(path.name for path in out.iterdir()) == [
        ".lock", "best.yaml", "report.html", "trials", "trials.journal", "tuning.json",
    ]  # fmt: skip


@pytest.mark.parametrize("given", ["0", "-5", "soon", "5 weeks"])
def test_odd_times_are_wrong_usage(given, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["tune", "cf", "--data", "c", "--out", "o", f"--timeout={given}"])
    assert stop.value.code == 2 and "such as 90s, 30m or 2h" in capsys.readouterr().err
