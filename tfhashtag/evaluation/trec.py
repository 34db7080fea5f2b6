"""Runs and qrels in TREC format, so that any IR tool can check the metrics."""

import dataclasses
import gzip
import os
import pathlib
import re
import urllib.parse
from collections.abc import Sequence

import numpy as np

from tfhashtag.corpus.candidates import Candidates
from tfhashtag.errors import DataError
from tfhashtag.files import atomic_writer
from tfhashtag.metrics import Ranking, rank

_UNSAFE = re.compile(r"[\s%]")
_FIELDS = 6


@dataclasses.dataclass(frozen=True)
class RunLines:
    """What a run file says, line by line.

    Attributes:
        path: of the file, for messages.
        queries, hashtags: int64 `[n]`, places in the names that were given.
        scores: float64 `[n]`, finite.
    """

    path: pathlib.Path
    queries: np.ndarray
    hashtags: np.ndarray
    scores: np.ndarray


def read_run(
    path: str | os.PathLike, query_names: Sequence[str], hashtag_names: Sequence[str]
) -> RunLines:
    """Reads `query Q0 hashtag rank score tag` lines, packed (`.gz`) or not, of any system.

    The scores decide and ranks are not looked at, as in other tools. White space and `%` in names
    are percent-encoded, as `write_run` has them.

    Args:
        path: the file.
        query_names: of users or posts.
        hashtag_names: that may be ranked.

    Raises:
        DataError: not readable, no line, or with the line: not six fields, an unknown query or
            hashtag, a score that is no finite number, a pair for the second time.
    """
    path = pathlib.Path(path)
    places = tuple({name: at for at, name in enumerate(n)} for n in (query_names, hashtag_names))
    found: dict[tuple[int, int], float] = {}
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8") as file
        ):
            for number, line in enumerate(file, start=1):
                if line.strip():
                    query, hashtag, score = _fields(f"{path}:{number}", line.split(), places)
                    if (query, hashtag) in found:
                        raise DataError(f"{path}:{number}: the pair stands above already.")
                    found[query, hashtag] = score
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as a TREC run: {error}.") from error
    if not found:
        raise DataError(f"{path}: holds no line; expected `query Q0 hashtag rank score tag`.")
    queries, hashtags = np.array(list(found), np.int64).T
    return RunLines(path, queries, hashtags, np.array(list(found.values()), np.float64))


def _fields(
    where: str, fields: Sequence[str], places: Sequence[dict[str, int]]
) -> tuple[int, int, float]:
    if len(fields) != _FIELDS:
        raise DataError(
            f"{where}: expected `query Q0 hashtag rank score tag`, found {len(fields)} fields."
        )
    at = []
    for what, text, known in zip(("query", "hashtag"), (fields[0], fields[2]), places, strict=True):
        name = urllib.parse.unquote(text)
        if name not in known:
            raise DataError(
                f"{where}: {what} {name!r} is not asked about here; rank what stands in qrels.trec."
            )
        at.append(known[name])
    try:
        score = float(fields[4])
    except ValueError:
        score = np.nan
    if not np.isfinite(score):
        raise DataError(f"{where}: the score must be a finite number, found {fields[4]!r}.")
    return at[0], at[1], score


def write_run(
    path: str | os.PathLike,
    query_names: Sequence[str],
    hashtag_names: Sequence[str],
    candidates: Candidates,
    scores: np.ndarray,
    seed: int = 0,
    tag: str = "tfhashtag",
) -> None:
    """Writes `query Q0 hashtag rank score tag` lines, best first.

    Tools sort a run by its scores and ignore its ranks, each with an own rule for equal ones. So
    the scores fall strictly in every list, also when read as float32: where two are equal, the
    later one in our order is written as the next smaller float32 number. Any tool then sees our
    ranking. White space and `%` in names are written percent-encoded.

    Args:
        path: the file; appears whole or not at all.
        query_names: of users or posts, which `candidates.users` indexes.
        hashtag_names: which `candidates.hashtags` indexes.
        candidates: the lists.
        scores: float, aligned with `candidates.hashtags.values`.
        seed: of the order of equal scores, as given to `evaluate`.
        tag: name of the run, without white space.

    Raises:
        DataError: scores that are not finite, not aligned or beyond the range of float32.
    """
    ranking = rank(candidates, scores, seed)
    written = strictly_falling(ranking, np.asarray(scores)[ranking.order])
    users = encoded_names(query_names, candidates.users[ranking.row])
    hashtags = encoded_names(hashtag_names, candidates.hashtags.values[ranking.order])
    with atomic_writer(path) as file:
        for user, hashtag, place, score in zip(
            users, hashtags, ranking.rank.tolist(), written.tolist(), strict=True
        ):
            file.write(f"{user} Q0 {hashtag} {place} {score:.9g} {tag}\n")


def write_qrels(
    path: str | os.PathLike,
    query_names: Sequence[str],
    hashtag_names: Sequence[str],
    candidates: Candidates,
) -> None:
    """Writes `query 0 hashtag label` lines for every candidate, those of label 0 too.

    A user with an empty list cannot stand in the file: the average `all` divides the sum over the
    file's users by the number of users in `metrics.json`.
    """
    users = encoded_names(query_names, candidates.user_of_value)
    hashtags = encoded_names(hashtag_names, candidates.hashtags.values)
    with atomic_writer(path) as file:
        for user, hashtag, label in zip(users, hashtags, candidates.labels.tolist(), strict=True):
            file.write(f"{user} 0 {hashtag} {label}\n")


def strictly_falling(ranking: Ranking, scores: np.ndarray) -> np.ndarray:
    """Scores in ranked order as float32 that fall strictly within each list.

    Each is the largest float32 number that is at most the score and below the one before it.

    >>> from tfhashtag.corpus.rows import Rows
    >>> lists = Candidates(np.array([0]), Rows.from_lists([[0, 1, 2]]), np.zeros(3))
    >>> scores = strictly_falling(rank(lists, np.ones(3)), np.ones(3))
    >>> bool(scores[0] > scores[1] > scores[2]), scores.round(4).tolist()
    (True, [1.0, 1.0, 1.0])
    """
    with np.errstate(over="ignore"):
        single = scores.astype(np.float32)
    if not np.all(np.isfinite(single)):
        raise DataError("`scores` must lie within the range of float32 to be written as a run.")
    # The bits of float32 numbers, read as integers, count them through in order.
    bits = single.view(np.int32).astype(np.int64)
    counted = np.where(bits >= 0, bits, -(bits & 0x7FFFFFFF))
    # falling[r] = min(counted[r], falling[r - 1] - 1), with lists kept apart by a large step.
    step = ranking.row.astype(np.int64) * (1 << 40)
    counted = np.minimum.accumulate(counted + ranking.rank - step) - ranking.rank + step
    lowest = -int(np.array(np.finfo(np.float32).max).view(np.int32))
    if len(counted) and counted.min() < lowest:
        raise DataError("`scores` are too close to the lower end of float32 to be written.")
    bits = np.where(counted >= 0, counted, (-counted) | 0x80000000)
    return bits.astype(np.uint32).view(np.float32)


def encoded_names(names: Sequence[str], indices: np.ndarray) -> list[str]:
    """The names at `indices`, with white space and `%` percent-encoded as in TREC files."""
    safe: dict[int, str] = {}
    for index in np.unique(indices).tolist():
        safe[index] = _UNSAFE.sub(
            lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), names[index]
        )
    return [safe[index] for index in indices.tolist()]
