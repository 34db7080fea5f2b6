"""The own format as JSON Lines: one object a post."""

import json
import pathlib
from collections import Counter
from collections.abc import Iterator

from tfhashtag.corpus.post import BadPost, Post, checked_post
from tfhashtag.corpus.readers.lines import OnBad, numbered_lines


def read_jsonl(path: pathlib.Path, on_bad: OnBad, counts: Counter[str]) -> Iterator[Post]:
    """Posts of `{"user", "text", "hashtags": [...]}`, perhaps `id`, `split`, `timestamp`, `image`,
    `proposals`.

    Empty lines are counted.
    """
    for place, line in numbered_lines(path, on_bad):
        if not line.strip():
            counts["empty lines"] += 1
            continue
        try:
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise BadPost("not JSON", f"not readable as JSON: {error}") from None
            if not isinstance(value, dict):
                raise BadPost("not JSON", f"found {type(value).__name__}; expected an object")
            yield checked_post(value, place.rpartition(":")[2], place, counts)
        except BadPost as fault:
            on_bad(place, fault)
