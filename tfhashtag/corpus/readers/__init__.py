"""Readers, one file a format."""

import dataclasses
import pathlib
import re
from collections import Counter
from collections.abc import Callable, Iterator

from tfhashtag.corpus.post import Post
from tfhashtag.corpus.post_faults import OnBad
from tfhashtag.corpus.readers.arrow import arrow_rows
from tfhashtag.corpus.readers.bluesky import bluesky_rows
from tfhashtag.corpus.readers.csv import csv_rows
from tfhashtag.corpus.readers.files import source_files
from tfhashtag.corpus.readers.howyoutag import read_howyoutag
from tfhashtag.corpus.readers.json import json_rows, jsonl_rows
from tfhashtag.corpus.readers.linkedin import linkedin_rows
from tfhashtag.corpus.readers.macon import read_macon
from tfhashtag.corpus.readers.mastodon import mastodon_rows
from tfhashtag.corpus.readers.meta import meta_rows
from tfhashtag.corpus.readers.nostr import nostr_rows
from tfhashtag.corpus.readers.parquet import parquet_rows
from tfhashtag.corpus.readers.reddit import reddit_rows
from tfhashtag.corpus.readers.rows import RowReader
from tfhashtag.corpus.readers.spreadsheet import spreadsheet_rows
from tfhashtag.corpus.readers.telegram import telegram_rows
from tfhashtag.corpus.readers.tiktok import tiktok_rows
from tfhashtag.corpus.readers.twitter import ARCHIVE, twitter_rows


@dataclasses.dataclass(frozen=True)
class RowFormat:
    """A format of people's own files: its rows are recognised and checked by `RowSource`.

    Attributes:
        rows: gives the rows.
        endings: of its files, before that of a compression.
        archive: the names of the files of posts in an archive of the platform, which holds much
            else; of a folder without any such file all are read.
    """

    rows: RowReader
    endings: tuple[str, ...]
    archive: re.Pattern[str] | None = None

    def files(self, path: pathlib.Path) -> list[pathlib.Path]:
        """The files that a path names, in order; errors as `source_files`."""
        found = source_files(path, self.endings)
        if self.archive is None or not path.is_dir():
            return found
        return [file for file in found if self.archive.match(file.name)] or found


#: Published data sets: posts as their authors have them, nothing to recognise.
PUBLISHED: dict[str, Callable[[pathlib.Path, OnBad, Counter[str]], Iterator[Post]]] = {
    "howyoutag": read_howyoutag,
    "macon": read_macon,
}
ROW_FORMATS = {
    "jsonl": RowFormat(jsonl_rows, (".jsonl", ".ndjson", ".json")),
    "json": RowFormat(json_rows, (".json", ".jsonl", ".ndjson", ".js")),
    "csv": RowFormat(csv_rows, (".csv", ".tsv", ".tab", ".txt")),
    "spreadsheet": RowFormat(spreadsheet_rows, (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")),
    "parquet": RowFormat(parquet_rows, (".parquet", ".pq")),
    "arrow": RowFormat(arrow_rows, (".feather", ".arrow", ".arrows", ".ipc", ".orc")),
    "twitter": RowFormat(
        twitter_rows,
        (".json", ".jsonl", ".ndjson", ".js"),
        ARCHIVE,
    ),
    "mastodon": RowFormat(
        mastodon_rows, (".json", ".jsonl", ".ndjson"), re.compile(r"outbox\.json$")
    ),
    "bluesky": RowFormat(bluesky_rows, (".json", ".jsonl", ".ndjson", ".car")),
    "instagram": RowFormat(
        meta_rows,
        (".json", ".jsonl", ".ndjson"),
        re.compile(
            r"(?:(?:archived_)?posts(?:_\d+)?|reels|igtv_videos|media|threads_and_replies)\.json$"
        ),
    ),
    "facebook": RowFormat(
        meta_rows, (".json", ".jsonl", ".ndjson"), re.compile(r"(?:your_)?posts_.*\.json$")
    ),
    "telegram": RowFormat(telegram_rows, (".json",), re.compile(r"result\.json$")),
    "nostr": RowFormat(nostr_rows, (".json", ".jsonl", ".ndjson")),
    "tiktok": RowFormat(tiktok_rows, (".json",), re.compile(r"user_data.*\.json$")),
    "linkedin": RowFormat(linkedin_rows, (".csv",), re.compile(r"Shares\.csv$")),
    "reddit": RowFormat(
        reddit_rows,
        (".json", ".jsonl", ".ndjson", ".csv"),
        re.compile(r"(?:posts|comments)\.csv$"),
    ),
}
#: Every format by name.
FORMATS = (*PUBLISHED, *ROW_FORMATS)

__all__ = ["FORMATS", "PUBLISHED", "ROW_FORMATS", "RowFormat"]
