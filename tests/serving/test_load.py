"""The load benchmark for a short time: every kind of request, fault and change, its verdict."""

import pathlib
import shutil
import sys

import numpy as np
import pytest

from tfhashtag.export.warmup import WarmUpRequest, write_warmup

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))
from benchmarks import serving_fuzz, serving_load
from benchmarks.serving_process import is_same


@pytest.fixture(scope="module")
def versions(models, tmp_path_factory):
    """Two versions with different answers, and the requests that they bring."""
    folder = tmp_path_factory.mktemp("load")
    requests = [
        WarmUpRequest("serving_default", {"x": np.array([[1, 2], [3, 4]], np.float32)}),
        WarmUpRequest("serving_default", {"x": np.zeros([1, 2], np.float32)}),
        WarmUpRequest(
            "words",
            {"text": np.array([b"red", b"nobody"], object), "user": np.array([b"a", b""], object)},
        ),
        WarmUpRequest("spin", {"steps": np.int32(3)}),
    ]
    for name, version in (("1", "1"), ("2", "00000002")):
        shutil.copytree(models / "toy" / version, folder / name)
        write_warmup(folder / name, "toy", requests)
    return [folder / "1", folder / "2"]


def test_everything_holds_under_a_short_load(versions):
    load = serving_load.put_under_load(versions, 3, rate=40, fuzz=100, least=60, grace=5)
    assert load.faults() == [], "".join(load.server.log)
    kinds = {"gRPC", "REST", "to be refused", "cancelled", "faulty clients"}
    kinds |= {"fuzz, gRPC", "fuzz, REST"}
    assert all(load.outcomes[kind].as_expected > 0 for kind in kinds)
    fuzz = load.outcomes["fuzz, gRPC"].sent + load.outcomes["fuzz, REST"].sent
    assert fuzz == 100
    stopped = load.outcomes["running at SIGTERM"].sent
    assert stopped + load.outcomes["refused while stopping"].sent == 32
    assert load.server.process.returncode == 0


def test_bad_requests_in_bounded_memory_harm_nobody(versions):
    fuzz, status = serving_fuzz.put_under_fuzz(versions[0], 400)
    assert fuzz.wrong == [] and status is None
    assert fuzz.ended["good"] == 4 and fuzz.ended.total() >= 404
    assert 0 < fuzz.most_memory < 3 * 1024


def test_the_verdict_sees_what_is_wrong(versions):
    known = serving_load.known_of(versions)
    # Version 2 answers other than version 1: as if the server gave answers of the wrong version.
    known.answers[1], known.answers[2] = known.answers[2], known.answers[1]
    assert not is_same(known.answers[1][0], known.answers[2][0])
    outcome = serving_load.Outcome(sent=3)
    outcome.record(None)
    outcome.record("another answer")
    load = serving_load.Load.__new__(serving_load.Load)
    load.problems, load.outcomes, load.swapped = ["versions"], {"gRPC": outcome}, 0.0
    load.memory = [(10.0 + second, 100.0 + second) for second in range(60)]
    load.server = type("Server", (), {"log": ["Traceback (most recent call last)"]})
    faults = "\n".join(load.faults())
    for words in (
        "versions", "1 without an answer", "1 times another answer", "memory grew", "a traceback",
    ):  # fmt: skip
        assert words in faults


def test_hashtags_with_equal_scores_may_change_places():
    scores = np.array([[0.9, 0.5, 0.5, 0.3]], np.float32)
    expected = {"hashtags": np.array([[b"a", b"b", b"c", b"d"]], object), "scores": scores}

    def answer(*names):
        return {"hashtags": np.array([names], object), "scores": scores}

    assert is_same(answer(b"a", b"c", b"b", b"d"), expected)
    assert not is_same(answer(b"b", b"a", b"c", b"d"), expected)
    assert not is_same({**expected, "scores": scores + 1e-3}, expected)
    assert not is_same({"scores": scores}, expected)
