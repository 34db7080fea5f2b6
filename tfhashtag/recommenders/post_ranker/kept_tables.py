"""Tables of a moment as files: what loading a run does not train or build anew."""

import hashlib
import os
import pathlib
import shutil
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.errors import ArtifactError
from tfhashtag.recommenders.post_ranker.posts_at import PostReads, PostsAt
from tfhashtag.recommenders.post_ranker.tables import CLASSIFIED, Classifiers, Moment
from tfhashtag.retrieval.inverted_post_index import with_fresh_posts
from tfhashtag.retrieval.inverted_table import InvertedTable

CLASSIFIERS = "classifiers.npz"
_INDEXES = {"text": "similar_posts", "picture": "similar_pictures"}


def write_tables(folder: str | os.PathLike, corpus: Corpus, at: PostsAt) -> None:
    """Writes the classifiers of a moment, and its inverted files where it has any."""
    folder = pathlib.Path(folder)
    write_classifiers(folder / CLASSIFIERS, corpus, at.moment)
    for kind, index in at.inverted.items():
        index.index.table.write(folder / _INDEXES[kind])


def read_indexes(folder: str | os.PathLike) -> dict[str, InvertedTable]:
    """The inverted files that `write_tables` left, by kind of vectors.

    Raises:
        ArtifactError: one is damaged.
    """
    paths = {kind: pathlib.Path(folder) / name for kind, name in _INDEXES.items()}
    return {kind: InvertedTable.read(path) for kind, path in paths.items() if path.exists()}


def take_indexes(folder: str | os.PathLike) -> dict[str, InvertedTable]:
    """The same; the files are removed, to be written anew."""
    found = read_indexes(folder)
    for kind in found:
        shutil.rmtree(pathlib.Path(folder) / _INDEXES[kind])
    return found


def grown_indexes(
    tables: Mapping[str, InvertedTable], before: Corpus, corpus: Corpus, reads: PostReads
) -> dict[str, InvertedTable]:
    """Inverted files over one corpus as those over another, see `with_fresh_posts`."""
    found = {
        kind: with_fresh_posts(table, before, corpus, *reads.searched(kind, len(corpus)))
        for kind, table in tables.items()
    }
    return {kind: table for kind, table in found.items() if table is not None}


def write_classifiers(path: str | os.PathLike, corpus: Corpus, moment: Moment) -> None:
    """Writes those of the moment after the train posts of a corpus."""
    arrays: dict[str, Any] = {
        f"{kind}_{place}": array
        for kind, vectors in moment.kinds.items()
        for place, array in enumerate(vectors.classifiers)
    }
    np.savez(path, posts=np.array(_digest_of_posts(corpus)), **arrays)


def read_classifiers(path: str | os.PathLike, corpus: Corpus, hashtags: int) -> Classifiers | None:
    """What was written, or None where it was of other posts: then they are to be trained.

    Neither is taken what knows another number of the `hashtags` that are ranked: earlier versions
    trained them for all.

    Raises:
        ArtifactError: there is no such file, or it is damaged.
    """
    try:
        with np.load(path) as kept:
            if str(kept["posts"]) != _digest_of_posts(corpus):
                return None
            names = {name.rpartition("_")[0] for name in kept.files} - {""}
            found = {name: [kept[f"{name}_{place}"] for place in range(4)] for name in names}
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ArtifactError(
            f"{path}: cannot be read ({error}): it is damaged, or the run is of an earlier version "
            "of the model. Train again."
        ) from error
    widths = {len(bias) for _, bias, _, both_bias in found.values() for bias in (bias, both_bias)}
    return found if widths <= {min(hashtags, CLASSIFIED)} else None


def _digest_of_posts(corpus: Corpus) -> str:
    """SHA-256 of who posted what and with which hashtags, and of the splits."""
    digest = hashlib.sha256(corpus.digest.encode())
    for column in (
        corpus.split_of_post,
        corpus.user_of_post,
        corpus.message_of_post,
        corpus.hashtag_offsets,
        corpus.hashtag_values,
    ):
        digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()
