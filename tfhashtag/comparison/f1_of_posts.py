"""F1 post by post, so that it can be tested."""

import numpy as np


def with_f1(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    r"""Adds F1@k, post by post, such that its mean is the F1 of the means.

    \(F_1 = 2PR / (P + R)\) of the means \(P\) and \(R\) is no mean over posts. Post \(i\) gets
    \(F_1 + \frac{2R^2}{(P + R)^2} (p_i - P) + \frac{2P^2}{(P + R)^2} (r_i - R)\), its part in
    \(F_1\) to first order (the delta method), so that paired tests of \(F_1\) over posts hold.

    Args:
        values: of `per_post`.

    Returns:
        The same, with `F1@k` after each `Recall@k`.

    Example:

    >>> values = with_f1({"Precision@2": np.array([0.5, 0]), "Recall@2": np.array([1.0, 0.0])})
    >>> float(values["F1@2"].mean().round(6))  # 2 * 0.25 * 0.5 / 0.75
    0.333333
    """
    found: dict[str, np.ndarray] = {}
    for name, value in values.items():
        found[name] = value
        metric, _, k = name.partition("@")
        if metric != "Recall":
            continue
        each_p, each_r = values[f"Precision@{k}"], value
        p, r = each_p.mean(), each_r.mean()
        if p + r == 0:
            found[f"F1@{k}"] = np.zeros_like(each_r)
            continue
        f1 = 2 * p * r / (p + r)
        slopes = 2 * (np.array([r, p]) / (p + r)) ** 2
        found[f"F1@{k}"] = f1 + slopes[0] * (each_p - p) + slopes[1] * (each_r - r)
    return found
