"""Names that a user of the command gives, as places in a corpus."""

import difflib
from collections.abc import Sequence

import numpy as np

from tfhashtag.corpus.candidates import Candidates
from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.corpus.rows import Rows
from tfhashtag.errors import ConfigError, DataError
from tfhashtag.tasks.users.episode import Episode, evaluation_episode

_SUGGESTED = 3
_COMPARED = 20_000  # names that are compared with a wrong one, at most


def place_of(names: Sequence[str], name: str, kind: str, corpus: str) -> int:
    """Where a name stands among those of a corpus.

    Args:
        names: what there is.
        name: what was given.
        kind: `"post"`, `"user"` or `"hashtag"`, for the message.
        corpus: the name of the corpus, for the message.

    Raises:
        DataError: it is not there; the message names the nearest ones.

    Example:

    >>> place_of(["ada", "bea"], "bea", "user", "made by hand")
    1
    >>> place_of(["ada", "bea"], "baa", "user", "made by hand")
    Traceback (most recent call last):
    ...
    tfhashtag.errors.DataError: `user` 'baa' is not in corpus made by hand; nearest: bea, ada.
    """
    try:
        return names.index(name)
    except ValueError:
        near = difflib.get_close_matches(name, names[:_COMPARED], n=_SUGGESTED, cutoff=0.3)
        known = f"nearest: {', '.join(near)}" if near else f"there are {len(names)}, none like it"
        raise DataError(f"`{kind}` {name!r} is not in corpus {corpus}; {known}.") from None


def pair_episode(
    corpus: Corpus, user: str, hashtag: str, split: str, minimum_contexts: int
) -> tuple[Episode, int, int]:
    """The moment of an evaluation with one (user, hashtag) pair as its only candidate.

    Args:
        corpus: the posts.
        user: a user of the corpus.
        hashtag: a hashtag of the corpus, with or without `#`.
        split: `"valid"` or `"test"`, what lies ahead.
        minimum_contexts: of the model's settings.

    Returns:
        The episode; the user's and the hashtag's index. The pair's label tells whether the user
        tags it in what lies ahead.

    Raises:
        ConfigError: another split.
        DataError: an unknown user or hashtag.
    """
    if split not in ("valid", "test"):
        raise ConfigError(f"`split` must be valid or test, found {split!r}.")
    at_user = place_of(corpus.users, user, "user", corpus.name)
    at_hashtag = place_of(corpus.hashtags, hashtag.removeprefix("#"), "hashtag", corpus.name)
    episode = evaluation_episode(corpus, Split[split.upper()], minimum_contexts=minimum_contexts)
    posts = np.flatnonzero(
        (corpus.user_of_post == at_user) & (corpus.split_of_post == Split[split.upper()])
    )
    tagged = any(at_hashtag in corpus.hashtags_of_post(post) for post in posts.tolist())
    pair = Candidates(
        np.array([at_user]), Rows.from_lists([[at_hashtag]]), np.array([tagged], np.int8)
    )
    return episode.with_candidates(pair), at_user, at_hashtag


def check_model(run, wanted: Sequence[str], what: str) -> None:
    """Refuses a run of another kind.

    Raises:
        ConfigError: the run's model is none of `wanted`.
    """
    if run.settings.model not in wanted:
        raise ConfigError(
            f"{run.folder}: `model` is {run.settings.model}; {what} needs a run of model "
            f"{' or '.join(wanted)}."
        )
