"""Average precision."""

import numpy as np

from tfhashtag.metrics.ranking import Ranking
from tfhashtag.metrics.ranking_metric import RankingMetric


class MeanAveragePrecision(RankingMetric):
    r"""MAP: the mean, over all relevant candidates, of the precision at the rank of each.

    \(AP@k = \frac{1}{R} \sum_{i \le k} rel_i \, P@i\) with R the number of relevant candidates in
    the whole list, as trec_eval has it: one beyond the cut-off counts 0.

    >>> from tfhashtag.corpus.candidates import Candidates
    >>> from tfhashtag.corpus.rows import Rows
    >>> lists = Candidates(np.array([0]), Rows.from_lists([[0, 1, 2]]), np.array([1, 0, 1]))
    >>> MeanAveragePrecision()(lists, np.array([3.0, 2.0, 1.0])).round(4).tolist()
    [0.8333]
    """

    title = "MAP"

    def per_list(self, ranking: Ranking) -> np.ndarray:
        """See the class."""
        relevant = (ranking.labels > 0).astype(np.float64)
        running = np.cumsum(relevant)
        before = np.concatenate([[0.0], np.cumsum(ranking.relevant)])[ranking.row]
        precision = (running - before) / ranking.rank
        return ranking.sum(precision * self.hits(ranking)) / np.maximum(ranking.relevant, 1)
