"""Users whose names most platforms take for one, as `Ann` and `ann`."""

import unicodedata
from collections.abc import Collection, Iterable

#: Under which they are counted.
ALIKE = (
    "users whose names differ from another's in case, form or `@` alone (where they are one "
    "person, as handles of most platforms, write them alike)"
)


def plain_name(name: str) -> str:
    """What users have in common whose names differ in case, form or `@` alone.

    >>> plain_name("@Ann") == plain_name("ann")
    True
    """
    return unicodedata.normalize("NFKC", name).casefold().lstrip("@")


def alike_users(names: Iterable[str], known: Collection[str] = ()) -> tuple[int, str]:
    """How many names differ from another one in case, form or `@` alone, and the first such pair.

    They may be of several people, as identifiers of some platforms are, and are not joined.

    Args:
        names: of users, in any order.
        known: names that were there before, which are not counted themselves.

    Example:

    >>> alike_users(["ann", "@Ann", "bob"]), alike_users(["Bob"], known=["bob", "BOB"])
    ((1, '`@Ann` and `ann`'), (1, '`BOB` and `Bob`'))
    """
    count, example, first = 0, "", dict[str, str]()
    before = set(known)
    for name in [*sorted(before), *sorted(set(names) - before)]:
        other = first.setdefault(plain_name(name), name)
        if other != name and name not in before:
            count += 1
            example = example or f"`{other}` and `{name}`"
    return count, example
