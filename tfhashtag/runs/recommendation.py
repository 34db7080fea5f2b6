"""Hashtags for users and posts from outside: one, a few, or a file of them."""

import functools
import itertools
import json
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TextIO

import numpy as np

from tfhashtag.errors import ConfigError, DataError
from tfhashtag.reach.blend import POOL, check_weight
from tfhashtag.records import Records
from tfhashtag.row_files import RowFile, format_of
from tfhashtag.tasks.base import Question

_BATCH = 64  # questions that are answered at once
_CELL = 1 << 27  # characters of a cell of CSV, at most
Each = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]
COLUMNS = {"query": str, "rank": int, "hashtag": str, "score": float}
"""Of the file of `recommend_file`."""


def recommend(
    run: Any, records: Sequence[Mapping[str, Any]], k: int = 10, reach: float = 0.0
) -> Records:
    """The best hashtags for each record, best first.

    Args:
        run: a complete `Run`.
        records: fields of questions: of users `user` or `history` and `new_only`, of posts `text`,
            `image` (a path or bytes) and `user`.
        k: how many of each, at least 1.
        reach: weight of expected reach among the hashtags that fit best, in [0, 1].

    Returns:
        Rows of `rank`, `hashtag` and `score`, with `reach` also of `fit` and `reach`; where several
        are asked for, `query` before them: the user, or the number of the record.

    Raises:
        ConfigError: `k` is below 1, or the recommender ranks the lists of evaluations alone.
        DataError: a record that the task does not understand; the message names it.
    """
    if k < 1:
        raise ConfigError(f"`k` must be at least 1, found {k}.")
    check_weight(reach)
    several = len(records) != 1
    questions = [
        _asked(run, record, f"query {number}" if several else "the query")
        for number, record in enumerate(records, 1)
    ]
    rows = []
    for number, (record, found) in enumerate(
        zip(records, _answers(run, questions, k, reach), strict=True)
    ):
        for rank, answer in enumerate(found, 1):
            row = {"rank": rank, **answer}
            rows.append({"query": _name(record, number), **row} if several else row)
    title = questions[0].title if not several else f"Hashtags for {len(records):,} queries"
    return Records(rows, title, {"hashtag": "#"})


def recommend_file(
    run: Any,
    source: str | os.PathLike,
    out: str | os.PathLike,
    k: int = 10,
    moved: Callable[[int], None] = lambda done: None,
    reach: float = 0.0,
    each: Each | None = None,
) -> int:
    """Answers the questions of a file one after the other, in bounded memory.

    Args:
        run: a complete `Run`.
        source: JSON Lines, CSV or Parquet, by its ending; a question a row, with the fields of
            `recommend` and, if there is one, `id`.
        out: `.jsonl`, `.csv` or `.parquet`; rows of `query`, `rank`, `hashtag`, `score`. Appears
            whole or not at all.
        k: how many of each.
        moved: called with the number of questions that are answered.
        reach: as of `recommend`; then there are columns `fit` and `reach`, too.
        each: runs a function over items in other processes, as
            `tfhashtag.engines.engine.Engine.each`; they reach the run's folder, and files that
            questions name, under the same paths.

    Returns:
        The number of questions.

    Raises:
        ConfigError: a file of another ending.
        DataError: a row that cannot be read; the message has file and line.
    """
    source, out = pathlib.Path(source), pathlib.Path(out)
    done = 0
    check_weight(reach)
    columns = {**COLUMNS, "fit": float, "reach": float} if reach else COLUMNS
    answered: Iterator[tuple[int, list[dict[str, Any]]]]
    batches = _batches(_named_rows(source))
    if each is None:
        answered = (_batch_rows(run, k, reach, batch) for batch in batches)
    else:
        _keep(run, reach)
        key = None if run.hashes is None else str(run.hashes.key_file)
        as_it_is = (run.folder / "run.json").stat().st_mtime_ns
        opened = str(run.folder), key, as_it_is
        answered = each(functools.partial(_batch_rows_of, opened, k, reach), batches)
    with RowFile(out, columns) as write:
        for count, rows in answered:
            write(rows)
            done += count
            moved(done)
    return done


def _named_rows(source: pathlib.Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Place, name and fields of each question of a file."""
    for number, (where, record) in enumerate(_rows(source)):
        name = record.pop("id", None)
        yield where, _name(record, number) if name is None else str(name), record


def _batch_rows(
    run: Any, k: int, reach: float, batch: list[Any]
) -> tuple[int, list[dict[str, Any]]]:
    """How many questions they are, and the rows of their answers."""
    questions = [_asked(run, record, where) for where, _, record in batch]
    rows = [
        {"query": name, "rank": rank, **answer}
        for (_, name, _), found in zip(batch, _answers(run, questions, k, reach), strict=True)
        for rank, answer in enumerate(found, 1)
    ]
    return len(batch), rows


def _batch_rows_of(
    opened: tuple[Any, ...], k: int, reach: float, batch: list[Any]
) -> tuple[int, list[dict[str, Any]]]:
    """The same by the run of a folder, which this process opens once."""
    return _batch_rows(_opened(*opened), k, reach, batch)


@functools.lru_cache(1)
def _opened(folder: str, key: str | None, as_it_is: int) -> Any:
    from tfhashtag.runs.run import Run

    return Run.open(folder, key)


def _keep(run: Any, reach: float) -> None:
    """Writes what answers, and what is known of reach, so that not every process does."""
    from tfhashtag.runs.answers import FOLDER, keep_answers

    run.check_complete()
    if not (run.place / FOLDER).is_dir():
        keep_answers(run)
    _known(run, reach)


def _asked(run: Any, record: Mapping[str, Any], where: str) -> Question:
    """The question of a record, with hashes in place of names where the run's users are hashed."""
    question: Question = run.task.read_query(record, where)
    return question if run.named is None else question.hashed(run.named)


def _answers(
    run: Any, questions: Sequence[Question], k: int, reach: float
) -> Iterator[list[dict[str, Any]]]:
    known = _known(run, reach)
    pool = k if known is None else max(k, POOL)
    for batch in _batches(questions):
        if "answers" not in vars(run):  # a wrong name is told before a model is loaded
            for question in batch:
                question.check(lambda: run.corpus)
        answers = run.task.answer(run.answers, batch, pool, lambda: run.corpus, run.settings)
        for rows in answers:
            if known is None:
                yield [{"hashtag": hashtag, "score": score} for hashtag, score in rows]
            else:
                logits = run.task.logits(np.array([score for _, score in rows], np.float64))
                names = [hashtag for hashtag, _ in rows]
                pairs = list(zip(names, logits.tolist(), strict=True))
                yield known.reordered(pairs, k, reach)


def _known(run: Any, reach: float) -> Any:
    """What the run knows of reach; None where it has no weight."""
    if not reach:
        return None
    from tfhashtag.runs.reach import known_reach  # SciPy is not loaded where nobody asks

    return known_reach(run)


def _batches(items: Iterable[Any]) -> Iterator[list[Any]]:
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, _BATCH)):
        yield batch


def _name(record: Mapping[str, Any], number: int) -> str:
    user = record.get("user")
    return str(number + 1) if user is None else str(user)


def _rows(path: pathlib.Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Place and fields of each row of a file."""
    kind = format_of(path, "--queries")
    if not path.is_file():
        raise DataError(f"{path}: no such file.")
    if kind == "parquet":
        yield from _parquet_rows(path)
        return
    place = str(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for place, fields in _json_rows(path, file) if kind == "jsonl" else _csv(path, file):
                yield place, fields
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: after {place}: not UTF-8: {error.reason}.") from error


def _json_rows(path: pathlib.Path, file: TextIO) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(file, 1):
        if line.strip():
            yield f"{path}:{number}", _object(line, f"{path}:{number}")


def _csv(path: pathlib.Path, file: TextIO) -> Iterator[tuple[str, dict[str, Any]]]:
    import csv

    csv.field_size_limit(_CELL)
    reader = csv.DictReader(file)
    try:
        names = reader.fieldnames or ()
        if repeated := sorted(name for name in {*names} if list(names).count(name) > 1):
            raise DataError(f"{path}: two columns are called `{repeated[0]}`.")
        for record in reader:
            place = f"{path}:{reader.line_num}"
            if None in record or None in record.values():
                raise DataError(f"{place}: expected {len(names)} fields.")
            fields = {name: value for name, value in record.items() if value}
            if "history" in fields:
                fields["history"] = _strings(fields["history"])
            for name in ("image", "images"):
                if fields.get(name, "").startswith('["'):
                    fields[name] = _strings(fields[name])
            yield place, fields
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: not CSV: {error}.") from error


def _parquet_rows(path: pathlib.Path) -> Iterator[tuple[str, dict[str, Any]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches(_BATCH):
                for record in batch.to_pylist():
                    number += 1
                    yield f"{path}:{number}", {k: v for k, v in record.items() if v is not None}
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not readable as Parquet: {str(error).splitlines()[0]}") from error


def _object(line: str, place: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise DataError(f"{place}: not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise DataError(f"{place}: expected an object, found {type(value).__name__}.")
    return value


def _strings(text: str) -> list[str]:
    """A history in a cell: a JSON list, or one message, which may begin with a bracket."""
    try:
        found = json.loads(text)
    except ValueError:
        return [text]
    return found if isinstance(found, list) else [text]
