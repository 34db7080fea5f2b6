"""Vectors of the names of hashtags: found beside the corpus, embedded where they are not."""

import pathlib

import numpy as np

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.encoders.encoded_corpus import EncodedCorpus
from tfhashtag.errors import ArtifactError, ConfigError
from tfhashtag.files import atomic_writer
from tfhashtag.training.monitor import TrainingMonitor


def names_of(data: EncodedCorpus, monitor: TrainingMonitor, advice: str) -> np.ndarray:
    """A vector of every hashtag's name, float32 `[hashtags, width]`, as precise as it is kept.

    Args:
        data: the corpus; names that are not encoded with it are embedded now.
        monitor: where that is said.
        advice: what to do where the text encoder is a table of vectors.

    Raises:
        ConfigError: the text encoder is a table, which cannot embed names.
    """
    if data.names is not None:
        return as_stored(data.names)
    monitor.say(f"embedding {len(data.corpus.hashtags)} hashtag names")
    if data.text_encoder_name.endswith(".npy"):
        raise ConfigError(
            f"`text_encoder` is the table {data.text_encoder_name}, which cannot embed the names "
            f"of hashtags; {advice}."
        )
    return as_stored(data.text_encoder.encode(data.corpus.hashtags))


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
