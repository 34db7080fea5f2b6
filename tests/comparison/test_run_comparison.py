import dataclasses
import json
import pathlib

import numpy as np
import pytest

from tfhashtag.comparison import System
from tfhashtag.comparison.compare import check_any, check_same_corpus
from tfhashtag.comparison.outcome import Outcome, write_values
from tfhashtag.comparison.run_comparison import run_comparison
from tfhashtag.comparison.summary import summarize
from tfhashtag.errors import ArtifactError, ComparisonError, DataError

QUERIES = ["a", "b", "c", "d"]


class Work:
    """Ranks with made values, says what it was called with, fails where it is told to."""

    def __init__(self, values=None, errors=None):
        self.calls, self.values, self.errors = [], values or {}, errors or {}

    def __call__(self, system, seed, place):
        self.calls.append((system.name, seed))
        if system.name in self.errors:
            raise self.errors[system.name]
        value = self.values.get(system.name, 0.5)
        write_values(place, QUERIES, {"MAP": np.array([value, value + 0.1 * seed, 0.0, 1.0])})


def ranked(folder, names, seeds=(0,), work=None, identity=None, **more):
    systems = {System(name, "made"): identity or {} for name in names}
    return run_comparison(systems, seeds, folder, work or Work(), **more)


def test_every_system_with_every_seed_once(tmp_path):
    work = Work()
    first = ranked(tmp_path, ["A", "B b!"], [0, 1], work)
    again = ranked(tmp_path, ["A", "B b!"], [0, 1, 2], work)
    assert work.calls == [("A", 0), ("B b!", 0), ("A", 1), ("B b!", 1), ("A", 2), ("B b!", 2)]
    assert (tmp_path / "b-b" / "seed-2" / "result.json").is_file()
    for one, other in zip(first, again, strict=False):
        assert (one.system, one.seed, one.queries) == (other.system, other.seed, other.queries)
        np.testing.assert_array_equal(one.values["MAP"], other.values["MAP"])


def test_a_failure_is_an_outcome_and_is_tried_again(tmp_path):
    said = []
    broken = Work(errors={"Broken": ValueError("no\ngood")})
    outcomes = ranked(tmp_path, ["Broken", "A"], work=broken, say=said.append)
    assert [outcome.error for outcome in outcomes] == ["ValueError: no good", ""]
    assert "ValueError" in (tmp_path / "broken/seed-0/failed.txt").read_text()
    assert any("failed: ValueError: no good" in line for line in said)
    mended = ranked(tmp_path, ["Broken", "A"])
    assert [outcome.error for outcome in mended] == ["", ""]
    assert not (tmp_path / "broken/seed-0/failed.txt").exists()


def test_an_expected_failure_shows_its_message_alone(tmp_path):
    (outcome,) = ranked(tmp_path, ["A"], work=Work(errors={"A": DataError("no posts")}))
    assert outcome.error == "no posts"


def test_an_interruption_is_passed_on_and_keeps_what_is_done(tmp_path):
    work = Work(errors={"B": KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        ranked(tmp_path, ["A", "B"], work=work)
    work.errors = {}
    ranked(tmp_path, ["A", "B"], work=work)
    assert work.calls == [("A", 0), ("B", 0), ("B", 0)]


def test_other_settings_are_refused_before_anything_is_ranked(tmp_path):
    ranked(tmp_path, ["A"], identity={"net": {"width": 1}})
    work = Work()
    with pytest.raises(ArtifactError, match=r"`net\.width` 1, now it is 2"):
        ranked(tmp_path, ["B", "A"], work=work, identity={"net": {"width": 2}})
    assert not work.calls


@pytest.mark.parametrize("name", ["result.json", "per_query.parquet"])
def test_a_damaged_result_is_told(tmp_path, name):
    ranked(tmp_path, ["A"])
    pathlib.Path(tmp_path / "a" / "seed-0" / name).write_bytes(b"{")
    with pytest.raises(ArtifactError, match="not a readable result"):
        ranked(tmp_path, ["A"])


def test_values_that_do_not_fit_are_a_failure(tmp_path):
    def odd(system, seed, place):
        write_values(place, QUERIES, {"MAP": np.zeros(3)})

    (outcome,) = ranked(tmp_path, ["A"], work=odd)
    assert "3 values of MAP, 4 queries" in outcome.error


def test_summaries_average_over_seeds_first(tmp_path):
    names = ["Full", "Less"]
    outcomes = ranked(tmp_path, names, [0, 1, 2], Work({"Full": 0.9, "Less": 0.2}))
    systems = [System(name, "made") for name in (*names, "Gone")]
    full, less, gone = summarize(systems, outcomes, "Full", ["MAP"], {"Gone": "why"})
    by_seed = [(0.2 + 0.2 + 0.1 * seed + 1.0) / 4 for seed in range(3)]
    assert less.by_seed["MAP"] == pytest.approx(by_seed)
    assert less.means["MAP"] == pytest.approx(np.mean(by_seed))
    assert less.deviations["MAP"] == pytest.approx(np.std(by_seed, ddof=1))
    # Query by query: 0.7 less at two of four.
    assert less.against["MAP"].difference == pytest.approx(-0.35)
    assert less.against["MAP"].users == 4
    assert not full.against and not gone.means and gone.missing == "why"


def test_one_seed_has_no_deviation(tmp_path):
    (summary,) = summarize([System("A", "made")], ranked(tmp_path, ["A"]), "none", ["MAP"])
    assert summary.deviations == {} and summary.against == {}


def test_other_queries_are_refused():
    outcomes = [Outcome(name, 0, [name], {"MAP": np.zeros(1)}) for name in ("A", "B")]
    with pytest.raises(DataError, match="B, seed 0, was ranked on other queries than A"):
        summarize([System("A", "a"), System("B", "b")], outcomes, "A", [])


def test_results_are_plain_json(tmp_path):
    for _ in range(2):
        ranked(tmp_path, ["A"], identity={"k": (1, 2)})
    found = json.loads((tmp_path / "a/seed-0/result.json").read_text())
    assert found["metrics"] == {"MAP": 0.5} and found["identity"] == {"k": [1, 2]}


def test_where_all_failed_there_is_no_report(tmp_path):
    (tmp_path / "report.html").write_text("of before")
    failed = [Outcome("a", 0, seconds=1.0, error="no good"), Outcome("b", 0, seconds=1.0)]
    check_any(tmp_path, failed)
    with pytest.raises(ComparisonError, match=r"every system failed\. First: no good"):
        check_any(tmp_path, failed[:1])
    assert not (tmp_path / "report.html").exists()


def test_results_over_another_corpus_are_not_mixed(tmp_path, make_corpus):
    ours, other = (
        dataclasses.replace(make_corpus([("ann", "tea", ["time"], 0)]), digest=digest)
        for digest in ("a", "b")
    )
    for _ in range(2):
        check_same_corpus(tmp_path / "qrels", ours)
    with pytest.raises(ArtifactError, match="over another corpus was begun there"):
        check_same_corpus(tmp_path / "qrels", other)
