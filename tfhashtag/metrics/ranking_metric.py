"""The base of the ranking metrics: cut-offs, names, lists without a relevant candidate."""

import numpy as np

from tfhashtag.corpus.candidates import Candidates
from tfhashtag.errors import ConfigError
from tfhashtag.metrics.ranking import Ranking, rank


class RankingMetric:
    """One number in [0, 1] for each ranked list.

    A subclass gives `title` and `per_list`. A list without a relevant candidate, an empty one
    included, counts 0.

    Args:
        k: cut-off: only the `k` best of a list count; None for the whole list.

    Raises:
        ConfigError: `k` is not at least 1, or the metric needs one and got none.
    """

    title = ""
    needs_cutoff = False

    def __init__(self, k: int | None = None) -> None:
        if k is None and self.needs_cutoff:
            raise ConfigError(f"`{self.title}` needs a cut-off, such as `{self.title}@5`.")
        if k is not None and k < 1:
            raise ConfigError(f"`k` must be at least 1, found {k}.")
        self.k = k

    @property
    def name(self) -> str:
        """As it is printed, such as `nDCG@5`."""
        return self.title if self.k is None else f"{self.title}@{self.k}"

    def per_list(self, ranking: Ranking) -> np.ndarray:
        """The metric of each list, float64 `[lists]`; lists without a relevant one are masked."""
        raise NotImplementedError

    def __call__(
        self, candidates: Candidates | Ranking, scores: np.ndarray | None = None, seed: int = 0
    ) -> np.ndarray:
        """The metric of each list, float64 `[lists]`.

        Args:
            candidates: the lists, or an already sorted `Ranking`.
            scores: float, aligned with the candidates; not needed for a `Ranking`.
            seed: of the order of equal scores.
        """
        if isinstance(candidates, Ranking):
            ranking = candidates
        else:
            ranking = rank(candidates, np.asarray(scores), seed)
        return np.where(ranking.relevant > 0, self.per_list(ranking), 0.0)

    def top(self, ranking: Ranking) -> np.ndarray:
        """Which places the cut-off lets through, bool `[values]`."""
        if self.k is None:
            return np.ones(len(ranking.rank), bool)
        return ranking.rank <= self.k

    def hits(self, ranking: Ranking) -> np.ndarray:
        """Relevant candidates within the cut-off, bool `[values]`."""
        return (ranking.labels > 0) & self.top(ranking)
