"""The classifiers of a moment as a file, so that loading a run does not train them."""

import hashlib
import os
import zipfile
from typing import Any

import numpy as np

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.errors import ArtifactError
from tfhashtag.recommenders.post_ranker.tables import Classifiers, Moment


def write_classifiers(path: str | os.PathLike, corpus: Corpus, moment: Moment) -> None:
    """Writes those of the moment after the train posts of a corpus."""
    arrays: dict[str, Any] = {
        f"{kind}_{place}": array
        for kind, vectors in moment.kinds.items()
        for place, array in enumerate(vectors.classifiers)
    }
    np.savez(path, posts=np.array(_digest_of_posts(corpus)), **arrays)


def read_classifiers(path: str | os.PathLike, corpus: Corpus) -> Classifiers | None:
    """What was written, or None where it was of other posts: then they are to be trained.

    Raises:
        ArtifactError: there is no such file, or it is damaged.
    """
    try:
        with np.load(path) as kept:
            if str(kept["posts"]) != _digest_of_posts(corpus):
                return None
            names = {name.rpartition("_")[0] for name in kept.files} - {""}
            return {name: [kept[f"{name}_{place}"] for place in range(4)] for name in names}
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ArtifactError(
            f"{path}: cannot be read ({error}): it is damaged, or the run is of an earlier version "
            "of the model. Train again."
        ) from error


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
