"""Posts in order of time, whatever the order of the file."""

import dataclasses

from tfhashtag.corpus.post import Post


def in_time_order(posts: list[Post]) -> list[Post]:
    """Posts in order of time, each with a time; as they are, without times, where most have none.

    Posts of one second stand in order of their ids (numbers by value), and where the source gives
    no ids in that of user, text and hashtags, so that the order of the file changes nothing. A post
    without time gets that of its neighbour in the file, the one before it of the same user if there
    is one, and stands right behind it.

    Example:

    >>> posts = [Post(i, "u", "", (), timestamp=t) for i, t in (("a", 7), ("b", None), ("c", 5))]
    >>> [(post.id, post.timestamp) for post in in_time_order(posts)]
    [('c', 5), ('a', 7), ('b', 7)]
    """
    if 2 * sum(post.timestamp is not None for post in posts) <= len(posts):
        return [
            dataclasses.replace(p, timestamp=None) if p.timestamp is not None else p for p in posts
        ]
    neighbours = _neighbours(posts)
    keys = []
    for place, neighbour in enumerate(neighbours):
        near = posts[neighbour]
        side = (neighbour < place) - (neighbour > place)
        keys.append((near.timestamp, tie_key(near), side, place))
    result = []
    for place in sorted(range(len(posts)), key=keys.__getitem__):
        post = posts[place]
        if post.timestamp is None:
            post = dataclasses.replace(post, timestamp=posts[neighbours[place]].timestamp)
        result.append(post)
    return result


def told_ties(posts: int) -> dict[str, int]:
    """A count of posts whose second others share; nothing where there are none."""
    told = "posts of a second that others share, in order of their ids, not of the file"
    return {told: posts} if posts else {}


def tie_key(post: Post) -> bytes:
    """What posts of one second are ordered by: bytes that compare as `in_time_order` says.

    >>> ids = ("b", "10", "9", "a")
    >>> [post.id for post in sorted((Post(i, "u", "", ()) for i in ids), key=tie_key)]
    ['9', '10', 'a', 'b']
    """
    if post.numbered:
        return b"2" + "\0".join((post.user, post.text, *post.hashtags)).encode()
    if post.id.isdecimal() and len(post.id) < 30:
        return b"0%030d" % int(post.id)
    return b"1" + post.id.encode()


def _neighbours(posts: list[Post]) -> list[int]:
    """The place of the post whose time each has: its own, or that of a post near to it."""
    places = list(range(len(posts)))
    for same_user in (True, False):
        for order in (range(len(posts)), range(len(posts) - 1, -1, -1)):
            last: dict[str, int] = {}
            for place in order:
                post = posts[place]
                who = post.user if same_user else ""
                if post.timestamp is not None:
                    last[who] = place
                elif places[place] == place and who in last:
                    places[place] = last[who]
    return places
