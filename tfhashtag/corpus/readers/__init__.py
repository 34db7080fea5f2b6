"""Readers, one file a format."""

import dataclasses
import pathlib
from collections import Counter
from collections.abc import Callable, Iterator

from tfhashtag.corpus.post import Post
from tfhashtag.corpus.post_faults import OnBad
from tfhashtag.corpus.readers.bluesky import bluesky_rows
from tfhashtag.corpus.readers.csv import csv_rows
from tfhashtag.corpus.readers.howyoutag import read_howyoutag
from tfhashtag.corpus.readers.json import json_rows, jsonl_rows
from tfhashtag.corpus.readers.macon import read_macon
from tfhashtag.corpus.readers.mastodon import mastodon_rows
from tfhashtag.corpus.readers.parquet import parquet_rows
from tfhashtag.corpus.readers.rows import RowReader
from tfhashtag.corpus.readers.twitter import twitter_rows


@dataclasses.dataclass(frozen=True)
class RowFormat:
    """A format of people's own files: its rows are recognised and checked by `RowSource`.

    Attributes:
        rows: gives the rows.
        endings: of its files, before that of a compression.
    """

    rows: RowReader
    endings: tuple[str, ...]


#: Published data sets: posts as their authors have them, nothing to recognise.
PUBLISHED: dict[str, Callable[[pathlib.Path, OnBad, Counter[str]], Iterator[Post]]] = {
    "howyoutag": read_howyoutag,
    "macon": read_macon,
}
ROW_FORMATS = {
    "jsonl": RowFormat(jsonl_rows, (".jsonl", ".ndjson", ".json")),
    "json": RowFormat(json_rows, (".json", ".jsonl", ".ndjson", ".js")),
    "csv": RowFormat(csv_rows, (".csv", ".tsv", ".tab", ".txt")),
    "parquet": RowFormat(parquet_rows, (".parquet", ".pq")),
    "twitter": RowFormat(twitter_rows, (".json", ".jsonl", ".ndjson", ".js")),
    "mastodon": RowFormat(mastodon_rows, (".json", ".jsonl", ".ndjson")),
    "bluesky": RowFormat(bluesky_rows, (".json", ".jsonl", ".ndjson")),
}
#: Every format by name.
FORMATS = (*PUBLISHED, *ROW_FORMATS)

__all__ = ["FORMATS", "PUBLISHED", "ROW_FORMATS", "RowFormat"]
