"""Which train posts an epoch learns from, where it is not to take them all."""

import numpy as np

VALID_SHARE = 8  # as many posts of an epoch to one valid post that judges it


class EpochPosts:
    """Train posts in turn: so many an epoch, all of them once in each pass.

    A pass is a permutation by seed and number of the pass, cut into as few parts as the bound
    allows, of as many posts each, but for one. What an epoch takes is a function of the seed and
    its number alone, so that a training that is resumed takes what it would have taken.

    Args:
        posts: int `[n]`, rising.
        most: posts an epoch; 0: all.
        seed: of the settings.

    Example:

    >>> turns = EpochPosts(np.arange(10, 15), most=3, seed=0)
    >>> turns.parts, np.sort(np.concatenate([turns.of(2), turns.of(3)])).tolist()
    (2, [10, 11, 12, 13, 14])
    """

    def __init__(self, posts: np.ndarray, most: int, seed: int) -> None:
        self.posts, self._seed = np.asarray(posts), seed
        self.parts = max(1, -(-len(self.posts) // most)) if most else 1

    @property
    def some(self) -> bool:
        """Whether an epoch takes fewer than all."""
        return self.parts > 1

    def of(self, epoch: int) -> np.ndarray:
        """The posts of an epoch, rising."""
        if not self.some:
            return self.posts
        number, part = divmod(epoch, self.parts)
        order = np.random.default_rng([self._seed, number, self.parts]).permutation(self.posts)
        return np.sort(np.array_split(order, self.parts)[part])


def sample_of(posts: np.ndarray, most: int, seed: int) -> np.ndarray:
    """At most so many of the given posts, int `[n]`, drawn by the seed, in the order they had.

    >>> sample_of(np.array([4, 7, 9]), 3, seed=0).tolist(), len(sample_of(np.arange(9), 3, seed=0))
    ([4, 7, 9], 3)
    """
    if len(posts) <= most:
        return posts
    return posts[np.sort(np.random.default_rng([seed, most]).permutation(len(posts))[:most])]
