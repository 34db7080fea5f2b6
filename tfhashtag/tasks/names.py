"""Names that people give, as places in a corpus."""

import difflib
from collections.abc import Sequence

from tfhashtag.errors import DataError

_SUGGESTED = 3
_COMPARED = 20_000  # names that are compared with a wrong one, at most


def place_of(names: Sequence[str], name: str, kind: str, corpus: str) -> int:
    """Where a name stands among those of a corpus.

    Args:
        names: what there is.
        name: what was given.
        kind: `"post"`, `"user"` or `"hashtag"`, for the message.
        corpus: the name of the corpus, for the message.

    Raises:
        DataError: it is not there; the message names the nearest ones.

    Example:

    >>> place_of(["ada", "bea"], "bea", "user", "made by hand")
    1
    >>> place_of(["ada", "bea"], "baa", "user", "made by hand")
    Traceback (most recent call last):
    ...
    tfhashtag.errors.DataError: `user` 'baa' is not in corpus made by hand; nearest: bea, ada.
    """
    try:
        return names.index(name)
    except ValueError:
        near = difflib.get_close_matches(name, names[:_COMPARED], n=_SUGGESTED, cutoff=0.3)
        known = f"nearest: {', '.join(near)}" if near else f"there are {len(names)}, none like it"
        raise DataError(f"`{kind}` {name!r} is not in corpus {corpus}; {known}.") from None
