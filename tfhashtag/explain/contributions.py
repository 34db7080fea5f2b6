"""How much each group of features carries of a score."""

from collections.abc import Callable, Sequence

import numpy as np

ORDERS = 64  # of the groups, each with its reverse


def contributions(
    score: Callable[[np.ndarray], np.ndarray],
    start: np.ndarray,
    features: np.ndarray,
    groups: Sequence[Sequence[int]],
) -> tuple[float, float, np.ndarray, np.ndarray]:
    """Parts of a score that add up to it: what setting each group of features adds to it.

    Groups are set from `start` to `features` one after the other, in 64 orders and their reverses;
    a group's part is its mean effect. In each order the effects add up to the score less that of
    `start`, so the parts do so exactly; how they are shared out is an estimate of the Shapley
    values, with its standard error.

    Args:
        score: from float32 `[n, F]` to a score a row.
        start: float `[F]`, where nothing is said.
        features: float `[F]`.
        groups: columns that are set together, each column in one group.

    Returns:
        The score of `start`, that of `features`, parts float64 `[groups]`, standard errors.

    Example:

    >>> found = contributions(lambda x: x[:, 0] * 2 + x[:, 1], np.zeros(2), np.ones(2), [[0], [1]])
    >>> found[1], found[2].tolist()
    (3.0, [2.0, 1.0])
    """
    rng = np.random.default_rng(0)
    effects = np.zeros((ORDERS, len(groups)))
    ends = []
    for row in range(ORDERS):
        order = rng.permutation(len(groups))
        for way in (order, order[::-1]):
            steps = np.repeat(np.asarray(start, np.float32)[None], len(groups) + 1, axis=0)
            for at, group in enumerate(way, 1):
                columns = list(groups[group])
                steps[at:, columns] = features[columns]
            scores = np.asarray(score(steps), np.float64)
            effects[row, way] += np.diff(scores) / 2
            ends.append((scores[0], scores[-1]))
    errors = effects.std(axis=0, ddof=1) / np.sqrt(ORDERS)
    baseline, whole = ends[0]
    return float(baseline), float(whole), effects.mean(axis=0), errors
