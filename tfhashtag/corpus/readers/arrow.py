"""Arrow's own files: Feather, streams, and ORC; read in blocks."""

import contextlib
import pathlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from tfhashtag.corpus.post_faults import OnBad
from tfhashtag.corpus.readers.parquet import rows_of_batches
from tfhashtag.corpus.readers.rows import Layout, Row
from tfhashtag.errors import DataError


def arrow_rows(
    paths: Sequence[pathlib.Path], layout: Layout, on_bad: OnBad, counts: Counter[str]
) -> Iterator[Row]:
    """Rows of files of Arrow (Feather is one), of its streams, and of ORC.

    Raises:
        DataError: a file cannot be read or is empty.
    """
    del layout, on_bad, counts
    for path in paths:
        yield from rows_of_batches(path, _batches(path))


def _batches(path: pathlib.Path) -> Iterator[Any]:
    try:
        with contextlib.ExitStack() as held:
            source = held.enter_context(pa.memory_map(str(path)))
            start = source.read(6)
            source.seek(0)
            if start.startswith(b"FEA1"):
                raise DataError(f"{path}: Feather of its first version; write it anew as Parquet.")
            if start.startswith(b"ORC"):
                from pyarrow import orc

                file = orc.ORCFile(source)
                yield from (file.read_stripe(stripe) for stripe in range(file.nstripes))
            elif start == b"ARROW1":
                batches = held.enter_context(pa.ipc.open_file(source))
                yield from map(batches.get_batch, range(batches.num_record_batches))
            else:
                yield from held.enter_context(pa.ipc.open_stream(source))
    except (pa.ArrowException, OSError) as error:
        told = str(error).splitlines()[0]
        raise DataError(f"{path}: not readable as Arrow, Feather or ORC: {told}") from error
