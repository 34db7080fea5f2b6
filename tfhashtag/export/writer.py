"""Version folders of a served model: the next number, whole or not at all."""

import os
import pathlib
import re
import shutil
from collections.abc import Callable

from tfhashtag.errors import ArtifactError
from tfhashtag.files import atomic_directory, exclusive_lock

_TEMPORARY = re.compile(r"\.\d+\..+")


def next_version(models_dir: str | os.PathLike) -> int:
    """The number after the highest version folder, 1 where there is none.

    Args:
        models_dir: the model's folder, `MODELS/NAME`; need not exist.

    Example:

    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> (folder / "0007").mkdir(), (folder / "notes").mkdir()
    (None, None)
    >>> next_version(folder)
    8
    """
    folder = pathlib.Path(models_dir)
    if not folder.exists():
        return 1
    names = [entry.name for entry in folder.iterdir()]
    return max((int(name) for name in names if name.isascii() and name.isdigit()), default=0) + 1


def check_models_dir(out: str | os.PathLike) -> None:
    """Refuses a file where the folder of a model is expected.

    Raises:
        ArtifactError: it, or what it would lie in, is a file.

    Example:

    >>> check_models_dir("/dev/null")
    Traceback (most recent call last):
    tfhashtag.errors.ArtifactError: `/dev/null` is a file; expected the folder of a model. Give ...
    """
    there = next(path for path in (pathlib.Path(out), *pathlib.Path(out).parents) if path.exists())
    if not there.is_dir():
        raise ArtifactError(
            f"`{there}` is a file; expected the folder of a model. Give another name."
        )


def write_saved_model(
    archive_fn: Callable[[pathlib.Path], object],
    out: str | os.PathLike,
    placing: Callable[[pathlib.Path, pathlib.Path], object] = lambda written, version: None,
) -> pathlib.Path:
    """Has a SavedModel written as the next version of a model and moves it into place.

    The files are written to a folder whose name begins with `.`, which servers do not see. A kill
    leaves that folder behind; the next export into the same model removes it.

    Args:
        archive_fn: writes a SavedModel into the empty folder that it is given.
        out: the model's folder, `MODELS/NAME`; made where missing.
        placing: called last, with what is written and the version folder that it becomes.

    Returns:
        The new version folder, `MODELS/NAME/<number>`.

    Raises:
        ArtifactError: another export writes to `out`, `out` is a file, or `archive_fn` wrote no
            `saved_model.pb`.

    Example:

    >>> import tempfile
    >>> path = write_saved_model(
    ...     lambda folder: (folder / "saved_model.pb").write_bytes(b"model"), tempfile.mkdtemp()
    ... )
    >>> path.name, [entry.name for entry in path.iterdir()]
    ('1', ['saved_model.pb'])
    """
    check_models_dir(out)
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    busy = f"`{out}`: another export is writing to this model. Wait for it to end."
    with exclusive_lock(out, busy):
        for entry in out.iterdir():
            if entry.is_dir() and _TEMPORARY.fullmatch(entry.name):
                shutil.rmtree(entry)
        final = out / str(next_version(out))
        with atomic_directory(final) as temporary:
            archive_fn(temporary)
            if not (temporary / "saved_model.pb").is_file():
                raise ArtifactError(f"`{final}`: the export wrote no `saved_model.pb`.")
            for path in temporary.rglob("*"):
                if path.is_file():
                    with open(path, "rb") as file:
                        os.fsync(file.fileno())
            placing(temporary, final)
    return final
