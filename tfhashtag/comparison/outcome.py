"""The result of one system with one seed, on disk."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tfhashtag.errors import ArtifactError
from tfhashtag.files import atomic_writer, write_json
from tfhashtag.settings import flat

_VALUES = "per_query.parquet"
_RESULT = "result.json"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One system with one seed: ranked, or failed.

    Attributes:
        system: its name.
        seed: of this result.
        queries: names of the queries (posts, users), the same for every system.
        values: metric to float64 `[queries]`, whose mean is the metric; empty where it failed.
        seconds: how long it took; after an interruption only the last part counts.
        error: the message where it failed, else "".
    """

    system: str
    seed: int
    queries: Sequence[str] = ()
    values: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0
    error: str = ""


def write_values(
    folder: pathlib.Path, queries: Sequence[str], values: Mapping[str, np.ndarray]
) -> None:
    """Writes per_query.parquet: every metric of every query.

    Raises:
        ArtifactError: a metric has not one value for each query.
    """
    for name, each in values.items():
        if len(each) != len(queries):
            raise ArtifactError(f"{folder}: {len(each)} values of {name}, {len(queries)} queries.")
    columns = {"query": pa.array(queries, pa.string())}
    columns |= {name: pa.array(each) for name, each in values.items()}
    with atomic_writer(folder / _VALUES, "wb") as file:
        pq.write_table(pa.table(columns), file)


def finish(
    folder: pathlib.Path, system: str, seed: int, seconds: float, identity: Mapping[str, Any]
) -> Outcome:
    """Reads the values and writes result.json, whose presence says that all is there."""
    queries, values = _read_values(folder)
    result = {
        "system": system,
        "seed": seed,
        "seconds": round(seconds, 1),
        "identity": dict(identity),
        "metrics": {name: float(each.mean()) for name, each in values.items()},
    }
    write_json(folder / _RESULT, result)
    return Outcome(system, seed, queries, values, seconds)


def read_outcome(folder: pathlib.Path, identity: Mapping[str, Any]) -> Outcome | None:
    """What `finish` left, or None where there is no result yet.

    Args:
        folder: of the system with the seed.
        identity: JSON values that decide the result beside the seed.

    Raises:
        ArtifactError: a file is damaged, or the result is one of other settings or other data.
    """
    path = folder / _RESULT
    if not path.is_file():
        return None
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        found, system, seed = result["identity"], result["system"], int(result["seed"])
        seconds = float(result["seconds"])
        queries, values = _read_values(folder)
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise ArtifactError(
            f"{folder}: not a readable result ({error}). Delete the folder and compare again."
        ) from error
    ours, theirs = flat(found), flat(json.loads(json.dumps(identity)))
    for key in sorted(ours.keys() | theirs.keys()):
        if ours.get(key) != theirs.get(key):
            raise ArtifactError(
                f"{folder}: was made with `{key}` {_short(ours.get(key))}, now it is "
                f"{_short(theirs.get(key))}. Compare into another folder, or delete this one."
            )
    return Outcome(system, seed, queries, values, seconds)


def _read_values(folder: pathlib.Path) -> tuple[list[str], dict[str, np.ndarray]]:
    table = pq.read_table(folder / _VALUES)
    names = [name for name in table.column_names if name != "query"]
    values = {name: np.asarray(table.column(name), np.float64) for name in names}
    return table.column("query").to_pylist(), values


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:16] + "...'"
