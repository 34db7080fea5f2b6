"""Whether what was expected came true: means of both in bins."""

from typing import Any

import numpy as np


def calibration_of(expected: np.ndarray, seen: np.ndarray, bins: int = 10) -> dict[str, Any]:
    """Mean of what was expected and of what was seen, in bins of as many posts each.

    Returns:
        `bins`, rows of `expected`, `seen`, its standard `error` and `posts`, rising; `slope` of
        seen over expected (1 is right) and its `slope_error`; `error`, the mean distance of the two
        means over the posts.

    Example:

    >>> expected = np.linspace(-1, 1, 1000)
    >>> found = calibration_of(expected, expected + np.tile([0.1, -0.1], 500), bins=5)
    >>> round(found["slope"], 2), len(found["bins"]), round(found["error"], 2)
    (1.0, 5, 0.0)
    """
    order = np.argsort(expected, kind="stable")
    rows = []
    for part in np.array_split(order, min(bins, len(order))):
        error = seen[part].std(ddof=1) / np.sqrt(len(part)) if len(part) > 1 else 0.0
        rows.append(
            {
                "expected": float(expected[part].mean()),
                "seen": float(seen[part].mean()),
                "error": float(error),
                "posts": len(part),
            }
        )
    about = expected - expected.mean()
    squares = float(about @ about)
    slope = float(about @ (seen - seen.mean()) / squares) if squares > 0 else 0.0
    left = seen - seen.mean() - slope * about
    distance = sum(row["posts"] * abs(row["expected"] - row["seen"]) for row in rows)
    return {
        "slope": slope,
        "slope_error": float(left.std() / np.sqrt(squares)) if squares > 0 else 0.0,
        "error": distance / max(len(expected), 1),
        "bins": rows,
    }
