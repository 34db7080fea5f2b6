"""A corpus folder without some of its posts: texts, pictures and vectors of the others."""

import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.corpus.editing import select_posts
from tfhashtag.corpus.pictures import FOLDER
from tfhashtag.corpus.store import source_of, write_posts
from tfhashtag.corpus.texts import Texts
from tfhashtag.encoders.journal_table import JournalTable, equal_keys, keys_of, open_vectors
from tfhashtag.encoders.vector_cache import narrow, read_meta

_ROWS = 1 << 14
_KEPT_OF_SOURCE = ("format", "split", "hashed_users", "frames", "options", "hashtags_from")


def write_without(
    folder: pathlib.Path, corpus: Corpus, kept: np.ndarray, target: pathlib.Path
) -> Corpus:
    """Writes the chosen posts of a corpus folder with their pictures and vectors as a new one.

    What is told of the source keeps no names, texts or hashtags; the truth about made posts is left
    out. Tables of vectors that do not fit the corpus any more are left out.

    Args:
        folder: of the corpus.
        corpus: what is in it.
        kept: int, the posts that stay, rising.
        target: exists, empty.

    Returns:
        The smaller corpus.
    """
    smaller = select_posts(corpus, kept)
    source = {name: v for name, v in source_of(folder).items() if name in _KEPT_OF_SOURCE}
    if "options" in source:  # who wrote all may be the one who is to be forgotten
        source["options"] = {n: v for n, v in source["options"].items() if n != "user"}
    write_posts(smaller, target, source or None)
    pictures = smaller.pictures
    if (folder / FOLDER).is_dir():
        (target / FOLDER).mkdir()
        for name in pictures:
            os.link(folder / name, target / name)
    for kind, items in (
        ("embeddings", smaller.messages),
        ("hashtag_embeddings", smaller.hashtags),
        ("image_proposals", pictures),
    ):
        for meta in sorted((folder / kind).glob("*/[!.]*/meta.json")):
            _write_table(meta.parent, items, target / kind / meta.parent.parent.name)
    return smaller


def _write_table(table: pathlib.Path, items: Sequence[str], home: pathlib.Path) -> None:
    """The rows of a finished table that belong to the items, as a table of these."""
    keys, old = keys_of(items), np.load(table / "keys.npy")
    pairs = equal_keys(keys, np.arange(len(keys)), old, np.arange(len(old)))
    if len(pairs) < len(items):
        return
    vectors = open_vectors(table)
    meta = read_meta(table / "meta.json")
    place = {item: row for row, item in enumerate(items)} if meta["broken"] else {}
    broken = {name: place[name] for name in meta["broken"] if name in place}

    def rows(todo: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for start in range(0, len(todo), _ROWS):
            part = todo[start : start + _ROWS]
            yield part, np.asarray(vectors[pairs[part, 1]])

    def told() -> Mapping[str, Any]:
        return {**meta, "broken": broken, "column": Texts.of(items).digest}

    made = JournalTable(home, keys, vectors.shape[1:], _ROWS)
    with made.locked():
        made.fill(rows, told, finish=lambda partial: narrow(partial, meta.get("dtype", "float32")))
    (home / ".lock").unlink()
