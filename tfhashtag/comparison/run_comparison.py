"""Every system with every seed, one after the other; what is done stays done."""

import pathlib
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tfhashtag.comparison.outcome import Outcome, finish, read_outcome
from tfhashtag.comparison.system import System, folder_name
from tfhashtag.errors import TfHashtagError
from tfhashtag.files import write_text

Work = Callable[[System, int, pathlib.Path], None]

_FAILURE = "failed.txt"


def run_comparison(
    systems: Mapping[System, Mapping[str, Any]],
    seeds: Sequence[int],
    folder: pathlib.Path,
    work: Work,
    say: Callable[[str], None] = lambda line: None,
    moved: Callable[[int, int], None] = lambda done, total: None,
) -> list[Outcome]:
    """Ranks with every system and seed, each in `folder/<system>/seed-<n>`.

    A result that is there already is read, not made again. A system that fails is an `Outcome`
    with its error, with the traceback in `failed.txt`; the others go on. It is tried again when
    the comparison is called again.

    Args:
        systems: each with its identity, JSON values that decide the result beside the seed; a
            result with another identity is not taken for this system's.
        seeds: distinct.
        folder: of all results; made where it is missing.
        work: `work(system, seed, place)` does all the work and leaves what
            `outcome.write_values` writes in the place. Called again after an interruption it
            goes on.
        say: called with a line about each result, for people who wait.
        moved: called before the first and after each result: how many are done, of how many.

    Returns:
        An outcome for each seed of each system, seed by seed in the order of systems.

    Raises:
        ArtifactError: a result in the folder is damaged, or of other settings or other data;
            found before anything is computed.
        KeyboardInterrupt: passed on; call again to go on.

    Example:

    >>> import numpy as np, tempfile
    >>> from tfhashtag.comparison.outcome import write_values
    >>> def work(system, seed, place):
    ...     write_values(place, ["a", "b"], {"MAP": np.array([0.0, 1.0])})
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> outcome, = run_comparison({System("Rule", "rule"): {}}, [0], folder, work)
    >>> outcome.values["MAP"].mean()
    np.float64(0.5)
    """
    places = {
        (system, seed): folder / folder_name(system.name) / f"seed-{seed}"
        for seed in seeds
        for system in systems
    }
    done = {job: read_outcome(place, systems[job[0]]) for job, place in places.items()}
    left = sum(found is None for found in done.values())
    outcomes: list[Outcome] = []
    spent: list[float] = []
    for number, ((system, seed), place) in enumerate(places.items(), 1):
        moved(number - 1, len(places))
        head = f"[{number}/{len(places)}] {system.name}, seed {seed}"
        found = done[system, seed]
        if found is not None:
            say(f"{head}: there already")
            outcomes.append(found)
            continue
        mean = sum(spent) / max(len(spent), 1)
        more = f", about {_duration(mean * (left - len(spent)))} left" if len(spent) > 1 else ""
        say(f"{head}{more}")
        outcome = _outcome(system, seed, place, work, systems[system])
        spent.append(outcome.seconds)
        how = f"failed: {outcome.error}" if outcome.error else "done"
        say(f"{head}: {how} ({_duration(outcome.seconds)})")
        outcomes.append(outcome)
    moved(len(places), len(places))
    return outcomes


def _outcome(
    system: System, seed: int, place: pathlib.Path, work: Work, identity: Mapping[str, Any]
) -> Outcome:
    place.mkdir(parents=True, exist_ok=True)
    (place / _FAILURE).unlink(missing_ok=True)
    started = time.monotonic()
    try:
        work(system, seed, place)
        return finish(place, system.name, seed, time.monotonic() - started, identity)
    except Exception as error:  # one system must not take the others with it
        message = " ".join(str(error).split())
        if not isinstance(error, TfHashtagError):
            message = f"{type(error).__name__}: {message}"
        write_text(place / _FAILURE, traceback.format_exc())
        seconds = time.monotonic() - started
        return Outcome(system.name, seed, seconds=seconds, error=message)


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
