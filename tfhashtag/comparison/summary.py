"""Systems over seeds: means, deviations, and whether they differ from the reference."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfhashtag.comparison.outcome import Outcome
from tfhashtag.comparison.system import System
from tfhashtag.errors import DataError
from tfhashtag.evaluation.significance import Comparison, compare_paired


@dataclasses.dataclass(frozen=True)
class Summary:
    """One system over all seeds.

    Attributes:
        name, about, not_applicable: of the `System`.
        seeds: those that it was ranked with.
        failed: (seed, message) of those that failed.
        means: metric to its mean over seeds; empty where no seed was ranked.
        deviations: metric to the sample standard deviation over seeds; empty below two seeds.
        by_seed: metric to its value with each of `seeds`.
        against: metric to the paired comparison of this system with the reference, query by
            query, values averaged over seeds first; `difference` is this system less the
            reference. Empty for the reference itself, without one, and below two queries.
        seconds: mean time of a seed.
    """

    name: str
    about: str
    not_applicable: str
    seeds: tuple[int, ...]
    failed: tuple[tuple[int, str], ...]
    means: dict[str, float]
    deviations: dict[str, float]
    by_seed: dict[str, list[float]]
    against: dict[str, Comparison]
    seconds: float


def summarize(
    systems: Sequence[System],
    outcomes: Sequence[Outcome],
    reference: str,
    tested: Sequence[str],
) -> list[Summary]:
    """A summary for each system, in their order.

    Args:
        systems: all, also those that are not applicable.
        outcomes: of `run_comparison`.
        reference: name of the system that the others are tested against; it may be missing.
        tested: metrics to test, since a bootstrap takes its time.

    Raises:
        DataError: systems were ranked on different queries.

    Example:

    >>> from tfhashtag.comparison.system import Ranked
    >>> def outcome(name, seed, values):
    ...     ranked = Ranked(["a", "b", "c"], {"MAP": np.array(values)})
    ...     return Outcome(name, seed, ranked)
    >>> systems = [System(name, "", lambda seed, folder: None) for name in ("A", "B")]
    >>> full, other = summarize(
    ...     systems,
    ...     [outcome("A", 0, [0.5, 1, 0]), outcome("B", 0, [0, 1, 0]), outcome("B", 1, [0, 1, 1])],
    ...     "A",
    ...     ["MAP"],
    ... )
    >>> other.means["MAP"], other.against["MAP"].difference
    (0.5, 0.0)
    """
    ranked = {
        system.name: [o for o in outcomes if o.system == system.name and o.ranked is not None]
        for system in systems
    }
    _check_queries([outcome for found in ranked.values() for outcome in found])
    averages = {name: _over_seeds(found) for name, found in ranked.items()}
    base = averages.get(reference)
    summaries = []
    for system in systems:
        found = ranked[system.name]
        values = averages[system.name]
        by_seed = {
            name: [float(outcome.ranked.values[name].mean()) for outcome in found]  # type: ignore[union-attr]
            for name in values
        }
        against = {}
        if base and values and system.name != reference:
            against = {
                name: compare_paired(values[name], base[name])
                for name in tested
                if name in values and name in base and len(base[name]) > 1
            }
        summaries.append(
            Summary(
                system.name,
                system.about,
                system.not_applicable,
                tuple(outcome.seed for outcome in found),
                tuple((o.seed, o.error) for o in outcomes if o.system == system.name and o.error),
                {name: float(np.mean(each)) for name, each in by_seed.items()},
                {name: float(np.std(each, ddof=1)) for name, each in by_seed.items()}
                if len(found) > 1
                else {},
                by_seed,
                against,
                float(np.mean([outcome.seconds for outcome in found])) if found else 0.0,
            )
        )
    return summaries


def _over_seeds(outcomes: Sequence[Outcome]) -> dict[str, np.ndarray]:
    """Values of each query, averaged over seeds."""
    values = [outcome.ranked.values for outcome in outcomes if outcome.ranked is not None]
    if not values:
        return {}
    return {name: np.mean([each[name] for each in values], axis=0) for name in values[0]}


def _check_queries(outcomes: Sequence[Outcome]) -> None:
    first = outcomes[0] if outcomes else None
    for outcome in outcomes:
        if outcome.ranked.queries != first.ranked.queries:  # type: ignore[union-attr]
            raise DataError(
                f"{outcome.system}, seed {outcome.seed}, was ranked on other queries than "
                f"{first.system}; they cannot be compared."  # type: ignore[union-attr]
            )
