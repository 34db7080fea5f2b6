"""Lists to learn from that were worked out before the training, a file an array.

PREPARED/prepared.json      model, digest of all that they depend on, number of lists a part
PREPARED/<part>/<head>.npy  features of the part's candidates, by the head that reads them
PREPARED/<part>/            offsets.npy, labels.npy and, where there are any, keys.npy
"""

import hashlib
import json
import os
import pathlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from tfhashtag.errors import ArtifactError, ConfigError
from tfhashtag.files import write_json
from tfhashtag.settings import RecommenderSettings
from tfhashtag.training.list_training import NO_LISTS, CandidateLists

if TYPE_CHECKING:
    from tfhashtag.encoders.encoded_corpus import EncodedCorpus

_FILE = "prepared.json"
_OF_TRAINING = ("futures", "jitter", "negatives", "posts", "users")
_OTHERS = ("offsets", "labels", "keys")


def digest_of_lists(settings: RecommenderSettings, data: "EncodedCorpus") -> str:
    """SHA-256 of all that lists depend on: the posts, their vectors, settings of the lists."""
    values = settings.model_dump(mode="json")
    training = values.get("training", {})
    about = {
        "model": settings.model,
        "seed": values["seed"],
        "data": values.get("data"),
        "training": {name: training[name] for name in _OF_TRAINING if name in training},
        "encoders": dict(settings.encoders),
        "read": data.identity,
    }
    return hashlib.sha256(json.dumps(about, sort_keys=True, default=str).encode()).hexdigest()


def write_part(folder: pathlib.Path, blocks: Iterable[CandidateLists]) -> int:
    """Writes the lists of a part as they come, block after block; gives how many they are."""
    folder.mkdir()
    arrays: dict[str, _Growing] = {}
    lists = first = 0
    for block in blocks:
        values = {**block.features, "labels": block.labels}
        if block.keys is not None:
            values["keys"] = block.keys
        values["offsets"] = block.offsets[1:] + first
        for name, some in values.items():
            if name not in arrays:
                arrays[name] = _Growing(folder / f"{name}.npy")
                if name == "offsets":
                    arrays[name].add(np.zeros(1, np.int64))
            arrays[name].add(some)
        lists += len(block.offsets) - 1
        first += len(block.labels)
    for array in arrays.values():
        array.close()
    return lists


def write_about(folder: pathlib.Path, settings: RecommenderSettings, about: Any) -> None:
    """Writes what the folder holds; `about` has `digest` and `parts`."""
    write_json(folder / _FILE, {"model": settings.model, **about})


class PreparedLists:
    """The lists of a folder that `tfhashtag prepare` wrote, memory-mapped.

    Args:
        folder: what it wrote.
        settings: of the training.
        data: what is learned from.

    Raises:
        ArtifactError: the folder is no such, or a file is missing or damaged.
        ConfigError: it was made of other posts, vectors or settings.
    """

    def __init__(
        self, folder: str | os.PathLike, settings: RecommenderSettings, data: "EncodedCorpus"
    ) -> None:
        self.folder = pathlib.Path(folder)
        try:
            about = json.loads((self.folder / _FILE).read_text(encoding="utf-8"))
            self._parts, digest = about["parts"], about["digest"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtifactError(
                f"{self.folder}: no lists that `tfhashtag prepare` wrote ({error})."
            ) from error
        if digest != digest_of_lists(settings, data):
            raise ConfigError(
                f"{self.folder}: made of other posts, vectors or settings than this training. Run "
                "`tfhashtag prepare` with the same configuration, --set and --data."
            )

    def futures(self) -> Iterator[CandidateLists]:
        """The imitated futures that have lists, in their order."""
        for name, count in self._parts.items():
            if count and name != "valid":
                yield self.part(name)

    def part(self, name: str) -> CandidateLists:
        """The lists of a part; none where it has none."""
        if not self._parts[name]:
            return NO_LISTS
        arrays = {}
        for path in sorted((self.folder / name).glob("*.npy")):
            try:
                arrays[path.stem] = np.load(path, mmap_mode="r", allow_pickle=False)
            except (OSError, ValueError, EOFError) as error:
                raise ArtifactError(f"{path}: not readable: {error}. Prepare again.") from error
        features = {key: value for key, value in arrays.items() if key not in _OTHERS}
        try:
            offsets, labels = np.asarray(arrays["offsets"]), np.asarray(arrays["labels"])
        except KeyError as error:
            raise ArtifactError(f"{self.folder / name}: no {error}. Prepare again.") from error
        keys = arrays.get("keys")
        lengths = {len(labels), int(offsets[-1]), *(len(value) for value in features.values())}
        if len(lengths) > 1 or len(offsets) != self._parts[name] + 1:
            raise ArtifactError(
                f"{self.folder / name}: its files are of different lengths, "
                f"{', '.join(map(str, sorted(lengths)))}. Prepare again."
            )
        return CandidateLists(features, offsets, labels, None if keys is None else np.asarray(keys))


class _Growing:
    """An `.npy` file to whose end rows are added; NumPy's head has room for their number."""

    def __init__(self, path: pathlib.Path) -> None:
        self._file, self._rows = path.open("wb"), 0

    def add(self, values: np.ndarray) -> None:
        if not self._file.tell():
            self._like = values
            self._write_head()
        self._file.write(np.ascontiguousarray(values).tobytes())
        self._rows += len(values)

    def close(self) -> None:
        self._file.seek(0)
        self._write_head()
        self._file.close()

    def _write_head(self) -> None:
        shape = (self._rows, *self._like.shape[1:])
        head = {"descr": self._like.dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, head)
