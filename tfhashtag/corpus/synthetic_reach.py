"""Made posts with outcomes: hashtags whose effect is known, and authors who hide it."""

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

#: Kind of hashtag to its effect on the log of every outcome.
EFFECTS = {"fame": 0.0, "craft": 0.4, "plain": 0.0, "dull": -0.4}
# How often popular and other authors use each kind, in the order of `EFFECTS`.
_HABITS = {True: (0.7, 0.1, 0.1, 0.1), False: (0.1, 0.4, 0.3, 0.2)}
_MONDAY = 1_704_067_200  # 2024-01-01, a Monday
_EVENING, _SPREAD = 0.3, 0.5


@dataclasses.dataclass(frozen=True)
class MadeReach:
    """A made corpus, and what its hashtags do.

    Attributes:
        corpus: the posts, with likes, shares, replies and followers.
        effects: hashtag to its true effect on the log of every outcome.
    """

    corpus: Corpus
    effects: dict[str, float]


def synthetic_reach(posts: int = 4000, users: int = 200, seed: int = 0) -> MadeReach:
    """Posts whose outcomes are author, hour, hashtag and chance, multiplied.

    A fifth of the authors is popular: their posts reach about twenty times as many. They mostly use
    the hashtag of their theme that ends with `fame` and does nothing, and post it in the evening,
    when everything reaches more; the others use the one that ends with `craft`, which lifts every
    outcome by half. So the posts with `fame` have by far the most likes, and only a comparison of
    an author's posts with one another shows which hashtag is worth it. `plain` does nothing and
    `dull` takes a third away.

    Args:
        posts, users: at least 1.
        seed: the same seed gives the same corpus.

    Raises:
        DataError: an argument is out of range.

    Example:

    >>> made = synthetic_reach(posts=200, users=10)
    >>> made.effects["booksfame"], made.effects["bookscraft"]
    (0.0, 0.4)
    >>> sorted(made.corpus.outcomes)
    ['followers', 'likes', 'replies', 'shares']
    """
    if posts < 1 or users < 1:
        raise DataError(f"`posts` and `users` must be at least 1, found {posts}, {users}.")
    rng = np.random.default_rng(seed)
    names, kinds = list(THEMES), list(EFFECTS)
    popular = np.arange(users) % 5 == 0
    usual = np.where(popular, 7.0, 4.0) + rng.normal(0, 0.4, users)
    followers = np.exp(usual + rng.normal(1.5, 0.3, users)).astype(np.int64)
    days = np.sort(rng.integers(0, 84, posts))
    author = rng.integers(0, users, posts)
    author[:users] = np.arange(users)[:posts]
    made = []
    for number, (day, user) in enumerate(zip(days.tolist(), author.tolist(), strict=True)):
        theme = names[(user + (0 if rng.random() < 0.8 else rng.integers(len(names)))) % len(names)]
        kind = kinds[rng.choice(len(kinds), p=_HABITS[bool(popular[user])])]
        evening = rng.random() < (0.7 if kind == "fame" else 0.2)
        hour = rng.integers(18, 22) if evening else rng.integers(6, 18)
        level = usual[user] + EFFECTS[kind] + _EVENING * evening + rng.normal(0, _SPREAD)
        likes, shares, replies = np.exp(level + np.array([0, -0.5, -1])).round().astype(int)
        words = rng.choice(THEMES[theme].split(), 6).tolist()
        made.append(
            Post(
                id=str(number),
                user=f"user{user:04d}",
                text=" ".join(words),
                hashtags=(f"{theme}{kind}",),
                timestamp=int(_MONDAY + day * DAY + hour * 3600 + rng.integers(3600)),
                outcomes=(int(likes), int(shares), int(replies), -1, int(followers[user])),
            )
        )
    effects = {f"{theme}{kind}": effect for theme in names for kind, effect in EFFECTS.items()}
    return MadeReach(corpus_of_posts(made, f"reach-{posts}-{users}-{seed}"), effects)


def write_synthetic_reach(made: MadeReach, folder: str | os.PathLike) -> None:
    """Writes the corpus as a new folder, with `truth.json`.

    Raises:
        DataError: the folder exists.
    """
    write_corpus(made.corpus, folder, source={"split": "own-time"})
    write_json(pathlib.Path(folder).expanduser() / "truth.json", {"effects": made.effects})
