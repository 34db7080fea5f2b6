"""Strings in one column, read when they are asked for."""

import functools
import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_BLOCK = 8192  # strings at a time


def digests_of(contents: Iterable[bytes | memoryview]) -> np.ndarray:
    """The first 16 bytes of the SHA-256 of each, uint8 `[n, 16]`."""
    digests = b"".join(hashlib.sha256(content).digest()[:16] for content in contents)
    return np.frombuffer(digests, np.uint8).reshape(-1, 16)


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

    def __init__(self, column: pa.Array) -> None:
        self.column = column

    @classmethod
    def of(cls, strings: Iterable[str]) -> "Texts":
        """The same strings; what is one already stays."""
        if isinstance(strings, cls):
            return strings
        return cls(pa.array(strings, pa.large_string()))

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

    def take(self, places: np.ndarray) -> "Texts":
        """The strings at some places, int `[n]`."""
        some = Texts(self.column.take(pa.array(places)))
        if "digests" in vars(self):
            some.digests = self.digests[places]
        return some
