"""How much memory a request will take, before it takes any."""

import heapq
import json
import operator
import pathlib
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import grpc
import numpy as np

from tfhashtag.errors import ServingError
from tfhashtag.memory import give_back
from tfhashtag.serving.runtime.picture_pixels import picture_pixels
from tfhashtag.serving.status import RequestError, invalid

CARD = pathlib.PurePath("assets.extra", "signatures.json")
IMAGE_INPUTS = ("images", "image")  # the second of exports of 0.1

# A run that took more is followed by giving free memory back to the system.
_LARGE = 64 * 2**20
_MIB = 2**20
_hashtags = operator.methodcaller("count", b"#")
_DECODED, _READ = 4, 8  # pictures at a time, in the graphs of our exports
# Longer strings, and rows with more hashtags, run alone.
_BATCHED_BYTES, _BATCHED_HASHTAGS = 512, 64


@dataclass(frozen=True)
class MemoryCost:
    """Bytes that a run takes at its peak for what a request holds, in the graphs of our exports.

    The defaults were measured with MiniLM (384 numbers a text) and bound it from above; a model's
    `assets.extra/signatures.json` may name its own under `memory`, by these names.

    Args:
        row: for each row; at least 16 bytes for each row of the model's largest table, which a
            request is compared with, four times as floats.
        value: for each string, repeated or not: it becomes a vector.
        text: for each byte of text: it is split, normalised and looked up.
        word: for each string, and each word of the longest string: they are padded to equal length.
        hashtag: for each row, and each hashtag of the row that has the most of them.
        number: for each number.
        padded: for each string of `images`, empty or not: rows are padded to equal numbers of
            pictures. As `value` where a card names that alone.
        picture: for each picture of up to 8, which are read at a time.
        pixel: for each pixel of the 4 largest pictures, which are decoded at a time.

    Example:

    >>> cost = MemoryCost(row=0, value=1000, text=1, word=0, hashtag=0)
    >>> cost.of_values("history", np.array([[b"a", b"bcd"]], object))
    (4, True)
    """

    row: int = 40 * 2**10
    value: int = 15 * 2**9
    text: int = 80
    word: int = 32
    hashtag: int = 5 * 2**9
    number: int = 64
    padded: int = 15 * 2**9
    picture: int = 20 * 2**20
    pixel: int = 12

    @classmethod
    def of_model(cls, folder: pathlib.Path, largest_table: int) -> "MemoryCost":
        """What the card of a version says, and the defaults where it says nothing.

        Args:
            folder: of the version.
            largest_table: rows of the largest variable of its graph.

        Raises:
            ServingError: the card names something else, or no positive whole number.
        """
        named: dict[str, int] = {}
        path = folder / CARD
        if path.is_file():
            try:
                named = json.loads(path.read_text(encoding="utf-8")).get("memory", {})
                known = {field.name for field in fields(cls)}
                if not all(
                    name in known and type(size) is int and size >= 0
                    for name, size in named.items()
                ):
                    raise ValueError
            except (ValueError, AttributeError) as error:
                raise ServingError(
                    f"`{path}`: `memory` is not understood; expected bytes by "
                    f"{', '.join(field.name for field in fields(cls))}. Export the model again."
                ) from error
        named = {"padded": named.get("value", cls.padded), **named}
        return cls(**{**named, "row": max(named.get("row", cls.row), 16 * largest_table)})

    def of_shapes(self, shapes: Mapping[str, Sequence[int]], strings: Mapping[str, bool]) -> int:
        """Bytes for inputs of these shapes, whatever they hold.

        Args:
            shapes: by input.
            strings: by input, whether it holds strings.
        """
        rows, total = 1, 0
        for name, shape in shapes.items():
            size = 1
            for dimension in shape:
                size *= dimension
            of_string = self.padded if name in IMAGE_INPUTS else self.value
            total += size * (of_string if strings[name] else self.number)
            rows = max(rows, shape[0] if shape else 1)
        return total + rows * self.row

    def of_values(self, name: str, array: np.ndarray, most: int | None = None) -> tuple[int, bool]:
        """Bytes more for what the strings of an input hold, and whether they pass in a batch.

        A string of many words, or a row of many hashtags, makes each other one of its batch as
        large.

        Args:
            name: of the input.
            array: what it holds; one string may stand for many.
            most: bytes above which the rest is not reckoned: the strings may be long.
        """
        if array.dtype.kind != "O" or not array.size:
            return 0, True
        flat = array.reshape(-1).tolist()
        if name in IMAGE_INPUTS:
            return self._of_pictures(flat), True
        longest, count = len(max(flat, key=len)), len(flat)
        words = self.word * count * ((longest + 1) // 2)
        if most is not None and words + self.text * count * longest > most:
            needed = words + self.text * sum(map(len, flat))
            if needed > most:  # so much is not laid out
                return needed, False
        joined = b"".join(flat)
        needed = words + self.text * len(joined)
        hashtags = _hashtags(joined) if b"#" in joined else 0  # to look is a tenth of to count
        rows = array.shape[0] if array.ndim else 1
        if rows > 1 and hashtags > 1:  # of the row that has the most
            width = count // rows
            flat = [b"".join(flat[at : at + width]) for at in range(0, count, width)]
            hashtags = max(map(_hashtags, flat))
        needed += self.hashtag * rows * hashtags
        return needed, longest <= _BATCHED_BYTES and hashtags <= _BATCHED_HASHTAGS

    def _of_pictures(self, files: list[bytes]) -> int:
        """Bytes more for pictures: each different one is read once."""
        different = set(files) - {b""}
        largest = heapq.nlargest(_DECODED, map(picture_pixels, different))
        needed = self.picture * min(len(different), _READ) + self.pixel * sum(largest)
        return sum(map(len, files)) + needed


def check_memory(needed: int, most: int | None) -> None:
    """Refuses a request that would take too much.

    Raises:
        RequestError: INVALID_ARGUMENT.
    """
    if most is not None and needed > most:
        raise invalid(
            f"The request would take about {needed // _MIB + 1} MiB of memory; this server gives "
            f"at most {most // _MIB} MiB to one. Send fewer rows, shorter lists or shorter texts."
        )


class MemoryBudget:
    """What all requests that run or wait to be run may take together.

    Args:
        size: bytes; None for no bound.
    """

    def __init__(self, size: int | None) -> None:
        self._size = size
        self._left = size or 0
        self._lock = threading.Lock()
        self._freed = threading.Condition(self._lock)
        self._waiting = 0

    def share(self, needed: int, timeout: float | None = None) -> "_Share":
        """A context that waits for so many bytes, and takes them until it ends.

        Args:
            needed: bytes; more than there are in all wait until nothing else runs.
            timeout: seconds to wait at most; None for ever.

        Raises:
            RequestError: UNAVAILABLE, they did not become free in time.
        """
        return _Share(self, needed if self._size is None else min(needed, self._size), timeout)

    def _take(self, needed: int, timeout: float | None) -> None:
        with self._lock:  # the condition's own, without its detours
            if self._left < needed:
                until = None if timeout is None else time.monotonic() + timeout
                self._waiting += 1
                try:
                    while self._left < needed:
                        rest = None if until is None else until - time.monotonic()
                        if (rest is not None and rest <= 0) or not self._freed.wait(rest):
                            raise RequestError(
                                grpc.StatusCode.UNAVAILABLE,
                                "Too much memory is needed by requests at this time",
                            )
                finally:
                    self._waiting -= 1
            self._left -= needed

    def _put_back(self, needed: int) -> None:
        with self._lock:
            self._left += needed
            if self._waiting:
                self._freed.notify_all()


class _Share:
    # Not a generator: each request goes through it.
    __slots__ = ("_budget", "_needed", "_timeout")

    def __init__(self, budget: MemoryBudget, needed: int, timeout: float | None) -> None:
        self._budget, self._needed, self._timeout = budget, needed, timeout

    def __enter__(self) -> None:
        if self._budget._size is not None:
            self._budget._take(self._needed, self._timeout)

    def __exit__(self, *_: object) -> None:
        if self._budget._size is not None:
            self._budget._put_back(self._needed)
            if self._needed > _LARGE:
                give_back()
