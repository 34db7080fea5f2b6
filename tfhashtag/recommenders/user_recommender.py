"""What the recommenders of users have in common."""

import abc
from collections.abc import Iterator

import numpy as np

from tfhashtag.corpus.candidates import Candidates
from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.errors import ArtifactError, DataError
from tfhashtag.evaluation import evaluate
from tfhashtag.recommenders.base import Recommender
from tfhashtag.tasks import USERS, Queries, UserQueries, suitability
from tfhashtag.tasks.users.episode import Episode, evaluation_episode, imitated_future


class UserRecommender(Recommender):
    """Ranks the lists of an episode; a subclass gives `score_episode`."""

    task = USERS

    def score(self, queries: Queries) -> np.ndarray:
        """See `Recommender.score`."""
        if not isinstance(queries, UserQueries):
            raise TypeError(f"`queries` must be of users, found {type(queries).__name__}.")
        if self.data is None:
            raise ArtifactError("nothing is learned yet; call `fit` or `load` first.")
        return self.score_episode(queries.episode)

    @abc.abstractmethod
    def score_episode(self, episode: Episode) -> np.ndarray:
        """Scores, float32, aligned with `episode.candidates.hashtags.values`."""

    def valid_episode(self, minimum_contexts: int, users: int | None = None) -> Episode:
        """What is chosen by: the lists of the valid split, of so many users at most."""
        least = minimum_contexts
        return evaluation_episode(self.corpus, Split.VALID, minimum_contexts=least, users=users)


def mean_average_precision(lists: Candidates, scores: np.ndarray) -> float:
    """MAP of lists over all their users, by which epochs are chosen; 0 without any."""
    return evaluate(lists, scores, seed=0)["averages"]["all"]["MAP"] if len(lists) else 0.0


def imitated_futures(
    corpus: Corpus,
    futures: list[list[float]],
    jitter: float,
    seed: int,
    minimum_contexts: int,
    negatives: int = 100,
    users: int | None = None,
) -> Iterator[Episode]:
    """Episodes inside the train split, one for each cut and end.

    Args:
        corpus: the posts.
        futures: cut and end of each, as fractions of a user's train posts.
        jitter: how far each user's cut moves, at most.
        seed: of the cuts.
        minimum_contexts: hashtags with fewer are not ranked.
        negatives: draws for each positive.
        users: whose lists there are at most, see `future_episode`.
    """
    for index, (cut, until) in enumerate(futures):
        yield imitated_future(
            corpus,
            cut,
            until=until,
            jitter=jitter,
            seed=seed * 101 + index,
            minimum_contexts=minimum_contexts,
            negatives=negatives,
            users=users,
        )


def nothing_to_learn(corpus: Corpus, minimum_contexts: int) -> DataError:
    """The error of a corpus whose imitated futures have no list to learn from."""
    why = suitability.nothing_to_learn(corpus, minimum_contexts)
    return DataError(f"{corpus.name}: no imitated future has a list to learn from. {why}")
