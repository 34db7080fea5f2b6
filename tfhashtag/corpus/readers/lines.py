"""Lines of a text file with their numbers; what cannot be read is an error that names the place."""

import pathlib
from collections.abc import Callable, Iterator

from tfhashtag.corpus.post import BadPost
from tfhashtag.errors import DataError

#: Called with place and fault of a post; raises it, or counts it and lets the reader go on.
OnBad = Callable[[str, BadPost], None]


def numbered_lines(path: pathlib.Path, on_bad: OnBad) -> Iterator[tuple[str, str]]:
    """Pairs of place (`file:line`) and line. Only `\\n` ends a line, a `\\r` before it is dropped.

    Raises:
        DataError: the file cannot be opened or has no line.
    """
    place = None
    try:
        with open(path, "rb") as file:
            for number, raw in enumerate(file, 1):
                place = f"{path}:{number}"
                line = raw.removesuffix(b"\n").removesuffix(b"\r")
                if number == 1:
                    line = line.removeprefix(b"\xef\xbb\xbf")
                try:
                    yield place, line.decode("utf-8")
                except UnicodeDecodeError as error:
                    fault = f"byte {error.start + 1} is not UTF-8; save the file as UTF-8"
                    on_bad(place, BadPost("not UTF-8", fault))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}). Check the path.") from error
    if place is None:
        raise DataError(f"{path}: the file is empty; expected a post a line.")
