"""The Twitter dataset of the engagement paper, as its authors publish it."""

import pathlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.post import Post, checked_post
from tfhashtag.corpus.post_faults import BadPost, OnBad
from tfhashtag.corpus.readers.files import text_lines
from tfhashtag.errors import DataError


def read_howyoutag(folder: pathlib.Path, on_bad: OnBad, counts: Counter[str]) -> Iterator[Post]:
    """Posts of `train.csv`, `valid.csv`, `test.csv`, lines `text TAB user TAB hashtag [TAB ...]`.

    The files are the split by time, file order is time order. A hashtag stands as it is in the
    file, also with its `#`: Table 1 counts it so. Empty hashtag fields are counted.

    Args:
        folder: holds the three files.
        on_bad: what to do with a bad line.
        counts: gets `empty hashtag fields`.

    Raises:
        DataError: a file is missing, unreadable or empty.
    """
    if not folder.is_dir():
        raise DataError(
            f"{folder}: no such folder; expected one with train.csv, valid.csv and test.csv."
        )
    for split in Split:
        path = folder / f"{split.name.lower()}.csv"
        for place, line in text_lines(path, on_bad):
            fields = line.split("\t")
            try:
                if len(fields) < 3:
                    raise BadPost(
                        "too few fields",
                        f"{len(fields)} fields; expected text, user and hashtags with tabs between",
                    )
                # A leading `#` is taken off once, so that one of the file's own stays.
                tags = [f"#{tag}" for tag in fields[2:]]
                values = {"text": fields[0], "user": fields[1], "hashtags": tags}
                values["split"] = split.name.lower()
                identity = f"{split.name.lower()}:{place.rpartition(':')[2]}"
                yield checked_post(values, identity, place, counts, keep_spelling=True)
            except BadPost as fault:
                on_bad(place, fault)


def evaluation_users(folder: pathlib.Path) -> list[str] | None:
    """The users to evaluate in the authors' order, from `users.txt`; None where it is missing."""
    path = folder / "users.txt"
    if not path.is_file():
        return None

    def refuse(place: Any, fault: Any) -> None:
        raise DataError(f"{place}: {fault}.")

    return [line for _, line in text_lines(path, refuse) if line]
