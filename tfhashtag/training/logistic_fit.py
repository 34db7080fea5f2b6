"""Calibration: logits whose sigmoid is a probability."""

import numpy as np


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
    for _ in range(30):
        chances = 1 / (1 + np.exp(-np.clip(inputs @ weights, -30, 30)))
        spread = (chances * (1 - chances))[:, None]
        # The ridge keeps separable labels finite.
        hessian = inputs.T @ (inputs * spread) / len(scores) + 1e-6 * np.eye(2)
        gradient = inputs.T @ (chances - labels) / len(scores) + 1e-6 * weights
        weights = weights - np.linalg.solve(hessian, gradient)
    return (float(weights[0]), float(weights[1])) if weights[0] > 0 else (1.0, 0.0)
