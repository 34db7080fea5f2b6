"""Public datasets: fetched with resume, checked against pinned sums, never half there."""

import dataclasses
import http.client
import os
import pathlib
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from tfhashtag.errors import DataError
from tfhashtag.files import sha256_of

_BLOCK = 1 << 16
_TRIES = 3


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A public dataset: where it lies and what its files must be."""

    url: str
    files: Mapping[str, str]  # path below that to SHA-256


DATASETS = {
    "howyoutag": Dataset(
        "https://raw.githubusercontent.com/polyusmart/Personalized-Hashtag-Preferences/"
        "4707124b820d2cce7c1c62974a4d66e071f55401/Data/",
        {
            "train.csv": "340ad79a5321222b5cf1f3aee010873620fb6ed5056118fd1b28ffa4bfa2baab",
            "valid.csv": "c6972915d71114aa7eb0691f820ecf4673f359ce1bbb7c70793864fa8c148014",
            "test.csv": "1069811a449ae0026d9ca03fa105c4459f90820fffcc94fb4951573ea87b616c",
        },
    ),
}


def download(
    name: str,
    out: str | os.PathLike,
    *,
    url: str | None = None,
    progress: Callable[[str, int, int | None], None] | None = None,
) -> list[pathlib.Path]:
    """Fetches a dataset into a folder; files that are there and right are left alone.

    An interrupted transfer is kept as `NAME.part` and gone on with, by HTTP range where the server
    has it, else from the start. A file gets its name only after its sum is right.

    Args:
        name: a key of `DATASETS`.
        out: folder, made where missing.
        url: base address instead of the pinned one; `http`, `https` or `file`.
        progress: called with file name, bytes so far and bytes in all (None if unknown).

    Returns:
        The paths of the files.

    Raises:
        DataError: an unknown name, a transfer that fails three times, or a wrong sum.
    """
    if name not in DATASETS:
        raise DataError(f"dataset {name!r} is not known; expected {', '.join(DATASETS)}.")
    dataset = DATASETS[name]
    base = (url or dataset.url).rstrip("/") + "/"
    if urllib.parse.urlsplit(base).scheme not in ("http", "https", "file"):
        raise DataError(f"--url {url}: expected an address that begins with http, https or file.")
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    files = dataset.files.items()
    return [_fetch(base + path, out / path, sha256, progress) for path, sha256 in files]


def _fetch(url: str, path: pathlib.Path, sha256: str, progress: Any) -> pathlib.Path:
    if path.is_file():
        if sha256_of(path) == sha256:
            return path
        raise DataError(
            f"{path}: exists and is not the pinned file. Move it away, or choose another folder."
        )
    part = path.with_name(path.name + ".part")
    fault: Exception | None = None
    for _ in range(_TRIES):
        try:
            _transfer(url, part, path.name, progress)
        except (http.client.HTTPException, OSError, EOFError) as error:
            if isinstance(error, urllib.error.HTTPError) and error.code in (403, 404, 410):
                raise DataError(
                    f"{url}: the server answers {error.code}. Give where the files lie by `--url`."
                ) from error
            fault = error
            continue
        found = sha256_of(part)
        if found == sha256:
            os.replace(part, path)
            return path
        part.unlink()
        fault = ValueError(f"SHA-256 is {found[:16]}..., expected {sha256[:16]}...")
    raise DataError(
        f"{url}: not fetched after {_TRIES} tries ({fault}). Run the command again to go on, or "
        "give a mirror by `--url`."
    )


def _transfer(url: str, part: pathlib.Path, name: str, progress: Any) -> None:
    start = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url)
    if start and not url.startswith("file:"):
        request.add_header("Range", f"bytes={start}-")
    try:
        response = urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        part.unlink()  # longer than the file: not ours
        raise EOFError("the part on disk does not fit the file") from error
    with response:
        resumed = getattr(response, "status", None) == 206
        done = start if resumed else 0
        length = response.headers.get("Content-Length")
        total = None if length is None else done + int(length)
        with open(part, "ab" if resumed else "wb") as file:
            while block := response.read(_BLOCK):
                file.write(block)
                done += len(block)
                if progress:
                    progress(name, done, total)
        if total is not None and done < total:
            raise EOFError(f"the transfer broke off after {done} of {total} bytes")
