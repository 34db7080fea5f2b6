"""Vectors of the names of hashtags: found beside the corpus, embedded where they are not."""

import pathlib

import numpy as np

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.encoders.encoded_corpus import EncodedCorpus
from tfhashtag.errors import ArtifactError, ConfigError, DataError
from tfhashtag.files import atomic_writer
from tfhashtag.memory import let_go
from tfhashtag.stored_rows import StoredRows
from tfhashtag.training.monitor import TrainingMonitor

NAMES = "hashtag_names.npy"
"""The file in a recommender's weights, a row a hashtag of the corpus."""
_ROWS = 1 << 14


def names_of(data: EncodedCorpus, monitor: TrainingMonitor, advice: str) -> np.ndarray:
    """A vector of every hashtag's name, float16 `[hashtags, width]`, as `write_names` keeps it.

    Args:
        data: the corpus; names that are not encoded with it are embedded now.
        monitor: where that is said.
        advice: what to do where the text encoder is a table of vectors.

    Raises:
        ConfigError: the text encoder is a table, which cannot embed names.
    """
    if data.names is not None:
        return _in_16_bits(data.names)
    monitor.say(f"embedding {len(data.corpus.hashtags)} hashtag names")
    if data.text_encoder_name.endswith(".npy"):
        raise ConfigError(
            f"`text_encoder` is the table {data.text_encoder_name}, which cannot embed the names "
            f"of hashtags; {advice}."
        )
    return _in_16_bits(data.text_encoder.encode(data.corpus.hashtags))


def write_names(path: pathlib.Path, names: np.ndarray) -> None:
    """Writes the vectors in 16 bits."""
    with atomic_writer(path, "wb") as file:
        np.save(file, np.asarray(names, np.float16), allow_pickle=False)


def read_names(path: pathlib.Path, corpus: Corpus, width: int) -> np.ndarray:
    """What `write_names` wrote, float16 `[hashtags, width]`.

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
    return names


def carry_names(path: pathlib.Path, corpus: Corpus, data: EncodedCorpus) -> None:
    """Turns what `write_names` wrote over one corpus into the names of another's hashtags.

    Args:
        path: of the file.
        corpus: of whose hashtags it is.
        data: the other corpus; the names of hashtags that the first has not are encoded there.

    Raises:
        ArtifactError: the file is damaged or of another corpus.
        DataError: the names of new hashtags are not encoded.
    """
    width = int(np.load(path, mmap_mode="r").shape[-1])
    saved = read_names(path, corpus, width)
    place = {name: row for row, name in enumerate(corpus.hashtags)}
    rows = np.array([place.get(name, -1) for name in data.corpus.hashtags], np.int64)
    new = np.flatnonzero(rows < 0)
    names = saved[np.maximum(rows, 0)]
    if len(new):
        if data.names is None:
            raise DataError("the names of the new hashtags are not encoded; `tfhashtag encode`.")
        names[new] = data.names[new]
    write_names(path, names)


def _in_16_bits(vectors: np.ndarray) -> np.ndarray:
    """Vectors that may be memory-mapped, as others that are, some thousand at a time."""
    found = StoredRows(0, vectors.shape[1], np.float16)
    for start in range(0, len(vectors), _ROWS):
        found.add(vectors[start : start + _ROWS])
        let_go(vectors)
    return found.mapped()
