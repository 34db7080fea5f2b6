"""Vectors of all messages of a corpus on disk: each made once, kept through kills and full disks.

    CORPUS/embeddings/<encoder>-<fingerprint>/<digest of the messages>/
        vectors.npy   float32 [messages, width]; row i belongs to message i of the corpus
        keys.npy      uint8 [messages, 16]; the first 16 bytes of SHA-256 of each message
        meta.json     encoder, fingerprint, width, messages

While it is made the folder is called `.partial-<digest>` and has a journal of the rows that are
done. It gets its final name when every vector is on the disk.
"""

import contextlib
import dataclasses
import errno
import hashlib
import json
import os
import pathlib
import re
import shutil
import struct
import sys
import time
import zlib
from collections.abc import Iterator, Sequence

import numpy as np

from tfhashtag.data.corpus import Corpus
from tfhashtag.encoders.text_encoder import BATCH_TOKENS, TextEncoder
from tfhashtag.errors import ArtifactError, DataError
from tfhashtag.files import exclusive_lock, write_json

CHUNK_MESSAGES = 1024
_HEADER = struct.Struct("<4sII")
_MAGIC = b"TFHE"


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
    if not corpus.messages:
        raise DataError(
            f"{corpus_folder}: the corpus has no message to encode. Import posts with "
            f"`tfhashtag data import` first."
        )
    if chunk_messages < 1:
        raise DataError(f"`chunk_messages` must be at least 1. Received: {chunk_messages}.")
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", encoder.name).strip("-.")[-40:]
    home = pathlib.Path(corpus_folder) / "embeddings" / f"{slug}-{encoder.fingerprint[:16]}"
    try:
        home.mkdir(parents=True, exist_ok=True)
        busy = f"{home}: another process is encoding into this folder. Wait until it has ended."
        with exclusive_lock(home, busy):
            return _encode(home, corpus, encoder, progress, batch_tokens, chunk_messages)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        needed = len(corpus.messages) * encoder.width * 4 / 1e6
        raise ArtifactError(
            f"{home}: the disk is full; the table of {len(corpus.messages)} vectors takes "
            f"{needed:.1f} MB. Nothing that was finished is lost: make room and run it again."
        ) from error


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
    root = pathlib.Path(corpus_folder) / "embeddings"
    digest = _digest(_keys(corpus.messages))
    again = f"run `tfhashtag encode {corpus_folder} --text-encoder {text_encoder}`"
    known, found = {}, {}
    for path in sorted(root.glob("*/[!.]*/meta.json")):
        meta = _read_meta(path)
        known[meta["encoder"]] = meta["fingerprint"]
        prefix = len(text_encoder) >= 8 and meta["fingerprint"].startswith(text_encoder)
        if meta["encoder"] == text_encoder or prefix:
            found[path.parent] = meta
    if not found:
        there = f"it has: {', '.join(sorted(known))}" if known else "it has none"
        raise ArtifactError(
            f"{root}: no finished vectors of text encoder `{text_encoder}` ({there}); {again}."
        )
    fitting = [folder for folder in found if folder.name == digest]
    if not fitting:
        raise ArtifactError(
            f"{root}: the corpus has changed since it was encoded with `{text_encoder}`; {again} "
            f"(only what is new is encoded)."
        )
    if len(fitting) > 1:
        prints = ", ".join(sorted(found[folder]["fingerprint"][:16] for folder in fitting))
        raise ArtifactError(
            f"{root}: several tables of text encoder `{text_encoder}` with different settings "
            f"({prints}); give one of these fingerprints instead of the name."
        )
    meta = found[fitting[0]]
    table = _open_table(fitting[0] / "vectors.npy", (meta["messages"], meta["width"]))
    _check_finite(table, corpus.messages, fitting[0] / "vectors.npy")
    return table


def _encode(home, corpus, encoder, progress, batch_tokens, chunk_messages):
    messages = corpus.messages
    keys = _keys(messages)
    digest = _digest(keys)
    final, partial = home / digest, home / f".partial-{digest}"
    shape = (len(messages), encoder.width)
    if (final / "meta.json").is_file():
        table = _open_table(final / "vectors.npy", shape)
        _check_finite(table, messages, final / "vectors.npy")
        return Embeddings(table, final, 0, len(messages))
    offset = _prepare(partial, keys, encoder.width)
    with (
        open(partial / "vectors.npy", "r+b", buffering=0) as vectors,
        open(partial / "journal.bin", "r+b", buffering=0) as journal,
    ):
        done = _read_journal(journal, len(messages))
        writer = _Writer(vectors, journal, offset, encoder.width)
        for rows, values in _known_vectors(home, partial, keys, done, encoder.width):
            writer.write(rows, values)
            done[rows] = True
        todo = np.flatnonzero(~done)
        texts = [messages[row] for row in todo]
        rows_held: list[np.ndarray] = []
        values_held: list[np.ndarray] = []
        held = 0
        with _bar(progress, encoder.name, len(messages), len(messages) - len(todo)) as advance:
            for rows, values in encoder.encode_batches(texts, batch_tokens):
                bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
                if len(bad):
                    raise _not_finite(todo[rows[bad[0]]], messages, f"encoder `{encoder.name}`")
                for start in range(0, len(rows), chunk_messages):
                    part = slice(start, start + chunk_messages)
                    if held + len(rows[part]) > chunk_messages:
                        writer.write(np.concatenate(rows_held), np.concatenate(values_held))
                        advance(held)
                        rows_held, values_held, held = [], [], 0
                    rows_held.append(todo[rows[part]])
                    values_held.append(values[part])
                    held += len(rows[part])
            if held:
                writer.write(np.concatenate(rows_held), np.concatenate(values_held))
                advance(held)
        os.fsync(vectors.fileno())
    meta = {
        "encoder": encoder.name,
        "fingerprint": encoder.fingerprint,
        "width": encoder.width,
        "messages": len(messages),
        "max_length": encoder.max_length,
    }
    write_json(partial / "meta.json", meta)
    (partial / "journal.bin").unlink()
    os.rename(partial, final)
    for old in home.iterdir():
        if old.is_dir() and old != final:
            shutil.rmtree(old)
    table = _open_table(final / "vectors.npy", shape)
    return Embeddings(table, final, len(todo), len(messages) - len(todo))


class _Writer:
    """Writes rows by position, then notes them in the journal: what is noted is on the disk."""

    def __init__(self, vectors, journal, offset, width):
        self._vectors, self._journal = vectors, journal
        self._offset, self._stride = offset, 4 * width

    def write(self, rows: np.ndarray, values: np.ndarray) -> None:
        order = np.argsort(rows)
        rows = rows[order].astype("<i8")
        values = np.ascontiguousarray(values[order], dtype="<f4")
        for run in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(rows) != 1) + 1):
            where = self._offset + int(rows[run[0]]) * self._stride
            _write_all(self._vectors.fileno(), values[run[0] : run[-1] + 1].tobytes(), where)
        os.fdatasync(self._vectors.fileno())
        payload = rows.tobytes()
        record = _HEADER.pack(_MAGIC, len(rows), zlib.crc32(payload)) + payload
        end = os.lseek(self._journal.fileno(), 0, os.SEEK_CUR)
        _write_all(self._journal.fileno(), record, end)
        os.lseek(self._journal.fileno(), end + len(record), os.SEEK_SET)
        os.fdatasync(self._journal.fileno())


def _write_all(descriptor: int, data: bytes, where: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, where)
        view, where = view[written:], where + written


def _prepare(partial: pathlib.Path, keys: np.ndarray, width: int) -> int:
    """Makes the folder with room for all vectors, or finds it; returns where the rows start."""
    path = partial / "vectors.npy"
    if not (partial / "journal.bin").is_file():
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        with open(partial / "keys.npy", "wb") as file:
            header = {"descr": "|u1", "fortran_order": False, "shape": keys.shape}
            np.lib.format.write_array_header_1_0(file, header)
            file.write(keys.tobytes())  # `np.save` hides that the disk is full
            file.flush()
            os.fsync(file.fileno())
        with open(path, "wb") as file:
            header = {"descr": "<f4", "fortran_order": False, "shape": (len(keys), width)}
            np.lib.format.write_array_header_1_0(file, header)
            file.flush()
            # All room is taken now: a full disk shows before work is done, not after.
            os.posix_fallocate(file.fileno(), file.tell(), len(keys) * width * 4)
            os.fsync(file.fileno())
        with open(partial / "journal.bin", "xb") as file:
            os.fsync(file.fileno())
    return path.stat().st_size - len(keys) * width * 4


def _read_journal(journal, count: int) -> np.ndarray:
    """Rows that are done; what follows the last whole record is cut off."""
    done = np.zeros(count, dtype=bool)
    data = journal.read()
    position = 0
    while position + _HEADER.size <= len(data):
        magic, size, checksum = _HEADER.unpack_from(data, position)
        payload = data[position + _HEADER.size : position + _HEADER.size + 8 * size]
        if magic != _MAGIC or len(payload) < 8 * size or zlib.crc32(payload) != checksum:
            break
        done[np.frombuffer(payload, "<i8")] = True
        position += _HEADER.size + 8 * size
    os.ftruncate(journal.fileno(), position)
    os.lseek(journal.fileno(), position, os.SEEK_SET)
    return done


def _known_vectors(
    home: pathlib.Path, partial: pathlib.Path, keys: np.ndarray, done: np.ndarray, width: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Vectors that another state of the corpus has for rows that are not done."""
    for folder in sorted(home.iterdir()):
        if not folder.is_dir() or folder == partial:
            continue
        journal = folder / "journal.bin"
        if not ((folder / "meta.json").is_file() or journal.is_file()):
            continue
        old = np.load(folder / "keys.npy")
        table = _open_table(folder / "vectors.npy", (len(old), width))
        usable = np.ones(len(old), dtype=bool)
        if journal.is_file():
            with open(journal, "r+b", buffering=0) as file:
                usable = _read_journal(file, len(old))
        row_of_key = {key.tobytes(): row for row, key in enumerate(old) if usable[row]}
        pairs = [
            (row, row_of_key[keys[row].tobytes()])
            for row in np.flatnonzero(~done)
            if keys[row].tobytes() in row_of_key
        ]
        for start in range(0, len(pairs), CHUNK_MESSAGES):
            new_rows, old_rows = np.array(pairs[start : start + CHUNK_MESSAGES], np.int64).T
            values = np.asarray(table[old_rows])
            finite = np.isfinite(values).all(axis=1)
            if finite.any():
                yield new_rows[finite], values[finite]


def _keys(messages: Sequence[str]) -> np.ndarray:
    keys = b"".join(hashlib.sha256(text.encode("utf-8")).digest()[:16] for text in messages)
    return np.frombuffer(keys, np.uint8).reshape(-1, 16)


def _digest(keys: np.ndarray) -> str:
    return hashlib.sha256(keys.tobytes()).hexdigest()[:16]


def _read_meta(path: pathlib.Path) -> dict:
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
        return {key: meta[key] for key in ("encoder", "fingerprint", "width", "messages")}
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(
            f"{path}: not the description of an embedding table ({error}). Delete the folder "
            f"{path.parent} and run `tfhashtag encode` again."
        ) from error


def _open_table(path: pathlib.Path, shape: tuple[int, int]) -> np.ndarray:
    try:
        table = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise ArtifactError(
            f"{path}: cannot be read as a table of vectors ({error}). Delete the folder "
            f"{path.parent} and run `tfhashtag encode` again."
        ) from error
    if table.shape != shape or table.dtype != np.float32:
        raise ArtifactError(
            f"{path}: float32 {shape} was expected, found {table.dtype} {table.shape}. Delete the "
            f"folder {path.parent} and run `tfhashtag encode` again."
        )
    return table


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


@contextlib.contextmanager
def _bar(show: bool, name: str, total: int, done: int):
    """A function to call with the number of messages that were finished."""
    if not show:
        yield lambda count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = [
        TextColumn("encode {task.fields[name]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        Remaining(),
    ]
    with Progress(*columns, console=Console(file=sys.stderr)) as progress:
        task = progress.add_task("encode", total=total, completed=done, name=name, rate="")
        start, finished = time.monotonic(), 0

        def advance(count):
            nonlocal finished
            finished += count
            rate = finished / max(time.monotonic() - start, 1e-9)
            progress.update(task, advance=count, rate=f"{rate:,.0f} messages/s")

        yield advance
