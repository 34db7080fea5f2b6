"""Posts that are given in Python, a table or a list of them, as a file that an import reads."""

import contextlib
import os
import pathlib
import re
from collections.abc import Iterator
from typing import Any

from tfhashtag.errors import DataError
from tfhashtag.files import scratch_directory


@contextlib.contextmanager
def table_file(source: Any) -> Iterator[pathlib.Path]:
    """A Parquet file of a pandas or Arrow table or of a list of dicts, for as long as it is read.

    Errors that name the file name the table and its rows.

    Raises:
        DataError: it is no table, or a column has values of several types.

    Example:

    >>> with table_file([{"user": "ann", "text": "tea", "hashtags": ["tea"]}]) as path:
    ...     path.suffix
    '.parquet'
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if isinstance(source, list | tuple):
            names = dict.fromkeys(name for row in source for name in row)
            # Of a list, Arrow takes the columns that the first row names.
            first = [{**dict.fromkeys(names), **row} for row in source[:1]]
            table = pa.Table.from_pylist([*first, *source[1:]])
        elif isinstance(source, pa.Table):
            table = source
        elif hasattr(source, "to_dict"):
            table = pa.Table.from_pandas(source, preserve_index=False)
        else:
            raise DataError(
                f"`source` must be a path, a pandas or an Arrow table, found "
                f"{type(source).__name__}."
            )
    except (pa.ArrowException, ValueError, TypeError, AttributeError) as error:
        told = ". ".join(map(str, error.args))
        raise DataError(
            f"the table cannot be read: {told}. Give each column values of one type."
        ) from error
    with scratch_directory() as folder:
        path = folder / "table.parquet"
        pq.write_table(table, path)
        try:
            yield path
        except DataError as error:
            told = re.sub(rf"{re.escape(os.fspath(path))}:(?=\d)", "row ", str(error))
            raise DataError(told.replace(os.fspath(path), "the table")) from None
