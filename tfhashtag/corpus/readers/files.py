"""Files of a source: one, a folder, a pattern; compressed or not; in any encoding that is named."""

import bz2
import codecs
import contextlib
import glob
import gzip
import io
import lzma
import os
import pathlib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import IO, Any

from tfhashtag.corpus.post_faults import BadPost, OnBad
from tfhashtag.errors import DataError

#: Endings of compressed files, which a format's own ending stands before.
COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
_MAGIC = {
    b"\x1f\x8b": "gz",
    b"BZh": "bz2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zst",
}
_NOT_POSTS = {
    b"PK\x03\x04": "a ZIP archive; give it a name with `.zip`, or, of Excel, `.xlsx`",
    b"PAR1\x15": "a Parquet file; import it as parquet",
    b"\xd0\xcf\x11\xe0": "a spreadsheet; import it as `spreadsheet`",
    b"SQLite format": "a database of SQLite; write its table as CSV",
    b"%PDF": "a PDF",
    b"<!DOCTYPE": "a page of HTML; ask the platform for its archive as JSON",
    b"<!doctype": "a page of HTML; ask the platform for its archive as JSON",
    b"<html": "a page of HTML; ask the platform for its archive as JSON",
    b"<?xml": "XML; save the posts as CSV or JSON",
}
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: Of old files, and what stands between words in all of them.
_ENCODINGS = ("cp1252", "cp1250", "cp1251", "koi8-r", "cp1253", "cp932", "gb18030", "big5", "cp949")
_BETWEEN = (b" ", b"\t", b",", b";", b'"')

# Of folders that we write: one of their files, how it begins, what lies beside it, what they are.
_DIGEST = re.compile(rb'"digest": "[0-9a-f]{16,}"')
_DATA_DIGEST = re.compile(rb'"data_digest": "[0-9a-f]{16,}"')
_BEGINNING = 4096  # bytes: a person's own file of this name may be large
_OURS = (
    ("run.json", _DATA_DIGEST, "*", "a run; what stands in it: `tfhashtag status {0}`"),
    ("comparison.json", _DATA_DIGEST, "*", "a comparison; see its report.html"),
    (
        "corpus.json",
        _DIGEST,
        "posts*.parquet",
        "a corpus, whose posts are imported: `tfhashtag data stats {0}` describes it, and "
        "`tfhashtag train CONFIG --data {0} --out run` learns from it",
    ),
    (
        "saved_model.pb",
        re.compile(rb""),
        "variables",
        "an exported model; `tfhashtag export --check {0}` looks at it",
    ),
)


def check_not_ours(path: pathlib.Path) -> None:
    """Refuses what an import, a training or an export wrote in place of somebody's posts.

    Files of a person that are called alike are none of ours: these have a digest of the posts.

    Raises:
        DataError: it is such a folder, or a file of one.
    """
    folder = path if path.is_dir() else path.parent
    for name, inside, beside, what in _OURS:
        written = path.is_dir() or path.name == name or path.match("posts*.parquet")
        if not (written and (folder / name).is_file() and any(folder.glob(beside))):
            continue
        try:
            with open(folder / name, "rb") as file:
                ours = inside.search(file.read(_BEGINNING))
        except OSError as error:
            raise DataError(f"{folder / name}: cannot be read ({error.strerror}).") from error
        if ours:
            found = what.format(folder)
            raise DataError(f"{path}: expected a file or a folder of posts; found {found}.")


def plain_suffix(path: pathlib.PurePath) -> str:
    """The ending of a file without that of its compression, in lower case.

    >>> plain_suffix(pathlib.Path("posts.JSONL.gz"))
    '.jsonl'
    """
    if path.suffix.lower() in COMPRESSED:
        path = path.with_suffix("")
    return path.suffix.lower()


def check_there(path: str | os.PathLike) -> None:
    """Refuses a path that names nothing, and a pattern that nothing fits.

    Raises:
        DataError: as `source_files`.

    Example:

    >>> check_there("/nowhere.jsonl")
    Traceback (most recent call last):
    tfhashtag.errors.DataError: /nowhere.jsonl: cannot be read (No such file or directory)...
    """
    path = pathlib.Path(path).expanduser()
    if not path.exists():
        if not glob.has_magic(str(path)):
            raise DataError(f"{path}: cannot be read (No such file or directory). Check the path.")
        source_files(path, ())


def source_files(path: str | os.PathLike, endings: Sequence[str]) -> list[pathlib.Path]:
    """The files that a path names, in order: itself, those of a folder, or those of a pattern.

    Args:
        path: a file, a folder, or a pattern such as `part-*.jsonl`; `~` is the home folder.
        endings: of the format; what a folder holds besides is left out.

    Raises:
        DataError: there is none.
    """
    path = pathlib.Path(path).expanduser()
    if path.is_dir():
        found = [file for file in path.rglob("*") if file.is_file() and _shown(file, path)]
        chosen = [file for file in found if plain_suffix(file) in endings]
        if not chosen:
            packed = any(file.suffix.lower() == ".zip" for file in found)
            mend = f" It holds ZIP archives; give '{path}/*.zip', or one of them." if packed else ""
            raise DataError(
                f"{path}: the folder holds no file that ends with {', '.join(endings)} "
                f"(or these and {', '.join(COMPRESSED)}).{mend}"
            )
        return sorted(chosen, key=_natural)
    if not path.exists() and glob.has_magic(str(path)):
        chosen = [pathlib.Path(name) for name in glob.glob(str(path), recursive=True)]
        chosen = [file for file in chosen if file.is_file()]
        if not chosen:
            raise DataError(f"{path}: no file fits the pattern.")
        return sorted(chosen, key=_natural)
    return [path]


def _shown(file: pathlib.Path, folder: pathlib.Path) -> bool:
    return not any(part.startswith(".") for part in file.relative_to(folder).parts)


def _natural(path: pathlib.Path) -> list[Any]:
    """`part-2` before `part-10`."""
    return [
        (int(piece), "") if piece.isdecimal() else (-1, piece)
        for piece in re.split(r"([0-9]+)", str(path))
    ]


@contextlib.contextmanager
def opened(path: pathlib.Path) -> Iterator[io.BufferedReader]:
    """The bytes of a file, unpacked by what it begins with.

    Raises:
        DataError: it cannot be opened or unpacked, is empty, or is no text.
    """
    try:
        with open(path, "rb") as file:
            start = file.peek(16)[:16]
            if not start:
                raise DataError(f"{path}: the file is empty; expected a post a line.")
            for magic, what in _NOT_POSTS.items():
                if start.startswith(magic):
                    raise DataError(f"{path}: this is {what}.")
            with contextlib.closing(_unpacked(file, start)) as stream:
                if stream is not file:
                    _check_inside(path, stream.peek(512)[:512])
                yield stream
    except (EOFError, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: cannot be unpacked, it is cut or damaged: {error}.") from error
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"{path}: cannot be read ({reason}). Check the path.") from error


def _check_inside(path: pathlib.Path, start: bytes) -> None:
    """An archive in a packed file is no text, and what is packed twice is unpacked once."""
    for magic, what in _NOT_POSTS.items():
        if start.startswith(magic):
            raise DataError(f"{path}: it holds {what}.")
    if any(start.startswith(magic) for magic in _MAGIC):
        raise DataError(f"{path}: it is packed twice; unpack it once.")
    if start[257:262] == b"ustar":
        raise DataError(f"{path}: it is an archive of tar; unpack it, and give the folder.")


def _unpacked(file: Any, start: bytes) -> io.BufferedReader:
    kind = next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), None)
    if kind is None:
        return file
    if kind == "zst":
        return io.BufferedReader(Pieces(_frames(file)), 2**17)
    openers: dict[str, Any] = {"gz": gzip.GzipFile, "bz2": bz2.BZ2File, "xz": lzma.LZMAFile}
    stream = openers[kind](fileobj=file) if kind == "gz" else openers[kind](file)
    return io.BufferedReader(stream, 2**17)


def _frames(file: IO[bytes]) -> Iterator[bytes]:
    """Frames of Zstandard one after the other; a cut one is an error, as in the other formats."""
    import zstandard

    decompressor, frame, rest = zstandard.ZstdDecompressor(), None, b""
    while packed := rest or file.read(2**16):
        frame = frame or decompressor.decompressobj()
        try:
            plain = frame.decompress(packed)
        except zstandard.ZstdError as error:
            raise EOFError(str(error)) from error
        rest, frame = (frame.unused_data, None) if frame.eof else (b"", frame)
        if plain:
            yield plain
    if frame is not None:
        raise EOFError("the last frame has no end")


class Pieces(io.RawIOBase):
    """A stream of bytes that come in pieces, of which none is empty."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._waiting = pieces, b""

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fills the buffer with what is waiting, or with the beginning of the next piece."""
        self._waiting = self._waiting or next(self._pieces, b"")
        size = min(len(buffer), len(self._waiting))
        buffer[:size], self._waiting = self._waiting[:size], self._waiting[size:]
        return size


def encoding_of(path: pathlib.Path, encoding: str | None) -> str:
    """The encoding of a text file: the given one, that of its mark, or UTF-16 by its zeros.

    Raises:
        DataError: Python knows no such encoding, or the file cannot be opened.
    """
    if encoding is not None:
        try:
            found = codecs.lookup(encoding)
            "".encode(found.name)  # not `base64`, which makes no text
            return found.name
        except LookupError:
            raise DataError(
                f"encoding {encoding!r} is not known; expected utf-8, utf-16, latin-1, cp1252, ..."
            ) from None
    with opened(path) as stream:
        start = stream.peek(512)[:512]
    for mark, name in _MARKS:
        if start.startswith(mark):
            return name
    for first, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        zeros = start[first::2]
        if len(start) >= 8 and zeros.count(0) * 2 > len(zeros) and 0 not in start[1 - first :: 2]:
            return name
    return "utf-8"


def _readings(data: bytes, place: int) -> str:
    """Encodings that make letters of the word at a byte that is not UTF-8, and which word.

    Which of them is right only somebody sees who knows the language.

    >>> _readings("café au lait".encode("cp1252"), 3)
    'cp1252 (`café`), cp1251 (`cafй`), koi8-r (`cafИ`), cp1253 (`cafι`)'
    >>> _readings("今日は".encode("cp932"), 0)
    'cp932 (`今日は`), gb18030 (`崱擔偼`), cp949 (`뜞볷궼`)'
    """
    start = max(data.rfind(sign, 0, place) for sign in _BETWEEN) + 1
    ends = (data.find(sign, place) for sign in _BETWEEN)
    word = data[start : min((end for end in ends if end >= 0), default=len(data))]
    found: dict[str, str] = {}
    for encoding in _ENCODINGS:
        with contextlib.suppress(UnicodeDecodeError):
            read = word.decode(encoding)
            if all(map(_is_of_a_word, read)):
                found.setdefault(read, encoding)
    listed = [f"{encoding} (`{read[:20]}`)" for read, encoding in found.items()]
    return ", ".join(listed[:6]) or "cp1252 (of Windows), latin-1"


def _is_of_a_word(sign: str) -> bool:
    cjk_sign = "\u3000" <= sign <= "\uffef"
    return sign.isascii() or sign.isalnum() or cjk_sign or unicodedata.category(sign)[0] == "M"


def text_lines(
    path: pathlib.Path, on_bad: OnBad, encoding: str | None = None
) -> Iterator[tuple[str, str]]:
    """Pairs of place (`file:line`) and line. Only `\\n` ends a line, a `\\r` before it is dropped.

    Raises:
        DataError: the file cannot be opened, unpacked or read in its encoding, or has no line.
    """
    name = encoding_of(path, encoding)
    number = 0
    with opened(path) as stream:
        if name in ("utf-8", "ascii"):
            for number, raw in enumerate(stream, 1):
                data = raw.removesuffix(b"\n").removesuffix(b"\r")
                if number == 1:
                    data = data.removeprefix(codecs.BOM_UTF8)
                try:
                    yield f"{path}:{number}", data.decode("utf-8")
                except UnicodeDecodeError as error:
                    fault = f"byte {error.start + 1} is not UTF-8; save the file as UTF-8, or say"
                    fault += f" what it is: --encoding {_readings(data, error.start)}"
                    on_bad(f"{path}:{number}", BadPost("not UTF-8", fault))
        else:
            text = io.TextIOWrapper(stream, encoding=name, newline="\n")
            try:
                for number, line in enumerate(text, 1):
                    yield f"{path}:{number}", line.removesuffix("\n").removesuffix("\r")
            except UnicodeError as error:
                raise DataError(
                    f"{path}:{number + 1}: not {name}: {error}. Say what it is: --encoding."
                ) from error
    if number == 0:
        raise DataError(f"{path}: the file is empty; expected a post a line.")
