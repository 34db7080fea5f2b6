"""What a file looks like by what stands in it, whatever it is called and was said to be."""

import pathlib
import re
from collections.abc import Collection

from tfhashtag.corpus.readers.csv import column_names
from tfhashtag.corpus.readers.files import encoding_of, opened
from tfhashtag.corpus.readers.headings import names_columns
from tfhashtag.corpus.readers.rows import Layout
from tfhashtag.errors import DataError

_KINDS = {
    ".csv": "csv",
    ".json": "json",
    ".parquet": "parquet",
    ".feather": "arrow",
    ".xlsx": "spreadsheet",
}
_MAGIC = {
    b"PAR1": "parquet",
    b"ARROW1": "arrow",
    b"ORC": "arrow",
    b"\xd0\xcf\x11\xe0": "spreadsheet",
}
_TOLD = {
    "csv": "CSV",
    "json": "JSON",
    "parquet": "Parquet",
    "arrow": "Arrow or ORC",
    "spreadsheet": "a spreadsheet",
}
_JSON = re.compile(r"\ufeff?\s*(?:[A-Za-z_$][\w.$\[\]\"']*\s*=\s*)?(?:\{|\[\s*[\{\]])")
_CONTROL = re.compile(rb"[\0-\x08\x0e-\x1f]")
_BEGINNING = 4096  # bytes
_SHOWN = 5  # columns


def check_looks(path: pathlib.Path, endings: Collection[str], layout: Layout) -> None:
    """Refuses a file that is surely of another kind than its format: CSV that is called JSON.

    Args:
        path: the first file of a source; nothing is said of one that cannot be opened.
        endings: of the files of the format.
        layout: as the reader takes it.

    Raises:
        DataError: what it looks like, and what to say.

    Example:

    >>> import tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp(), "posts.jsonl")
    >>> _ = path.write_text("user,text,hashtags\\nann,good,tea\\n")
    >>> check_looks(path, (".jsonl", ".json"), Layout())
    Traceback (most recent call last):
    ...
    tfhashtag.errors.DataError: ...posts.jsonl: looks like CSV with the columns user, text, \
hashtags, not JSON. Say what it is: `data import csv`, or `--format csv` of `data check` and \
`update`.
    """
    said = {kind for ending, kind in _KINDS.items() if ending in endings}
    if len(said) != 1 or not path.is_file():
        return
    found, columns = _look(path, layout)
    if found is None or found in said:
        return
    shown = ", ".join(columns[:_SHOWN]) + (", ..." if len(columns) > _SHOWN else "")
    raise DataError(
        f"{path}: looks like {_TOLD[found]}{' with the columns ' * bool(columns)}{shown}, not "
        f"{_TOLD[said.pop()]}. Say what it is: `data import {found}`, or `--format {found}` of "
        "`data check` and `update`."
    )


def _look(path: pathlib.Path, layout: Layout) -> tuple[str | None, list[str]]:
    """The kind of a file, None where nothing is sure; and the columns of CSV."""
    with open(path, "rb") as file:
        start = file.read(_BEGINNING)
    for magic, kind in _MAGIC.items():  # `ORCID,user` is the beginning of a text
        if start.startswith(magic) and _CONTROL.search(start):
            return kind, []
    if not start or start.startswith(b"PK"):
        return None, []
    with opened(path) as stream:
        text = stream.peek(_BEGINNING)[:_BEGINNING].decode(
            encoding_of(path, layout.encoding), "replace"
        )
    if "\0" in text:
        return None, []
    if _JSON.match(text):
        return "json", []
    columns = column_names(path, Layout(encoding=layout.encoding))
    return ("csv", columns) if names_columns(columns) else (None, [])
