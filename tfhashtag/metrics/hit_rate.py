"""Hit rate."""

import numpy as np

from tfhashtag.metrics.ranking import Ranking
from tfhashtag.metrics.ranking_metric import RankingMetric


class HitRate(RankingMetric):
    """HitRate@k: 1 where a relevant candidate stands among the `k` best, else 0.

    >>> from tfhashtag.corpus.candidates import Candidates
    >>> from tfhashtag.corpus.rows import Rows
    >>> lists = Candidates(np.array([0]), Rows.from_lists([[0, 1, 2]]), np.array([0, 1, 1]))
    >>> HitRate(1)(lists, np.array([3.0, 2.0, 1.0])).tolist()
    [0.0]
    """

    title = "HitRate"
    needs_cutoff = True

    def per_list(self, ranking: Ranking) -> np.ndarray:
        """See the class."""
        return (ranking.sum(self.hits(ranking)) > 0).astype(np.float64)
