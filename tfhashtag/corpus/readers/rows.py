"""What readers of people's own files give: rows, before anything is recognised or checked."""

import dataclasses
import pathlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from tfhashtag.corpus.post_faults import BadPost, OnBad
from tfhashtag.errors import DataError


class Row(NamedTuple):
    """A post as a file has it.

    Attributes:
        place: `file:line`, for messages.
        fields: names and values of any type.
    """

    place: str
    fields: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Layout:
    """How the files are written, where a person says it.

    Attributes:
        delimiter: between the columns of CSV, a tab also as `\\t`; None for the one that the header
            shows.
        encoding: of text; None for UTF-8, or what the file's mark says.
        sheet: the name of the sheet of a spreadsheet.

    Raises:
        DataError: the delimiter is not one sign that can stand between columns.
    """

    delimiter: str | None = None
    encoding: str | None = None
    sheet: str | None = None

    def __post_init__(self) -> None:
        if self.delimiter == r"\t":
            object.__setattr__(self, "delimiter", "\t")
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n'):
            raise DataError(f"delimiter {self.delimiter!r}: expected one sign, such as ';'.")


#: Gives the rows of files, one after the other.
RowReader = Callable[[Sequence[pathlib.Path], Layout, OnBad, Counter[str]], Iterator[Row]]


def platform_fields(
    read: Callable[..., dict[str, Any] | None], *given: Any
) -> dict[str, Any] | None:
    """What a platform's post says; values of other types than the platform's are a fault of it.

    Args:
        read: gives the fields, or None where it is no post.
        given: what it is called with.

    Raises:
        BadPost: it is no post of the platform.
    """
    try:
        return read(*given)
    except (AttributeError, TypeError) as error:
        fault = f"its values have other types than the platform's: {error}"
        raise BadPost("wrong type", fault) from None


def platform_rows(
    read: Callable[..., dict[str, Any] | None], values: Iterable[Row], on_bad: OnBad, *given: Any
) -> Iterator[Row]:
    """Rows of a platform's values by `platform_fields`, without those that are no posts.

    Args:
        read: gives the fields of a value.
        values: with their places.
        on_bad: called with the place and the fault of one that is no post of the platform.
        given: what `read` is called with besides.
    """
    for place, value in values:
        try:
            fields = platform_fields(read, value, *given)
            if fields is not None:
                yield Row(place, fields)
        except BadPost as fault:
            on_bad(place, fault)
