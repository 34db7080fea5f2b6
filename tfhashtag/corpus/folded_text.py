"""Texts in one form of letters, with where each of them stands in the text itself."""

import functools
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import regex

from tfhashtag.corpus.hashtag import IGNORED

_CLUSTER = regex.compile(r"\X")
_HIDDEN = regex.compile(IGNORED)
_WORD = regex.compile(r"[\p{L}\p{M}\p{Nd}\p{Nl}]")


class FoldedText(NamedTuple):
    """A text in its form, and start and end in the source of each of its characters, if it differs.

    Example:

    >>> form = folded("by ｚｏｅ\u0308, li\u200dz")
    >>> form.text, form.span(3, 6)
    ('by zoë, liz', (3, 7))
    """

    text: str
    places: Sequence[tuple[int, int]] | None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where a part of the form, which is not empty, stands in the source."""
        if self.places is None:
            return start, end
        return self.places[start][0], self.places[end - 1][1]


def folded(text: str) -> FoldedText:
    """A text with letters of one width and composed, without invisible signs.

    Signs of several letters (`\u2122`) and numbers in circles or above the line stay what they are,
    so that a name ends before them.
    """
    if text.isascii() or (unicodedata.is_normalized("NFKC", text) and _HIDDEN.search(text) is None):
        return FoldedText(text, None)
    parts: list[str] = []
    places: list[tuple[int, int]] = []
    for found in _CLUSTER.finditer(text):
        form = _form(found[0])
        parts.append(form)
        places += [found.span()] * len(form)
    return FoldedText("".join(parts), places)


@functools.lru_cache(maxsize=2**12)
def _form(cluster: str) -> str:
    plain = _HIDDEN.sub("", cluster)
    form = unicodedata.normalize("NFKC", plain)
    if not plain or unicodedata.category(plain[0]) == "No":
        return plain
    return form if len(form) == 1 or _WORD.match(plain) else plain
