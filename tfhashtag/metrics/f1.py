"""F1 of mean precision and mean recall."""

import numpy as np

from tfhashtag.corpus.candidates import Candidates
from tfhashtag.metrics.precision import Precision
from tfhashtag.metrics.ranking import Ranking
from tfhashtag.metrics.ranking_metric import RankingMetric
from tfhashtag.metrics.recall import Recall


class F1(RankingMetric):
    """F1@k = 2PR / (P + R) of P = P@k and R = Recall@k averaged over lists; 0 where both are 0.

    As in Table 2 of the thesis (2024), from its P and R. Its value of a list is therefore the pair
    of both, float64 `[lists, 2]`, which `average` makes one number.

    >>> import numpy as np
    >>> from tfhashtag.corpus.candidates import Candidates
    >>> from tfhashtag.corpus.rows import Rows
    >>> lists = Candidates(np.array([0]), Rows.from_lists([[0, 1, 2]]), np.array([1, 0, 1]))
    >>> values = F1(1)(lists, np.array([3.0, 2.0, 1.0]))
    >>> values.tolist(), round(average(values), 4)
    ([[1.0, 0.5]], 0.6667)
    """

    title = "F1"
    needs_cutoff = True

    def __call__(
        self, candidates: Candidates | Ranking, scores: np.ndarray | None = None, seed: int = 0
    ) -> np.ndarray:
        """P@k and Recall@k of each list, float64 `[lists, 2]`."""
        parts = Precision(self.k), Recall(self.k)
        return np.stack([part(candidates, scores, seed) for part in parts], axis=-1)


def average(values: np.ndarray) -> float:
    """The mean of a metric's values of lists, float `[lists]`; of `F1`'s pairs `[lists, 2]`, F1.

    >>> average(np.array([0.0, 1.0])), round(average(np.array([[0.1719, 0.1959]])), 4)
    (0.5, 0.1831)
    """
    if values.ndim == 1:
        return float(values.mean())
    precision, recall = (float(value) for value in values.mean(axis=0))
    both = precision + recall
    return 2 * precision * recall / both if both > 0 else 0.0
