"""CAR files: the repository of an account of Bluesky, as its server gives it."""

import pathlib
from collections.abc import Iterator
from typing import IO, Any

from tfhashtag.corpus.readers.files import opened
from tfhashtag.errors import DataError

_POSTS = "app.bsky.feed.post"
_LONGEST_BLOCK = 2**22  # a record has at most 1 MiB
_CID_BYTES = 36  # version 1, DAG-CBOR, SHA-256


def repository_records(path: pathlib.Path) -> Iterator[dict[str, Any]]:
    """The posts of a repository as `{"uri": ..., "cid": ..., "value": record}`, a block at a time.

    Read twice: the tree of the repository names its posts, and in memory are their names alone.

    Args:
        path: a file of CAR, version 1.

    Raises:
        DataError: it is damaged, or no repository of Bluesky.
    """
    names: dict[bytes, str] = {}
    owner = ""
    for _, block in _blocks(path):
        if isinstance(block.get("e"), list):
            names |= _names(block["e"])
        elif "did" in block and "sig" in block:
            owner = str(block["did"])
    if not owner:
        raise DataError(f"{path}: a CAR file without a commit; expected a repository of Bluesky.")
    for cid, block in _blocks(path):
        if cid in names:
            yield {"uri": f"at://{owner}/{names[cid]}", "value": block}


def _names(entries: list[dict[str, Any]]) -> dict[bytes, str]:
    """The name of each post in a node of the tree; a name begins as the one before it."""
    found, name = dict[bytes, str](), b""
    for entry in entries:
        name = name[: entry["p"]] + entry["k"]
        if name.startswith(_POSTS.encode()):
            found[bytes(entry["v"])] = name.decode()
    return found


def _blocks(path: pathlib.Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Content identifier and content of each block that is a map."""
    import libipld

    with opened(path) as stream:
        try:
            _exactly(stream, _number(stream))  # the header
            while stream.peek(1):
                block = _exactly(stream, _number(stream))
                if block[:4] != b"\x01\x71\x12\x20":
                    continue  # a picture
                content = libipld.decode_dag_cbor(block[_CID_BYTES:])
                if isinstance(content, dict):
                    yield bytes(block[:_CID_BYTES]), content
        except (ValueError, KeyError, TypeError, EOFError) as error:
            raise DataError(f"{path}: not readable as CAR, cut or damaged: {error}.") from error


def _number(stream: IO[bytes]) -> int:
    """A number of seven bits a byte, smallest first."""
    found = 0
    for place in range(5):
        byte = _exactly(stream, 1)[0]
        found |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            break
    if not 0 < found <= _LONGEST_BLOCK:
        raise ValueError(f"a block of {found:,} bytes")
    return found


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError("it ends within a block")
    return data
