"""Recall."""

import numpy as np

from tfhashtag.metrics.ranking import Ranking
from tfhashtag.metrics.ranking_metric import RankingMetric


class Recall(RankingMetric):
    """Recall@k: the part of all relevant candidates that stands among the `k` best.

    >>> from tfhashtag.corpus.candidates import Candidates
    >>> from tfhashtag.corpus.rows import Rows
    >>> lists = Candidates(np.array([0]), Rows.from_lists([[0, 1, 2]]), np.array([1, 0, 1]))
    >>> Recall(2)(lists, np.array([3.0, 2.0, 1.0])).tolist()
    [0.5]
    """

    title = "Recall"
    needs_cutoff = True

    def per_list(self, ranking: Ranking) -> np.ndarray:
        """See the class."""
        return ranking.sum(self.hits(ranking)) / np.maximum(ranking.relevant, 1)
