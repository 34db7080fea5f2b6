"""Readers, one file a format: each gives the posts of its source one by one, checked."""

from tfhashtag.corpus.readers.csv import read_csv
from tfhashtag.corpus.readers.howyoutag import read_howyoutag
from tfhashtag.corpus.readers.jsonl import read_jsonl
from tfhashtag.corpus.readers.macon import read_macon
from tfhashtag.corpus.readers.parquet import read_parquet

READERS = {
    "howyoutag": read_howyoutag,
    "macon": read_macon,
    "jsonl": read_jsonl,
    "csv": read_csv,
    "parquet": read_parquet,
}

__all__ = ["READERS", "read_csv", "read_howyoutag", "read_jsonl", "read_macon", "read_parquet"]
