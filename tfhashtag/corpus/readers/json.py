"""JSON: an object a line, an array of objects, or an object that holds one; `.js` of archives."""

import contextlib
import io
import itertools
import json
import pathlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from typing import Any

from tfhashtag.corpus.post_faults import BadPost, OnBad
from tfhashtag.corpus.readers.files import Pieces, encoding_of, opened, text_lines
from tfhashtag.corpus.readers.headings import USUAL_NAMES, plain_name
from tfhashtag.corpus.readers.rows import Layout, Row
from tfhashtag.errors import DataError

#: Fields of an object that hold its posts.
LISTS = (
    *("data", "statuses", "tweets", "posts", "feed", "orderedItems", "records", "items"),
    *("ig_reels_media", "ig_archived_post_media", "ig_igtv_media", "text_post_app_text_posts"),
)
#: The same, and those of the first archives of Instagram, which elsewhere are a post's pictures.
LISTS_OF_ARCHIVES = (*LISTS, "photos", "videos")
_OF_A_POST = {
    plain_name(name) for ours in ("user", "text") for name in (ours, *USUAL_NAMES[ours].split())
}
_DEEPEST = 200
_LONGEST_LINE = 2**24  # of an object that is read at once
_ASSIGNMENT = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:(?:var|let|const)\s+)?[A-Za-z_$][\w.$\[\]\"']*\s*=\s*"
)


def jsonl_rows(
    paths: Sequence[pathlib.Path], layout: Layout, on_bad: OnBad, counts: Counter[str]
) -> Iterator[Row]:
    """Rows of JSON Lines: one object a line; empty lines are counted."""
    for path in paths:
        for place, line in text_lines(path, on_bad, layout.encoding):
            if not line.strip():
                counts["empty lines"] += 1
                continue
            try:
                if line.strip() == "[" and place.endswith(":1"):
                    raise DataError(f"{path}: an array over several lines; import it as `json`.")
                yield Row(place, _object(_json(line)))
            except BadPost as fault:
                on_bad(place, fault)


def json_rows(
    paths: Sequence[pathlib.Path],
    layout: Layout,
    on_bad: OnBad,
    counts: Counter[str],
    lists: Sequence[str] = LISTS,
) -> Iterator[Row]:
    """Rows of JSON in any of its layouts, in bounded memory.

    An array of objects; an object with such an array in one of `LISTS`, as pages of an API have it;
    objects one after the other, each a post or such a page; any of these behind `name =`, as
    archives have it.

    Raises:
        DataError: a file cannot be read or is no JSON.
    """
    for path in paths:
        kind, prefixes = _layout(path, layout, lists)
        if kind == "lines":
            for row in jsonl_rows([path], layout, on_bad, counts):
                yield from _pages(row, lists)
            continue
        number = 0
        for number, value in enumerate(_values(path, layout, prefixes), 1):
            place = f"{path}:post {number}"
            try:
                yield from _pages(Row(place, _object(value)), lists)
            except BadPost as fault:
                on_bad(place, fault)
        if number == 0:  # archives have such files
            counts["files without posts"] += 1


def _pages(row: Row, names: Sequence[str]) -> Iterator[Row]:
    """The posts of a page, or the row itself."""
    if not _is_page(row.fields, names):
        yield row
        return
    for name in names:
        for number, post in enumerate(row.fields.get(name) or [], 1):
            yield Row(f"{row.place}, `{name}` {number}", post)


def _is_page(fields: dict[str, Any], names: Sequence[str]) -> bool:
    """Whether an object holds posts and is none: those of Facebook have `data`, too."""
    if "text" in fields or "content" in fields or {"timestamp", "data"} <= fields.keys():
        return False
    lists = [fields[name] for name in names if isinstance(fields.get(name), list)]
    if not any(lists) and any(plain_name(name) in _OF_A_POST for name in fields):
        return False  # a post whose own list is empty
    return bool(lists) and all(isinstance(post, dict) for held in lists for post in held)


def holds_lines(path: pathlib.Path, layout: Layout) -> bool:
    """Whether each line is an object, and not a piece of an array or of one large object."""
    return _layout(path, layout)[0] == "lines"


def _layout(
    path: pathlib.Path, layout: Layout, lists: Sequence[str] = LISTS
) -> tuple[str, tuple[str, ...]]:
    """`lines`, or `values` and the prefixes of `ijson` under which the posts stand."""
    with _utf8(path, layout) as stream:
        if stream.peek(512).lstrip()[:1] == b"[":
            return "values", ("item",)
        line = b"\n"
        while line and not line.strip():
            line = stream.readline(_LONGEST_LINE)
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        return "lines", ()
    with contextlib.suppress(ValueError, RecursionError):
        json.loads(line)
        return ("values" if _is_assignment(path) else "lines"), ("",)
    return "values", _prefixes(path, layout, lists)


def _prefixes(path: pathlib.Path, layout: Layout, lists: Sequence[str]) -> tuple[str, ...]:
    """Where an object over several lines holds its arrays of posts; `""` where it is a post."""
    import ijson

    with contextlib.suppress(ijson.JSONError), _utf8(path, layout) as stream:
        for prefix, event, _ in ijson.parse(_shallow(ijson.basic_parse(stream))):
            if prefix in ("text", "content", "timestamp"):
                break
            if event == "start_array" and prefix in lists:
                return tuple(f"{name}.item" for name in lists)
    return ("",)


def _values(path: pathlib.Path, layout: Layout, prefixes: tuple[str, ...]) -> Iterator[Any]:
    return (value for _, value in _placed(path, layout, prefixes))


def _placed(
    path: pathlib.Path, layout: Layout, prefixes: tuple[str, ...]
) -> Iterator[tuple[str, Any]]:
    """The values under any of the prefixes, and under which."""
    import ijson

    number = 0
    with _utf8(path, layout) as stream:
        try:
            events = ijson.basic_parse(stream, use_float=True, multiple_values=True)
            for placed in _built(ijson.parse(_shallow(events)), frozenset(prefixes)):
                number += 1
                yield placed
        except (ijson.JSONError, UnicodeDecodeError) as error:
            told = " ".join(str(error).split())
            raise DataError(
                f"{path}: not readable as JSON after post {number}: {told:.200}; mend it there, "
                "or write the file anew with a library for JSON"
            ) from error


def _built(
    events: Iterator[tuple[str, str, Any]], prefixes: frozenset[str]
) -> Iterator[tuple[str, Any]]:
    """The values that stand under any of the prefixes, as `ijson.items` of one."""
    import ijson

    for prefix, event, value in events:
        if prefix not in prefixes or event in ("end_map", "end_array", "map_key"):
            continue
        if event not in ("start_map", "start_array"):
            yield prefix, value
            continue
        builder, open_names = ijson.ObjectBuilder(), [set[str]()]
        builder.event(event, value)
        while open_names:
            _, kind, part = next(events)
            if kind in ("start_map", "start_array"):
                open_names.append(set())
            elif kind in ("end_map", "end_array"):
                open_names.pop()
            elif kind == "map_key":
                if part in open_names[-1]:
                    raise ijson.JSONError(f"field `{part}` stands twice; expected each once")
                open_names[-1].add(part)
            builder.event(kind, part)
        yield prefix, builder.value


def _shallow(events: Iterator[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Events as they are; a file of brackets alone would fill the memory with their places."""
    import ijson

    depth = 0
    for event in events:
        depth += event[0] in ("start_map", "start_array")
        depth -= event[0] in ("end_map", "end_array")
        if depth > _DEEPEST:
            raise ijson.JSONError(f"more than {_DEEPEST} levels of brackets")
        yield event


@contextlib.contextmanager
def _utf8(path: pathlib.Path, layout: Layout) -> Iterator[Any]:
    """The JSON of a file as bytes of UTF-8, without mark and `name =`."""
    encoding = encoding_of(path, layout.encoding)
    with opened(path) as stream:
        if encoding not in ("utf-8", "ascii"):
            text = io.TextIOWrapper(stream, encoding=encoding, newline="")
            parts = iter(lambda: text.read(2**14), "")
            first = next(parts, "").removeprefix("\ufeff")  # later ones are of a text
            recoded = (part.encode() for part in itertools.chain([first], parts) if part)
            yield io.BufferedReader(Pieces(recoded))
            return
        start = _ASSIGNMENT.match(stream.peek(4096))
        stream.read(start.end() if start else 3 * stream.peek(3).startswith(b"\xef\xbb\xbf"))
        yield io.BufferedReader(Pieces(_without_semicolon(stream))) if start else stream


def included_users(path: pathlib.Path, layout: Layout) -> Iterator[dict[str, Any]]:
    """The objects of `includes.users` of pages, where these name authors apart from the posts.

    Lines that cannot be read are left to `json_rows`.

    Raises:
        DataError: the file is no JSON.
    """
    kind, prefixes = _layout(path, layout)
    if kind == "lines":
        rows = jsonl_rows([path], layout, lambda *_: None, Counter())
        held = (row.fields.get("includes") for row in rows)
        users = (some["users"] for some in held if isinstance(some, dict) and "users" in some)
        every: Iterator[Any] = (user for some in users if isinstance(some, list) for user in some)
    else:
        start = "item." if prefixes == ("item",) else ""
        every = _values(path, layout, (f"{start}includes.users.item",))
    yield from (user for user in every if isinstance(user, dict))


def rows_at(path: pathlib.Path, layout: Layout, prefixes: Sequence[str]) -> Iterator[Row]:
    """The objects that stand at some places of one large object, in bounded memory.

    Args:
        path: a file of JSON.
        layout: how it is written.
        prefixes: where, as `ijson` names it: `messages.item`.

    Raises:
        DataError: the file cannot be read or is no JSON.
    """
    return (row for _, row in rows_under(path, layout, prefixes, ()))


def rows_under(
    path: pathlib.Path, layout: Layout, prefixes: Sequence[str], heads: Sequence[str]
) -> Iterator[tuple[Any, Row]]:
    """As `rows_at`, each with the newest value that stood at one of `heads` before it, or None."""
    head, number = None, 0
    for prefix, value in _placed(path, layout, (*prefixes, *heads)):
        if prefix in heads:
            head = value
            continue
        number += 1
        if isinstance(value, dict):
            yield head, Row(f"{path}:post {number}", value)


def first_names(path: pathlib.Path, layout: Layout, count: int) -> list[Set[str]]:
    """The fields of the first rows of a file, of one large object without reading what it holds."""
    kind, prefixes = _layout(path, layout, LISTS_OF_ARCHIVES)
    if (kind, prefixes) != ("values", ("",)):
        rows = json_rows([path], layout, lambda *_: None, Counter(), LISTS_OF_ARCHIVES)
        return [row.fields.keys() for row in itertools.islice(rows, count)]
    import ijson

    names, depth = set[str](), 0
    with _utf8(path, layout) as stream:
        try:
            for event, value in _shallow(ijson.basic_parse(stream, multiple_values=True)):
                if event == "map_key" and depth == 1:
                    names.add(value)
                depth += event in ("start_map", "start_array")
                depth -= event in ("end_map", "end_array")
                if not depth:
                    break
        except (ijson.JSONError, UnicodeDecodeError) as error:
            told = " ".join(str(error).split())
            raise DataError(f"{path}: not readable as JSON: {told:.200}") from error
    return [names] if names else []


def _without_semicolon(stream: io.BufferedReader) -> Iterator[bytes]:
    """What an assignment assigns: a semicolon at the end of the file is not given on."""
    held = b""
    while read := stream.read(2**13):
        data = held + read
        given = data.rstrip(b"; \r\n\t")
        held = data[len(given) :]
        if given:
            yield given


def _is_assignment(path: pathlib.Path) -> bool:
    with opened(path) as stream:
        return _ASSIGNMENT.match(stream.peek(4096)) is not None


def _json(line: str) -> Any:
    try:
        return json.loads(line, object_pairs_hook=_distinct)
    except (ValueError, RecursionError) as error:
        printed = line.lstrip()[:2] == "{'"
        mend = "; as Python prints it: write it anew by `json.dumps`" if printed else ""
        raise BadPost("not JSON", f"not readable as JSON: {error}{mend}") from None


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, n in Counter(name for name, _ in pairs).items() if n > 1)
        raise BadPost("not JSON", f"field `{twice}` stands twice; expected each once")
    return found


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadPost("not JSON", f"found {type(value).__name__}; expected an object")
    return value
