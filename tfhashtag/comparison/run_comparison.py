"""Every system with every seed, one after the other; what is done stays done."""

import pathlib
import time
import traceback
from collections.abc import Callable, Sequence

from tfhashtag.comparison.outcome import (
    FAILURE,
    Outcome,
    read_outcome,
    write_outcome,
)
from tfhashtag.comparison.system import Ranked, System
from tfhashtag.errors import ArtifactError, TfHashtagError
from tfhashtag.files import atomic_writer


def run_comparison(
    systems: Sequence[System],
    seeds: Sequence[int],
    folder: pathlib.Path,
    say: Callable[[str], None] = lambda line: None,
    moved: Callable[[int, int], None] = lambda done, total: None,
) -> list[Outcome]:
    """Ranks with every system and seed, each in `folder/<system>/seed-<n>`.

    A result that is there already is read, not made again. A system that fails is an `Outcome`
    with its error, with the traceback in `failed.txt`; the others go on. It is tried again when
    the comparison is called again.

    Args:
        systems: those that are not applicable are skipped.
        seeds: distinct.
        folder: of all results; made where it is missing.
        say: called with a line about each result, for people who wait.
        moved: called before the first and after each result: how many are done, of how many.

    Returns:
        An outcome for each seed of each applicable system, seed by seed in the order of systems.

    Raises:
        ArtifactError: a result in the folder is damaged, or of other settings or other data;
            found before anything is computed.
        KeyboardInterrupt: passed on; call again to go on.

    Example:

    >>> import numpy as np, tempfile
    >>> def rank(seed, folder):
    ...     return Ranked(["a", "b"], {"MAP": np.array([0.0, 1.0])})
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> outcome, = run_comparison([System("Rule", "a rule", rank)], [0], folder)
    >>> outcome.ranked.values["MAP"].mean()
    np.float64(0.5)
    """
    jobs = [(system, seed) for seed in seeds for system in systems if not system.not_applicable]
    done = {
        (system.name, seed): read_outcome(_place(folder, system, seed), system.identity)
        for system, seed in jobs
    }
    outcomes, spent, open_jobs = [], 0.0, sum(found is None for found in done.values())
    for number, (system, seed) in enumerate(jobs, 1):
        moved(number - 1, len(jobs))
        head = f"[{number}/{len(jobs)}] {system.name}, seed {seed}"
        found = done[system.name, seed]
        if found is not None:
            say(f"{head}: there already")
            outcomes.append(found)
            continue
        say(f"{head}{_left(spent, open_jobs, done)}")
        outcome = _outcome(system, seed, _place(folder, system, seed))
        done[system.name, seed] = outcome
        spent += outcome.seconds
        say(
            f"{head}: {'failed: ' + outcome.error if outcome.error else 'done'} "
            f"({_duration(outcome.seconds)})"
        )
        outcomes.append(outcome)
    moved(len(jobs), len(jobs))
    return outcomes


def _outcome(system: System, seed: int, place: pathlib.Path) -> Outcome:
    place.mkdir(parents=True, exist_ok=True)
    (place / FAILURE).unlink(missing_ok=True)
    started = time.monotonic()
    try:
        ranked = _checked(system.rank(seed, place), system)
    except Exception as error:  # one system must not take the others with it
        message = " ".join(str(error).split())
        if not isinstance(error, TfHashtagError):
            message = f"{type(error).__name__}: {message}"
        with atomic_writer(place / FAILURE) as file:
            file.write(traceback.format_exc())
        return Outcome(system.name, seed, None, time.monotonic() - started, message)
    outcome = Outcome(system.name, seed, ranked, time.monotonic() - started)
    write_outcome(place, outcome, system.identity)
    return outcome


def _checked(ranked: Ranked, system: System) -> Ranked:
    for name, values in ranked.values.items():
        if len(values) != len(ranked.queries):
            raise ArtifactError(
                f"{system.name}: {len(values)} values of {name} for {len(ranked.queries)} queries."
            )
    return ranked


def _place(folder: pathlib.Path, system: System, seed: int) -> pathlib.Path:
    return folder / system.folder_name / f"seed-{seed}"


def _left(spent: float, open_jobs: int, done: dict) -> str:
    made = open_jobs - sum(found is None for found in done.values())
    if made < 2:
        return ""
    return f", about {_duration(spent / made * (open_jobs - made))} left"


def _duration(seconds: float) -> str:
    """Two figures are enough for people.

    >>> [_duration(value) for value in (3.2, 75, 8000)]
    ['3 s', '1 min 15 s', '2 h 13 min']
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
