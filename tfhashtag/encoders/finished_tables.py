"""Which of the tables that `encode` has left belongs to an encoder and to the corpus as it is."""

import pathlib
from collections.abc import Callable, Iterator
from typing import Any

from tfhashtag.errors import ArtifactError, NotEncodedError

_SHORTEST_FINGERPRINT = 8


def tables_of(
    root: pathlib.Path, read_meta: Callable[[pathlib.Path], dict[str, Any]], digest: str = "[!.]*"
) -> Iterator[tuple[pathlib.Path, dict[str, Any]]]:
    """Folder and description of every finished table under `root`, in the order of their names.

    Args:
        root: holds `<encoder>/<digest>/meta.json`.
        read_meta: reads a `meta.json`; what it raises goes through.
        digest: of what was encoded; default: any.
    """
    for path in sorted(root.glob(f"*/{digest}/meta.json")):
        yield path.parent, read_meta(path)


def is_of(meta: dict[str, Any], encoder: str) -> bool:
    """Whether a table was made by an encoder, given by name or by the start of its fingerprint."""
    by_print = len(encoder) >= _SHORTEST_FINGERPRINT and meta["fingerprint"].startswith(encoder)
    return meta["encoder"] == encoder or by_print


def find_table(
    root: pathlib.Path,
    encoder: str,
    digest: str,
    read_meta: Callable[[pathlib.Path], dict[str, Any]],
    *,
    what: str,
    again: str,
    choice: str = "one of these fingerprints instead of the name",
    label: Callable[[dict[str, Any]], str] = lambda meta: meta["encoder"],
    fits: Callable[[dict[str, Any]], bool] = lambda meta: True,
) -> tuple[pathlib.Path, dict[str, Any]]:
    """Folder and description of the one table of an encoder that fits the corpus.

    Args:
        root: holds `<encoder>/<digest>/meta.json`.
        encoder: str, its name, or 8 or more characters of its fingerprint.
        digest: of what the corpus has to be encoded.
        read_meta: reads a `meta.json`.
        what: what the tables hold, for messages.
        again: the command that makes the table, for messages.
        choice: what to give where there are several, for messages.
        label: names a table where messages say what there is.
        fits: whether a table of the encoder is one of those asked for.

    Raises:
        NotEncodedError: no table of the encoder, or none of the corpus as it is.
        ArtifactError: several tables.
    """
    tables = dict(tables_of(root, read_meta))
    found = [folder for folder, meta in tables.items() if is_of(meta, encoder) and fits(meta)]
    if not found:
        known = ", ".join(sorted({label(meta) for meta in tables.values()}))
        there = f"it has: {known}" if known else "it has none"
        raise NotEncodedError(f"{root}: no finished {what} `{encoder}` ({there}); {again}.")
    fitting = [folder for folder in found if folder.name == digest]
    if not fitting:
        raise NotEncodedError(
            f"{root}: the corpus has changed since it was encoded with `{encoder}`; {again} "
            "(only what is new is encoded)."
        )
    if len(fitting) > 1:
        prints = ", ".join(sorted(tables[folder]["fingerprint"][:16] for folder in fitting))
        raise ArtifactError(
            f"{root}: several tables of {what} `{encoder}` with different settings ({prints}); "
            f"give {choice}."
        )
    return fitting[0], tables[fitting[0]]
