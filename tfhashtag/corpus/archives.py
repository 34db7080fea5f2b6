"""ZIP archives as platforms have them downloaded: what posts need of one, unpacked for a while."""

import contextlib
import dataclasses
import glob
import lzma
import os
import pathlib
import re
import shutil
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator

from tfhashtag.corpus.readers import ROW_FORMATS
from tfhashtag.corpus.readers.files import plain_suffix
from tfhashtag.errors import DataError
from tfhashtag.files import scratch_directory

_POSTS = {ending for known in ROW_FORMATS.values() for ending in known.endings} - {".txt"}
_MEDIA = re.compile(
    r"\.(?:jpe?g|png|gif|webp|bmp|tiff?|avif|heic|mp4|mov|m4v|webm|mkv|avi|mpe?g|3gp)"
)
_BLOCK = 2**20
_LARGE, _MOST_SQUEEZED = 2**24, 200  # text of people is packed to a tenth, seldom to a fiftieth
_ENCRYPTED = 0x1
_DRIVE = re.compile("[A-Za-z]:")
# What the standard library raises of what is packed wrong: of methods that it lacks, names, too.
_DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, ValueError)


@dataclasses.dataclass(frozen=True)
class Unpacked:
    """What stands for a path that may be an archive.

    Attributes:
        path: the folder of what was unpacked; the path itself where it is no archive.
        archive: the path as it was given.
    """

    path: pathlib.Path
    archive: pathlib.Path

    def shown(self, text: str) -> str:
        """A text that names the archive in place of the folder."""
        return text.replace(os.fspath(self.path), os.fspath(self.archive))


@contextlib.contextmanager
def unpacked(
    path: str | os.PathLike, beside: str | os.PathLike | None = None
) -> Iterator[Unpacked]:
    """The files of posts and their pictures in a ZIP archive, or in several of one pattern.

    Nothing is held in memory but a block, nothing lands outside of the folder, and no member is
    unpacked that is packed as nothing but a trap is. Errors name the archive.

    Args:
        path: a file, a folder or a pattern; what is no ZIP archive is given back as it is.
        beside: a folder to unpack in; None for where the system keeps such things (`TMPDIR`).

    Raises:
        DataError: an archive is damaged, locked or a trap, or holds nothing that can be read.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "twitter-ann.zip")
    ...     with zipfile.ZipFile(path, "w") as archive:
    ...         archive.writestr("data/tweets.js", "window.YTD.tweets.part0 = []")
    ...     with unpacked(path) as found:
    ...         [file.name for file in found.path.rglob("*.js")], found.path.name
    (['tweets.js'], 'twitter-ann')
    """
    given = pathlib.Path(path).expanduser()
    archives = _archives(given)
    if not archives:
        yield Unpacked(given, given)
        return
    with scratch_directory(beside) as aside:
        folder = pathlib.Path(aside, archives[0].stem)
        folder.mkdir()
        found = Unpacked(folder, given)
        left = Counter[str]()
        for archive in archives:
            _unpack(archive, folder, left)
        if not any(folder.rglob("*")):
            kinds = ", ".join(f"{count} {ending}" for ending, count in left.most_common(5))
            html = " Ask the platform for its archive as JSON." if left[".html"] else ""
            raise DataError(f"{given}: holds no file of posts; found {kinds or 'nothing'}.{html}")
        try:
            yield found
        except DataError as error:
            raise type(error)(found.shown(str(error))) from None


def _archives(path: pathlib.Path) -> list[pathlib.Path]:
    """The path, or what fits a pattern, where these are ZIP archives and no spreadsheets."""
    names = [path]
    if not path.exists() and glob.has_magic(str(path)):
        names = [pathlib.Path(name) for name in sorted(glob.glob(str(path), recursive=True))]
    found = [name for name in names if name.suffix.lower() == ".zip" and name.is_file()]
    return found if len(found) == len(names) else []


def _unpack(archive: pathlib.Path, folder: pathlib.Path, left: Counter[str]) -> None:
    """Unpacks what may be posts or pictures; counts the endings of what is left in it."""
    try:
        with zipfile.ZipFile(archive) as packed:
            wanted = [member for member in packed.infolist() if _is_wanted(member, left)]
            _check(archive, folder, wanted)
            for member in wanted:
                target = folder / _name(member)
                target.parent.mkdir(parents=True, exist_ok=True)
                with packed.open(member) as source, open(target, "xb") as file:
                    shutil.copyfileobj(source, file, _BLOCK)
    except FileExistsError as error:
        twice = os.fspath(pathlib.Path(error.filename).relative_to(folder))
        raise DataError(f"{archive}: {twice!r} stands twice in what is read.") from None
    except (*_DAMAGED, OSError) as error:
        reason = getattr(error, "strerror", None)
        if reason is None:  # not of the disk: of what is packed
            fault = f"cannot be unpacked, it is cut or damaged: {error}."
            raise DataError(f"{archive}: {fault}") from error
        raise DataError(f"{archive}: cannot be unpacked to {folder.parent} ({reason}).") from error


def _name(member: zipfile.ZipInfo) -> str:
    """The path of a member; old programs of Windows write `\\` for `/`."""
    return member.filename.replace("\\", "/")


def _is_wanted(member: zipfile.ZipInfo, left: Counter[str]) -> bool:
    path = pathlib.PurePosixPath(_name(member))
    hidden = any(part.startswith((".", "__MACOSX")) and part != ".." for part in path.parts)
    if _name(member).endswith("/") or hidden:
        return False
    ending = plain_suffix(path)
    if ending in _POSTS or _MEDIA.fullmatch(ending):
        return True
    left[ending or "without ending"] += 1
    return False


def _check(archive: pathlib.Path, folder: pathlib.Path, wanted: list[zipfile.ZipInfo]) -> None:
    """Refuses what would land elsewhere, what is locked, and what is made to fill the disk."""
    for member in wanted:
        where = f"{archive}: {member.filename!r}"
        path = pathlib.PurePosixPath(_name(member))
        if path.is_absolute() or ".." in path.parts or _DRIVE.fullmatch(path.parts[0]):
            raise DataError(f"{where} lies outside of the archive; whoever made it meant harm.")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise DataError(f"{where} is a link; expected files alone.")
        if member.flag_bits & _ENCRYPTED:
            raise DataError(f"{where} is locked with a password; unpack it, and give the folder.")
        if member.file_size > max(_LARGE, _MOST_SQUEEZED * member.compress_size):
            raise DataError(
                f"{where} is {member.file_size:,} bytes packed into {member.compress_size:,}, as "
                "no posts are. If they are: unpack it, and give the folder."
            )
    packed, size = sum(one.compress_size for one in wanted), sum(one.file_size for one in wanted)
    if packed > archive.stat().st_size:
        raise DataError(f"{archive}: its files overlap; whoever made it meant harm.")
    free = shutil.disk_usage(folder).free
    if size > free:
        raise DataError(
            f"{archive}: unpacks to {size:,} bytes, and {folder.parent} has room for {free:,}. "
            "Make room, or say where there is some: TMPDIR."
        )
