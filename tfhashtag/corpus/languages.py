"""Which languages the texts of a corpus are in."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import regex

_LETTER = regex.compile(r"\p{L}")
_FEWEST = 20  # letters; of less nobody can tell
_MOST = 2000  # texts, evenly over all


def languages_of(texts: Sequence[str]) -> Counter[str]:
    """Languages of texts of 20 letters or more, by their codes of ISO 639-1, and how many of each.

    Of more than 2,000 texts so many, evenly over all, are looked at.

    Example:

    >>> english, german = "what a lovely morning for tea", "der Tee am Morgen ist wirklich gut"
    >>> languages_of([english, german, english, "ok"]).most_common()
    [('en', 2), ('de', 1)]
    """
    places = np.unique(np.linspace(0, len(texts) - 1, min(len(texts), _MOST)).astype(int))
    chosen = (texts[int(place)] for place in places)
    long = [text for text in chosen if len(_LETTER.findall(text)) >= _FEWEST]
    if not long:
        return Counter()
    from py3langid import classify

    return Counter(str(classify(text)[0]) for text in long)
