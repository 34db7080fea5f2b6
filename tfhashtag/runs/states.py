"""The states of a run: as it was trained, and after each update; the log of how they came about.

    RUN/run.json             "updates": {"state": N, "lines": L}, "data_digest" of that state
    RUN/updates.jsonl        L lines, one an update or a rollback
    RUN/states/N/            data/, weights/, servable/

`run.json` is written last and whole: what a kill left unfinished before that is no part of the run,
and the next update takes it away.
"""

import datetime
import json
import pathlib
import shutil
from contextlib import AbstractContextManager
from typing import Any

from tfhashtag.errors import ArtifactError
from tfhashtag.files import atomic_writer, exclusive_lock, write_json

LOG = "updates.jsonl"
STATES = "states"


def alone(folder: pathlib.Path) -> AbstractContextManager[None]:
    """The lock of a run folder.

    Raises:
        ArtifactError: another process trains or changes it.
    """
    return exclusive_lock(
        folder,
        f"{folder}: another training, update or forgetting is at work there; wait for its end.",
    )


def read_log(run: Any) -> list[dict[str, Any]]:
    """The lines of `updates.jsonl` that count, oldest first.

    Raises:
        ArtifactError: the file is damaged.
    """
    path, count = run.folder / LOG, int(run.info.get("updates", {}).get("lines", 0))
    if not count:
        return []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()[:count]
        found = [json.loads(line) for line in lines]
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path}: not readable: {error}. Copy it from a backup.") from error
    if len(found) < count:
        raise ArtifactError(f"{path}: {count} lines were expected, found {len(found)}.")
    return found


def next_state(run: Any) -> int:
    """The number of the next state; numbers are never given twice."""
    return 1 + max((line["state"] for line in read_log(run)), default=0)


def kept_states(run: Any) -> list[int]:
    """States that can be gone back to, in order; 0 is that of the training."""
    known = {0, *(line["state"] for line in read_log(run))}
    return [number for number in sorted(known) if (folder_of(run, number) / "data").is_dir()]


def folder_of(run: Any, number: int) -> pathlib.Path:
    """Where `data/`, `weights/` and `servable/` of a state lie."""
    folder: pathlib.Path = run.folder
    return folder / STATES / str(number) if number else folder


def clean(run: Any) -> None:
    """Takes away what a killed update left, under the lock."""
    root = run.folder / STATES
    kept = {str(number) for number in kept_states(run)}
    for entry in root.iterdir() if root.is_dir() else ():
        if entry.name not in kept:
            shutil.rmtree(entry)


def commit(run: Any, line: dict[str, Any], digest: str) -> None:
    """Makes a state the present one: the line is appended, then `run.json` says so."""
    lines = [*read_log(run), {"when": now(), **line}]
    with atomic_writer(run.folder / LOG) as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in lines)
    info = {
        **run.info,
        "data_digest": digest,
        "updates": {"state": line["state"], "lines": len(lines)},
    }
    write_json(run.folder / "run.json", info)
    run.refresh()


def check_unchanged(run: Any) -> None:
    """Nothing where the folder of a run is what was opened.

    Raises:
        ArtifactError: an update or a forgetting has changed it.
    """
    info = json.loads((run.folder / "run.json").read_text(encoding="utf-8"))
    if info.get("data_digest") != run.info["data_digest"]:
        raise ArtifactError(
            f"{run.folder}: was changed by an update or a forgetting meanwhile; nothing was "
            "written. Do it again with what is there now."
        )


def prune(run: Any, count: int) -> None:
    """Deletes the oldest states besides that of the training and the present one."""
    numbers = [number for number in kept_states(run) if number not in (0, run.state)]
    for number in numbers[: max(0, len(numbers) - count)]:
        shutil.rmtree(run.folder / STATES / str(number))


def now() -> str:
    """The time as ISO 8601, UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
