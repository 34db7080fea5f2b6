"""Which format a path has, and a look at all of it without writing anything."""

import codecs
import dataclasses
import datetime
import os
import pathlib
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from typing import Any

import numpy as np

from tfhashtag.corpus.archives import Unpacked, unpacked
from tfhashtag.corpus.corpus import Corpus
from tfhashtag.corpus.import_options import option_words
from tfhashtag.corpus.importing import Collected, read_posts
from tfhashtag.corpus.post import SEVERAL_WORDS
from tfhashtag.corpus.readers import FORMATS, ROW_FORMATS
from tfhashtag.corpus.readers.csv import column_names
from tfhashtag.corpus.readers.files import check_not_ours, opened, plain_suffix, source_files
from tfhashtag.corpus.readers.json import first_names, holds_lines
from tfhashtag.corpus.readers.looks import check_looks
from tfhashtag.corpus.readers.macon import DATA
from tfhashtag.corpus.readers.rows import Layout
from tfhashtag.corpus.row_source import NEEDED, Reading, RowSource
from tfhashtag.errors import DataError
from tfhashtag.files import scratch_directory

_OF_ENDING = {
    ending: name
    for name in ("csv", "parquet", "spreadsheet", "arrow")
    for ending in ROW_FORMATS[name].endings
} | {".car": "bluesky"}
_OTHERS = {
    b"Obj\x01": "Avro; write it anew as Parquet",
    b"\x89HDF": "HDF5; write its table as Parquet",
    b"\x80": "a pickle of Python, which is not read, as it may run code; write it anew as Parquet",
    b"---": "YAML; write it anew as JSON Lines",
    b"- ": "YAML; write it anew as JSON Lines",
}
_JSON = (".json", ".jsonl", ".ndjson", ".js")
_LOOKED_AT = 20
_SHOWN = 10
_FEW = 100  # posts, of which one may be broken where its file is what it seems
_OWN = frozenset({"user", "text", "hashtags"})
# A field that holds a post, and all that stands beside it: plain tables have such names, too.
_WRAPPED = {
    "instagram": ("media", frozenset({"media", "title", "creation_timestamp"})),
    "twitter": ("tweet", frozenset({"tweet"})),
    "bluesky": ("post", frozenset({"post", "reply", "reason", "feedContext", "reqId"})),
}
# Fields that only the posts of one platform have together, and of which its reader takes the text.
_TABLES = {
    "linkedin": ("ShareLink, ShareCommentary",),
    "reddit": (
        *(f"subreddit, author, {text}" for text in ("title", "selftext", "body")),
        "subreddit, permalink, body",
    ),
}
_PLATFORMS = {
    "twitter": (
        *("full_text, entities", "author_id, text", "edit_history_tweet_ids"),
        *("id_str, text, user", "noteTweet"),
        *("rawContent, user", "content, user, retweetCount"),  # of scrapers
    ),
    "mastodon": ("content, account", "actor, object, type", "attributedTo, content, published"),
    "bluesky": (
        *(
            "$type, createdAt",
            "did, commit",
            "did, record",
            "uri, record",
            "did, text",
            "facets, text",
            "uri, value",
        ),
    ),
    "instagram": (
        *("media, creation_timestamp", "media, label_values"),
        *("uri, creation_timestamp", "caption, taken_at", "path, taken_at"),
        *("permalink, media_type", "permalink, caption"),
        *("node, instaloader", "shortcode, edge_media_to_caption"),
    ),
    "facebook": ("data, timestamp", "message, created_time", "attachments, timestamp"),
    "telegram": ("type, id, messages", "chats, personal_information", "chats, about"),
    "nostr": ("pubkey, kind, tags, content",),
    "tiktok": ("Activity, Video", "Profile, Video", "Post, Profile", "Post, Your Activity"),
    "linkedin": _TABLES["linkedin"],
    "reddit": (*_TABLES["reddit"], "kind, data"),
}


def format_of(
    path: str | os.PathLike,
    delimiter: str | None = None,
    encoding: str | None = None,
    **options: Any,
) -> str:
    """The format of a file, a folder or a pattern: by its ending, and JSON by what stands in it.

    Args:
        path: of the source.
        delimiter, encoding: what is said of it.
        options: others of an import, which tell nothing of its format.

    Raises:
        DataError: it cannot be told.

    Example:

    >>> format_of("part-7.CSV.gz")
    'csv'
    """
    path = pathlib.Path(path).expanduser()
    check_not_ours(path)
    if (path / DATA).is_file():
        return "macon"
    if all((path / f"{name}.csv").is_file() for name in ("train", "valid", "test")):
        return "howyoutag"
    files = source_files(path, sorted({*_OF_ENDING, *_JSON}))
    archived = list(_archived(path, files))
    first = (archived or files)[0]
    ending = plain_suffix(first)
    layout = Layout(delimiter, encoding)
    known = _OF_ENDING.get(ending) or ("json" if ending in _JSON else _looked_up(first))
    check_looks(first, ROW_FORMATS[known].endings, layout)
    if known not in ("csv", "json"):
        return known
    names: list[Set[str]] = []
    if known == "json":
        for file in archived or [first]:  # archives have empty ones, too
            names = names or first_names(file, layout, _LOOKED_AT)
    elif first.is_file():
        names = [set(column_names(first, layout))]
    for platform, marks in (_PLATFORMS if known == "json" else _TABLES).items():
        if 2 * sum(_fits(platform, marks, found) for found in names) > len(names):
            return platform
    plain = ending not in (".json", ".js") and known == "json" and holds_lines(first, layout)
    return "jsonl" if plain else known


def _looked_up(path: pathlib.Path) -> str:
    """Of a file whose ending says nothing: by how it begins."""
    with opened(path) as stream:  # says what is no file of posts
        start = stream.peek(512)[:512]
    if start.removeprefix(codecs.BOM_UTF8).lstrip()[:1] in (b"{", b"["):
        return "json"
    what = next((said for magic, said in _OTHERS.items() if start.startswith(magic)), None)
    if what is not None:
        raise DataError(f"{path}: this is {what}.")
    raise DataError(
        f"{path}: its format cannot be told from its name or from how it begins; give `format`: "
        f"{', '.join(FORMATS)}."
    )


def _fits(platform: str, marks: Sequence[str], names: Set[str]) -> bool:
    """Whether a post with fields of these names is one of a platform."""
    if names >= _OWN or names >= {"user", "$type"}:  # Json.NET begins objects with a type, too
        return False
    if platform == "facebook" and "content" in names:  # Discord's have attachments, too
        return False
    if platform in _WRAPPED and _WRAPPED[platform][0] in names <= _WRAPPED[platform][1]:
        return True
    return any(frozenset(mark.split(", ")) <= names for mark in marks)


def _archived(path: pathlib.Path, files: list[pathlib.Path]) -> Iterator[pathlib.Path]:
    """Files of posts in the archive of a platform, which holds much else."""
    if not path.is_dir():
        return
    for known in ROW_FORMATS.values():
        if known.archive is not None:
            yield from (file for file in files if known.archive.match(file.name))


@dataclasses.dataclass(frozen=True)
class Examination:
    """What `tfhashtag data check` says of a source.

    Attributes:
        lines: what was found, a line each.
        odd: the first posts that cannot be read, `place: fault`.
        command: the import that would read it.
        error: why nothing can be read, or None.
    """

    lines: list[str]
    odd: list[str]
    command: str
    error: str | None


def examine(
    path: str | os.PathLike,
    source_format: str | None = None,
    moved: Callable[[str, int], None] = lambda what, done: None,
    **options: Any,
) -> Examination:
    """Reads a source whole and writes nothing.

    Args:
        path: a file, a folder or a pattern.
        source_format: one of `tfhashtag.corpus.readers.FORMATS`; None to recognise it.
        moved: called with what is being done and the number of posts done.
        options: as `tfhashtag.corpus.importing.import_posts` takes them.
    """
    with unpacked(path) as files:
        found = _examined(files, source_format, moved, options)
    return Examination(
        [files.shown(line) for line in found.lines],
        [files.shown(fault) for fault in found.odd],
        found.command,
        found.error if found.error is None else files.shown(found.error),
    )


def _examined(
    files: Unpacked,
    source_format: str | None,
    moved: Callable[[str, int], None],
    options: dict[str, Any],
) -> Examination:
    path = files.path
    source_format = source_format or format_of(path, **options)
    lines, odd, stops = [f"format: {source_format}"], list[str](), dict[str, str]()
    how = {"skip_bad": True, "moved": moved}
    with scratch_directory() as aside:
        while True:
            odd.clear()
            try:
                found, corpus = read_posts(source_format, path, aside, odd=odd, **options | how)
                fault = next((said for said in odd if "has white space" in said), "")
                mend = _words(found.report.skipped)
            except DataError as error:
                fault = next((said for said in odd if "has white space" in said), str(error))
                mend = _words({str(error): 1}) or _columns(source_format, path, options)
                if not mend or mend.keys() <= stops.keys():
                    return Examination(lines, odd[:_SHOWN], "", str(error))
            if mend.keys() <= stops.keys():
                break
            option = option_words(mend)[0]
            stops |= dict.fromkeys(mend, f"import without {option} stops: {fault}")
            options = {**options, **mend}
        lines += [*_told(found, corpus), *stops.values()]
        if _FEW * found.report.skipped.get("not UTF-8", 0) > len(corpus):
            return Examination(lines, odd[:_SHOWN], "", found.report.examples["not UTF-8"])
    bad = any(found.report.skipped) or any("left out," in what for what in found.report.counted)
    command = _command(source_format, files.archive, options, bad)
    return Examination(lines, odd[:_SHOWN], command, None)


def _words(skipped: Mapping[str, int]) -> dict[str, Any]:
    """The option that most names of several words need, to be several or one; none without such."""
    most = sorted(skipped, key=skipped.__getitem__, reverse=True)
    found = next(filter(None, map(SEVERAL_WORDS.search, most)), None)
    if found is None:
        return {}
    return {"hashtag_separator": found[1]} if found[1] else {"join_words": True}


def _columns(source_format: str, path: str | os.PathLike, options: Mapping[str, Any]) -> Any:
    """Columns that are likely meant where one that posts need is missing."""
    if source_format not in ROW_FORMATS:
        return {}
    names = {field.name for field in dataclasses.fields(Reading)}
    reading = Reading(**{name: value for name, value in options.items() if name in names})
    source = RowSource(source_format, path, reading)
    try:
        source.look(lambda *_: None)
    except DataError:
        columns = source.usual_columns()
        whole = {*columns, *source.found} >= {*NEEDED} - {"user" if reading.user else ""}
        if columns.keys() & _OWN and whole:
            return {"columns": {**reading.columns, **columns}}
    return {}


def _told(found: Collected, corpus: Corpus) -> list[str]:
    report = found.report
    uses = np.bincount(corpus.hashtag_values, minlength=len(corpus.hashtags))
    most = ((corpus.hashtags[tag], uses[tag]) for tag in np.argsort(-uses, kind="stable")[:5])
    bare = int((np.diff(corpus.hashtag_offsets) == 0).sum())
    lines = list(report.told)
    if found.rows is not None:
        lines.append(f"columns: {', '.join(map(str, found.rows.found))}")
    sizes = len(corpus), len(corpus.users), len(corpus.hashtags)
    lines.append("{:,} posts, {:,} users, {:,} hashtags".format(*sizes))
    lines.append("most used: " + ", ".join(f"{tag} ({n:,})" for tag, n in most))
    if corpus.timestamps is not None:
        first, last = int(corpus.timestamps.min()), int(corpus.timestamps.max())
        lines.append(f"times: {_day(first)} to {_day(last)}")
    else:
        lines.append("times: none; the order of the file is that of time")
    if bare:
        lines.append(f"posts without hashtags: {bare:,}")
    lines += report.counted_lines
    lines += [f"bad, {reason}: {count:,}" for reason, count in report.skipped.items()]
    return lines


def _day(seconds: int) -> str:
    epoch = datetime.datetime(1970, 1, 1)
    return f"{epoch + datetime.timedelta(seconds=seconds):%Y-%m-%d %H:%M:%S}"


def _command(
    source_format: str, path: str | os.PathLike, options: Mapping[str, Any], bad: bool
) -> str:
    words = ["tfhashtag", "data", "import", source_format, os.fspath(path), "--out", "corpus"]
    given = {name: v for name, v in options.items() if v not in (None, False, "", "auto", {})}
    words += option_words(given)
    if bad and "--skip-bad" not in words:
        words.append("--skip-bad")
    return shlex.join(words)
