"""Made posts over time: hashtags that rise, fade, come on Mondays or in the morning."""

import dataclasses
import os
import pathlib

import numpy as np

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.corpus.importing import corpus_of_posts
from tfhashtag.corpus.post import Post
from tfhashtag.corpus.store import write_corpus
from tfhashtag.corpus.synthetic import THEMES
from tfhashtag.corpus.trends import DAY
from tfhashtag.errors import DataError
from tfhashtag.files import write_json

KINDS = ("steady", "rising", "fading", "weekly", "daily")
_MONDAY = 1_704_067_200  # 2024-01-01, a Monday


@dataclasses.dataclass(frozen=True)
class MadeTrends:
    """A made corpus, and what its hashtags do.

    Attributes:
        corpus: the posts.
        kinds: hashtag to one of `KINDS`.
    """

    corpus: Corpus
    kinds: dict[str, str]


def synthetic_trends(
    posts: int = 4000, users: int = 200, seed: int = 0, days: int = 84
) -> MadeTrends:
    """Posts of `days` days whose hashtags have a course of their own.

    Of each theme one hashtag is steady, one rises (its weight doubles every week from the middle
    on), one fades (halves every week), one comes on Mondays alone and one in the three hours after
    six in the morning, UTC. A post is of a random theme and moment and has one of its theme's
    hashtags, by their weights then.

    Args:
        posts, users: at least 1.
        seed: the same seed gives the same corpus.
        days: from Monday, 2024-01-01 on; at least 28.

    Raises:
        DataError: an argument is out of range.

    Example:

    >>> made = synthetic_trends(posts=200, users=10)
    >>> sorted(set(made.kinds.values()))
    ['daily', 'fading', 'rising', 'steady', 'weekly']
    """
    if posts < 1 or users < 1 or days < 28:
        raise DataError(
            f"`posts` and `users` must be at least 1 and `days` 28, found {posts}, {users}, {days}."
        )
    rng = np.random.default_rng(seed)
    names = list(THEMES)
    kinds = {f"{theme}{kind}": kind for theme in names for kind in KINDS}
    moments = np.sort(rng.integers(0, days * DAY, posts))
    author = rng.integers(0, users, posts)
    author[:users] = np.arange(users)[:posts]
    made = []
    for number, moment in enumerate(moments.tolist()):
        theme = names[rng.integers(len(names))]
        weights = _weights(moment, days)
        kind = KINDS[rng.choice(len(KINDS), p=weights / weights.sum())]
        words = rng.choice(THEMES[theme].split(), 6)
        made.append(
            Post(
                id=str(number),
                user=f"user{author[number]:04d}",
                text=" ".join(words.tolist()),
                hashtags=(f"{theme}{kind}",),
                timestamp=_MONDAY + moment,
            )
        )
    name = f"trends-{posts}-{users}-{seed}"
    return MadeTrends(corpus_of_posts(made, name, split="global-time"), kinds)


def write_synthetic_trends(made: MadeTrends, folder: str | os.PathLike) -> None:
    """Writes the corpus as a new folder, with `truth.json`.

    Raises:
        DataError: the folder exists.
    """
    write_corpus(made.corpus, folder, source={"split": "global-time"})
    write_json(pathlib.Path(folder).expanduser() / "truth.json", {"hashtags": made.kinds})


def _weights(moment: int, days: int) -> np.ndarray:
    """Of the kinds in their order, at a moment."""
    day, hour = moment // DAY, moment % DAY // 3600
    week = moment / (7 * DAY)
    return np.array(
        [
            1.0,
            0.1 * 2 ** max(0.0, week - days / 14),
            2.0 * 0.5**week,
            4.0 if day % 7 == 0 else 0.0,
            4.0 if 6 <= hour < 9 else 0.0,
        ]
    )
