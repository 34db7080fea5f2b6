"""The own format as Parquet, read in blocks."""

import pathlib
from collections import Counter
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from tfhashtag.corpus.post import BadPost, Post, checked_post
from tfhashtag.corpus.readers.lines import OnBad
from tfhashtag.errors import DataError


def read_parquet(path: pathlib.Path, on_bad: OnBad, counts: Counter[str]) -> Iterator[Post]:
    """Posts of a Parquet file with columns `user`, `text`, `hashtags` (list of strings) and others.

    Raises:
        DataError: the file cannot be read, is empty, or lacks a needed column.
    """
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not readable as Parquet: {str(error).splitlines()[0]}") from error
    with file:
        names = file.schema_arrow.names
        for name in ("user", "text", "hashtags"):
            if name not in names:
                raise DataError(f"{path}: no column `{name}`; found {', '.join(names)}.")
        if file.metadata.num_rows == 0:
            raise DataError(f"{path}: the file is empty; expected a post a row.")
        number = 0
        try:
            for batch in file.iter_batches(8192):
                for row in batch.to_pylist():
                    number += 1
                    place = f"{path}:{number}"
                    try:
                        yield checked_post(row, str(number), place, counts)
                    except BadPost as fault:
                        on_bad(place, fault)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise DataError(
                f"{path}: damaged after row {number}: {str(error).splitlines()[0]}"
            ) from error
