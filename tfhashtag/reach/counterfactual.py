"""What another choice of hashtags would have reached, estimated from what people chose."""

import dataclasses

import numpy as np
import scipy.sparse as sp
from scipy import optimize, stats

from tfhashtag.corpus.corpus import Corpus

CLIP = 20.0
_STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0)
_DRAWS = 1000


@dataclasses.dataclass(frozen=True)
class Habits:
    """How likely authors were to choose each hashtag: their own counts, held towards everybody's.

    Attributes:
        counts: how often each author used each hashtag, sparse `[users, hashtags]`.
        shares: float64 `[hashtags]`, of everybody.
        strength: how many uses everybody's shares are worth.
    """

    counts: sp.csr_matrix
    shares: np.ndarray
    strength: float

    @classmethod
    def of(cls, corpus: Corpus, train: np.ndarray, choice: np.ndarray) -> "Habits":
        """Counted in some posts; the strength under which others, bool `[posts]`, are likeliest."""
        posts, tags = corpus.taggings()
        authors, known = corpus.user_of_post[posts], train[posts]
        shape = len(corpus.users), len(corpus.hashtags)
        ones = np.ones(int(known.sum()))
        counts = sp.csr_matrix((ones, (authors[known], tags[known])), shape)
        uses = np.asarray(counts.sum(axis=0)).ravel() + 0.5
        shares = uses / uses.sum()
        asked = choice[posts]
        own = np.asarray(counts[authors[asked], tags[asked]]).ravel()
        total = np.asarray(counts.sum(axis=1)).ravel()[authors[asked]]
        best, strength = -np.inf, _STRENGTHS[0]
        for candidate in _STRENGTHS:
            chance = (own + candidate * shares[tags[asked]]) / (total + candidate)
            if np.log(chance).sum() > best:
                best, strength = float(np.log(chance).sum()), candidate
        return cls(counts, shares, strength)

    def chances(self, authors: np.ndarray, pools: np.ndarray) -> np.ndarray:
        """Of each hashtag of a pool, given that the choice was in it; rows sum to 1.

        Args:
            authors: int `[n]`.
            pools: int `[n, pool]`, hashtags, -1 where a pool is shorter.
        """
        own = np.asarray(self.counts[authors[:, None], np.maximum(pools, 0)].todense())
        found = np.where(pools >= 0, own + self.strength * self.shares[pools], 0.0)
        return np.asarray(found / np.maximum(found.sum(axis=1, keepdims=True), 1e-300))


@dataclasses.dataclass(frozen=True)
class Choices:
    """How people choose out of a pool: by habit and by fit (McFadden's conditional logit).

    Attributes:
        habit: weight of the log of `Habits.chances`.
        fit: weight of the recommender's logit that the hashtag is right.
    """

    habit: float
    fit: float

    @classmethod
    def of(cls, habits: np.ndarray, logits: np.ndarray, chosen: np.ndarray) -> "Choices":
        """The likeliest weights of choices that were made.

        Args:
            habits: float `[n, pool]`, 0 where a pool is shorter.
            logits: float `[n, pool]`.
            chosen: int `[n]`, the place of what was chosen.

        Example:

        >>> habits = np.tile([[0.5, 0.3, 0.2]], (300, 1))
        >>> logits = np.random.default_rng(0).normal(size=(300, 3))
        >>> found = Choices.of(habits, logits, logits.argmax(axis=1))
        >>> found.fit > 3 > abs(found.habit)
        True
        """
        features = np.stack([np.log(np.maximum(habits, 1e-12)), logits], axis=-1)
        there = habits > 0
        picked = features[np.arange(len(chosen)), chosen]

        def cost(weights: np.ndarray) -> tuple[float, np.ndarray]:
            values = np.where(there, features @ weights, -np.inf)
            total = np.logaddexp.reduce(values, axis=1)
            expected = np.einsum("np,npf->nf", np.exp(values - total[:, None]), features)
            ridge = 1e-3 * weights
            lost = float(np.mean(total - picked @ weights) + ridge @ weights / 2)
            return lost, (expected - picked).mean(axis=0) + ridge

        found = optimize.minimize(cost, np.array([1.0, 0.0]), jac=True, method="BFGS").x
        return cls(float(found[0]), float(found[1]))

    def chances(self, habits: np.ndarray, logits: np.ndarray) -> np.ndarray:
        """Of each hashtag of a pool; rows sum to 1."""
        values = self.habit * np.log(np.maximum(habits, 1e-12)) + self.fit * logits
        values = np.where(habits > 0, values, -np.inf)
        return np.asarray(np.exp(values - np.logaddexp.reduce(values, axis=1)[:, None]))


@dataclasses.dataclass(frozen=True)
class Estimate:
    """The value of a choice, with its interval.

    Attributes:
        value: mean reward, in logs; None, as the interval, where nothing that was chosen has a
            weight: nobody chose what the other choice would.
        low, high: 95 % interval.
        effective: number of choices that the weights are worth.
        clipped: share of the weights that were cut.
    """

    value: float | None
    low: float | None
    high: float | None
    effective: float
    clipped: float


def weighted_value(
    rewards: np.ndarray,
    chosen: np.ndarray,
    logged: np.ndarray,
    groups: np.ndarray,
    *,
    shares: np.ndarray | None = None,
    clip: float = CLIP,
    seed: int = 0,
) -> Estimate:
    """Self-normalised inverse propensity weighting with clipped weights (Swaminathan, 2015).

    Args:
        rewards: float `[n]`, of what was chosen.
        chosen: float `[n]`, probability that the other choice would have chosen the same.
        logged: float `[n]`, probability with which it was chosen.
        groups: int `[n]`: the bootstrap draws whole groups, such as authors.
        shares: float `[n]`, what each counts besides; None: 1.
        clip: largest ratio of `chosen` to `logged`.
        seed: of the bootstrap, of 1,000 draws.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> action = rng.random(4000) < 0.2           # chosen one time in five, worth 1
    >>> found = weighted_value(action + rng.normal(size=4000), np.full(4000, 0.5),
    ...                        np.where(action, 0.2, 0.8), np.arange(4000))
    >>> found.low < 0.5 < found.high
    True
    """
    ratios = chosen / np.maximum(logged, 1e-300)  # what was never likely has a cut weight
    weights = np.minimum(ratios, clip) * (1.0 if shares is None else shares)
    clipped = float(np.mean(ratios > clip))
    if not weights.any():
        return Estimate(None, None, None, 0.0, clipped)
    _, group = np.unique(groups, return_inverse=True)
    tops = np.bincount(group, weights * rewards)
    bottoms = np.bincount(group, weights)
    rng = np.random.default_rng(seed)
    even = np.full(len(tops), 1 / len(tops))
    values = []
    for _ in range(_DRAWS):
        drawn = rng.multinomial(len(tops), even)
        values.append(float(drawn @ tops) / max(float(drawn @ bottoms), 1e-300))
    effective = float(weights.sum() ** 2 / (weights**2).sum())
    low, high = np.percentile(values, _levels(effective))
    return Estimate(
        value=float(tops.sum() / bottoms.sum()),
        low=float(low),
        high=float(high),
        effective=effective,
        clipped=clipped,
    )


def _levels(count: float) -> tuple[float, float]:
    """Percentiles of a 95 % interval, further out for few values (Hesterberg, 2015)."""
    freedom = max(count - 1, 1.0)
    reach = stats.t.ppf(0.975, freedom) * np.sqrt((freedom + 1) / freedom)
    level = 100 * float(stats.norm.cdf(-reach))
    return level, 100 - level
