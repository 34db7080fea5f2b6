"""Fit and expected reach in one order: a weighted geometric mean of two distributions."""

import dataclasses

import numpy as np

from tfhashtag.errors import ConfigError

POOL = 100
"""Hashtags that fit best, among which the order is changed."""


def check_weight(weight: float) -> None:
    """Refuses a weight of reach outside of [0, 1].

    Raises:
        ConfigError: it lies outside.
    """
    if not 0 <= weight <= 1:
        raise ConfigError(
            f"`reach` must lie between 0 (fit alone) and 1 (reach alone), found {weight}."
        )


@dataclasses.dataclass(frozen=True)
class Blend:
    r"""How scores of a recommender and effects of hashtags are weighed.

    Among the pool of best-fitting hashtags, fit is the distribution in proportion to the
    probability that a hashtag is right, \(f_h = \sigma(\text{scale}\cdot s_h + \text{shift})\), and
    reach the one in proportion to \(\exp(\text{exchange}\cdot\gamma_h)\), with \(\gamma_h\) what
    the hashtag adds to the log of every outcome. With weight \(w\)

    \[\pi_h \propto f_h^{\,1-w}\,\exp(\text{exchange}\cdot\gamma_h)^{\,w}.\]

    The exchange is such that, among what fits (each hashtag with its share of the fit), the
    standard deviation of \(\log f\) is that of \(\text{exchange}\cdot\gamma\): at 0.5 both have
    the same say. At 0 the order is that of the recommender, at 1 that of reach alone.

    Attributes:
        scale, shift: of scores to logits of the probability that a hashtag is right.
        exchange: what a unit of effect is worth in log-probability.

    Example:

    >>> blend = Blend(scale=1.0, shift=0.0, exchange=2.0)
    >>> scores, effects = np.array([0.4, 0.0]), np.array([0.0, 0.5])
    >>> [blend.distribution(scores, effects, w).round(2).tolist() for w in (0.0, 0.3, 1.0)]
    [[0.54, 0.46], [0.46, 0.54], [0.27, 0.73]]
    """

    scale: float
    shift: float
    exchange: float

    def logits(self, scores: np.ndarray) -> np.ndarray:
        """Of the probability that a hashtag is right, of its score."""
        return self.scale * np.asarray(scores, np.float64) + self.shift

    def probability(self, scores: np.ndarray) -> np.ndarray:
        """That a hashtag is right, of its score."""
        return np.exp(self._log_probability(scores))

    def distribution(self, scores: np.ndarray, effects: np.ndarray, weight: float) -> np.ndarray:
        """The blend over the last axis, float64; scores of -inf are left out, 0.

        An empty pool has no distribution: all its shares are 0.

        Args:
            scores: float `[..., pool]`, of the recommender.
            effects: float `[..., pool]`, of the hashtags.
            weight: of reach, in [0, 1].
        """
        there = ~np.isneginf(scores)
        fit = self._log_probability(np.where(there, scores, 0.0))
        logs = np.where(there, (1 - weight) * fit + weight * self.exchange * effects, -np.inf)
        best = logs.max(axis=-1, keepdims=True)
        shares = np.exp(logs - np.where(np.isneginf(best), 0.0, best))
        return np.asarray(shares / np.maximum(shares.sum(axis=-1, keepdims=True), 1e-300))

    def _log_probability(self, scores: np.ndarray) -> np.ndarray:
        return np.asarray(-np.logaddexp(0, -self.logits(scores)))


def fitted_blend(scores: np.ndarray, effects: np.ndarray, scale: float, shift: float) -> Blend:
    """The blend whose exchange makes both spreads equal over pools.

    Args:
        scores: float `[queries, pool]`, of the recommender; -inf where a pool is shorter.
        effects: float `[queries, pool]`, of the same hashtags.
        scale, shift: as of `Blend`.
    """
    plain = Blend(scale, shift, 0.0)
    there = ~np.isneginf(scores)
    logs = plain._log_probability(np.where(there, scores, 0.0))
    shares = plain.distribution(scores, effects, 0.0)  # what does not fit has no say
    of_fit, of_reach = _spread(logs, shares), _spread(effects, shares)
    return Blend(scale, shift, of_fit / of_reach if of_reach > 1e-9 else 0.0)


def _spread(values: np.ndarray, shares: np.ndarray) -> float:
    """Standard deviation within rows, each value with its share, over all that are not empty."""
    means = (shares * values).sum(axis=1, keepdims=True)
    spreads = (shares * (values - means) ** 2).sum(axis=1)
    return float(np.sqrt(spreads.sum() / max(shares.any(axis=1).sum(), 1)))
