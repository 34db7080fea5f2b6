"""Reciprocal rank."""

import numpy as np

from tfhashtag.metrics.ranking import Ranking
from tfhashtag.metrics.ranking_metric import RankingMetric


class ReciprocalRank(RankingMetric):
    """MRR: one over the rank of the first relevant candidate, 0 where it lies beyond `k`.

    >>> from tfhashtag.corpus.candidates import Candidates
    >>> from tfhashtag.corpus.rows import Rows
    >>> lists = Candidates(np.array([0]), Rows.from_lists([[0, 1, 2]]), np.array([0, 1, 1]))
    >>> ReciprocalRank()(lists, np.array([3.0, 2.0, 1.0])).tolist()
    [0.5]
    """

    title = "MRR"

    def per_list(self, ranking: Ranking) -> np.ndarray:
        """See the class."""
        best = np.zeros(ranking.lists)
        hits = self.hits(ranking)
        np.maximum.at(best, ranking.row[hits], 1.0 / ranking.rank[hits])
        return best
