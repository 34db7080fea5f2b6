"""Files that appear whole or not at all, and folders with one writer at a time."""

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator
from typing import IO, Any

from tfhashtag.errors import ArtifactError


@contextlib.contextmanager
def atomic_writer(path: str | os.PathLike, mode: str = "w") -> Iterator[IO]:
    """Opens a temporary file beside `path` and moves it into place when the block ends well.

    A failure, a full disk or a kill leaves whatever stood at `path` before untouched.

    Args:
        path: final path of the file; its folder must exist.
        mode: `"w"` for UTF-8 text with `\\n` line ends, `"wb"` for bytes.

    Example:

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "metrics.json"
    >>> with atomic_writer(path) as file:
    ...     _ = file.write("{}")
    >>> path.read_text()
    '{}'
    """
    path = pathlib.Path(path)
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
    with _errors_name(path):
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with _errors_name(path):
            with os.fdopen(descriptor, mode, **text) as file:  # type: ignore[call-overload]
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


@contextlib.contextmanager
def atomic_directory(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Gives an empty temporary folder beside `path` that is renamed to `path` when the block ends.

    `path` must not exist: nothing is ever overwritten.

    Example:

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "1"
    >>> with atomic_directory(path) as folder:
    ...     _ = (folder / "a.txt").write_text("a")
    >>> [entry.name for entry in path.iterdir()]
    ['a.txt']
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _errors_name(path):
        temporary = pathlib.Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        with _errors_name(path):
            yield temporary
            os.chmod(temporary, 0o777 & ~_umask())
            try:
                os.rename(temporary, path)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                    raise
                raise ArtifactError(
                    f"{path}: was made by another process meanwhile. Give another folder."
                ) from error
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


@contextlib.contextmanager
def exclusive_lock(folder: str | os.PathLike, busy: str) -> Iterator[None]:
    """Holds the lock of a folder, its file `.lock`; the kernel drops it if the process is killed.

    So what a killed process left lies there without a holder, and may be cleaned up under the lock.

    Args:
        folder: an existing folder.
        busy: message of the error where another process holds the lock.

    Raises:
        ArtifactError: another process holds the lock.

    Example:

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> with exclusive_lock(folder, "busy"), exclusive_lock(folder, "wait for it to end"):
    ...     pass
    Traceback (most recent call last):
    ...
    tfhashtag.errors.ArtifactError: wait for it to end
    """
    with open(pathlib.Path(folder) / ".lock", "a", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ArtifactError(busy) from error
        yield


def exchange(first: str | os.PathLike, second: str | os.PathLike) -> None:
    """Swaps two files or folders of one file system in one step: nobody sees one without the other.

    Raises:
        ArtifactError: the system or its file system has no such step.

    Example:

    >>> import pathlib, tempfile
    >>> old, new = (pathlib.Path(tempfile.mkdtemp()) for _ in range(2))
    >>> _ = (new / "posts").write_text("")
    >>> exchange(old, new)
    >>> [path.name for path in old.iterdir()]
    ['posts']
    """
    here, swap = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    library = ctypes.CDLL(None, use_errno=True)
    if hasattr(library, "renameat2"):
        if library.renameat2(here, os.fsencode(first), here, os.fsencode(second), swap) == 0:
            return
        code = ctypes.get_errno()
        if code not in (errno.EINVAL, errno.ENOSYS, errno.EXDEV):
            raise OSError(code, os.strerror(code), os.fspath(first))
    raise ArtifactError(
        f"{first}: this file system cannot exchange two folders in one step, which keeps a folder "
        "whole if the process is killed. Copy it to a local disk and run it there."
    )


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Writes `value` as indented JSON, whole or not at all; NaN and Infinity are refused."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    with atomic_writer(path) as file:
        file.write(text + "\n")


@contextlib.contextmanager
def _errors_name(path: pathlib.Path) -> Iterator[None]:
    """Errors of the system name `path` in place of its temporary name, or of no file at all."""
    try:
        yield
    except OSError as error:
        aside = str(path.parent / f".{path.name}.")
        written = error.filename2 or error.filename  # of a copy, the second is what is written
        if error.errno is not None and written is None:
            error.filename = str(path)
        elif str(written).startswith(aside):
            _, separator, inside = str(written).removeprefix(aside).partition(os.sep)
            error.filename, error.filename2 = f"{path}{separator}{inside}", None
        raise


def _umask() -> int:
    value = os.umask(0)
    os.umask(value)
    return value
