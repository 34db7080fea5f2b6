"""Precision."""

import numpy as np

from tfhashtag.metrics.ranking import Ranking
from tfhashtag.metrics.ranking_metric import RankingMetric


class Precision(RankingMetric):
    """P@k: relevant candidates among the `k` best, divided by `k`, also where the list is shorter.

    >>> import numpy as np
    >>> from tfhashtag.corpus.candidates import Candidates
    >>> from tfhashtag.corpus.rows import Rows
    >>> lists = Candidates(np.array([0]), Rows.from_lists([[0, 1]]), np.array([1, 0]))
    >>> Precision(5)(lists, np.array([3.0, 2.0])).tolist()
    [0.2]
    """

    title = "P"
    needs_cutoff = True

    def per_list(self, ranking: Ranking) -> np.ndarray:
        """See the class."""
        return ranking.sum(self.hits(ranking)) / self.k
