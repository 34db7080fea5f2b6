"""Splits of posts into train, valid and test: by each user's time, by all time, at random."""

import numpy as np

from tfhashtag.corpus.corpus import Split
from tfhashtag.errors import DataError

AT_RANDOM = "random-90-10"
SPLITS = ("own-time", "global-time", AT_RANDOM)


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


def cut_time_lines(
    user_of_post: np.ndarray,
    used: np.ndarray,
    cut: float,
    until: float = 1.0,
    jitter: float = 0.0,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """An imitated future: each user's own time line is cut, as the real splits do.

    The posts before the cut are known, those from the cut to `until` lie ahead. A user with a
    single post has it before the cut.

    Args:
        user_of_post: int `[posts]`, posts of a user in time order.
        used: bool `[posts]`, the posts that take part.
        cut: fraction of a user's posts that are known, between 0 and 1.
        until: fraction of a user's posts that end the future part.
        jitter: the cut of each user moves by a seeded uniform amount of at most this fraction.
        seed: of the cuts.

    Returns:
        Which posts are known and which lie ahead, bool `[posts]` each.

    Raises:
        DataError: not `0 < cut < until <= 1`, or a negative jitter.

    Example:

    >>> known, ahead = cut_time_lines(np.zeros(4, int), np.ones(4, bool), cut=0.5)
    >>> known.tolist(), ahead.tolist()
    ([True, True, False, False], [False, False, True, True])
    """
    if not 0 < cut < until <= 1:
        raise DataError(f"`cut` and `until` must be 0 < cut < until <= 1, found {cut} and {until}.")
    if jitter < 0:
        raise DataError(f"`jitter` must not be negative, found {jitter}.")
    chosen = np.flatnonzero(used)
    order = chosen[np.argsort(user_of_post[chosen], kind="stable")]
    users = user_of_post[order]
    counts = np.bincount(users, minlength=int(user_of_post.max(initial=-1)) + 1)
    place = np.arange(len(order)) - (np.cumsum(counts) - counts)[users]
    rng = np.random.default_rng([seed, 1])
    moved = rng.uniform(-jitter, jitter, len(counts))
    # Rounding up or down by lot keeps the mean fraction right for users with few posts.
    first = np.floor((cut + moved) * counts + rng.random(len(counts))).astype(np.int64)
    first = np.clip(first, np.minimum(1, counts), counts)
    last = counts
    if until < 1:
        last = np.floor((until + moved) * counts + rng.random(len(counts))).astype(np.int64)
        last = np.clip(last, first, counts)
    known, ahead = np.zeros(len(used), bool), np.zeros(len(used), bool)
    known[order[place < first[users]]] = True
    ahead[order[(place >= first[users]) & (place < last[users])]] = True
    return known, ahead


def split_by_global_time(posts: int) -> np.ndarray:
    """The latest tenth of all posts is test, the tenth before it valid, the rest train.

    Args:
        posts: how many, in time order (file order where there are no timestamps).

    Returns:
        int8 `[posts]`, a `Split`; at least one post stays in train.

    Example:

    >>> split_by_global_time(10).tolist()
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 2]
    """
    return split_by_time(np.zeros(posts, np.int32))


def split_at_random(posts: int, seed: int = 0) -> np.ndarray:
    """The thesis's split: a random tenth of the posts is test, the other 90 % are for training.

    The thesis has no valid part. Here a ninth of those 90 % (a tenth of all) is valid, so that
    nothing has to be chosen on test.

    Args:
        posts: how many.
        seed: the same seed gives the same split.

    Returns:
        int8 `[posts]`, a `Split`; at least one post stays in train.

    Source: thesis 2024, "Experimental setup".

    Example:

    >>> np.bincount(split_at_random(50, seed=1)).tolist()
    [40, 5, 5]
    """
    return split_by_global_time(posts)[np.random.default_rng(seed).permutation(posts)]


def split_posts(
    name: str, user_of_post: np.ndarray, seed: int = 0, timestamps: np.ndarray | None = None
) -> np.ndarray:
    """The split of a name. A cut by time never parts posts of one moment.

    Args:
        name: one of `SPLITS`: `"own-time"` is `split_by_time`, `"global-time"` is
            `split_by_global_time`, `"random-90-10"` is `split_at_random`.
        user_of_post: int `[posts]`, posts in time order.
        seed: of `"random-90-10"`.
        timestamps: int `[posts]`, rising within what is cut; None for posts of different moments.

    Returns:
        int8 `[posts]`, a `Split`.

    Raises:
        DataError: no such split.

    Example:

    >>> split_posts("own-time", np.array([0] * 5 + [1] * 10))[:5].tolist()
    [0, 0, 0, 0, 0]
    >>> split_posts("global-time", np.array([0] * 5 + [1] * 10))[-3:].tolist()
    [1, 2, 2]
    """
    user_of_post = np.asarray(user_of_post)
    if name == "own-time":
        return _whole_moments(split_by_time(user_of_post), user_of_post, timestamps)
    if name == "global-time":
        splits = split_by_global_time(len(user_of_post))
        return _whole_moments(splits, np.zeros_like(user_of_post), timestamps)
    if name == AT_RANDOM:
        return split_at_random(len(user_of_post), seed)
    raise DataError(f"split {name!r} is not known; expected {', '.join(SPLITS)}.")


def _whole_moments(
    splits: np.ndarray, groups: np.ndarray, timestamps: np.ndarray | None
) -> np.ndarray:
    """The posts of one moment of a group all have the split that most of them had.

    Of equally many the earlier one; so a cut moves to the nearer end of the moment that it parts.
    """
    if timestamps is None or not len(splits):
        return splits
    order = np.lexsort((timestamps, groups))
    moved = (np.diff(groups[order]) != 0) | (np.diff(timestamps[order]) != 0)
    moments = np.empty(len(order), np.int64)
    moments[order] = np.concatenate([[0], np.cumsum(moved)])
    kinds = len(Split)
    counts = np.bincount(moments * kinds + splits, minlength=(moments.max() + 1) * kinds)
    return counts.reshape(-1, kinds).argmax(axis=1)[moments].astype(splits.dtype)
