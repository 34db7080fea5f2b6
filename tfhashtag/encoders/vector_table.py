"""Tables of vectors on disk that are kept in fewer bits than they are read in."""

import contextlib
import os
import pathlib
from typing import Any

import numpy as np

from tfhashtag.errors import ArtifactError
from tfhashtag.memory import let_go
from tfhashtag.vector_codes import CODE_TYPES, CodeType, encode_vectors

CODES, SCALES = "codes.npy", "scales.npy"
_ROWS = 1 << 14  # at a time


class VectorTable:
    """Vectors `[n, d]` in 16 or 8 bits, memory-mapped; whatever is read of it is float32.

    It stands where an array of float32 does: it has a shape and a length, rows are read by
    indexing, and `np.asarray` gives it whole.

    Args:
        folder: with `codes.npy`, float16 or int8 `[n, d]`, and of int8 `scales.npy`, float32 `[n]`.

    Attributes:
        shape: `(n, d)`.
        kept: type of the codes.
        filename: of the codes, as a memory-mapped array has it.

    Raises:
        ArtifactError: a file is missing, damaged or of another shape.

    Example:

    >>> import tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> write_codes(np.array([[0.5, -1.0], [0.0, 0.0]], "float32"), folder, "int8")
    >>> VectorTable(folder)[[0, 0]].round(2).tolist()
    [[0.5, -1.0], [0.5, -1.0]]
    """

    dtype, ndim = np.dtype(np.float32), 2

    def __init__(self, folder: str | os.PathLike) -> None:
        path = pathlib.Path(folder) / CODES
        self._codes = _mapped(path, 2)
        self.kept = str(self._codes.dtype)
        self.shape: tuple[int, int] = self._codes.shape
        self.filename = str(path)
        if self.kept not in CODE_TYPES:
            raise _damaged(path, f"codes of type {self.kept}")
        self._scales = None
        if self.kept == "int8":
            self._scales = _mapped(path.with_name(SCALES), 1)
            if self._scales.shape != self.shape[:1] or self._scales.dtype != np.float32:
                found = f"{self._scales.dtype} {self._scales.shape}"
                raise _damaged(path.with_name(SCALES), f"{found} for {self.shape[0]} rows")

    def __len__(self) -> int:
        return self.shape[0]

    def let_go(self) -> None:
        """See `tfhashtag.memory.let_go`."""
        let_go(self._codes)

    def __getitem__(self, rows: Any) -> np.ndarray:
        """float32 vectors; `rows` is what an array takes as its first index alone."""
        found = np.asarray(self._codes[rows], np.float32)
        return found if self._scales is None else found * self._scales[rows][..., None]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        whole = self[:]
        return whole if dtype is None else whole.astype(dtype, copy=False)


def write_codes(vectors: Any, folder: pathlib.Path, dtype: CodeType) -> None:
    """Writes vectors `[n, d]` in fewer bits, a few thousand rows at a time.

    Args:
        vectors: what gives float32 rows.
        folder: exists.
        dtype: float16 or int8.
    """
    count = len(vectors)
    parts = {CODES: ("<f2" if dtype == "float16" else "|i1", tuple(vectors.shape))}
    if dtype == "int8":
        parts[SCALES] = ("<f4", (count,))
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(open(folder / name, "wb")) for name in parts]
        for file, (kind, shape) in zip(files, parts.values(), strict=True):
            header = {"descr": kind, "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, count, _ROWS):
            made = encode_vectors(np.asarray(vectors[start : start + _ROWS]), dtype)
            for file, values in zip(files, made, strict=False):
                assert values is not None  # scales have a file where there are any
                file.write(values.tobytes())  # `np.save` hides that the disk is full
        for file in files:
            file.flush()
            os.fsync(file.fileno())


def _mapped(path: pathlib.Path, rank: int) -> np.ndarray:
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _damaged(path, str(error)) from error
    if found.ndim != rank:
        raise _damaged(path, f"shape {found.shape}")
    return found


def _damaged(path: pathlib.Path, what: str) -> ArtifactError:
    return ArtifactError(
        f"{path}: not the codes of a table of vectors ({what}). Delete the folder {path.parent} "
        "and run `tfhashtag encode` again."
    )
