import json
import pathlib

import numpy as np
import pytest

from tfhashtag.comparison import Outcome, Ranked, System, run_comparison, summarize
from tfhashtag.errors import ArtifactError, DataError

QUERIES = ["a", "b", "c", "d"]


def system(name, value=0.5, calls=None, error=None, **more):
    def rank(seed, folder):
        if calls is not None:
            calls.append((name, seed))
        if error is not None:
            raise error
        values = np.array([value, value + 0.1 * seed, 0.0, 1.0])
        return Ranked(QUERIES, {"MAP": values})

    return System(name, "made", rank, **more)


def test_every_system_with_every_seed_once(tmp_path):
    calls = []
    systems = [system("A", calls=calls), system("B b!", calls=calls)]
    first = run_comparison(systems, [0, 1], tmp_path)
    again = run_comparison(systems, [0, 1, 2], tmp_path)
    assert calls == [("A", 0), ("B b!", 0), ("A", 1), ("B b!", 1), ("A", 2), ("B b!", 2)]
    assert (tmp_path / "b-b" / "seed-2" / "result.json").is_file()
    for one, other in zip(first, again, strict=False):
        assert (one.system, one.seed, one.ranked.queries) == (
            other.system,
            other.seed,
            other.ranked.queries,
        )
        np.testing.assert_array_equal(one.ranked.values["MAP"], other.ranked.values["MAP"])


def test_a_failure_is_an_outcome_and_is_tried_again(tmp_path):
    said = []
    broken = system("Broken", error=ValueError("no\ngood"))
    outcomes = run_comparison([broken, system("A")], [0], tmp_path, said.append)
    assert [outcome.error for outcome in outcomes] == ["ValueError: no good", ""]
    assert "ValueError" in (tmp_path / "broken/seed-0/failed.txt").read_text()
    assert any("failed: ValueError: no good" in line for line in said)
    mended = run_comparison([system("Broken"), system("A")], [0], tmp_path)
    assert [outcome.error for outcome in mended] == ["", ""]
    assert not (tmp_path / "broken/seed-0/failed.txt").exists()


def test_an_expected_failure_shows_its_message_alone(tmp_path):
    (outcome,) = run_comparison([system("A", error=DataError("no posts"))], [0], tmp_path)
    assert outcome.error == "no posts"


def test_an_interruption_is_passed_on_and_keeps_what_is_done(tmp_path):
    calls = []
    stopped = [system("A", calls=calls), system("B", error=KeyboardInterrupt())]
    with pytest.raises(KeyboardInterrupt):
        run_comparison(stopped, [0], tmp_path)
    run_comparison([system("A", calls=calls), system("B", calls=calls)], [0], tmp_path)
    assert calls == [("A", 0), ("B", 0)]


def test_not_applicable_is_skipped(tmp_path):
    calls = []
    assert not run_comparison([system("A", calls=calls, not_applicable="no images")], [0], tmp_path)
    assert not calls and not (tmp_path / "a").exists()


def test_other_settings_are_refused_before_anything_is_ranked(tmp_path):
    run_comparison([system("A", identity={"net": {"width": 1}})], [0], tmp_path)
    calls = []
    with pytest.raises(ArtifactError, match=r"`net\.width` 1, now it is 2"):
        run_comparison(
            [system("B", calls=calls), system("A", identity={"net": {"width": 2}})], [0], tmp_path
        )
    assert not calls


@pytest.mark.parametrize("name", ["result.json", "per_query.parquet"])
def test_a_damaged_result_is_told(tmp_path, name):
    run_comparison([system("A")], [0], tmp_path)
    pathlib.Path(tmp_path / "a" / "seed-0" / name).write_bytes(b"{")
    with pytest.raises(ArtifactError, match="not a readable result"):
        run_comparison([system("A")], [0], tmp_path)


def test_values_that_do_not_fit_are_a_failure(tmp_path):
    odd = System("A", "", lambda seed, folder: Ranked(QUERIES, {"MAP": np.zeros(3)}))
    (outcome,) = run_comparison([odd], [0], tmp_path)
    assert "3 values of MAP for 4 queries" in outcome.error


def test_summaries_average_over_seeds_first(tmp_path):
    systems = [system("Full", 0.9), system("Less", 0.2), system("Gone", not_applicable="why")]
    outcomes = run_comparison(systems, [0, 1, 2], tmp_path)
    full, less, gone = summarize(systems, outcomes, "Full", ["MAP"])
    by_seed = [(0.2 + 0.2 + 0.1 * seed + 1.0) / 4 for seed in range(3)]
    assert less.by_seed["MAP"] == pytest.approx(by_seed)
    assert less.means["MAP"] == pytest.approx(np.mean(by_seed))
    assert less.deviations["MAP"] == pytest.approx(np.std(by_seed, ddof=1))
    # Query by query: 0.7 less at two of four.
    assert less.against["MAP"].difference == pytest.approx(-0.35)
    assert less.against["MAP"].users == 4
    assert not full.against and not gone.means and gone.not_applicable == "why"


def test_one_seed_has_no_deviation(tmp_path):
    outcomes = run_comparison([system("A")], [0], tmp_path)
    (summary,) = summarize([system("A")], outcomes, "none", ["MAP"])
    assert summary.deviations == {} and summary.against == {}


def test_other_queries_are_refused():
    systems = [system("A"), system("B")]
    outcomes = [
        Outcome("A", 0, Ranked(["x"], {"MAP": np.zeros(1)})),
        Outcome("B", 0, Ranked(["y"], {"MAP": np.zeros(1)})),
    ]
    with pytest.raises(DataError, match="B, seed 0, was ranked on other queries than A"):
        summarize(systems, outcomes, "A", [])


def test_results_are_plain_json(tmp_path):
    run_comparison([system("A", identity={"k": (1, 2)})], [0], tmp_path)
    run_comparison([system("A", identity={"k": (1, 2)})], [0], tmp_path)
    found = json.loads((tmp_path / "a/seed-0/result.json").read_text())
    assert found["metrics"] == {"MAP": 0.5} and found["identity"] == {"k": [1, 2]}
