"""Vectors of the names of hashtags: found beside the corpus, embedded where they are not."""

import pathlib

import numpy as np

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.errors import ArtifactError, ConfigError
from tfhashtag.files import atomic_writer


def embed_names(corpus: Corpus, text_encoder: str, advice: str) -> np.ndarray:
    """Embeds every hashtag of a corpus by the named encoder, float32 `[hashtags, width]`.

    Args:
        corpus: the posts.
        text_encoder: its name.
        advice: what to do where that is a table of vectors and no encoder.

    Raises:
        ConfigError: `text_encoder` is a table, which cannot embed names.
    """
    from tfhashtag.encoders import load_text_encoder

    if text_encoder.endswith(".npy"):
        raise ConfigError(
            f"`text_encoder` is the table {text_encoder}, which cannot embed the names of "
            f"hashtags; {advice}."
        )
    return as_stored(load_text_encoder(text_encoder).encode(corpus.hashtags))


def as_stored(names: np.ndarray) -> np.ndarray:
    """As precise as `write_names` keeps them: a loaded model scores like the trained one."""
    return np.asarray(names).astype(np.float16).astype(np.float32)


def write_names(path: pathlib.Path, names: np.ndarray) -> None:
    """Writes the vectors in 16 bits."""
    with atomic_writer(path, "wb") as file:
        np.save(file, names.astype(np.float16), allow_pickle=False)


def read_names(path: pathlib.Path, corpus: Corpus, width: int) -> np.ndarray:
    """What `write_names` wrote, float32 `[hashtags, width]`.

    Raises:
        ArtifactError: the file is missing, damaged or of another corpus.
    """
    try:
        names = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ArtifactError(f"{path}: not readable: {error}. Train again.") from error
    if names.shape != (len(corpus.hashtags), width):
        raise ArtifactError(
            f"{path}: found shape {list(names.shape)}, expected {[len(corpus.hashtags), width]}; "
            "it is of another corpus."
        )
    return names.astype(np.float32)
