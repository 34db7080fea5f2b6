"""A model of relative reach: author, time and hashtags, each held towards nothing."""

import dataclasses
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, cg

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.errors import DataError

#: Outcomes that say how far a post reached, out of `tfhashtag.corpus.outcomes.OUTCOMES`.
COUNTED = ("likes", "shares", "replies", "views")
OWN = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
THROUGH_VECTORS = (10.0, 100.0, 1000.0)
_AUTHOR = (0.3, 1.0, 3.0, 10.0)
_TIME = 10.0
_HOURS, _DAYS = 24, 7


@dataclasses.dataclass(frozen=True)
class ReachModel:
    """What was learned of reach, in logs: 0.1 is about a tenth more of every outcome.

    Attributes:
        effects: float64 `[hashtags]`, what each hashtag adds.
        errors: float64 `[hashtags]`, their standard errors; of one that nobody used, how far
            hashtags differ that look alike.
        usual: float64 `[users]`, what is usual for each author.
        hours, weekdays: float64 `[24]`, `[7]` (Monday first), UTC; zeros where there are no times.
        followers: per unit of log(1 + followers), within an author.
        slope: by which the effects were multiplied so that they fit the posts of the choice.
        spread: standard deviation of a post about what is expected.
        chosen: the penalties, and on how many posts they were chosen.
    """

    effects: np.ndarray
    errors: np.ndarray
    usual: np.ndarray
    hours: np.ndarray
    weekdays: np.ndarray
    followers: float
    slope: float
    spread: float
    chosen: dict[str, Any]

    def beyond_usual(self, corpus: Corpus, posts: np.ndarray) -> np.ndarray:
        """What posts are expected to reach beyond the usual of their authors, float64 `[n]`."""
        found = _tag_matrix(corpus)[posts] @ self.effects
        if corpus.timestamps is not None:
            hours, weekdays = _clock(corpus.timestamps[posts])
            found = found + self.hours[hours] + self.weekdays[weekdays]
        return np.asarray(found)


def reach_of_posts(corpus: Corpus, rows: np.ndarray) -> np.ndarray:
    """How far each post reached, float64 `[posts]`, NaN where nothing is known.

    The mean over the outcomes that a post has of log(1 + outcome), less its mean over `rows`: the
    log of how many times as much as a typical post.

    Args:
        corpus: the posts.
        rows: bool `[posts]`, those that say what is typical.

    Raises:
        DataError: no post carries an outcome.
    """
    columns = {n: v for n, v in (corpus.outcomes or {}).items() if n in COUNTED}
    known = {name: values[rows & (values >= 0)] for name, values in columns.items()}
    if not any(map(len, known.values())):
        if any((values >= 0).any() for values in columns.values()):
            raise DataError(
                f"{corpus.name}: none of its train posts says what came of it, others do; split "
                "the posts otherwise (`data import --split`), or import outcomes of older ones."
            )
        raise DataError(
            f"{corpus.name}: its posts say nothing of what came of them; import them with one of "
            f"{', '.join(COUNTED)} (`--columns likes=...` where the column has another name)."
        )
    total, count = np.zeros(len(corpus)), np.zeros(len(corpus))
    for name, values in columns.items():
        if len(known[name]):
            there = values >= 0
            total[there] += np.log1p(values[there]) - np.log1p(known[name]).mean()
            count += there
    return np.divide(total, count, out=np.full(len(corpus), np.nan), where=count > 0)


def fit_reach(
    corpus: Corpus,
    train: np.ndarray,
    choice: np.ndarray,
    vectors: np.ndarray | None = None,
    *,
    last: np.ndarray | None = None,
) -> ReachModel:
    """Learns what is usual for authors and what hours, weekdays and hashtags add.

    Reach is author + followers + hour + weekday + the sum of the hashtags + chance. What hours and
    hashtags add is learned from differences between posts of one author alone, so that a hashtag
    gains nothing from who uses it. A hashtag is the product of its vector with weights common to
    all, and something of its own; both are held towards zero (ridge), as are the times; the usual
    of an author is held towards what authors with as many followers have. How strongly is chosen on
    posts that were not learned from.

    Args:
        corpus: the posts, with outcomes.
        train: bool `[posts]`, what is learned from.
        choice: bool `[posts]`, what penalties, slope and spread are chosen on.
        vectors: float `[hashtags, d]` of the hashtags, zeros where there is none; None: hashtags
            have only something of their own, and a new one adds nothing.
        last: bool `[posts]`: once all is chosen, learn again from these; None: from `train` alone.

    Raises:
        DataError: no outcomes, or fewer than ten posts with any to learn from or to choose on.
    """
    reach = reach_of_posts(corpus, train)
    known = np.isfinite(reach)
    for what, rows in (("learn from", train & known), ("choose on", choice & known)):
        if rows.sum() < 10:
            raise DataError(
                f"{corpus.name}: {rows.sum()} posts with outcomes to {what}; expected at least 10."
            )
    scaled = None if vectors is None else _scaled(vectors)
    problem = _Problem(corpus, reach, np.flatnonzero(train & known), scaled)
    held = np.flatnonzero(choice & known)
    best: tuple[float, Any] = (np.inf, None)
    own = OWN[-1]
    for through in (None, *(THROUGH_VECTORS if scaled is not None else ())):
        for penalty in OWN if through is None else (own,):
            solved = problem.solve(penalty, through)
            for author in _AUTHOR:
                error = problem.error(solved, author, held)
                if error < best[0]:
                    best = error, (penalty, through, author, solved)
        own = best[1][0]
    own, through, author, solved = best[1]
    slope, spread = problem.fitted(solved, author, held)
    chosen = {
        "own": own,
        "vectors": through,
        "author": author,
        "train posts": int((train & known).sum()),
        "choice posts": len(held),
    }
    if last is not None:
        problem = _Problem(corpus, reach, np.flatnonzero(last & known), scaled)
        solved = problem.solve(own, through)
    return problem.model(solved, author, slope, spread, chosen)


@dataclasses.dataclass(frozen=True)
class _Solved:
    hours: np.ndarray
    weekdays: np.ndarray
    followers: float
    effects: np.ndarray
    penalty: float


class _Problem:
    """Posts to learn from, and the sums that all penalties share."""

    def __init__(
        self, corpus: Corpus, reach: np.ndarray, rows: np.ndarray, vectors: np.ndarray | None
    ) -> None:
        self.corpus, self.rows, self.vectors = corpus, rows, vectors
        self.reach = reach
        self.tags = _tag_matrix(corpus)
        self.time = _time_matrix(corpus)
        self.follow = _followers(corpus)
        self.author = corpus.user_of_post
        posts = np.arange(len(rows))
        self._group = sp.csr_matrix(
            (np.ones(len(rows)), (self.author[rows], posts)), (len(corpus.users), len(rows))
        )
        self.count = np.asarray(self._group.sum(axis=1)).ravel()
        self._design = sp.csr_matrix(
            sp.hstack([self.time[rows], sp.csr_matrix(self.follow[rows, None]), self.tags[rows]])
        )
        self._own = self._variation()

    def _within(self, values: np.ndarray) -> np.ndarray:
        """Values of posts less the mean of their author."""
        means = (self._group @ values) / np.maximum(self.count, 1)
        return values - means[self.author[self.rows]]

    def _variation(self) -> np.ndarray:
        """Sum of squares of each column of the design about its authors' means."""
        squares = np.asarray(self._design.multiply(self._design).sum(axis=0)).ravel()
        sums = sp.csr_matrix(self._group @ self._design)
        between = sums.multiply(sums).T @ (1 / np.maximum(self.count, 1))
        return np.maximum(squares - np.asarray(between).ravel(), 0)

    def solve(self, own: float, through: float | None) -> _Solved:
        """The ridge over differences within authors, by conjugate gradients."""
        first = self.time.shape[1] + 1
        matrix, vectors = self._design, None if through is None else self.vectors
        width = 0 if vectors is None else vectors.shape[1]
        penalties = np.concatenate(
            [np.full(first - 1, _TIME), [1.0], np.full(self.tags.shape[1], own)]
        )
        diagonal = self._own + penalties
        if vectors is not None:
            diagonal = np.concatenate([diagonal, self._own[first:] @ vectors**2 + through])

        def columns(weights: np.ndarray) -> np.ndarray:
            """What each column of the design is multiplied with."""
            if vectors is None:
                return weights
            found = weights[:-width].copy()
            found[first:] += vectors @ weights[-width:]
            return found

        def back(gradient: np.ndarray) -> np.ndarray:
            if vectors is None:
                return gradient
            return np.concatenate([gradient, vectors.T @ gradient[first:]])

        weight = np.concatenate([penalties, np.full(width, through or 0.0)])

        def product(weights: np.ndarray) -> np.ndarray:
            inner = matrix.T @ self._within(matrix @ columns(weights))
            return back(inner) + weight * weights

        size = len(diagonal)
        operator = LinearOperator((size, size), matvec=product, dtype=np.float64)
        inverse = LinearOperator((size, size), matvec=lambda x: x / diagonal, dtype=np.float64)
        target = back(matrix.T @ self._within(self.reach[self.rows]))
        found, _ = cg(operator, target, rtol=1e-6, maxiter=300, M=inverse)
        found = columns(found)
        hours = self.time.shape[1] - _DAYS
        return _Solved(
            found[:hours], found[hours : first - 1], float(found[first - 1]), found[first:], own
        )

    def _relative(self, solved: _Solved) -> np.ndarray:
        """What time and hashtags add to each post of the corpus."""
        times = np.concatenate([solved.hours, solved.weekdays])
        return np.asarray(self.time @ times + self.tags @ solved.effects)

    def usual(self, solved: _Solved, strength: float) -> np.ndarray:
        """Of each author, held towards what authors with as many followers have."""
        rows = self.rows
        rest = self.reach[rows] - self._relative(solved)[rows]
        follow = self._group @ self.follow[rows] / np.maximum(self.count, 1)
        means = self._group @ rest / np.maximum(self.count, 1)
        there = self.count > 0
        centre = follow[there].mean()
        slope = 0.0
        if follow[there].std() > 0:
            slope = float(np.polyfit(follow[there], means[there], 1)[0])
        prior = means[there].mean() + slope * (np.where(there, follow, centre) - centre)
        return (self.count * means + strength * prior) / (self.count + strength)

    def error(self, solved: _Solved, strength: float, held: np.ndarray) -> float:
        """Mean squared error on posts that were not learned from."""
        expected = self.usual(solved, strength)[self.author[held]] + self._relative(solved)[held]
        return float(np.mean((self.reach[held] - expected) ** 2))

    def fitted(self, solved: _Solved, strength: float, held: np.ndarray) -> tuple[float, float]:
        """Slope of what was seen over what was expected, and what is left, on held posts."""
        expected = self._relative(solved)[held]
        seen = self.reach[held] - self.usual(solved, strength)[self.author[held]]
        about = expected - expected.mean()
        slope = 1.0
        if (about**2).sum() > 0:
            slope = float(np.clip(about @ (seen - seen.mean()) / (about**2).sum(), 0, 2))
        return slope, float(np.std(seen - slope * expected))

    def model(
        self, solved: _Solved, strength: float, slope: float, spread: float, chosen: dict[str, Any]
    ) -> ReachModel:
        scaled = dataclasses.replace(
            solved,
            hours=slope * solved.hours,
            weekdays=slope * solved.weekdays,
            effects=slope * solved.effects,
        )
        seen = self._own[self.time.shape[1] + 1 :]
        return ReachModel(
            effects=scaled.effects,
            errors=spread / np.sqrt(seen + solved.penalty),
            usual=self.usual(scaled, strength),
            hours=scaled.hours,
            weekdays=scaled.weekdays,
            followers=solved.followers,
            slope=slope,
            spread=spread,
            chosen=chosen,
        )


def _tag_matrix(corpus: Corpus) -> sp.csr_matrix:
    """Which post has which hashtag, `[posts, hashtags]`."""
    ones = np.ones(len(corpus.hashtag_values))
    parts = (ones, corpus.hashtag_values, corpus.hashtag_offsets)
    return sp.csr_matrix(parts, (len(corpus), len(corpus.hashtags)))


def _time_matrix(corpus: Corpus) -> sp.csr_matrix:
    """Hour and weekday of each post, `[posts, 24 + 7]`; empty rows where there are no times."""
    posts = len(corpus)
    if corpus.timestamps is None:
        return sp.csr_matrix((posts, _HOURS + _DAYS))
    hours, weekdays = _clock(corpus.timestamps)
    columns = np.stack([hours, _HOURS + weekdays], axis=1).ravel()
    return sp.csr_matrix(
        (np.ones(2 * posts), columns, np.arange(posts + 1) * 2), (posts, _HOURS + _DAYS)
    )


def _clock(times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hour and weekday, Monday first, UTC; 1970 began on a Thursday."""
    return times // 3600 % 24, (times // 86400 + 3) % 7


def _followers(corpus: Corpus) -> np.ndarray:
    """Log(1 + followers) of each post; unknown ones are the mean of the known ones."""
    counts = (corpus.outcomes or {}).get("followers")
    if counts is None or not (counts >= 0).any():
        return np.zeros(len(corpus))
    known = counts >= 0
    logs = np.log1p(np.maximum(counts, 0))
    return np.where(known, logs, logs[known].mean()) - logs[known].mean()


def _scaled(vectors: np.ndarray) -> np.ndarray:
    """Vectors about their mean, of mean square length 1; zeros stay zeros."""
    vectors = np.asarray(vectors, np.float64)
    there = np.any(vectors != 0, axis=1)
    if not there.any():
        return vectors
    about = np.where(there[:, None], vectors - vectors[there].mean(axis=0), 0.0)
    length = np.sqrt(np.mean(np.sum(about[there] ** 2, axis=1)))
    return about / length if length > 0 else about
