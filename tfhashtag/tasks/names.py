"""Names that people give, as places in a corpus."""

import difflib
from collections.abc import Mapping, Sequence

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.errors import DataError

_SUGGESTED = 3
_COMPARED = 20_000  # names that are compared with a wrong one, at most
_FIELDS = {"user": "users", "hashtag": "hashtags", "post": "post_ids"}


def place_of(names: Sequence[str], name: str, kind: str, corpus: str) -> int:
    """Where a name stands among those of a corpus.

    Args:
        names: what there is.
        name: what was given.
        kind: `"post"`, `"user"` or `"hashtag"`, for the message.
        corpus: the name of the corpus, for the message.

    Raises:
        DataError: it is not there; the message has those that are spelt nearly so, or says how all
            are listed.

    Example:

    >>> place_of(["ada", "bea"], "bea", "user", "made by hand")
    1
    >>> place_of(["ada", "bea"], "Ada", "user", "made by hand")
    Traceback (most recent call last):
    ...
    tfhashtag.errors.DataError: `user` 'Ada' is not in corpus made by hand; nearest: ada.
    >>> place_of(["ada", "bea"], "carl", "user", "made by hand")
    Traceback (most recent call last):
    ...
    tfhashtag.errors.DataError: `user` 'carl' is not in corpus made by hand, nor any like it among \
its 2, such as ada, bea. All of them: `th.load(RUN).corpus.users`.
    """
    try:
        return names.index(name)
    except ValueError:
        near = _near(name, names)
        known = f"; nearest: {', '.join(near)}"
        if not near:
            known = (
                f", nor any like it among its {len(names):,}, such as "
                f"{', '.join(names[:_SUGGESTED])}. All of them: "
                f"`th.load(RUN).corpus.{_FIELDS[kind]}`"
            )
        raise DataError(f"`{kind}` {name!r} is not in corpus {corpus}{known}.") from None


def check_names(corpus: Corpus, names: Mapping[str, str | None]) -> None:
    """Refuses names that are not in a corpus.

    Args:
        corpus: the posts.
        names: by kind, as of `place_of`; hashtags with or without `#`. None is right.

    Raises:
        DataError: as `place_of`.
    """
    for kind, name in names.items():
        if name is not None and kind in _FIELDS:
            plain = name.removeprefix("#") if kind == "hashtag" else name
            place_of(getattr(corpus, _FIELDS[kind]), plain, kind, corpus.name)


def _near(name: str, names: Sequence[str]) -> list[str]:
    """Names that a slip of the fingers or another case makes of a name; first letters are right."""
    asked = name.casefold()
    ordered = sorted(names, key=lambda known: not known.casefold().startswith(asked[:1]))
    plain = {known.casefold(): known for known in reversed(ordered[:_COMPARED])}
    return [plain[found] for found in difflib.get_close_matches(asked, plain, n=_SUGGESTED)]
