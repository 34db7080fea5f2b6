"""Splitting one's own posts by time."""

import numpy as np

from tfhashtag.data.corpus import Split


def split_by_time(
    user_of_post: np.ndarray, fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)
) -> np.ndarray:
    """Each user's earliest posts are train, the latest test, those between valid.

    With n posts, test gets round(n * test) of them and valid round(n * valid), but at least one
    stays in train. A user with five posts or fewer has all of them in train by the default shares:
    a tenth of them is no whole post.

    Args:
        user_of_post: int `[posts]`, posts of a user in time order.
        fractions: shares of train, valid and test, adding up to 1.

    Returns:
        int8 `[posts]`, a `Split`.

    Example:

    >>> split_by_time(np.array([0] * 10 + [1])).tolist()
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0]
    """
    if len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-9:
        raise ValueError(f"`fractions` must be three shares that add up to 1, found {fractions}.")
    user_of_post = np.asarray(user_of_post)
    splits = np.full(len(user_of_post), Split.TRAIN, np.int8)
    if not len(user_of_post):
        return splits
    counts = np.bincount(user_of_post)
    order = np.argsort(user_of_post, kind="stable")
    first = np.cumsum(counts) - counts
    place = np.empty(len(user_of_post), np.int64)
    place[order] = np.arange(len(user_of_post)) - np.repeat(first, counts)
    test = np.minimum(np.round(counts * fractions[2]), np.maximum(counts - 1, 0))
    valid = np.minimum(np.round(counts * fractions[1]), np.maximum(counts - 1 - test, 0))
    from_end = counts[user_of_post] - place
    splits[from_end <= (test + valid)[user_of_post]] = Split.VALID
    splits[from_end <= test[user_of_post]] = Split.TEST
    return splits
