"""One pair of user and hashtag at a moment."""

from typing import Any

import numpy as np

from tfhashtag.corpus.candidates import Candidates
from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.corpus.rows import Rows
from tfhashtag.errors import ConfigError
from tfhashtag.tasks.names import place_of
from tfhashtag.tasks.users.episode import Episode, catalogue_episode, evaluation_episode

MOMENTS = ("now", "valid", "test")


def pair_episode(
    corpus: Corpus, user: str, hashtag: str | None, split: str, minimum_contexts: int
) -> tuple[Episode, int, int]:
    """A moment with one (user, hashtag) pair as its only candidate.

    Args:
        corpus: the posts.
        user: a user of the corpus.
        hashtag: a hashtag of the corpus, with or without `#`.
        split: `"valid"` or `"test"`, what lies ahead; `"now"`: nothing, all posts are known, as
            where hashtags are recommended.
        minimum_contexts: of the model's settings.

    Returns:
        The episode; the user's and the hashtag's index. The pair's label tells whether the user
        tags it in what lies ahead, now whether the user has tagged it.

    Raises:
        ConfigError: another split, or no hashtag.
        DataError: an unknown user or hashtag.
    """
    if split not in MOMENTS:
        raise ConfigError(f"`split` must be one of {', '.join(MOMENTS)}, found {split!r}.")
    if hashtag is None:
        raise ConfigError("`hashtag` is missing; name the one to explain for the user.")
    at_user = place_of(corpus.users, user, "user", corpus.name)
    at_hashtag = place_of(corpus.hashtags, hashtag.removeprefix("#"), "hashtag", corpus.name)
    mine = corpus.user_of_post == at_user
    if split == "now":
        episode = catalogue_episode(corpus, minimum_contexts)
    else:
        which = Split[split.upper()]
        episode = evaluation_episode(corpus, which, minimum_contexts=minimum_contexts)
        mine &= corpus.split_of_post == which
    posts = np.flatnonzero(mine)
    tagged = any(at_hashtag in corpus.hashtags_of_post(post) for post in posts.tolist())
    pair = Candidates(
        np.array([at_user]), Rows.from_lists([[at_hashtag]]), np.array([tagged], np.int8)
    )
    return episode.with_candidates(pair), at_user, at_hashtag


def pair_facts(
    episode: Episode, user: int, hashtag: int, split: str
) -> tuple[list[str], dict[str, Any]]:
    """What is known of a pair of `pair_episode`: sentences, and the same for programs."""
    corpus, ahead = episode.corpus, bool(episode.candidates.labels[0])
    about = {
        "user": corpus.users[user],
        "hashtag": corpus.hashtags[hashtag],
        "split": split,
        "tags_ahead": ahead,
    }
    if split == "now":
        return [f"The user has {'' if ahead else 'not '}used it so far."], about
    does = "tags it" if ahead else "does not tag it"
    return [f"In the {split} split the user {does}."], about
