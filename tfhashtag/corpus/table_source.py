"""Posts that are given in Python, a table or a list of them, as a file that an import reads."""

import contextlib
import os
import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tfhashtag.corpus.post import FIELDS
from tfhashtag.errors import DataError
from tfhashtag.files import scratch_directory


def _plain(table: Any) -> Any:
    """A table whose categories are texts: Parquet takes no categories of polars."""
    import pyarrow as pa

    for place, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type) and pa.types.is_string_view(field.type.value_type):
            parts = [
                part.dictionary.cast(pa.large_string()).take(part.indices)
                for part in table.column(place).chunks
            ]
            texts = pa.chunked_array(parts, pa.large_string())
            table = table.set_column(place, field.name, texts)
    return table


@contextlib.contextmanager
def table_file(source: Any, columns: Mapping[str, str] | None = None) -> Iterator[pathlib.Path]:
    """A Parquet file of a table or of a list of dicts, for as long as it is read.

    Tables are those of pandas, with what its index is called by name, of Arrow, and of whatever
    gives Arrow its data, such as polars.

    Args:
        source: the table.
        columns: as of `Reading`: a column that is read must not be of a type of its own, as
            pandas' periods are; others are left out.

    Errors that name the file name the table and its rows.

    Raises:
        DataError: it is no table, or a column has values of several types.

    Example:

    >>> with table_file([{"user": "ann", "text": "tea", "hashtags": ["tea"]}]) as path:
    ...     path.suffix
    '.parquet'
    """
    read = {*FIELDS, "image", *(columns or {}).values()}
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if isinstance(source, list | tuple):
            names = dict.fromkeys(name for row in source for name in row)
            # Of a list, Arrow takes the columns that the first row names.
            first = [{**dict.fromkeys(names), **row} for row in source[:1]]
            table = pa.Table.from_pylist([*first, *source[1:]])
        elif hasattr(source, "iloc") and hasattr(source, "columns"):  # of pandas
            named = [name for name in source.index.names if name not in (None, *source.columns)]
            table = pa.Table.from_pandas(source, preserve_index=bool(named))
        elif hasattr(source, "__arrow_c_stream__") or hasattr(source, "__arrow_c_array__"):
            table = _plain(pa.table(source))
        else:
            raise DataError(
                "`source` must be a path, a list of dicts, or a table of pandas, Arrow or what "
                f"Arrow takes, such as polars; found {type(source).__name__}."
                + " Give what it computes: `.collect()`."
                * hasattr(source, "collect")
            )
        for field in table.schema:
            if isinstance(field.type, pa.BaseExtensionType) and field.name in read:
                raise DataError(
                    f"the table: column `{field.name}` is of type {field.type}; give it as a "
                    "plain one: of pandas' periods, `.dt.to_timestamp()`."
                )
            if isinstance(field.type, pa.BaseExtensionType):
                table = table.drop_columns(field.name)
    except (pa.ArrowException, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"the table cannot be read: {_unreadable(error)}") from error
    with scratch_directory() as folder:
        path = folder / "table.parquet"
        pq.write_table(table, path)
        try:
            yield path
        except DataError as error:
            raise DataError(shown_row(str(error), path)) from None


def shown_row(line: str, path: pathlib.Path) -> str:
    """A line about a table in the words of whoever gave it, who knows rows and no file.

    Args:
        line: a fault or what was told, which may name the file.
        path: where the table lies while it is read.

    Example:

    >>> shown_row("scratch/table.parquet:2: no user", pathlib.Path("scratch/table.parquet"))
    'row 2: no user'
    """
    told = re.sub(rf"{re.escape(os.fspath(path))}:(?=\d)", "row ", line)
    told = told.replace(os.fspath(path), "the table")
    return told.replace("the table: the file is empty", "the table is empty")


def _unreadable(error: Exception) -> str:
    """What Arrow found, and the mend."""
    if isinstance(error, UnicodeEncodeError):
        cut = ascii(error.object[error.start : error.end])
        return f"a text holds half a surrogate pair, {cut}. Mend it, or leave it out."
    told = ". ".join(map(str, error.args))
    if told.startswith("Duplicate column names"):
        return f"{told}. Give each column a name of its own."
    return f"{told}. Give each column values of one type."
