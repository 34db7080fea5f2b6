"""What posts are ordered by in time, see `tfhashtag.corpus.post_spool`."""

import numpy as np

from tfhashtag.corpus.post import Post


def told_ties(posts: int) -> dict[str, int]:
    """A count of posts whose second others share; nothing where there are none."""
    told = (
        "posts of a second that others share, in order of their ids (without ids, of user and "
        "text), not of the file"
    )
    return {told: posts} if posts else {}


def tie_key(post: Post) -> bytes:
    """What posts of one second are ordered by: ids, numbers by value; else what they say.

    >>> ids = ("b", "10", "9", "a")
    >>> [post.id for post in sorted((Post(i, "u", "", ()) for i in ids), key=tie_key)]
    ['9', '10', 'a', 'b']
    """
    if post.numbered:
        return b"2" + "\0".join((post.user, post.text, *post.hashtags)).encode()
    if post.id.isdecimal() and len(post.id) < 30:
        return b"0%030d" % int(post.id)
    return b"1" + post.id.encode()


def neighbours_in_time(users: np.ndarray, timed: np.ndarray) -> np.ndarray:
    """The place of the post whose time each has: its own, or that of a post near to it.

    Args:
        users: int `[n]`, who wrote each post of a file.
        timed: bool `[n]`, which have a time; at least one has.

    Returns:
        int64 `[n]`: of a post without time the last before it of the same user that has one, else
        the next, else the last before it of anybody, else the next.

    Example:

    >>> neighbours_in_time(np.array([0, 1, 0, 1, 2]), np.array([1, 0, 0, 1, 0], bool)).tolist()
    [0, 3, 0, 3, 3]
    """
    own = np.lexsort((np.arange(len(users)), users))
    found = np.full(len(users), -1)
    for order, who in ((own, users[own]), (np.arange(len(users)), np.zeros(len(users), np.int32))):
        all_places = np.arange(len(order))
        before = np.maximum.accumulate(np.where(timed[order], all_places, -1))
        after = np.where(timed[order], all_places, len(order))
        after = np.minimum.accumulate(after[::-1])[::-1]
        for places in (before, after):
            inside = (places >= 0) & (places < len(order))
            near = np.where(inside, places, 0)
            right = inside & (who[near] == who) & (found[order] < 0)
            found[order[right]] = order[near[right]]
    return found
