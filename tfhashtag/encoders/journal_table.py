"""Tables of vectors on disk that are filled row by row, through kills and full disks.

    HOME/<digest of the keys>/
        vectors.npy   float32 [rows, ...]; may hold further rows behind these, of a later table
        keys.npy      uint8 [rows, 16]; what each row is the vector of
        meta.json     shape and whatever the maker adds

A finished table may have `codes.npy`, and `scales.npy`, in place of `vectors.npy`, see
`tfhashtag.encoders.vector_table`.

While it is made the folder is called `.partial-<digest>` and has a journal of the rows that are
done. It gets its final name when every row is on the disk. Rows of an earlier table with the same
keys are taken over. Where that table's rows are the first ones in the same order, its file is
linked and grows: what that takes goes with the new rows. Its header keeps the rows of the first
table, so that files are read by `open_table`.
"""

import contextlib
import errno
import hashlib
import math
import os
import pathlib
import re
import shutil
import struct
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tfhashtag.corpus.texts import Texts, digests_of
from tfhashtag.encoders.vector_table import CODES, VectorTable
from tfhashtag.errors import ArtifactError
from tfhashtag.files import exclusive_lock, write_at, write_json
from tfhashtag.memory import let_go

CHUNK_ROWS = 1024
_COPIED_ROWS = 1 << 14  # at a time, out of an older table
_HEADER = struct.Struct("<4sII")
_MAGIC = b"TFHE"
_DONE = "journal.done"
_SILENT = contextlib.nullcontext(lambda count: None)

#: Called with the rows to make; yields some of them (int `[n]`) with their values, until all came.
Fill = Callable[[np.ndarray], Iterable[tuple[np.ndarray, np.ndarray]]]


class JournalTable:
    """A table under a folder that one encoder's tables share.

    Args:
        home: folder of the encoder's tables.
        keys: uint8 `[rows, 16]`, distinct.
        row_shape: shape of one row's values.
        chunk_rows: rows between two entries in the journal.

    Attributes:
        folder: where the finished table lies.
        partial: the folder while the table is made.
        shape: of the table.

    Example:

    >>> import tempfile
    >>> table = JournalTable(tempfile.mkdtemp(), np.eye(3, 16, dtype=np.uint8), (2,))
    >>> with table.locked():
    ...     made = table.fill(lambda todo: [(todo, np.ones([len(todo), 2]))], dict)
    >>> made, table.open().shape
    (3, (3, 2))
    """

    def __init__(
        self,
        home: str | os.PathLike,
        keys: np.ndarray,
        row_shape: tuple[int, ...],
        chunk_rows: int = CHUNK_ROWS,
    ) -> None:
        self._home = pathlib.Path(home)
        self._keys = keys
        self._chunk = chunk_rows
        self.shape = (len(keys), *row_shape)
        digest = digest_of(keys)
        self.folder = self._home / digest
        self.partial = self._home / f".partial-{digest}"

    @property
    def finished(self) -> bool:
        """Whether the table is there, whole."""
        return (self.folder / "meta.json").is_file()

    def open(self) -> "np.ndarray | VectorTable":
        """The finished table, memory-mapped, read-only.

        Raises:
            ArtifactError: it cannot be read or has another shape.
        """
        return open_vectors(self.folder, self.shape)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the folder for this process; says what a full disk means.

        Raises:
            ArtifactError: another process holds it, or the disk is full.
        """
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            busy = f"{self._home}: another process is encoding into this folder. Wait until it has"
            with exclusive_lock(self._home, f"{busy} ended."):
                yield
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            needed = math.prod(self.shape) * 4 / 1e6
            raise ArtifactError(
                f"{self._home}: the disk is full; the table of {self.shape[0]} vectors takes "
                f"{needed:.1f} MB. Nothing that was finished is lost: make room and run it again."
            ) from error

    def fill(
        self,
        fill: Fill,
        meta: Callable[[], Mapping[str, Any]],
        *,
        progress: Callable[[int], contextlib.AbstractContextManager] = lambda done: _SILENT,
        finish: Callable[[pathlib.Path], None] = lambda folder: None,
        spoilt: Callable[[pathlib.Path], Iterable[int]] = lambda folder: (),
    ) -> int:
        """Makes the rows that are not there, under the lock.

        Args:
            fill: gives the values of rows.
            meta: the description, asked for when all rows are there.
            progress: gets the number of rows that were there; gives a context whose value is called
                with the number of rows that were finished since.
            finish: called with the folder after `meta.json` is written and before it gets its final
                name; may change rows.
            spoilt: rows of an older table's folder that must be made anew.

        Returns:
            How many rows were made.
        """
        if (self.partial / _DONE).is_file():  # killed before it had its final name
            self._settle()
            return 0
        offset = self._prepare(spoilt)
        width = math.prod(self.shape[1:])
        with (
            open(self.partial / "vectors.npy", "r+b", buffering=0) as vectors,
            open(self.partial / "journal.bin", "r+b", buffering=0) as journal,
        ):
            done = _read_journal(journal, self.shape[0])
            writer = _Writer(vectors, journal, offset, width)
            for rows, values in self._known(done, spoilt):
                writer.write(rows, values)
                done[rows] = True
            todo = np.flatnonzero(~done)
            with progress(len(done) - len(todo)) as advance:
                self._write_all_of(fill(todo), writer, advance)
            os.fsync(vectors.fileno())
        write_json(self.partial / "meta.json", dict(meta()))
        finish(self.partial)
        (self.partial / "journal.bin").rename(self.partial / _DONE)
        self._settle()
        return len(todo)

    def _settle(self) -> None:
        """Gives the table its final name, in place of one that is kept in other bits."""
        if self.folder.exists():
            os.rename(self.folder, self._home / f".old-{self.folder.name}")
        os.rename(self.partial, self.folder)
        self.clear()

    @property
    def leftovers(self) -> list[pathlib.Path]:
        """What is not of the finished table: older ones, and what a kill left there."""
        done = [self.folder / _DONE] if (self.folder / _DONE).exists() else []
        if (self.folder / CODES).exists() and (self.folder / "vectors.npy").exists():
            done.append(self.folder / "vectors.npy")  # the codes were made of
        done += self.folder.glob(".*")
        others = [path for path in self._home.iterdir() if path.is_dir() and path != self.folder]
        return done + others

    def clear(self) -> None:
        """Removes what is not of the finished table, under the lock."""
        for path in self.leftovers:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    def _write_all_of(self, batches: Any, writer: Any, advance: Any) -> None:
        """Gathers batches to chunks."""
        rows_held: list[np.ndarray] = []
        values_held: list[np.ndarray] = []
        held = 0
        for rows, values in batches:
            for start in range(0, len(rows), self._chunk):
                part = slice(start, start + self._chunk)
                if held + len(rows[part]) > self._chunk:
                    writer.write(np.concatenate(rows_held), np.concatenate(values_held))
                    advance(held)
                    rows_held, values_held, held = [], [], 0
                rows_held.append(rows[part])
                values_held.append(values[part])
                held += len(rows[part])
        if held:
            writer.write(np.concatenate(rows_held), np.concatenate(values_held))
            advance(held)

    def _prepare(self, spoilt: Callable[[pathlib.Path], Iterable[int]]) -> int:
        """Makes the folder with room for all vectors, or finds it; says where the rows start."""
        path = self.partial / "vectors.npy"
        size = math.prod(self.shape) * 4
        if not (self.partial / "journal.bin").is_file():
            shutil.rmtree(self.partial, ignore_errors=True)
            self.partial.mkdir()
            with open(self.partial / "keys.npy", "wb") as file:
                header = {"descr": "|u1", "fortran_order": False, "shape": self._keys.shape}
                np.lib.format.write_array_header_1_0(file, header)
                file.write(self._keys.tobytes())  # `np.save` hides that the disk is full
                file.flush()
                os.fsync(file.fileno())
            linked = self._grown(path, spoilt)
            with open(path, "r+b" if linked else "wb") as file:
                if not linked:
                    header = {"descr": "<f4", "fortran_order": False, "shape": self.shape}
                    np.lib.format.write_array_header_1_0(file, header)
                    file.flush()
                start = _header_of(path)[0]
                # All room is taken now: a full disk shows before work is done, not after.
                if size:
                    os.posix_fallocate(file.fileno(), start, size)
                os.fsync(file.fileno())
            with open(self.partial / "journal.bin", "xb") as file:
                if linked:
                    file.write(_record(np.arange(linked)))
                os.fsync(file.fileno())
        return _header_of(path)[0]

    def _grown(self, path: pathlib.Path, spoilt: Callable[[pathlib.Path], Iterable[int]]) -> int:
        """Links the vectors of a finished table whose rows are the first ones; how many these are.

        A file that has more rows than its table, of a later one, is not written to.
        """
        stride = math.prod(self.shape[1:]) * 4
        for meta in sorted(self._home.glob("[!.]*/meta.json")):
            keys = np.load(meta.parent / "keys.npy", mmap_mode="r")
            old = meta.parent / "vectors.npy"
            if not old.is_file():  # in fewer bits: its rows are copied
                continue
            start, shape, _ = _header_of(old)
            fits = 0 < len(keys) < len(self._keys) and shape[1:] == self.shape[1:]
            whole = old.stat().st_size == start + len(keys) * stride and os.access(old, os.W_OK)
            fits = fits and np.array_equal(keys, self._keys[: len(keys)])
            if fits and whole and not list(spoilt(meta.parent)):
                os.link(old, path)
                return len(keys)
        return 0

    def _known(self, done: Any, spoilt: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Rows that another table has and that are not done."""
        for folder in sorted(self._home.iterdir()):
            if not folder.is_dir() or folder == self.partial:
                continue
            journal = folder / "journal.bin"
            if not ((folder / "meta.json").is_file() or journal.is_file()):
                continue
            path = folder / "vectors.npy"
            if path.is_file() and path.samefile(self.partial / "vectors.npy"):
                continue  # linked: all of its rows are there
            old = np.load(folder / "keys.npy")
            table = open_vectors(folder, (len(old), *self.shape[1:]))
            usable = np.ones(len(old), dtype=bool)
            if journal.is_file():
                with open(journal, "r+b", buffering=0) as file:
                    usable = _read_journal(file, len(old))
            usable[list(spoilt(folder))] = False
            pairs = equal_keys(self._keys, np.flatnonzero(~done), old, np.flatnonzero(usable))
            for start in range(0, len(pairs), _COPIED_ROWS):
                new_rows, old_rows = pairs[start : start + _COPIED_ROWS].T
                values = np.asarray(table[old_rows])
                let_go(table)
                finite = np.isfinite(values).reshape(len(values), -1).all(axis=1)
                if finite.any():
                    yield new_rows[finite], values[finite]


def equal_keys(
    keys: np.ndarray, rows: np.ndarray, other: np.ndarray, other_rows: np.ndarray
) -> np.ndarray:
    """Pairs int64 `[n, 2]` of chosen rows of two lists of keys that are equal, by the first."""
    ours, theirs = (
        np.ascontiguousarray(table[chosen]).view("S16").ravel()
        for table, chosen in ((keys, rows), (other, other_rows))
    )
    _, first, second = np.intersect1d(ours, theirs, assume_unique=True, return_indices=True)
    pairs = np.stack([rows[first], other_rows[second]], axis=1).astype(np.int64)
    return pairs[np.argsort(pairs[:, 0])]


def keys_of(items: Sequence[str]) -> np.ndarray:
    """Keys uint8 `[n, 16]`: the first 16 bytes of the SHA-256 of each string in UTF-8."""
    return items.digests if isinstance(items, Texts) else digests_of(i.encode() for i in items)


def digest_of(keys: np.ndarray) -> str:
    """Name of the folder of a table with these keys."""
    return hashlib.sha256(keys.tobytes()).hexdigest()[:16]


def home_of(root: str | os.PathLike, name: str, fingerprint: str) -> pathlib.Path:
    """Folder of an encoder's tables under a root."""
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[-40:]
    return pathlib.Path(root) / f"{slug}-{fingerprint[:16]}"


def open_table(path: pathlib.Path, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """A float32 array of a file, memory-mapped, read-only.

    Args:
        path: of the file, which may hold more rows than its header says.
        shape: of the table; None for as many rows as `keys.npy` beside the file has, or those of
            the header without one.

    Raises:
        ArtifactError: it cannot be read or has another shape; None takes any of rank 2 or more.
    """
    try:
        start, found, dtype = _header_of(path)
        rows = found[0] if found else 0
        if shape is not None:
            rows = shape[0]
        elif (path.parent / "keys.npy").is_file():
            rows = len(np.load(path.parent / "keys.npy", mmap_mode="r"))
        there = (path.stat().st_size - start) // max(math.prod(found[1:]) * dtype.itemsize, 1)
        fits = len(found) > 1 if shape is None else found[1:] == shape[1:] and there >= rows
        if fits and dtype == np.float32:
            return np.memmap(path, np.float32, "r", start, (rows, *found[1:]))
    except (OSError, ValueError, EOFError) as error:
        raise ArtifactError(
            f"{path}: cannot be read as a table of vectors ({error}). Delete the folder "
            f"{path.parent} and run `tfhashtag encode` again."
        ) from error
    raise ArtifactError(
        f"{path}: float32 {shape or 'vectors'} was expected, found {dtype} {found}. Delete the "
        f"folder {path.parent} and run `tfhashtag encode` again."
    )


def open_vectors(
    folder: pathlib.Path, shape: tuple[int, ...] | None = None
) -> "np.ndarray | VectorTable":
    """The vectors of a table's folder, memory-mapped and read-only, whatever they are kept in.

    Args:
        folder: of a finished table, or of one that is being made.
        shape: as `open_table` takes it.

    Raises:
        ArtifactError: they cannot be read or have another shape.
    """
    if not (folder / CODES).is_file() or (folder / "journal.bin").is_file():
        return open_table(folder / "vectors.npy", shape)
    table = VectorTable(folder)
    if shape is not None and table.shape != shape:
        raise ArtifactError(
            f"{folder / CODES}: codes of shape {shape} were expected, found {table.shape}. Delete "
            f"the folder {folder} and run `tfhashtag encode` again."
        )
    return table


def _header_of(path: pathlib.Path) -> tuple[int, tuple[int, ...], np.dtype]:
    """Where the values of an `.npy` file begin, its shape and its type."""
    with open(path, "rb") as file:
        version = np.lib.format.read_magic(file)
        if version != (1, 0):
            raise ValueError(f"format {version} of .npy, expected (1, 0)")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        if fortran:
            raise ValueError("columns before rows")
        return file.tell(), shape, dtype


@contextlib.contextmanager
def progress_bar(show: bool, name: str, unit: str, total: int, done: int) -> Any:
    """A function to call with the number of rows that were finished; the bar is on stderr."""
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

        def advance(count: Any) -> None:
            nonlocal finished
            finished += count
            rate = finished / max(time.monotonic() - start, 1e-9)
            progress.update(task, advance=count, rate=f"{rate:,.0f} {unit}/s")

        yield advance


class _Writer:
    """Writes rows by position, then notes them in the journal: what is noted is on the disk."""

    def __init__(self, vectors: Any, journal: Any, offset: Any, width: Any) -> None:
        self._vectors, self._journal = vectors, journal
        self._offset, self._stride = offset, 4 * width

    def write(self, rows: np.ndarray, values: np.ndarray) -> None:
        order = np.argsort(rows)
        rows = rows[order].astype("<i8")
        values = np.ascontiguousarray(values[order], dtype="<f4")
        for run in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(rows) != 1) + 1):
            where = self._offset + int(rows[run[0]]) * self._stride
            write_at(self._vectors.fileno(), values[run[0] : run[-1] + 1].tobytes(), where)
        os.fdatasync(self._vectors.fileno())
        record = _record(rows)
        end = os.lseek(self._journal.fileno(), 0, os.SEEK_CUR)
        write_at(self._journal.fileno(), record, end)
        os.lseek(self._journal.fileno(), end + len(record), os.SEEK_SET)
        os.fdatasync(self._journal.fileno())


def _record(rows: np.ndarray) -> bytes:
    """What the journal says of rows that are done."""
    payload = rows.astype("<i8").tobytes()
    return _HEADER.pack(_MAGIC, len(rows), zlib.crc32(payload)) + payload


def _read_journal(journal: Any, count: int) -> np.ndarray:
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
