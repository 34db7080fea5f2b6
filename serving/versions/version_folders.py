"""The version folders of a model on disk; nothing in here writes."""

import os
import pathlib


def find_versions(base: str | os.PathLike) -> dict[int, pathlib.Path]:
    """Version number to folder for every `BASE/<int>/saved_model.pb`; other names are ignored.

    Leading zeros are allowed; of `2` and `002` the longer name counts.

    Raises:
        OSError: `base` cannot be listed.
    """
    return {
        int(entry.name): entry
        for entry in sorted(pathlib.Path(base).iterdir(), key=lambda entry: len(entry.name))
        if entry.name.isascii()
        and entry.name.isdigit()
        and int(entry.name) < 2**63
        and (entry / "saved_model.pb").is_file()
    }


def fingerprint(folder: str | os.PathLike) -> frozenset[tuple[str, int, int]]:
    """Path, size and time of change of every file below a folder, to see whether any changed.

    What disappears meanwhile is left out.
    """
    found = set()
    for path, _, names in os.walk(os.fspath(folder)):
        for name in names:
            full = os.path.join(path, name)
            try:
                status = os.stat(full)
            except OSError:
                continue  # gone since it was listed: that is a change, and the next look shows it
            found.add((full, status.st_size, status.st_mtime_ns))
    return frozenset(found)
