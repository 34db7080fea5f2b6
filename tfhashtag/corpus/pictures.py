"""Names of pictures in a corpus folder: made of their content, so that each is kept once."""

import hashlib
import os

FOLDER = "images"
_NAMED_BYTES = 16
_ENDINGS = (
    (0, b"\xff\xd8\xff", "jpg"),
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (0, b"GIF8", "gif"),
    (0, b"BM", "bmp"),
    (8, b"WEBP", "webp"),
)


def picture_name(content: bytes) -> str:
    """Path of a picture in a corpus folder: `images/<SHA-256>.<ending by its first bytes>`.

    Args:
        content: the encoded picture. What is none of JPEG, PNG, GIF, BMP and WebP ends with `.bin`.

    Example:

    >>> picture_name(b"\\x89PNG\\r\\n\\x1a\\n...")[:14], picture_name(b"?")[-4:]
    ('images/8bb4a8c', '.bin')
    """
    return _name(hashlib.sha256(content).hexdigest(), content[:_NAMED_BYTES])


def picture_name_of_file(path: str | os.PathLike) -> str:
    """`picture_name` of a file's content, read in blocks.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        start = file.read(_NAMED_BYTES)
        file.seek(0)
        return _name(hashlib.file_digest(file, "sha256").hexdigest(), start)


def _name(digest: str, start: bytes) -> str:
    endings = (ending for at, magic, ending in _ENDINGS if start[at : at + len(magic)] == magic)
    return f"{FOLDER}/{digest}.{next(endings, 'bin')}"
