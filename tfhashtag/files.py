"""Files that appear whole or not at all, and folders with one writer at a time."""

import contextlib
import ctypes
import errno
import fcntl
import hashlib
import json
import os
import pathlib
import re
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from typing import IO, Any

from tfhashtag.errors import ArtifactError, TfHashtagError

_OLD = 60.0  # seconds
_MARK = "tfht-"  # in names of what is not finished, so that it is known whatever it was to become
_UNFINISHED = re.compile(rf"\..+\.{_MARK}(?P<fresh>new-)?[a-z0-9_]{{8}}")
_FORGETTING = re.compile(r"\.(?P<of>.+)\.forgetting")
_NOT_LOCKED = (errno.EWOULDBLOCK, errno.EACCES, errno.EBADF, errno.ENOLCK, errno.ENOTSUP)


@contextlib.contextmanager
def atomic_writer(path: str | os.PathLike, mode: str = "w") -> Iterator[IO]:
    """Opens a temporary file beside `path` and moves it into place when the block ends well.

    A failure, a full disk or a kill leaves whatever stood at `path` before untouched; what a kill
    leaves beside it, the next writer of anything in that folder clears away.

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
    temporary, held = _aside(path, None, os.O_RDWR)
    try:
        with _errors_name(path):
            with os.fdopen(os.dup(held), mode, **text) as file:  # type: ignore[call-overload]
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    finally:
        os.close(held)


@contextlib.contextmanager
def atomic_directory(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Gives an empty temporary folder beside `path` that is renamed to `path` when the block ends.

    `path` must not exist: nothing is ever overwritten. What a kill leaves beside it, the next
    writer of anything in that folder clears away.

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
    temporary, held = _aside(path, tempfile.mkdtemp, os.O_RDONLY)
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
    finally:
        os.close(held)


@contextlib.contextmanager
def scratch_directory(beside: str | os.PathLike | None = None) -> Iterator[pathlib.Path]:
    """An empty folder for what is needed for a while, gone when the block ends.

    What a kill leaves, the next call for the same place clears away.

    Args:
        beside: the folder that it lies in, made where it is not there; None for where the system
            keeps such things (`TMPDIR`).

    Example:

    >>> with scratch_directory() as folder:
    ...     _ = (folder / "a").write_text("a")
    >>> folder.exists()
    False
    """
    place = pathlib.Path(tempfile.gettempdir() if beside is None else beside)
    place.mkdir(parents=True, exist_ok=True)
    path = place / f"tfhashtag-{os.getuid()}"
    folder, held = _aside(path, tempfile.mkdtemp, os.O_RDONLY)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def check_new_folder(
    folder: str | os.PathLike,
    kind: type[TfHashtagError] = ArtifactError,
    *,
    own: Collection[str] = (),
    mend: str = "or move it away",
) -> None:
    """Refuses a folder to be made where something else stands already, in the same words for all.

    Args:
        folder: that shall be made; a new or an empty one is right.
        kind: of the error.
        own: names of files or folders, by any of which what stands there is known as begun by the
            same command, which goes on there; then hidden files count for nothing.
        mend: what else can be done.

    Raises:
        TfHashtagError: a file stands there, or a folder that holds something.

    Example:

    >>> with scratch_directory() as folder:
    ...     check_new_folder(folder)
    ...     _ = (folder / "notes.txt").write_text("mine")
    ...     check_new_folder(folder)
    Traceback (most recent call last):
    ...
    tfhashtag.errors.ArtifactError: ...: exists already and is not empty. Give another folder, or \
move it away.
    """
    path = pathlib.Path(folder).expanduser()
    if path.exists() and not path.is_dir():
        raise kind(f"{folder}: is a file; give a folder.")
    if not path.is_dir() or any((path / name).exists() for name in own):
        return
    if any(not own or not entry.name.startswith(".") for entry in path.iterdir()):
        raise kind(f"{folder}: exists already and is not empty. Give another folder, {mend}.")


def forgetting_folder(path: pathlib.Path) -> pathlib.Path:
    """Where a corpus or a run is made anew without posts, under the lock of `path`."""
    return path.parent / f".{path.name}.forgetting"


def left_behind(folder: str | os.PathLike) -> list[pathlib.Path]:
    """What killed processes left in a folder: unfinished files and folders that nobody holds.

    The next command that writes something into the folder clears it away.

    Example:

    >>> import tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> (folder / ".corpus.tfht-0a1b2c3d").mkdir()
    >>> [path.name for path in left_behind(folder)]
    ['.corpus.tfht-0a1b2c3d']
    >>> write_json(folder / "metrics.json", {})
    >>> left_behind(folder)
    []
    """
    found = []
    for name in sorted(os.listdir(folder)):
        with _taken(pathlib.Path(folder, name)) as taken:
            if taken:
                found.append(pathlib.Path(folder, name))
    return found


def clear_left_behind(folder: str | os.PathLike) -> list[pathlib.Path]:
    """Removes what `left_behind` finds in a folder; gives what is gone."""
    found = left_behind(folder)
    for path in found:
        _clear(path)
    return found


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


@contextlib.contextmanager
def in_turn(folder: str | os.PathLike) -> Iterator[None]:
    """Waits until no other process is inside with this folder; nothing is written.

    Where the folder is exchanged for another meanwhile, that one is waited for.

    Args:
        folder: an existing folder. Where its file system locks none, nobody waits.
    """
    while True:
        held = os.open(folder, os.O_RDONLY)
        try:
            try:
                fcntl.flock(held, fcntl.LOCK_EX)
            except OSError as error:
                if error.errno not in _NOT_LOCKED:
                    raise
            if not os.path.exists(folder) or os.path.samestat(os.fstat(held), os.stat(folder)):
                yield
                return
        finally:
            os.close(held)


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


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes a text as UTF-8, whole or not at all."""
    with atomic_writer(path) as file:
        file.write(text)


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Writes `value` as indented JSON, whole or not at all; NaN and Infinity are refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_at(descriptor: int, data: bytes, where: int) -> None:
    """Writes all of the data at a place of an open file."""
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, where)
        view, where = view[written:], where + written


def sha256_of(path: str | os.PathLike) -> str:
    """SHA-256 of a file's content, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _aside(
    path: pathlib.Path, make: Callable[..., str] | None, flags: int
) -> tuple[pathlib.Path, int]:
    """A temporary file or folder beside `path`, and its descriptor, which holds its lock.

    The kernel drops the lock with the process: what nobody holds was left by a killed one, and goes
    now. A file has no name before it is locked, where the system can do that. A folder that `make`
    makes gets the name by which it is known as soon as it is locked; what was killed before, in
    some microseconds, goes when it is old.
    """
    with _errors_name(path):
        try:
            clear_left_behind(path.parent)
        except OSError as error:
            error.filename = str(path)
            raise
        if make is None and (named := _locked_file(path)):
            return named
        fresh = (make or _new_file)(prefix=f".{path.name}.{_MARK}new-", dir=path.parent)
        temporary = path.parent / f".{path.name}.{_MARK}{fresh[-8:]}"
        held = os.open(fresh, flags)
        try:
            _try_lock(held)
            os.rename(fresh, temporary)
        except BaseException:
            os.close(held)
            if os.path.isdir(fresh):
                os.rmdir(fresh)
            else:
                os.unlink(fresh)
            raise
    return temporary, held


def _locked_file(path: pathlib.Path) -> tuple[pathlib.Path, int] | None:
    """A temporary file that is locked before it has a name; None where the system has none such."""
    if not hasattr(os, "O_TMPFILE"):
        return None
    try:
        held = os.open(path.parent, os.O_TMPFILE | os.O_RDWR, 0o600)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
            return None
        raise
    temporary = path.parent / f".{path.name}.{_MARK}{secrets.token_hex(4)}"
    try:
        _try_lock(held)
        # With a descriptor of a folder the link of /proc is followed, else it would be linked.
        os.link(f"/proc/self/fd/{held}", temporary, src_dir_fd=held)
    except FileNotFoundError:  # without /proc
        os.close(held)
        return None
    except BaseException:
        os.close(held)
        raise
    return temporary, held


def _new_file(**where: Any) -> str:
    descriptor, name = tempfile.mkstemp(**where)
    os.close(descriptor)
    return name


def _is_new(path: pathlib.Path) -> bool:
    try:
        return time.time() - os.stat(path).st_mtime < _OLD
    except FileNotFoundError:
        return True


@contextlib.contextmanager
def _taken(path: pathlib.Path) -> Iterator[bool]:
    """Whether a killed process left `path`; if so, nobody else can take it up within the block.

    What is unfinished is locked by its writer; what a `forget` makes, by the lock of what it is of.
    """
    held = None
    try:
        if unfinished := _UNFINISHED.fullmatch(path.name):
            if not (unfinished["fresh"] and _is_new(path)):
                held = _lock_of(path, path, 0)
        elif forgetting := _FORGETTING.fullmatch(path.name):
            of = path.parent / forgetting["of"]
            ours = any((of / name).is_file() for name in ("corpus.json", "run.json"))
            if ours and of.name == forgetting["of"] != "..":  # neither the folder nor its parent
                held = _lock_of(path, of / ".lock", os.O_CREAT)
        yield held is not None
    finally:
        if held is not None:
            os.close(held)


def _lock_of(path: pathlib.Path, lock: pathlib.Path, flags: int) -> int | None:
    """The descriptor of `lock`, locked, if `path` is a folder or its own lock; else None."""
    try:
        mode = os.lstat(path).st_mode
        if not stat.S_ISDIR(mode) and not (stat.S_ISREG(mode) and lock == path):
            return None
        held = os.open(lock, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | flags, 0o666)
    except OSError:  # its writer has just moved it into place, or it is somebody else's
        return None
    try:
        if _try_lock(held) and os.path.samestat(os.fstat(held), os.lstat(lock)):
            os.lstat(path)
            return held
    except FileNotFoundError:  # it was moved into place, or done away with, before it was locked
        pass
    except BaseException:
        os.close(held)
        raise
    os.close(held)
    return None


def _clear(path: pathlib.Path) -> None:
    """Removes what was left behind, if it still is."""
    with _taken(path) as taken:
        if taken and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif taken:
            with contextlib.suppress(OSError):  # it is somebody else's
                os.unlink(path)


def _try_lock(descriptor: int) -> bool:
    """Locks an open file or folder; False where another process holds it, or nothing is locked."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        # Some network file systems lock no folders: there nothing is cleared.
        if error.errno not in _NOT_LOCKED:
            raise
        return False
    return True


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
