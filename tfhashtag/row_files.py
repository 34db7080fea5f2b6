"""Rows as files that other programs read: JSON Lines, CSV or Parquet, written as they come."""

import csv
import json
import os
import pathlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tfhashtag.errors import ConfigError
from tfhashtag.files import atomic_writer

FORMATS = ("jsonl", "csv", "parquet")
_TYPES = {str: "string", int: "int64", float: "float64", bool: "bool"}


def format_of(path: str | os.PathLike, option: str) -> str:
    """The format that a file's ending names.

    Raises:
        ConfigError: another one; begins with `option`.
    """
    kind = pathlib.Path(path).suffix.removeprefix(".").lower()
    if kind not in FORMATS:
        raise ConfigError(
            f"{option} {path}: expected a file that ends in .jsonl, .csv or .parquet."
        )
    return kind


class RowFile:
    """Writes rows as they come, in bounded memory; the file appears when all are written.

    A context manager that gives a function which takes rows. Folders above the file are made.

    Args:
        path: `.jsonl`, `.csv` or `.parquet`.
        columns: names and types, `str`, `int`, `float` or `bool`; a value may be None.
        option: that named the file, for messages.

    Raises:
        ConfigError: a file of another ending.

    Example:

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "rows.csv"
    >>> with RowFile(path, {"hashtag": str, "score": float}) as write:
    ...     write([{"hashtag": "tea", "score": 0.5}])
    >>> path.read_text().splitlines()
    ['hashtag,score', 'tea,0.5']
    """

    def __init__(
        self, path: str | os.PathLike, columns: Mapping[str, type], option: str = "--out"
    ) -> None:
        self._kind = format_of(path, option)
        self._folder = pathlib.Path(path).parent
        self._columns = dict(columns)
        self._file = atomic_writer(path, "wb" if self._kind == "parquet" else "w")
        self._write: Callable[[list[Mapping[str, Any]]], Any]
        self._close: Callable[[], Any] = lambda: None

    def __enter__(self) -> Callable[[Iterable[Mapping[str, Any]]], None]:
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._file.__enter__()
        if self._kind == "jsonl":
            self._write = lambda rows: file.writelines(
                json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows
            )
        elif self._kind == "csv":
            writer = csv.DictWriter(file, list(self._columns), lineterminator="\n")
            writer.writeheader()
            self._write = writer.writerows
        else:
            import pyarrow as pa
            import pyarrow.parquet as pq

            schema = pa.schema(
                [(name, pa.type_for_alias(_TYPES[kind])) for name, kind in self._columns.items()]
            )
            parquet = pq.ParquetWriter(file, schema)
            self._close = parquet.close
            self._write = lambda rows: parquet.write_table(pa.Table.from_pylist(rows, schema))
        return lambda rows: self._write(list(rows))

    def __exit__(self, *error: Any) -> Any:
        self._close()
        return self._file.__exit__(*error)
