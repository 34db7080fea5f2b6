"""The rows of an inverted file: built, added to, written and read."""

import dataclasses
import hashlib
import json
import os
import pathlib
from typing import Any

import numpy as np

from tfhashtag.corpus.rows import sorted_distinct
from tfhashtag.errors import ArtifactError, DataError
from tfhashtag.files import atomic_directory, write_json
from tfhashtag.retrieval.k_means import Builder, VectorSource, k_means, nearest_centre
from tfhashtag.retrieval.shared_tables import shareable
from tfhashtag.vector_codes import CodeType, encode_vectors

FORMAT = 2
_BLOCK = 8192  # rows at a time
_FULL = 4  # times the mean of a cell's rows, at which it is cut in two
_SMALLEST_CUT = 256
_FILE = "index.json"


@dataclasses.dataclass(frozen=True)
class InvertedTable:
    """Rows in cells: those of cell `c` stand at `offsets[c]:offsets[c + 1]`, by time, then by id.

    A cell of more than four times the mean is cut in pieces with the same centre, so that what is
    looked at at once is bounded whatever the data.

    Attributes:
        centres: float32 `[C, d]`, of length 1.
        offsets: int64 `[C + 1]`.
        ids: int32 `[P]`, what an answer names each row by; distinct.
        codes: float32, float16 or int8 `[P, d]`; may be memory-mapped.
        scales: float32 `[P]` for int8, else None.
        groups: int32 `[P]`, at least 0, the group (user) of each row, or None.
        times: int64 `[P]`, or None.
        digest: of what the rows were made from.
        probes: cells that a search looks into; `InvertedFile.choose_probes` sets it.
        recall: what was found out about it: `target`, `found`, `at`, `queries`; None before.
    """

    centres: np.ndarray
    offsets: np.ndarray
    ids: np.ndarray
    codes: np.ndarray
    scales: np.ndarray | None = None
    groups: np.ndarray | None = None
    times: np.ndarray | None = None
    digest: str = ""
    probes: int = 1
    recall: dict[str, float] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def cells(self) -> int:
        """C, the number of cells."""
        return len(self.centres)

    @classmethod
    def build(
        cls,
        vectors: VectorSource,
        ids: np.ndarray | None = None,
        *,
        groups: np.ndarray | None = None,
        times: np.ndarray | None = None,
        cells: int | None = None,
        dtype: CodeType = "float32",
        builder: Builder = "numpy",
        seed: int = 0,
        digest: str = "",
    ) -> "InvertedTable":
        """Finds centres and puts every vector into the cell of the nearest.

        Args:
            vectors: float `[P, d]`; anything that gathers rows, read in blocks.
            ids: int32 `[P]`, distinct, at least 0; default the row numbers.
            groups: int32 `[P]`, at least 0; or None.
            times: int64 `[P]`, or None.
            cells: number of centres; default four times the square root of the rows, where the
                products with centres and with rows cost about the same.
            dtype: of the codes.
            builder: of the centres, see `k_means`.
            seed: of the centres.
            digest: of what the vectors come from.

        Raises:
            DataError: arrays that do not fit, or vectors that are not finite.
            ConfigError: `cells`, `dtype` or `builder` is not possible.

        Example:

        >>> table = InvertedTable.build(np.eye(4, dtype="float32"), cells=2)
        >>> table.cells, len(table), sorted(table.ids.tolist())
        (2, 4, [0, 1, 2, 3])
        """
        count = vectors.shape[0]
        if cells is None:
            cells = max(1, min(count // 8, round(4 * count**0.5)))
        centres = k_means(vectors, cells, seed, builder)
        empty = cls(
            centres,
            np.zeros(len(centres) + 1, np.int64),
            np.zeros(0, np.int32),
            *encode_vectors(np.zeros((0, vectors.shape[1]), np.float32), dtype),
            None if groups is None else np.zeros(0, np.int32),
            None if times is None else np.zeros(0, np.int64),
            digest,
        )
        return empty.appended(vectors, ids, groups=groups, times=times)

    def appended(
        self,
        vectors: VectorSource,
        ids: np.ndarray | None = None,
        *,
        groups: np.ndarray | None = None,
        times: np.ndarray | None = None,
        digest: str | None = None,
    ) -> "InvertedTable":
        """The same with more rows, in the cells that are there; nothing is learned anew.

        Args:
            vectors: float `[n, d]`, read in blocks.
            ids: int32 `[n]`, distinct, of none of the rows; default the numbers after the largest.
            groups, times: as the rows have them.
            digest: of all that the rows are made from now; default what it was.

        Raises:
            DataError: arrays that do not fit, or vectors that are not finite.
        """
        count = vectors.shape[0]
        if ids is None:
            ids = np.arange(count, dtype=np.int32) + 1 + self.ids.max(initial=-1)
        self._check_more(vectors, ids, groups, times)
        cell = np.empty(count, np.int32)
        for rows in _blocks(count):
            block = np.asarray(vectors[rows], np.float32)
            if not np.isfinite(block).all():
                row = int(rows[np.argmin(np.isfinite(block).all(axis=1))])
                raise DataError(f"vectors must be finite; that of row {row} of those given is not.")
            cell[rows] = nearest_centre(block, self.centres)
        held = np.repeat(np.arange(self.cells, dtype=np.int32), np.diff(self.offsets))
        cell, every = np.concatenate([held, cell]), np.concatenate([self.ids, ids])
        moment = np.zeros(len(every), np.int64)
        if times is not None:
            moment = np.concatenate([self.times, times])
        order = np.lexsort((every, moment, cell))
        centres, offsets = _cut(self.centres, np.bincount(cell, minlength=self.cells))
        codes = shareable((len(order), self.codes.shape[1]), self.codes.dtype)
        scales = None if self.scales is None else np.empty(len(order), np.float32)
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        old, new = place[: len(self)], place[len(self) :]
        for rows in _blocks(len(self)):
            codes[old[rows]] = self.codes[rows]
        if scales is not None and self.scales is not None:
            scales[old] = self.scales
        dtype: Any = self.codes.dtype.name
        for rows in _blocks(count):  # as they lie: rows from everywhere would map all of a file
            codes[new[rows]], scale = encode_vectors(np.asarray(vectors[rows], np.float32), dtype)
            if scales is not None:
                scales[new[rows]] = scale
        joined: dict[str, Any] = {
            name: None if mine is None else np.concatenate([mine, more]).astype(kind)[order]
            for name, mine, more, kind in (
                ("groups", self.groups, groups, np.int32),
                ("times", self.times, times, np.int64),
            )
        }
        return dataclasses.replace(
            self,
            centres=centres,
            offsets=offsets,
            ids=every[order].astype(np.int32),
            codes=codes,
            scales=scales,
            digest=self.digest if digest is None else digest,
            **joined,
        )

    def _check_more(self, vectors: Any, ids: Any, groups: Any, times: Any) -> None:
        count, width = vectors.shape
        if width != self.codes.shape[1]:
            raise DataError(f"vectors must have the width {self.codes.shape[1]}, found {width}.")
        for name, values, mine in (
            ("ids", ids, self.ids),
            ("groups", groups, self.groups),
            ("times", times, self.times),
        ):
            if (values is None) != (mine is None):
                raise DataError(f"`{name}` must be given for all rows of an index or for none.")
            if values is not None and np.shape(values) != (count,):
                raise DataError(f"`{name}` must be [{count}], found {list(np.shape(values))}.")
        if len(sorted_distinct(np.concatenate([self.ids, ids]))) < len(self) + count:
            raise DataError("`ids` must be distinct; some stand twice among the rows.")
        for name, values in (("ids", ids), ("groups", groups)):
            if values is not None and np.min(values, initial=0) < 0:
                raise DataError(f"`{name}` must be at least 0, found {np.min(values)}.")

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays that there are, by name."""
        names = ("centres", "offsets", "ids", "codes", "scales", "groups", "times")
        found = {name: getattr(self, name) for name in names}
        return {name: values for name, values in found.items() if values is not None}

    def write(self, folder: str | os.PathLike) -> None:
        """Writes the table as a new folder, whole or not at all: an `.npy` an array, `index.json`.

        Raises:
            ArtifactError: the folder exists.
        """
        with atomic_directory(folder) as temporary:
            files = {}
            for name, values in self.arrays().items():
                _write_array(temporary / f"{name}.npy", values)
                files[name] = _digest_of(temporary / f"{name}.npy")
            info = {
                "format": FORMAT,
                "rows": len(self),
                "digest": self.digest,
                "probes": self.probes,
                "recall": self.recall,
                "files": files,
            }
            write_json(temporary / _FILE, info)

    @classmethod
    def read(cls, folder: str | os.PathLike, digest: str | None = None) -> "InvertedTable":
        """Reads a written table; the codes stay on disk and are memory-mapped.

        Args:
            folder: as `write` left it.
            digest: that the table must have; None for any.

        Raises:
            ArtifactError: it is no such folder, a file is damaged, or it was made of other vectors.
        """
        folder = pathlib.Path(folder)
        try:
            info = json.loads((folder / _FILE).read_text(encoding="utf-8"))
            version, rows, own, files = (info[k] for k in ("format", "rows", "digest", "files"))
            probes, recall = int(info["probes"]), info["recall"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtifactError(
                f"{folder / _FILE}: not the description of an index ({error!r}). Build it again."
            ) from error
        if version != FORMAT:
            raise ArtifactError(
                f"{folder / _FILE}: format {version} of an index, expected {FORMAT}: it was built "
                "by another version of tfhashtag. Train again."
            )
        if digest not in (None, own):
            raise ArtifactError(
                f"{folder}: the index is of other vectors ({own[:12]}), expected those of "
                f"{digest[:12]}. Build it again for this corpus."
            )
        arrays = {
            name: _read_array(folder / f"{name}.npy", print_) for name, print_ in files.items()
        }
        try:
            table = cls(**arrays, digest=own, probes=probes, recall=recall)
            fits = table.offsets[-1] == len(table.codes) == len(table) == rows
        except (TypeError, AttributeError, IndexError) as error:
            raise ArtifactError(f"{folder}: arrays are lacking: {error}. Build again.") from error
        if not fits:
            raise ArtifactError(f"{folder}: the arrays do not have {rows} rows. Build it again.")
        return table


def _cut(centres: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centres and offsets in which cells that are too full are cut."""
    most = max(_SMALLEST_CUT, int(_FULL * sizes.sum() / len(sizes)))
    pieces = np.maximum(1, -(-sizes // most))
    cell = np.repeat(np.arange(len(sizes)), pieces)
    number = np.arange(len(cell)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    starts = np.repeat(np.cumsum(sizes) - sizes, pieces)
    starts += number * sizes[cell] // pieces[cell]
    return centres[cell], np.append(starts, sizes.sum()).astype(np.int64)


def _blocks(count: int) -> Any:
    return (
        np.arange(start, min(start + _BLOCK, count)) for start in range(0, max(count, 1), _BLOCK)
    )


def _write_array(path: pathlib.Path, values: np.ndarray) -> None:
    with path.open("wb") as file:
        header = np.lib.format.header_data_from_array_1_0(np.ascontiguousarray(values[:0]))
        np.lib.format.write_array_header_1_0(file, {**header, "shape": values.shape})
        for start in range(0, len(values), _BLOCK):  # `np.save` hides that the disk is full
            file.write(np.ascontiguousarray(values[start : start + _BLOCK]).tobytes())
        file.flush()
        os.fsync(file.fileno())


def _read_array(path: pathlib.Path, expected: str) -> np.ndarray:
    try:
        found = _digest_of(path)
        if found != expected:
            raise ValueError("it was changed or cut short since it was written")
        # Written nowhere: a private map, which TensorFlow reads in place.
        return np.load(path, mmap_mode="c" if path.stem == "codes" else None, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ArtifactError(f"{path}: not readable: {error}. Build the index again.") from error


def _digest_of(path: pathlib.Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
