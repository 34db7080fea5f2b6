"""Requests that ask for more than they look like: refused, or as small as was said."""

import json
import os
import pathlib
import re
import subprocess
import sys
import threading

import numpy as np
import pytest
from grpc import StatusCode
from hypothesis import given
from hypothesis import strategies as st

from tests.serving.runtime.peaks import filled
from tests.serving.runtime.test_picture_pixels import encoded
from tfhashtag.errors import ServingError
from tfhashtag.serving.batching.parameters import BatchingParameters
from tfhashtag.serving.metrics import ServingMetrics
from tfhashtag.serving.runtime.limits import Limits
from tfhashtag.serving.runtime.memory import CARD, MemoryBudget, MemoryCost
from tfhashtag.serving.runtime.servable import Servable
from tfhashtag.serving.status import RequestError

ROOT = pathlib.Path(__file__).parents[3]
QUICK = {"messages", "many words"}


reads_proc = pytest.mark.skipif(
    not pathlib.Path("/proc/self/clear_refs").exists(), reason="reads /proc"
)


def measured(versions, *only):
    """What `peaks` prints for each group, in a process that has nobody else's memory."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.serving.runtime.peaks", *only, *map(str, versions)],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            "TF_ONEDNN_USE_SYSTEM_ALLOCATOR": "1",
        },
        check=True,
        stdout=subprocess.PIPE,
    )
    found = dict(zip(versions[::2], map(json.loads, done.stdout.splitlines()), strict=True))
    for group, values in found.items():
        for kind, (size, reckoned, peak, kept) in values["largest"].items():
            told = f"{group}, {kind}, {size}: of the limit {reckoned:.0%}, {peak:.0%}, {kept:.0%}"
            print(told)
            assert peak < 1 and kept < 0.4, told
    return found


@reads_proc
@pytest.mark.slow
@pytest.mark.timeout(1800)  # of four models, where workers share the cores
def test_largest_requests_of_all_models_take_what_the_limit_says(
    user_version, ranker_version, post_run, tmp_path
):
    """The next two are the fast twins: measured of users, where most goes wrong; reckoned of
    pictures."""
    pictures = post_run("images").export(tmp_path, k=5, check=False)
    users, contexts = user_version("engagement"), user_version("engagement_paper")
    found = measured(
        [*("users", users, "contexts", contexts), "posts", ranker_version, "pictures", pictures]
    )
    assert set(found["posts"]["largest"]) > {"rows", "pixels", "proposals"}


@reads_proc
def test_requests_take_what_the_limit_says_or_are_refused_at_once(user_version):
    found = measured(["users", user_version("engagement")], "--only", ",".join(sorted(QUICK)))
    assert {*found["users"]["largest"]} == QUICK
    for told, peak, seconds in found["users"]["refused"]:
        assert re.search(r"INVALID_ARGUMENT: .* about \d+ MiB of memory; .* at most 256 MiB", told)
        assert peak < 0.25 and seconds < 1
    assert max(found["users"]["usual"]) < Limits().memory


def test_different_pictures_are_reckoned_by_their_pixels_and_all_strings_as_padded():
    cost = MemoryCost(row=0, padded=1000, number=1, picture=100, pixel=12)
    small, large = encoded("PNG", (10, 10)), encoded("PNG", (20, 20))
    images = np.array([[small, large], [small, b""]], object)
    taken = 2 * len(small) + len(large) + 2 * 100 + 12 * (10 * 10 + 20 * 20)
    assert cost.of_values("images", images) == (taken, True)
    shapes = {"images": (2, 2), "proposals": (2, 3, 4)}
    assert cost.of_shapes(shapes, {"images": True, "proposals": False}) == 4 * 1000 + 24


@given(st.lists(st.sampled_from([b"", b"a", b"#b #c", b"word " * 9]), min_size=4, max_size=4))
def test_strings_are_reckoned_alike_whether_or_not_they_could_be_too_many(strings):
    cost = MemoryCost(row=0, text=7, word=3, hashtag=11)
    words = 3 * 4 * ((max(map(len, strings)) + 1) // 2) + 7 * sum(map(len, strings))
    most_hashtags = max(b"".join(strings[row : row + 2]).count(b"#") for row in (0, 2))
    expected = words + 11 * 2 * most_hashtags
    array = np.array(strings, object).reshape(2, 2)
    for most in (None, words, 10**6):
        assert cost.of_values("history", array, most) == (expected, True)
    if words:
        assert cost.of_values("history", array, words - 1) == (words, False)


def test_what_makes_a_batch_large_runs_alone(models):
    metrics = ServingMetrics()
    servable = Servable(
        models / "toy" / "1", "toy", 1,
        batching=BatchingParameters(), limits=Limits(), metrics=metrics,
    )  # fmt: skip
    for text in (b"a" * 513, b"#" * 65):
        servable.predict({"text": filled(1, text=text), "user": filled(1)}, "words")
    assert b"wrapped_run_count{" not in metrics.expose()
    servable.predict({"text": filled(1, text=b"#a" * 32), "user": filled(1)}, "words")
    assert b'wrapped_run_count{model_name="toy"} 1.0' in metrics.expose()
    servable.close()


def test_cost_of_a_model(tmp_path):
    assert MemoryCost.of_model(tmp_path, 0) == MemoryCost()
    assert MemoryCost.of_model(tmp_path, 10_000).row == 160_000
    card = tmp_path / CARD
    card.parent.mkdir()
    card.write_text(json.dumps({"memory": {"row": 7, "value": 8}}))
    assert MemoryCost.of_model(tmp_path, 10_000) == MemoryCost(row=160_000, value=8, padded=8)
    assert MemoryCost.of_model(tmp_path, 0) == MemoryCost(row=7, value=8, padded=8)
    for wrong in ({"rows": 1}, {"row": -1}, {"row": "1"}, [], 5):
        card.write_text(json.dumps({"memory": wrong}))
        with pytest.raises(ServingError, match="`memory` is not understood"):
            MemoryCost.of_model(tmp_path, 0)


def test_a_budget_lets_wait_and_gives_up():
    budget = MemoryBudget(10)
    with budget.share(6):
        with budget.share(4):
            pass
        with pytest.raises(RequestError) as error, budget.share(5, timeout=0.01):
            pass
        assert error.value.code == StatusCode.UNAVAILABLE
        entered = threading.Event()

        def enter():
            with budget.share(100):  # all there is
                entered.set()

        waiting = threading.Thread(target=enter)
        waiting.start()
        assert not entered.wait(0.05)
    assert entered.wait(30)
    waiting.join()
    with MemoryBudget(None).share(2**60):
        pass
