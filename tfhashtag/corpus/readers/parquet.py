"""Parquet, read in blocks."""

import pathlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from tfhashtag.corpus.post_faults import OnBad
from tfhashtag.corpus.readers.rows import Layout, Row
from tfhashtag.errors import DataError

_BLOCK = 8192  # rows at a time


def parquet_rows(
    paths: Sequence[pathlib.Path], layout: Layout, on_bad: OnBad, counts: Counter[str]
) -> Iterator[Row]:
    """Rows of Parquet files.

    Raises:
        DataError: a file cannot be read or is empty.
    """
    del layout, on_bad, counts
    for path in paths:
        yield from _rows(path)


def _rows(path: pathlib.Path) -> Iterator[Row]:
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not readable as Parquet: {str(error).splitlines()[0]}") from error
    with file:
        yield from rows_of_batches(path, file.iter_batches(_BLOCK))


def rows_of_batches(path: pathlib.Path, batches: Iterable[pa.RecordBatch]) -> Iterator[Row]:
    """Rows of blocks of columns.

    Raises:
        DataError: a block is damaged, holds what Python has not, or two columns of one name; or
            there is no row.
    """
    number = 0
    try:
        for batch in batches:
            twice = [name for name in batch.schema.names if batch.schema.names.count(name) > 1]
            if twice:
                raise DataError(f"{path}: column `{twice[0]}` stands twice; expected each once.")
            for start in range(0, batch.num_rows, _BLOCK):
                for fields in _python(batch.slice(start, _BLOCK)).to_pylist():
                    number += 1
                    yield Row(f"{path}:{number}", fields)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path}: damaged after row {number}: {str(error).splitlines()[0]}"
        ) from error
    except (ValueError, OverflowError) as error:  # of a time that Python has not
        raise DataError(
            f"{path}: a value after row {number} cannot be read: {str(error).splitlines()[0]}. "
            "Times beyond the year 9999 are often milliseconds that are called seconds."
        ) from error
    if not number:
        raise DataError(f"{path}: the file is empty; expected a post a row.")


def _python(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Nanoseconds, which Python's times have not, are cut to microseconds."""
    fields = [
        pa.field(field.name, pa.timestamp("us", field.type.tz))
        if pa.types.is_timestamp(field.type) and field.type.unit == "ns"
        else field
        for field in batch.schema
    ]
    return batch.cast(pa.schema(fields), safe=False)
