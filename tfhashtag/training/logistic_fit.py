"""Calibration: logits whose sigmoid is a probability."""

import numpy as np
from scipy.special import expit

_RIDGE = 1e-6
_LEAST = 1e-9  # of a step


def logistic_fit(scores: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Scale > 0 and shift of the scores whose sigmoid fits the labels best, by Newton's method.

    >>> scores = np.repeat([0.0, 1.0], 4)
    >>> scale, shift = logistic_fit(scores, np.array([0, 0, 0, 1, 0, 1, 1, 1]))
    >>> [round(float(1 / (1 + np.exp(-(scale * s + shift)))), 2) for s in (0, 1)]
    [0.25, 0.75]
    """
    scores, labels = np.asarray(scores, np.float64), np.asarray(labels, np.float64)
    if len(scores) == 0 or labels.min() == labels.max() or np.ptp(scores) == 0:
        return 1.0, 0.0
    inputs = np.stack([scores, np.ones_like(scores)], axis=1)
    rate = labels.mean()
    weights = np.array([0.0, np.log(rate / (1 - rate))])

    def cost(weights: np.ndarray) -> float:
        logits = inputs @ weights
        lost = np.mean(np.logaddexp(0, logits) - labels * logits)
        # The ridge keeps separable labels finite.
        return float(lost + _RIDGE / 2 * weights @ weights)

    now = cost(weights)
    for _ in range(30):
        chances = expit(inputs @ weights)
        spread = (chances * (1 - chances))[:, None]
        hessian = inputs.T @ (inputs * spread) / len(scores) + _RIDGE * np.eye(2)
        gradient = inputs.T @ (chances - labels) / len(scores) + _RIDGE * weights
        step = np.linalg.solve(hessian, gradient)
        # A whole step may go too far where labels are all but separable, and ever farther then.
        while (then := cost(weights - step)) > now and np.abs(step).max() > _LEAST:
            step /= 2
        if then > now:
            break
        weights, now = weights - step, then
    return (float(weights[0]), float(weights[1])) if weights[0] > 0 else (1.0, 0.0)
