"""Lists to rank from a file."""

import difflib
import json
import os
import pathlib

import numpy as np

from tfhashtag.corpus.candidates import Candidates
from tfhashtag.corpus.corpus import Corpus
from tfhashtag.corpus.hashtag import hashtag_key
from tfhashtag.corpus.rows import Rows
from tfhashtag.errors import DataError

_FIELDS = ("user", "hashtag", "label")


def read_candidates(path: str | os.PathLike, corpus: Corpus) -> Candidates:
    """Reads JSON Lines, one `{"user": "u1", "hashtag": "news", "label": 0}` a line.

    The lines of a user may stand anywhere in the file; users come in the order of their first line.
    Only users and hashtags of the corpus can be ranked, others are errors. A hashtag that is not
    written as in the corpus is the one with its key (`tfhashtag.corpus.hashtag`). The user may be
    a string or a whole number, the label a whole number from 0 to 127, or a bool; above 0 is
    relevant. Blank lines are passed over.

    Args:
        path: the file.
        corpus: whose users and hashtags the lines name.

    Raises:
        DataError: not readable, not UTF-8, no line, or with the line: not a JSON object, a field
            missing, of the wrong type or unknown, a user or hashtag that the corpus lacks, a pair
            given twice.
    """
    path = pathlib.Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read: {error.strerror}. `--candidates` takes a JSON Lines file."
        ) from error
    users = {user: index for index, user in enumerate(corpus.users)}
    hashtags = {hashtag: index for index, hashtag in enumerate(corpus.hashtags)}
    of_key = {hashtag_key(name): name for name in reversed(corpus.hashtags)}
    lists: dict[int, dict[int, int]] = {}
    lines: dict[tuple[int, int], int] = {}
    for number, raw in enumerate(data.split(b"\n"), start=1):
        if not raw.strip():
            continue
        where = f"{path}:{number}"
        user, hashtag, label = _fields(where, raw)
        if user not in users:
            raise DataError(f"{where}: user {user!r} is not in the corpus.{_near(user, users)}")
        if hashtag not in hashtags:
            hashtag = of_key.get(hashtag_key(hashtag), hashtag.removeprefix("#"))
        if hashtag not in hashtags:
            raise DataError(
                f"{where}: hashtag {hashtag!r} is not in the corpus.{_near(hashtag, hashtags)}"
            )
        pair = users[user], hashtags[hashtag]
        if pair in lines:
            raise DataError(
                f"{where}: user {user!r} and hashtag {hashtag!r} stand on line {lines[pair]} "
                "already; give each pair once."
            )
        lines[pair] = number
        lists.setdefault(pair[0], {})[pair[1]] = label
    if not lists:
        raise DataError(f'{path}: holds no line; expected {{"user", "hashtag", "label"}} lines.')
    labels = np.array([label for row in lists.values() for label in row.values()], np.int8)
    return Candidates(
        np.array(list(lists)), Rows.from_lists([list(row) for row in lists.values()]), labels
    )


def _fields(where: str, raw: bytes) -> tuple[str, str, int]:
    try:
        value = json.loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: not UTF-8 at byte {error.start} of the line.") from error
    except ValueError as error:
        raise DataError(f"{where}: not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise DataError(
            f'{where}: expected an object {{"user", "hashtag", "label"}}, '
            f"found {type(value).__name__}."
        )
    for field in _FIELDS:
        if field not in value:
            raise DataError(
                f"{where}: `{field}` is missing; found {', '.join(value) or 'nothing'}."
            )
    for field in value:
        if field not in _FIELDS:
            raise DataError(f"{where}: `{field}` is unknown; expected {', '.join(_FIELDS)}.")
    user, hashtag, label = (value[field] for field in _FIELDS)
    if isinstance(user, int) and not isinstance(user, bool):
        user = str(user)
    for field, text in (("user", user), ("hashtag", hashtag)):
        if not isinstance(text, str) or not text:
            raise DataError(
                f"{where}: `{field}` must be a string that is not empty, found {text!r}."
            )
    if not isinstance(label, int) or not 0 <= label <= 127:
        raise DataError(f"{where}: `label` must be a whole number from 0 to 127, found {label!r}.")
    return user, hashtag, int(label)


def _near(name: str, names: dict[str, int]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f" Did you mean {near[0]!r}?" if near else " Leave the line out."
