"""What the training of a list-wise model learns from, worked out before it, here or elsewhere."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from tfhashtag.errors import ConfigError, DataError
from tfhashtag.files import atomic_directory, check_new_folder
from tfhashtag.recommenders.base import Recommender
from tfhashtag.recommenders.prepared import digest_of_lists, write_about, write_part
from tfhashtag.recommenders.registry import read_vectors, recommender_class, settings_class
from tfhashtag.settings import RecommenderSettings
from tfhashtag.training.list_training import CandidateLists

_ROWS = 256  # lists at a time
Each = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]


def prepare(
    settings: RecommenderSettings,
    data: str | os.PathLike,
    out: str | os.PathLike,
    *,
    moved: Callable[[str, int, int], None] = lambda part, done, total: None,
    each: Each = map,
) -> dict[str, int]:
    """Writes the lists that a training learns from: of each imitated future and of the valid split.

    A process that works at a part makes its tables once and then retrieves candidates and works out
    signals for 256 lists at a time; a block depends on nothing but the posts and its place, so that
    it does not matter which process had it.

    Args:
        settings: of a model that learns from lists.
        data: corpus folder, encoded as the settings say.
        out: folder to make; appears whole or not at all.
        moved: called with part, lists that are done and all of it.
        each: runs a function over items in other processes, which reach `data` under its path.

    Returns:
        Part to number of lists.

    Raises:
        ConfigError: the model learns from no lists.
        DataError: there is nothing to learn from, or `out` exists.
    """
    out, folder = pathlib.Path(out).expanduser(), str(pathlib.Path(data).resolve())
    check_can_prepare(settings, out)
    as_it_is = (pathlib.Path(folder) / "corpus.json").stat().st_mtime_ns
    spec = settings.model, settings.model_dump_json(), folder, as_it_is
    recommender = _ready(*spec)
    parts = recommender.list_parts()
    items = [
        (part, start, min(start + _ROWS, count))
        for part, count in parts.items()
        for start in range(0, count, _ROWS)
    ]
    blocks = each(functools.partial(_lists, spec), items)
    if not any(count for part, count in parts.items() if part != "valid"):
        raise DataError(
            f"{recommender.corpus.name}: no imitated future has a list to learn from; take more "
            "posts a user, or lower the least number of posts of a hashtag."
        )
    with atomic_directory(out) as temporary:
        for part, count in parts.items():
            if count:
                write_part(temporary / part, _some(blocks, part, count, moved))
        digest = digest_of_lists(settings, recommender.data)
        write_about(temporary, settings, {"digest": digest, "parts": parts})
    _ready.cache_clear()
    return parts


def check_can_prepare(settings: Any, out: str | os.PathLike) -> None:
    """Refuses what `prepare` cannot do, before anything is encoded for it.

    Raises:
        ConfigError: the model learns from no lists.
        DataError: `out` exists.
    """
    check_new_folder(out, DataError)
    if recommender_class(settings.model).begin is Recommender.begin:
        raise ConfigError(
            f"`model` is {settings.model}, which has nothing to prepare: it reads vectors and "
            "counts. `prepare` is for `engagement` and `posts`."
        )


def _some(
    blocks: Iterator[CandidateLists], part: str, count: int, moved: Callable[[str, int, int], None]
) -> Iterator[CandidateLists]:
    """The blocks of a part."""
    for start in range(0, count, _ROWS):
        yield next(blocks)
        moved(part, min(start + _ROWS, count), count)


@functools.lru_cache(1)
def _ready(model: str, settings: str, folder: str, as_it_is: int) -> Any:
    """The recommender of this process, which has read the corpus."""
    from tfhashtag.corpus.store import read_corpus

    wanted = settings_class(model).model_validate_json(settings)
    data = read_vectors(folder, read_corpus(folder), wanted)
    recommender = recommender_class(model)(wanted)
    recommender.begin(data)
    return recommender


def _lists(spec: tuple[str, str, str, int], item: tuple[str, int, int]) -> CandidateLists:
    lists: CandidateLists = _ready(*spec).lists_of(*item)
    # They travel to whoever writes them: not as a file of this process.
    arrays = {name: np.asarray(values) for name, values in lists.features.items()}
    return dataclasses.replace(lists, features=arrays)
