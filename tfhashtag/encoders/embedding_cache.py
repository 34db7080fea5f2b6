"""Vectors of all messages of a corpus on disk: each made once, kept through kills and full disks.

    CORPUS/embeddings/<encoder>-<fingerprint>/<digest of the messages>/
        vectors.npy   float32 [messages, width]; row i belongs to message i of the corpus
        keys.npy      uint8 [messages, 16]; the first 16 bytes of SHA-256 of each message
        meta.json     encoder, fingerprint, width, messages

The names of hashtags have a table of the same form in `CORPUS/hashtag_embeddings/`.
`tfhashtag.encoders.journal_table` makes it.
"""

import dataclasses
import json
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.encoders.finished_tables import find_table, is_of, tables_of
from tfhashtag.encoders.journal_table import (
    CHUNK_ROWS,
    JournalTable,
    digest_of,
    home_of,
    keys_of,
    open_table,
    progress_bar,
)
from tfhashtag.encoders.text_encoder import BATCH_TOKENS, TextEncoder
from tfhashtag.errors import ArtifactError, DataError

FOLDER = "embeddings"
HASHTAG_FOLDER = "hashtag_embeddings"
CHUNK_MESSAGES = CHUNK_ROWS


@dataclasses.dataclass(frozen=True)
class Embeddings:
    """A finished table and how it came about.

    Attributes:
        vectors: float32 `[messages, width]`, memory-mapped, read-only.
        folder: where it lies.
        encoded: int, messages that were encoded by this call.
        reused: int, messages whose vectors were there already.
    """

    vectors: np.ndarray
    folder: pathlib.Path
    encoded: int
    reused: int


def encode_corpus(
    corpus_folder: str | os.PathLike,
    corpus: Corpus,
    encoder: TextEncoder,
    *,
    progress: bool = True,
    batch_tokens: int = BATCH_TOKENS,
    chunk_messages: int = CHUNK_MESSAGES,
) -> Embeddings:
    """Encodes every distinct message of a corpus that this encoder has not encoded yet.

    It can be killed at any point: the next call goes on, and at most the messages of one chunk are
    encoded twice. Vectors of an earlier state of the corpus are taken over by content. Memory does
    not grow with the corpus beyond the corpus itself and 16 bytes a message.

    Args:
        corpus_folder: folder of the corpus; the table goes into `embeddings/` in it.
        corpus: the corpus in that folder.
        encoder: the encoder.
        progress: bool, whether to show a progress bar with messages a second on stderr.
        batch_tokens: int, most tokens in a batch.
        chunk_messages: int, messages between two entries in the journal.

    Returns:
        `Embeddings`.

    Raises:
        ArtifactError: the disk is full, or another process is at it.
        DataError: the encoder gives a vector that is not finite, or the corpus has no message.
    """
    home = pathlib.Path(corpus_folder) / FOLDER
    return _encode(
        home, corpus.messages, encoder, "message", progress, batch_tokens, chunk_messages
    )


def encode_hashtags(
    corpus_folder: str | os.PathLike,
    corpus: Corpus,
    encoder: TextEncoder,
    *,
    progress: bool = True,
    batch_tokens: int = BATCH_TOKENS,
    chunk_messages: int = CHUNK_MESSAGES,
) -> Embeddings:
    """Encodes the names of a corpus's hashtags, as `encode_corpus` does its messages.

    Models that read the names find them by `load_hashtag_embeddings` and need not embed them in
    each training.

    Raises:
        ArtifactError: the disk is full, or another process is at it.
        DataError: the encoder gives a vector that is not finite, or the corpus has no hashtag.
    """
    home = pathlib.Path(corpus_folder) / HASHTAG_FOLDER
    return _encode(
        home, corpus.hashtags, encoder, "hashtag", progress, batch_tokens, chunk_messages
    )


def _encode(
    root: pathlib.Path,
    messages: Sequence[str],
    encoder: TextEncoder,
    what: str,
    progress: bool,
    batch_tokens: int,
    chunk_messages: int,
) -> Embeddings:
    if not messages:
        raise DataError(
            f"{root.parent}: the corpus has no {what} to encode. Import posts with "
            f"`tfhashtag data import` first."
        )
    if chunk_messages < 1:
        raise DataError(f"`chunk_messages` must be at least 1. Received: {chunk_messages}.")
    home = home_of(root, encoder.name, encoder.fingerprint)
    keys = keys_of(text.encode("utf-8") for text in messages)
    table = JournalTable(home, keys, (encoder.width,), chunk_messages)
    with table.locked():
        if table.finished:
            vectors = table.open()
            _check_finite(vectors, messages, table.folder / "vectors.npy")
            return Embeddings(vectors, table.folder, 0, len(messages))

        def fill(todo):
            texts = [messages[row] for row in todo]
            for rows, values in encoder.encode_batches(texts, batch_tokens):
                bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
                if len(bad):
                    raise _not_finite(todo[rows[bad[0]]], messages, f"encoder `{encoder.name}`")
                yield todo[rows], values

        meta = {
            "encoder": encoder.name,
            "fingerprint": encoder.fingerprint,
            "width": encoder.width,
            "messages": len(messages),
            "max_length": encoder.max_length,
        }
        encoded = table.fill(
            fill,
            lambda: meta,
            progress=lambda done: progress_bar(
                progress, encoder.name, f"{what}s", len(messages), done
            ),
        )
    return Embeddings(table.open(), table.folder, encoded, len(messages) - encoded)


def load_embeddings(
    corpus_folder: str | os.PathLike, corpus: Corpus, text_encoder: str
) -> np.ndarray:
    """The vectors of a corpus's messages, as `encode_corpus` left them.

    Args:
        corpus_folder: folder of the corpus.
        corpus: the corpus in that folder.
        text_encoder: str, name of the encoder as given to `tfhashtag encode`, or its fingerprint
            (or the first 8 or more characters of it), or the path of a `.npy` file with a row for
            each message of the corpus.

    Returns:
        float32 `[messages, width]`, memory-mapped, read-only.

    Raises:
        ArtifactError: the corpus is not encoded, or has changed since.
        DataError: a vector is not finite, or a given file does not fit the corpus.
    """
    if text_encoder.endswith(".npy"):
        return _given_table(pathlib.Path(text_encoder), corpus)
    root = pathlib.Path(corpus_folder) / FOLDER
    digest = digest_of(keys_of(text.encode("utf-8") for text in corpus.messages))
    again = f"run `tfhashtag encode {corpus_folder} --text-encoder {text_encoder}`"
    folder, meta = find_table(
        root, text_encoder, digest, _read_meta, what="vectors of text encoder", again=again
    )
    table = open_table(folder / "vectors.npy", (meta["messages"], meta["width"]))
    _check_finite(table, corpus.messages, folder / "vectors.npy")
    return table


def load_hashtag_embeddings(
    corpus_folder: str | os.PathLike, corpus: Corpus, text_encoder: str
) -> np.ndarray | None:
    """The vectors of hashtags' names, as `encode_hashtags` left them; None where it did not run.

    Args:
        corpus_folder: folder of the corpus.
        corpus: the corpus in that folder.
        text_encoder: str, as for `load_embeddings`; a `.npy` table has no names.

    Returns:
        float32 `[hashtags, width]`, memory-mapped, read-only, or None.

    Raises:
        ArtifactError: the table is damaged.
    """
    digest = digest_of(keys_of(text.encode("utf-8") for text in corpus.hashtags))
    root = pathlib.Path(corpus_folder) / HASHTAG_FOLDER
    for folder, meta in tables_of(root, _read_meta, digest):
        if is_of(meta, text_encoder):
            return open_table(folder / "vectors.npy", (meta["messages"], meta["width"]))
    return None


def _read_meta(path: pathlib.Path) -> dict:
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
        return {key: meta[key] for key in ("encoder", "fingerprint", "width", "messages")}
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(
            f"{path}: not the description of an embedding table ({error}). Delete the folder "
            f"{path.parent} and run `tfhashtag encode` again."
        ) from error


def _given_table(path: pathlib.Path, corpus: Corpus) -> np.ndarray:
    try:
        table = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: cannot be read as a NumPy array: {error}") from error
    count = len(corpus.messages)
    if table.ndim != 2 or table.shape[0] != count or table.dtype != np.float32:
        raise DataError(
            f"{path}: float32 [{count}, width] was expected, a row for each distinct message of "
            f"the corpus in its order; found {table.dtype} {list(table.shape)}."
        )
    _check_finite(table, corpus.messages, path)
    return table


def _check_finite(table: np.ndarray, messages: Sequence[str], path: pathlib.Path) -> None:
    for start in range(0, len(table), 8192):
        bad = np.flatnonzero(~np.isfinite(table[start : start + 8192]).all(axis=1))
        if len(bad):
            raise _not_finite(start + bad[0], messages, str(path))


def _not_finite(row: int, messages: Sequence[str], where: str) -> DataError:
    text = messages[row] if len(messages[row]) <= 60 else messages[row][:57] + "..."
    return DataError(
        f"{where}: the vector of message {row} ({text!r}) is not finite. Every value must be a "
        f"number: mend the table or the encoder's weights and encode again."
    )
