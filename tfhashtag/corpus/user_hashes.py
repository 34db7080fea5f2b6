"""Keyed hashes in place of user names: HMAC-SHA-256, of which the first 24 hex digits are kept."""

import hmac
import os
import pathlib

from tfhashtag.errors import ConfigError

_LEAST_KEY = 16  # bytes
_DIGITS = 24  # 96 bits: no two of 10^9 users meet
_PROOF = "tfhashtag"


class UserHashes:
    """Hashes of user names by a key that is kept elsewhere.

    The same key gives the same hash, so that a user stays a user; without the key nobody can tell
    whether a name belongs to a hash.

    Args:
        key_file: a file of at least 16 bytes, such as `head -c 32 /dev/urandom` gives.

    Attributes:
        key_file: as given.
        proof: of the key, what `corpus.json` keeps to recognise a wrong one.

    Raises:
        ConfigError: the file cannot be read, or is too short.

    Example:

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "key"
    >>> _ = path.write_bytes(bytes(range(32)))
    >>> hashes = UserHashes(path)
    >>> hashes.of_user("ann")
    '0d1f12b8196c52b0db44a542'
    """

    def __init__(self, key_file: str | os.PathLike) -> None:
        self.key_file = path = pathlib.Path(key_file).expanduser()
        try:
            self._key = path.read_bytes()
        except OSError as error:
            raise ConfigError(f"{path}: the key cannot be read: {error.strerror}.") from error
        if len(self._key) < _LEAST_KEY:
            raise ConfigError(
                f"{path}: {len(self._key)} bytes, a key has at least {_LEAST_KEY}; make one with "
                f"`head -c 32 /dev/urandom > {path}`."
            )
        self.proof = self.of_user(_PROOF)[:8]

    def of_user(self, name: str) -> str:
        """The hash of a user's name, 24 hex digits."""
        return hmac.digest(self._key, name.encode(), "sha256").hex()[:_DIGITS]

    def check(self, proof: str | None, where: str) -> None:
        """Refuses a key that is not that of an import.

        Args:
            proof: of the import, None where it hashed nobody.
            where: of the corpus, for the message.

        Raises:
            ConfigError: it is another, or there was none.
        """
        if proof is None:
            raise ConfigError(f"{where}: its users are not hashed; leave the key out.")
        if proof != self.proof:
            raise ConfigError(
                f"{where}: its users are hashed with another key; give that of the import."
            )
