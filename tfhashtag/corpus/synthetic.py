"""Made corpora: themes, users with tastes, hashtags that are born over time; the truth is known."""

import numpy as np

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.corpus.importing import corpus_of_posts
from tfhashtag.corpus.post import Post
from tfhashtag.errors import DataError

# Words and hashtags of each theme, so that a sentence encoder sees themes as people do.
THEMES = {
    "books": "novel thriller author chapter reading mystery library story paperback review",
    "football": "goal match striker league stadium coach penalty referee transfer derby",
    "cooking": "recipe oven garlic dinner pasta kitchen spicy bake flavour sauce",
    "music": "album guitar concert singer lyrics drummer playlist band melody vinyl",
    "travel": "flight beach hotel passport island sunset airport backpack tour city",
    "health": "doctor sleep vitamin clinic stress therapy heart diet nurse recovery",
    "finance": "market stocks profit inflation bank budget investor shares economy tax",
    "gaming": "console level quest multiplayer boss controller patch speedrun loot arena",
    "fashion": "dress vintage leather runway sneakers jacket style denim boutique silk",
    "nature": "forest river mountain eagle flower wildlife trail autumn lake storm",
    "politics": "senate vote minister election policy debate campaign parliament reform law",
    "science": "physics telescope experiment genome laboratory planet theory atom data vaccine",
}
_COMMON = ("today", "really", "new", "love", "time", "good", "people", "know", "think", "best")
_TAGS_A_THEME = 24


def synthetic_corpus(
    posts: int = 4000,
    users: int = 200,
    seed: int = 0,
    *,
    taste: float = 0.85,
    noise: float = 0.1,
    birth: float = 0.7,
) -> Corpus:
    """A corpus in which what a user will tag can be learned.

    Each user has two themes and each theme has circles of users who share hashtags. A post is about
    one of the user's themes with probability `taste`, else about any; its words are the theme's and
    common ones. Its hashtags come from the theme, more often from the half that the user's circle
    uses. Hashtags are born at a random moment, a share `birth` of them after the start, so late
    posts carry hashtags that nobody used early. Posts are split 80/10/10 by each user's time.

    Args:
        posts: at least 1.
        users: at least 1.
        seed: the same seed gives the same corpus.
        taste: share of posts about the user's own themes, in [0, 1].
        noise: share of hashtags that are drawn from any theme, in [0, 1].
        birth: share of hashtags that are born after the first fifth of time, in [0, 1].

    Raises:
        DataError: an argument is out of range.

    Example:

    >>> corpus = synthetic_corpus(posts=200, users=10, seed=1)
    >>> len(corpus), len(corpus.users)
    (200, 10)
    """
    if posts < 1 or users < 1:
        raise DataError(f"`posts` and `users` must be at least 1, found {posts} and {users}.")
    for name, value in (("taste", taste), ("noise", noise), ("birth", birth)):
        if not 0 <= value <= 1:
            raise DataError(f"`{name}` must lie in [0, 1], found {value}.")
    rng = np.random.default_rng(seed)
    names = list(THEMES)
    words = [THEMES[name].split() for name in names]
    tags = [_hashtags(name, theme) for name, theme in zip(names, words, strict=True)]
    born = np.where(
        rng.random((len(names), _TAGS_A_THEME)) < birth,
        rng.uniform(0.2, 0.85, (len(names), _TAGS_A_THEME)),
        0.0,
    )
    born[:, :4] = 0  # every theme has something to begin with
    # Few hashtags are common: weights fall as 1 / rank, in another order for each circle.
    popularity = 1 / np.arange(1, _TAGS_A_THEME + 1)
    themes_of = np.array([rng.choice(len(names), 2, replace=False) for _ in range(users)])
    circle_of = rng.integers(0, 2, users)
    author = np.concatenate([np.arange(min(users, posts)), rng.integers(0, users, posts)])[:posts]
    rng.shuffle(author)
    made = []
    for number, user in enumerate(author):
        now = (number + 1) / posts
        own = rng.random() < taste
        theme = int(rng.choice(themes_of[user])) if own else int(rng.integers(len(names)))
        text = [*rng.choice(words[theme], 6), *rng.choice(_COMMON, 3)]
        chosen = []
        for _ in range(1 + int(rng.random() < 0.5)):
            source = theme if rng.random() >= noise else int(rng.integers(len(names)))
            shared = np.arange(_TAGS_A_THEME) % 2 == circle_of[user]
            weight = popularity * np.where(shared, 1.0, 0.15) * (born[source] <= now)
            chosen.append(tags[source][rng.choice(_TAGS_A_THEME, p=weight / weight.sum())])
        made.append(
            Post(
                id=str(number),
                user=f"user{user:04d}",
                text=" ".join(text[i] for i in rng.permutation(len(text))),
                hashtags=tuple(dict.fromkeys(chosen)),
                timestamp=1_700_000_000 + 60 * number,
            )
        )
    return corpus_of_posts(made, f"synthetic-{posts}-{users}-{seed}")


def _hashtags(name: str, words: list[str]) -> list[str]:
    pairs = [f"{words[i]}{words[(i + step) % 10]}" for step in (3, 7) for i in range(10)]
    return list(dict.fromkeys([name, *words, *pairs]))[:_TAGS_A_THEME]
