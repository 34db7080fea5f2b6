"""Normalised discounted cumulative gain."""

import numpy as np

from tfhashtag.metrics.ranking import Ranking
from tfhashtag.metrics.ranking_metric import RankingMetric


class NDCG(RankingMetric):
    r"""nDCG: \(DCG = \sum_i (2^{rel_i} - 1) / \log_2(i + 1)\), divided by that of the best order.

    >>> from tfhashtag.corpus.candidates import Candidates
    >>> from tfhashtag.corpus.rows import Rows
    >>> lists = Candidates(np.array([0]), Rows.from_lists([[0, 1, 2]]), np.array([0, 1, 0]))
    >>> NDCG(5)(lists, np.array([3.0, 2.0, 1.0])).round(4).tolist()
    [0.6309]
    """

    title = "nDCG"

    def per_list(self, ranking: Ranking) -> np.ndarray:
        """See the class."""
        weight = self.top(ranking) / np.log2(ranking.rank + 1.0)
        gains = 2.0 ** np.maximum(ranking.labels, 0) - 1.0
        ideal = gains[np.lexsort((-gains, ranking.row))]
        best = ranking.sum(ideal * weight)
        return ranking.sum(gains * weight) / np.where(best > 0, best, 1.0)
