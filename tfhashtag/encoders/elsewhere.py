"""Encoding in other processes: blocks of texts or pictures to vectors, each process with its own
encoder."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from tfhashtag.corpus.texts import Texts
from tfhashtag.errors import ArtifactError, EncoderError

TEXTS, PICTURES = 1024, 64  # in a block
Block = tuple[np.ndarray, np.ndarray, np.ndarray | None]


@dataclasses.dataclass(frozen=True)
class Elsewhere:
    """Processes that encode blocks, and how they load the encoder.

    Attributes:
        each: runs a function over items there, as `tfhashtag.engines.engine.Engine.each`.
        kind: `text` or `image`.
        arguments: of `load_text_encoder` or `load_image_encoder`.
        fingerprint: of the encoder here, which theirs must have.

    Example:

    >>> import tempfile
    >>> from tfhashtag.encoders import load_text_encoder
    >>> from tfhashtag.testing.small_world import write_word_encoder
    >>> folder = tempfile.mkdtemp() + "/words"
    >>> _ = write_word_encoder(folder)
    >>> encoder = load_text_encoder(folder)
    >>> there = Elsewhere(map, "text", (folder,), encoder.fingerprint)
    >>> [(rows, _, _)] = there.texts(["a", "b", "c"], np.array([2, 0]), 64)
    >>> sorted(rows.tolist())
    [0, 2]
    """

    each: Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]
    kind: str
    arguments: tuple[Any, ...]
    fingerprint: str

    def texts(self, items: Sequence[str], rows: np.ndarray, batch_tokens: int) -> Iterator[Block]:
        """Vectors of some of the texts, a block at a time.

        Args:
            items: all texts.
            rows: int `[n]`, which of them.
            batch_tokens: most tokens in a batch.
        """
        texts = Texts.of(items)
        work = functools.partial(_encode_texts, self._encoder, batch_tokens)
        parts = _parts(rows, TEXTS)
        return self.each(work, ((part, texts.take(part)) for part in parts))

    def pictures(
        self, folder: pathlib.Path, names: Sequence[str], rows: np.ndarray, batch: int
    ) -> Iterator[Block]:
        """Proposals of some pictures of a corpus folder, a block at a time.

        Args:
            folder: of the corpus, which the processes reach under the same path.
            names: of all pictures.
            rows: int `[n]`, which of them.
            batch: most pictures in a batch.
        """
        work = functools.partial(_encode_pictures, self._encoder, str(folder.resolve()), batch)
        parts = _parts(rows, PICTURES)
        return self.each(work, ((part, [names[row] for row in part]) for part in parts))

    @property
    def _encoder(self) -> tuple[Any, ...]:
        return self.kind, self.arguments, self.fingerprint


def content_of(folder: pathlib.Path, name: str) -> bytes:
    """The bytes of a picture of a corpus folder.

    Raises:
        ArtifactError: it cannot be read.
    """
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise ArtifactError(
            f"{folder / name}: cannot be read ({error.strerror}); expected the picture that a post "
            f"names. Import the corpus again."
        ) from error


def _parts(rows: np.ndarray, size: int) -> Iterator[np.ndarray]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


@functools.cache
def _loaded(kind: str, arguments: tuple[Any, ...], fingerprint: str) -> Any:
    """The encoder of this process."""
    from tfhashtag.encoders import load_image_encoder, load_text_encoder

    load: Any = load_text_encoder if kind == "text" else load_image_encoder
    encoder = load(*arguments)
    if encoder.fingerprint != fingerprint:
        raise EncoderError(
            f"{kind} encoder `{arguments[0]}` has fingerprint {encoder.fingerprint[:12]} on an "
            f"executor and {fingerprint[:12]} here: other weights or settings. Give every machine "
            "the same files."
        )
    return encoder


def _encode_texts(
    encoder: tuple[Any, ...], batch_tokens: int, item: tuple[np.ndarray, Texts]
) -> Block:
    rows, texts = item
    return rows, _loaded(*encoder).encode(list(texts), batch_tokens), None


def _encode_pictures(
    encoder: tuple[Any, ...], folder: str, batch: int, item: tuple[np.ndarray, list[str]]
) -> Block:
    rows, names = item
    values, valid = [], []
    for start in range(0, len(names), batch):
        contents = [content_of(pathlib.Path(folder), name) for name in names[start : start + batch]]
        found = _loaded(*encoder).encode(contents)
        values.append(found[0])
        valid.append(found[1])
    return rows, np.concatenate(values), np.concatenate(valid)
