"""The result of one system with one seed, on disk."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tfhashtag.comparison.system import Ranked
from tfhashtag.errors import ArtifactError
from tfhashtag.files import atomic_writer, write_json

VALUES = "per_query.parquet"
RESULT = "result.json"
FAILURE = "failed.txt"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One system with one seed: ranked, or failed.

    Attributes:
        system: its name.
        seed: of this result.
        ranked: the values, or None where it failed.
        seconds: how long it took; after an interruption only the last part counts.
        error: the message where it failed, else "".
    """

    system: str
    seed: int
    ranked: Ranked | None
    seconds: float = 0.0
    error: str = ""


def write_outcome(folder: pathlib.Path, outcome: Outcome, identity: Mapping[str, Any]) -> None:
    """Writes per_query.parquet and then result.json, whose presence says that all is there."""
    ranked = outcome.ranked
    if ranked is None:
        raise ValueError("a failed outcome has no values to write")
    columns = {"query": pa.array(ranked.queries, pa.string())}
    columns |= {name: pa.array(values) for name, values in ranked.values.items()}
    with atomic_writer(folder / VALUES, "wb") as file:
        pq.write_table(pa.table(columns), file)
    result = {
        "system": outcome.system,
        "seed": outcome.seed,
        "seconds": round(outcome.seconds, 1),
        "identity": dict(identity),
        "metrics": {name: float(values.mean()) for name, values in ranked.values.items()},
    }
    write_json(folder / RESULT, result)


def read_outcome(folder: pathlib.Path, identity: Mapping[str, Any]) -> Outcome | None:
    """What `write_outcome` left, or None where there is no result yet.

    Raises:
        ArtifactError: a file is damaged, or the result is one of other settings or other data.
    """
    path = folder / RESULT
    if not path.is_file():
        return None
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        found, system, seed = result["identity"], result["system"], int(result["seed"])
        seconds = float(result["seconds"])
        table = pq.read_table(folder / VALUES)
        queries = table.column("query").to_pylist()
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise ArtifactError(
            f"{folder}: not a readable result ({error}). Delete the folder and compare again."
        ) from error
    check_identity(folder, found, identity)
    values = {
        name: np.asarray(table.column(name), np.float64)
        for name in table.column_names
        if name != "query"
    }
    return Outcome(system, seed, Ranked(queries, values), seconds)


def check_identity(folder: pathlib.Path, found: Mapping, wanted: Mapping) -> None:
    """Refuses a result of other settings or other data.

    Raises:
        ArtifactError: a key differs; the message names the first one.
    """
    ours, theirs = flat(found), flat(json.loads(json.dumps(wanted)))
    for key in sorted(ours.keys() | theirs.keys()):
        if ours.get(key) != theirs.get(key):
            raise ArtifactError(
                f"{folder}: was made with `{key}` {_short(ours.get(key))}, now it is "
                f"{_short(theirs.get(key))}. Compare into another folder, or delete this one."
            )


def flat(values: Mapping, prefix: str = "") -> dict[str, Any]:
    """Nested values by dotted keys.

    >>> flat({"a": {"b": 1}, "c": 2})
    {'a.b': 1, 'c': 2}
    """
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:16] + "...'"
