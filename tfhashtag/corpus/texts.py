"""Strings in one column, read when they are asked for."""

import functools
import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tfhashtag.memory import let_go
from tfhashtag.stored_rows import StoredRows

_BLOCK = 8192  # strings at a time
_AT_ONCE = 1 << 20  # bytes that wait to be written


def digests_of(contents: Iterable[bytes | memoryview]) -> np.ndarray:
    """The first 16 bytes of the SHA-256 of each, uint8 `[n, 16]`."""
    digests = b"".join(hashlib.sha256(content).digest()[:16] for content in contents)
    return np.frombuffer(digests, np.uint8).reshape(-1, 16)


def first_of_each(digests: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each digest stands first, and which of these each is.

    Args:
        digests: uint8 `[n, 16]`.

    Returns:
        int64 `[k]`, rising; int32 `[n]`, places among them.

    Example:

    >>> first, which = first_of_each(digests_of([b"tea", b"milk", b"tea"]))
    >>> first.tolist(), which.tolist()
    ([0, 1], [0, 1, 0])
    """
    keys = np.ascontiguousarray(digests).view(np.uint64).reshape(-1, 2)
    order = np.lexsort((keys[:, 1], keys[:, 0]))  # equal ones stay in order
    keys = keys[order]
    begins = np.ones(len(keys), bool)
    begins[1:] = (keys[1:] != keys[:-1]).any(axis=1)
    first = order[begins]
    rank = np.empty(len(first), np.int32)
    rank[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
    which = np.empty(len(keys), np.int32)
    which[order] = rank[np.cumsum(begins) - 1]
    return np.sort(first), which


class Texts(Sequence[str]):
    """A list of strings that lies in an Arrow column: its bytes and an offset a string.

    A string of Python is made when it is asked for and held by whoever asked; loops make a block
    of them at a time.

    Args:
        column: strings, without nulls.

    Example:

    >>> texts = Texts.of(["tea", "a cup"])
    >>> texts[1], len(texts), texts == ["tea", "a cup"], list(texts[:1])
    ('a cup', 2, True, ['tea'])
    """

    mapped: Sequence[Any] = ()  # what lies in files and is read from there

    def __init__(self, column: pa.Array) -> None:
        self.column = column

    @classmethod
    def of(cls, strings: Iterable[str]) -> "Texts":
        """The same strings; what is one already stays."""
        if isinstance(strings, cls):
            return strings
        return cls(pa.array(strings, pa.large_string()))

    def let_go(self) -> None:
        """Takes what lies in a file out of memory, see `tfhashtag.memory.let_go`."""
        for part in self.mapped:
            let_go(part)

    def __len__(self) -> int:
        return len(self.column)

    @overload
    def __getitem__(self, place: int) -> str: ...

    @overload
    def __getitem__(self, place: slice) -> "Texts": ...

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            start, stop, step = place.indices(len(self))
            if step == 1:
                return Texts(self.column.slice(start, max(0, stop - start)))
            return self.take(np.arange(start, stop, step))
        place = int(place)
        if not -len(self) <= place < len(self):
            raise IndexError(f"string {place} of {len(self)}")
        return self.column[place % len(self)].as_py()

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), _BLOCK):
            yield from self.column.slice(start, _BLOCK).to_pylist()
            self.let_go()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Texts({len(self):,} strings)"

    @functools.cached_property
    def digests(self) -> np.ndarray:
        """The first 16 bytes of the SHA-256 of each string in UTF-8, uint8 `[n, 16]`."""
        places, content = self._bytes
        return digests_of(content[a:b] for a, b in itertools.pairwise(places.tolist()))

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of all strings and their lengths; a million take a fifth of a second."""
        places, content = self._bytes
        digest = hashlib.sha256(np.diff(places).astype("<i8").tobytes())
        digest.update(content[places[0] : places[-1]])
        return digest.hexdigest()

    @property
    def _bytes(self) -> tuple[np.ndarray, memoryview]:
        """Where each string begins, and the last ends, in the bytes of all."""
        column = self.column.cast(pa.large_string())
        _, offsets, content = column.buffers()
        if content is None or not len(column):
            return np.zeros(len(column) + 1, np.int64), memoryview(b"")
        places = np.frombuffer(offsets, np.int64)[column.offset :][: len(column) + 1]
        return places, memoryview(content)

    def places(self, strings: Sequence[str]) -> np.ndarray:
        """Where each of some strings stands first, int64 `[n]`, -1 for one that is not there."""
        found = pc.index_in(Texts.of(strings).column, value_set=self.column)
        return np.asarray(pc.fill_null(found, -1), np.int64)

    def joined(self, others: Sequence[str]) -> "Texts":
        """These strings and others after them."""
        if not len(others):
            return self
        more = Texts.of(others)
        both = Texts(pa.concat_arrays([self.column, more.column]))
        if "digests" in vars(self):
            both.digests = np.concatenate([self.digests, more.digests])
        return both

    def at(self, places: np.ndarray) -> Iterator[str]:
        """The strings at some places, int `[n]`, of which a block is held at a time."""
        for start in range(0, len(places), _BLOCK):
            yield from self.take(places[start : start + _BLOCK])
            self.let_go()

    def take(self, places: np.ndarray) -> "Texts":
        """The strings at some places, int `[n]`."""
        some = Texts(self.column.take(pa.array(places)))
        if "digests" in vars(self):
            some.digests = self.digests[places]
        return some


class StoredTexts:
    """Strings in a file without a name, written one after the other and read as `Texts`.

    Example:

    >>> stored = StoredTexts()
    >>> for text in ("tea", "", "a cup"):
    ...     stored.add(text)
    >>> list(stored.texts())
    ['tea', '', 'a cup']
    """

    def __init__(self) -> None:
        self._content, self._ends = StoredRows(0, 1, np.uint8), StoredRows(1, 1, np.int64)
        self._waiting: list[bytes] = []
        self._end = self._size = 0

    def __len__(self) -> int:
        return len(self._ends) - 1 + len(self._waiting)

    def add(self, text: str) -> None:
        """Puts a string after the last."""
        self._waiting.append(text.encode())
        self._size += len(self._waiting[-1])
        if len(self._waiting) == _BLOCK or self._size > _AT_ONCE:
            self._write()

    def texts(self) -> Texts:
        """The strings; no other is added afterwards."""
        self._write()
        mapped = [self._ends.mapped(), self._content.mapped()]
        column = pa.LargeStringArray.from_buffers(len(self), *map(pa.py_buffer, mapped))
        found = Texts(column)
        found.mapped = mapped
        return found

    def _write(self) -> None:
        if not self._waiting:
            return
        lengths = np.array([len(text) for text in self._waiting], np.int64)
        ends = self._end + np.cumsum(lengths)
        self._ends.add(ends[:, None])
        self._content.add(np.frombuffer(b"".join(self._waiting), np.uint8)[:, None])
        self._end, self._size, self._waiting = int(ends[-1]), 0, []
