"""Systems over seeds: means, deviations, and whether they differ from the reference."""

import dataclasses
import types
from collections.abc import Mapping, Sequence

import numpy as np

from tfhashtag.comparison.outcome import Outcome
from tfhashtag.comparison.system import System
from tfhashtag.errors import DataError
from tfhashtag.evaluation.significance import Comparison, compare_paired


@dataclasses.dataclass(frozen=True)
class Summary:
    """One system over all seeds.

    Attributes:
        name, about: of the `System`.
        missing: why it cannot be ranked on this corpus; "" where it can.
        seeds: those that it was ranked with.
        failed: (seed, message) of those that failed.
        means: metric to its mean over seeds; empty where no seed was ranked.
        deviations: metric to the sample standard deviation over seeds; empty below two seeds.
        by_seed: metric to its value with each of `seeds`.
        against: metric to the paired comparison of this system with the reference, query by
            query, values averaged over seeds first; `difference` is this system less the
            reference. Empty for the reference itself, without one, and below two queries.
    """

    name: str
    about: str
    missing: str
    seeds: tuple[int, ...]
    failed: tuple[tuple[int, str], ...]
    means: dict[str, float]
    deviations: dict[str, float]
    by_seed: dict[str, list[float]]
    against: dict[str, Comparison]


def summarize(
    systems: Sequence[System],
    outcomes: Sequence[Outcome],
    reference: str,
    tested: Sequence[str],
    missing: Mapping[str, str] = types.MappingProxyType({}),
) -> list[Summary]:
    """A summary for each system, in their order.

    Args:
        systems: all, also those that cannot be ranked.
        outcomes: of `run_comparison`.
        reference: name of the system that the others are tested against; it may be missing.
        tested: metrics to test, since a bootstrap takes its time.
        missing: why systems cannot be ranked.

    Raises:
        DataError: systems were ranked on different queries.

    Example:

    >>> def outcome(name, seed, values):
    ...     return Outcome(name, seed, ["a", "b", "c"], {"MAP": np.array(values)})
    >>> full, other = summarize(
    ...     [System("A", "a"), System("B", "b")],
    ...     [outcome("A", 0, [0.5, 1, 0]), outcome("B", 0, [0, 1, 0]), outcome("B", 1, [0, 1, 1])],
    ...     "A",
    ...     ["MAP"],
    ... )
    >>> other.means["MAP"], other.against["MAP"].difference
    (0.5, 0.0)
    """
    _check_queries([outcome for outcome in outcomes if not outcome.error])
    averages = {system.name: _over_seeds(outcomes, system.name) for system in systems}
    base = averages.get(reference, {})
    summaries = []
    for system in systems:
        mine = [outcome for outcome in outcomes if outcome.system == system.name]
        ranked = [outcome for outcome in mine if not outcome.error]
        values = averages[system.name]
        by_seed = {name: [float(o.values[name].mean()) for o in ranked] for name in values}
        several = by_seed if len(ranked) > 1 else {}
        against = {
            name: compare_paired(values[name], base[name])
            for name in tested
            if system.name != reference and name in values and len(base.get(name, ())) > 1
        }
        summaries.append(
            Summary(
                system.name,
                system.about,
                missing.get(system.name, ""),
                tuple(outcome.seed for outcome in ranked),
                tuple((outcome.seed, outcome.error) for outcome in mine if outcome.error),
                {name: float(np.mean(each)) for name, each in by_seed.items()},
                {name: float(np.std(each, ddof=1)) for name, each in several.items()},
                by_seed,
                against,
            )
        )
    return summaries


def _over_seeds(outcomes: Sequence[Outcome], name: str) -> dict[str, np.ndarray]:
    """Values of each query, averaged over the seeds of a system."""
    found = [outcome.values for outcome in outcomes if outcome.system == name and not outcome.error]
    names = found[0] if found else ()
    return {name: np.mean([values[name] for values in found], axis=0) for name in names}


def _check_queries(outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        if list(outcome.queries) != list(outcomes[0].queries):
            raise DataError(
                f"{outcome.system}, seed {outcome.seed}, was ranked on other queries than "
                f"{outcomes[0].system}; they cannot be compared."
            )
