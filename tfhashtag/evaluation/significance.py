"""Whether one system is better than another, user by user."""

import dataclasses

import numpy as np

from tfhashtag.errors import DataError


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Outcome of a paired comparison.

    Attributes:
        difference: mean of first minus second.
        statistic: Student's t of the paired differences.
        p_value: two-sided.
        low, high: bootstrap interval of the mean difference.
        users: number of pairs.
    """

    difference: float
    statistic: float
    p_value: float
    low: float
    high: float
    users: int


def compare_paired(
    first: np.ndarray,
    second: np.ndarray,
    confidence: float = 0.95,
    samples: int = 2000,
    seed: int = 0,
) -> Comparison:
    """Paired t-test and percentile bootstrap over the users.

    Args:
        first, second: float `[users]`, one metric of two systems, from `per_user`.
        confidence: of the interval, between 0 and 1.
        samples: bootstrap samples.
        seed: of the bootstrap.

    Raises:
        DataError: fewer than two users, different lengths, or values that are not finite.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> values = rng.random(200)
    >>> found = compare_paired(values + 0.1 + 0.05 * rng.normal(size=200), values)
    >>> found.p_value < 0.01, found.low < found.difference < found.high
    (True, True)
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if first.shape != second.shape or first.ndim != 1 or len(first) < 2:
        raise DataError(
            "`first` and `second` must hold one value for each of the same two or more users, "
            f"found shapes {first.shape} and {second.shape}."
        )
    if not 0 < confidence < 1:
        raise DataError(f"`confidence` must be between 0 and 1, found {confidence}.")
    difference = first - second
    if not np.all(np.isfinite(difference)):
        raise DataError("`first` and `second` must be finite.")
    statistic, p_value = _paired_t(difference)
    low, high = bootstrap_interval(difference, confidence, samples, seed)
    return Comparison(float(difference.mean()), statistic, p_value, low, high, len(difference))


def bootstrap_interval(
    values: np.ndarray, confidence: float = 0.95, samples: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of `values`, float `[users]`."""
    values = np.asarray(values, np.float64)
    rng = np.random.default_rng(seed)
    means = [values[rng.integers(0, len(values), len(values))].mean() for _ in range(samples)]
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _paired_t(difference: np.ndarray) -> tuple[float, float]:
    import scipy.stats

    if np.ptp(difference) == 0:
        # Student's t divides by the deviation: equal systems do not differ, a constant step does.
        same = difference[0] == 0
        return (0.0, 1.0) if same else (float(np.sign(difference[0]) * np.inf), 0.0)
    found = scipy.stats.ttest_1samp(difference, 0.0)
    return float(found.statistic), float(found.pvalue)
