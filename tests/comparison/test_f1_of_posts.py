import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from tfhashtag.comparison.f1_of_posts import with_f1
from tfhashtag.evaluation.post_metrics import post_averages


@hypothesis.given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=20))
def test_f1_of_posts_has_the_mean_of_the_means(values):
    given = {
        "Precision@9": np.array([p for p, _ in values]),
        "Recall@9": np.array([r for _, r in values]),
    }
    found = with_f1(given)["F1@9"]
    np.testing.assert_allclose(found.mean(), post_averages(given)["F1@9"], atol=1e-9)


def test_f1_of_posts_is_the_slope():
    rng = np.random.default_rng(0)
    p, r = rng.random(50), rng.random(50)
    found = with_f1({"Precision@1": p, "Recall@1": r})["F1@1"]

    def f1(weights):
        mean_p, mean_r = weights @ p, weights @ r
        return 2 * mean_p * mean_r / (mean_p + mean_r)

    even = np.full(50, 1 / 50)
    for post in (0, 7, 31):
        step = 1e-6
        moved = even * (1 - step)
        moved[post] += step
        slope = (f1(moved) - f1(even)) / step
        assert slope == pytest.approx(found[post] - found.mean(), abs=1e-4)
