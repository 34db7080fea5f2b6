"""Fields of questions from outside, checked."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from tfhashtag.errors import DataError


def check_fields(record: Mapping[str, Any], known: Sequence[str], where: str, task: str) -> None:
    """Refuses a field that a task does not know.

    Raises:
        DataError: with the nearest right field.

    Example:

    >>> check_fields({"usr": "ann"}, ("user", "history"), "line 3", "users")
    Traceback (most recent call last):
    ...
    tfhashtag.errors.DataError: line 3: `usr` is no field of a question of users. Did you mean...
    """
    for field in record:
        if field not in known:
            near = difflib.get_close_matches(str(field), known, n=1)
            hint = f"Did you mean `{near[0]}`?" if near else f"Known: {', '.join(known)}."
            raise DataError(f"{where}: `{field}` is no field of a question of {task}. {hint}")


def strings(value: Any, field: str, where: str, many: bool = False) -> list[str]:
    """A field as strings; a whole number is the string that it is written as.

    Raises:
        DataError: it holds something else.

    Example:

    >>> strings(["a", "b"], "history", "line 1", many=True), strings(17, "user", "line 1")
    (['a', 'b'], ['17'])
    """
    values = list(value) if many and not isinstance(value, str | bytes) else [value]
    found = []
    for each in values:
        if isinstance(each, int) and not isinstance(each, bool):
            each = str(each)  # noqa: PLW2901
        if not isinstance(each, str):
            kind = "strings" if many else "a string"
            raise DataError(f"{where}: `{field}` must be {kind}, found {each!r}.")
        found.append(each)
    return found


def yes_or_no(value: Any, field: str, where: str) -> bool:
    """A field that is true or false, also as files of text and tables write it; None is false.

    Raises:
        DataError: it holds something else.

    Example:

    >>> yes_or_no("False", "new_only", "line 1"), yes_or_no(1, "new_only", "line 1")
    (False, True)
    """
    said = {"true": True, "1": True, "1.0": True, "yes": True}
    said |= {"false": False, "0": False, "0.0": False, "no": False, "none": False}
    found = said.get(str(value).strip().lower())
    if found is None:
        raise DataError(f"{where}: `{field}` must be true or false, found {value!r}.")
    return found
