"""Systems of elsewhere: their TREC runs join a comparison."""

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import pydantic

from tfhashtag.comparison.job import Clock, keep_result, place_of
from tfhashtag.comparison.study import Study
from tfhashtag.comparison.system import System
from tfhashtag.errors import ConfigError, DataError
from tfhashtag.evaluation.trec import read_run
from tfhashtag.files import sha256_of, write_json
from tfhashtag.tasks import Queries

_NAMES = ("run.trec", "run.trec.gz")


class RunSettings(pydantic.BaseModel):
    """What is known of a system from elsewhere, where others have settings."""

    run: str
    sha256: str


def foreign_system(given: str) -> System:
    """The system of a `NAME=PATH`.

    PATH is a run file of the first protocol, or a folder with `[PROTOCOL/]run.trec`, one for all
    seeds, or with `seed-N/[PROTOCOL/]run.trec`; packed files end in `.gz`. A folder, or that of a
    seed, may hold `timing.json`, step to seconds, and `memory.json`, `{"peak_mib": ...}`.

    Raises:
        ConfigError: no name or no path.
        DataError: nothing is there.

    Example:

    >>> foreign_system("ALS=nowhere")
    Traceback (most recent call last):
    tfhashtag.errors.DataError: --run ALS=nowhere: no such file or folder.
    """
    name, _, path = (part.strip() for part in given.partition("="))
    if not name or not path:
        raise ConfigError(f"--run {given}: expected NAME=FILE or NAME=FOLDER.")
    place = pathlib.Path(path).expanduser()
    if not place.exists():
        raise DataError(f"--run {given}: no such file or folder.")
    drawn = "what it draws" if any(place.glob("seed-*")) else ""
    return System(name, str(place), "ranked elsewhere", drawn, run=str(place.absolute()))


def settings_of_run(system: System) -> RunSettings:
    """Where its files are, and their digest."""
    digest = hashlib.sha256()
    place = pathlib.Path(system.run)
    paths = [place] if place.is_file() else sorted(place.rglob("*.trec*"))
    for path in paths:
        digest.update(f"{path.relative_to(place)}\n".encode())
        digest.update(bytes.fromhex(sha256_of(path)))
    return RunSettings(run=system.run, sha256=digest.hexdigest())


def files_of_run(
    system: System, study: Study, seeds: Sequence[int]
) -> dict[str, dict[int, pathlib.Path]]:
    """By protocol whose lists a system from elsewhere has ranked with every seed, its files.

    Raises:
        DataError: a seed is missing, of the first protocol or of another that others have.
    """
    found = {}
    for number, protocol in enumerate(study.task.protocols):
        looked = {seed: _file(system, study, protocol, seed) for seed in seeds}
        paths = {seed: path for seed, path in looked.items() if path is not None}
        missing = [seed for seed in seeds if seed not in paths]
        if missing and (number == 0 or len(missing) < len(seeds)):
            head = place_of(study, pathlib.Path(), protocol)[0] / _NAMES[0]
            raise DataError(
                f"{system.run}: no run of seed {missing[0]}; expected seed-{missing[0]}/{head}, "
                f"or {head} for all seeds. `--seeds` says how many are compared."
            )
        if not missing:
            found[protocol] = paths
    return found


def measure_run(
    system: System,
    study: Study,
    queries: Mapping[str, Queries],
    seed: int,
    folder: pathlib.Path,
    qrels: pathlib.Path,
) -> None:
    """Leaves the result of one seed of a system from elsewhere, as a training leaves its own.

    Args:
        system: of `foreign_system`.
        study: what is compared.
        queries: protocol to what is asked.
        seed: of the run, and of the order of its equal scores.
        folder: of the result.
        qrels: folder of the truth.

    Raises:
        DataError: a file cannot be read, or ranks something else.
    """
    clock = Clock()
    results = {}
    for protocol, paths in files_of_run(system, study, [seed]).items():
        asked = dataclasses.replace(queries[protocol], seed=seed)  # type: ignore[type-var]
        ranking = asked.ranking(asked.scores_of(read_run(paths[seed], *asked.names)))
        if protocol == study.task.protocols[0]:
            study.look(system.name, None, asked, ranking, folder, False)
        results[protocol] = asked, ranking
    keep_result(study, results, seed, False, folder, qrels, clock)
    told = [_told(base) for base in _bases(system, seed)]
    seconds = next((each["timing.json"] for each in told if "timing.json" in each), {})
    write_json(folder / "timing.json", {**seconds, **clock.seconds})
    memory = next((each["memory.json"] for each in told if "memory.json" in each), None)
    if memory is not None:
        write_json(folder / "memory.json", memory)


def _bases(system: System, seed: int) -> list[pathlib.Path]:
    place = pathlib.Path(system.run)
    return [] if place.is_file() else [place / f"seed-{seed}", place]


def _file(system: System, study: Study, protocol: str, seed: int) -> pathlib.Path | None:
    place = pathlib.Path(system.run)
    if place.is_file():
        return place if protocol == study.task.protocols[0] else None
    paths = [
        place_of(study, base, protocol)[0] / name
        for base in _bases(system, seed)
        for name in _NAMES
    ]
    return next((path for path in paths if path.is_file()), None)


def _told(base: pathlib.Path) -> dict[str, dict[str, float]]:
    """What lies beside a run about its cost."""
    found: dict[str, dict[str, Any]] = {}
    for name in ("timing.json", "memory.json"):
        path = base / name
        if not path.is_file():
            continue
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            found[name] = {str(key): float(value) for key, value in values.items()}
        except (ValueError, TypeError, AttributeError) as error:
            raise DataError(
                f"{path}: expected an object of numbers, step to seconds or peak_mib ({error})."
            ) from error
    return found
