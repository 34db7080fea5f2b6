"""What a corpus is good for, said before anything is trained."""

import dataclasses

import numpy as np

from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.tasks.users.episode import future_episode

MINIMUM = 5  # messages of a hashtag, the default of `data.minimum_contexts` and `minimum_posts`


@dataclasses.dataclass(frozen=True)
class Use:
    """One task on one corpus.

    Attributes:
        task: `users` or `posts`.
        hashtags: how many can be ranked.
        queries: users or posts of the test split that have one of them to find.
        fault: why the task cannot be trained or evaluated, and the mend; "" where it can.
        advice: what fits such a corpus better than the defaults; "" for nothing.
    """

    task: str
    hashtags: int
    queries: int
    fault: str
    advice: str = ""

    def __str__(self) -> str:
        found = f"{self.hashtags:,} hashtags can be ranked, {self.queries:,} {self.task} of test "
        found += "have one to find"
        more = self.fault or self.advice
        return f"{found}. {more}" if more else found


def uses_of(corpus: Corpus) -> list[Use]:
    """What models of users and models of posts find in a corpus, by their default settings.

    Models of users rank hashtags that somebody has not used yet, models of posts any.

    Example:

    >>> from tfhashtag.corpus.synthetic import synthetic_corpus
    >>> for use in uses_of(synthetic_corpus(posts=600, users=30, seed=1)):
    ...     print(use.task, use.queries > 0, repr(use.fault))
    users True ''
    posts True ''
    """
    splits = np.bincount(corpus.split_of_post, minlength=len(Split))
    empty = [split.name.lower() for split in Split if not splits[split]]
    split_fault = ""
    if empty:
        per_user = len(corpus) / max(len(corpus.users), 1)
        split_fault = (
            f"No post is in {' or '.join(empty)}; users have {per_user:.1f} posts each, and "
            "own-time takes a tenth of those. Import with --split global-time."
        )
    return [_of_users(corpus, split_fault), _of_posts(corpus, split_fault)]


def nothing_to_learn(corpus: Corpus, minimum: int = MINIMUM) -> str:
    """Why a model of users finds no list of train posts to learn from, and what to do.

    Such models learn from futures that are cut from the time lines of users: who takes up which
    hashtag next, against hashtags that they do not.

    Args:
        corpus: the posts.
        minimum: train messages of a hashtag that is ranked, `data.minimum_contexts`.
    """
    train = corpus.split_of_post == Split.TRAIN
    posts, tags = corpus.taggings()
    counts = np.bincount(tags[train[posts]], minlength=1)
    if np.bincount(corpus.user_of_post[train], minlength=1).max() < 2:
        return (
            "No user has two train posts, and a future is cut from the later posts of a user. "
            "Models of posts learn from such a corpus: `tfhashtag train phr`."
        )
    if counts.max() < minimum:
        return _too_rare(corpus, 0, "data.minimum_contexts", minimum)
    return (
        f"{int((counts >= minimum).sum()):,} hashtags have {minimum} train messages, and nobody "
        "takes up one of them late while leaving another. Bring more users or hashtags, lower "
        "`data.minimum_contexts`, or train a model of posts: `tfhashtag train phr`."
    )


def _of_users(corpus: Corpus, split_fault: str) -> Use:
    known, ahead = (corpus.split_of_post == split for split in (Split.TRAIN, Split.TEST))
    episode = future_episode(corpus, known, ahead, minimum_contexts=MINIMUM, negatives=0)
    asked = int(np.count_nonzero(episode.candidates.positives))
    fault = split_fault or _too_rare(corpus, len(episode.catalogue), "data.minimum_contexts")
    if not fault and np.bincount(corpus.user_of_post[corpus.split_of_post == 0]).max() < 2:
        fault = nothing_to_learn(corpus)
    if not fault and not asked:
        fault = (
            "In test nobody takes up a hashtag that is new to them: models of users have nothing "
            "to find, models of posts may."
        )
    return Use("users", len(episode.catalogue), asked, fault)


def _of_posts(corpus: Corpus, split_fault: str) -> Use:
    posts, tags = corpus.taggings()
    train = corpus.split_of_post[posts] == Split.TRAIN
    counts = np.bincount(tags[train], minlength=len(corpus.hashtags))
    known = counts >= MINIMUM
    test = corpus.split_of_post[posts] == Split.TEST
    asked = len(np.unique(posts[test & known[tags]]))
    fault = split_fault or _too_rare(corpus, int(known.sum()), "data.minimum_posts")
    if not fault and not asked:
        fault = "No post of test has a hashtag that train posts have."
    advice = ""
    by_user = np.bincount(corpus.user_of_post[corpus.split_of_post == Split.TRAIN], minlength=1)
    if by_user.max() < 2:
        advice = (
            "No user has two train posts, so that the side of a user's own posts is always empty; "
            "leave it out: `tfhashtag train phr --set network.sides=[visual,textual,others]`."
        )
    return Use("posts", int(known.sum()), asked, fault, advice)


def _too_rare(corpus: Corpus, hashtags: int, setting: str, minimum: int = MINIMUM) -> str:
    if hashtags:
        return ""
    most = int(np.bincount(corpus.hashtag_values, minlength=1).max())
    return (
        f"No hashtag has the {minimum} messages that it takes to be ranked; the most used one has "
        f"{most}. Bring more posts, or train with --set {setting}={max(1, most // 2)}."
    )
