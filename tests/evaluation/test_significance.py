import numpy as np
import pytest
import scipy.stats

from tfhashtag.errors import DataError
from tfhashtag.evaluation import bootstrap_interval, compare_paired


def test_paired_test_equals_that_of_two_samples():
    rng = np.random.default_rng(0)
    first, second = rng.random((2, 60))
    found = compare_paired(first, second)
    expected = scipy.stats.ttest_rel(first, second)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.users == 60


def test_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(1)
    covered = 0
    for trial in range(200):
        low, high = bootstrap_interval(rng.normal(size=80), 0.8, samples=200, seed=trial)
        covered += low <= 0 <= high
    # 80 percent of 200, four standard errors of the binomial.
    assert covered / 200 == pytest.approx(0.8, abs=0.12)


def test_equal_systems_do_not_differ():
    values = np.random.default_rng(2).random(30)
    found = compare_paired(values, values)
    assert (found.difference, found.p_value, found.low, found.high) == (0.0, 1.0, 0.0, 0.0)
    assert compare_paired(np.full(30, 0.5), np.full(30, 0.25)).p_value == 0.0


def test_values_that_cannot_be_compared():
    with pytest.raises(DataError, match="same two or more users"):
        compare_paired(np.zeros(3), np.zeros(4))
    with pytest.raises(DataError, match="must be finite"):
        compare_paired(np.array([0.0, np.nan]), np.zeros(2))
    with pytest.raises(DataError, match="between 0 and 1"):
        compare_paired(np.zeros(2), np.zeros(2), confidence=95)
