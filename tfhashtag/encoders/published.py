"""Files of published encoders: whether they are what was published, byte for byte."""

import pathlib

from tfhashtag.errors import EncoderError
from tfhashtag.files import sha256_of


def check_published(path: pathlib.Path, sha256: str, otherwise: str) -> None:
    """Refuses a file that is not the published one.

    Args:
        path: of the file.
        sha256: hex digest of the published one.
        otherwise: what to say of another one, such as "not the published file".

    Raises:
        EncoderError: it cannot be read, or is another.
    """
    try:
        found = sha256_of(path)
    except OSError as error:
        raise EncoderError(f"{path}: cannot be read: {error.strerror or error}.") from error
    if found != sha256:
        raise EncoderError(
            f"{path}: {otherwise} (SHA-256 {found[:12]}..., expected {sha256[:12]}...). "
            "Fetch it again."
        )
