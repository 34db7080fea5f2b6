"""What was made of a run and lies outside of it: exported versions, and what places were told."""

import hashlib
import json
import os
import pathlib
import shutil
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from tfhashtag.files import atomic_writer
from tfhashtag.tracking.told import Book

FILE = "exports.jsonl"
_MODEL = "saved_model.pb"
# Of what places keep as files: rankings name users and hashtags, models and the projector hashtags.
_NAMING = (
    "run.trec", "qrels.trec", "model", "hashtags.tsv", "metadata.tsv", "projector_config.pbtxt",
)  # fmt: skip


class Exported(NamedTuple):
    """A version that was exported, and the options of `Run.export` that it was exported with."""

    version: pathlib.Path
    digest: str
    options: dict[str, Any]


def note_export(folder: pathlib.Path, version: pathlib.Path, options: Mapping[str, Any]) -> None:
    """Writes down where a version of a run was exported to; not in a folder of others."""
    if os.access(folder, os.W_OK):
        exported = Exported(version.resolve(), _digest(version), dict(options))
        with (folder / FILE).open("a", encoding="utf-8") as file:
            file.write(_line(exported))


def exports_of(folder: pathlib.Path) -> list[Exported]:
    """The exported versions of a run that are there, as they were written."""
    path = folder / FILE
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    found = [json.loads(line) for line in lines if line]
    every = [
        Exported(pathlib.Path(line["version"]), line["digest"], line["options"]) for line in found
    ]
    return [one for one in every if _digest(one.version) == one.digest]


def renew_exports(run: Any, exported: Iterable[Exported]) -> list[str]:
    """Exports anew what a run has exported, and deletes the old versions; lines that say it.

    A running server takes up the new version before the old one goes.

    Args:
        run: as it is now; where its training is not complete, versions are deleted alone.
        exported: the old versions.
    """
    told = []
    old: dict[pathlib.Path, list[Exported]] = {}
    for one in exported:
        old.setdefault(one.version.parent, []).append(one)
    for models, versions in old.items():
        if run.complete:
            told.append(f"exported anew: {run.export(models, **versions[-1].options)}")
        for one in versions:
            shutil.rmtree(one.version)
        names = ", ".join(one.version.name for one in versions)
        told.append(f"deleted: version {names} of {models}")
    there = exports_of(run.folder)
    with atomic_writer(run.folder / FILE) as file:
        file.writelines(_line(one) for one in there)
    return told


class Told(NamedTuple):
    """What a place was told of a run: the folder of its files on this machine, or None."""

    place: str
    key: str
    files: pathlib.Path | None


def told_of(folder: pathlib.Path) -> list[Told]:
    """What places outside of a run's folder were told."""
    found = []
    for place, entries in Book(folder).entries().items():
        for entry in entries.values():
            files = pathlib.Path(entry["files"]) if entry.get("files") else None
            if place != "tensorboard" and entry.get("key"):
                here = files if files is not None and files.is_dir() else None
                found.append(Told(place, entry["key"], here))
    return found


def forget_told(told: Iterable[Told]) -> list[str]:
    """Deletes rankings, models and hashtags that places keep on this machine; lines that say it."""
    lines = []
    for one in told:
        if one.files is None:
            continue
        paths = sorted(path for path in one.files.rglob("*") if path.name in _NAMING)
        for path in paths:
            if path.is_dir():
                shutil.rmtree(path)
            elif path.exists():  # else it was within a model
                path.unlink()
        if paths:
            names = ", ".join(dict.fromkeys(path.name for path in paths))
            lines.append(f"deleted of what {one.place} was told: {names} in {one.files}")
    return lines


def left_told(told: Iterable[Told], cleaned: bool) -> list[str]:
    """Lines about what places keep, with what to do.

    Args:
        told: to places.
        cleaned: whether `forget_told` has deleted what lies on this machine.
    """
    lines = []
    elsewhere = [one for one in told if one.files is None]
    if places := dict.fromkeys(one.place for one in elsewhere):
        keys = " ".join(one.key for one in elsewhere)
        lines.append(
            f"what was told to {', '.join(places)} (`--track`) stays there, rankings with names of "
            f"users and hashtags, too: delete it there ({keys}); of MLflow `mlflow runs delete "
            "--run-id ID`, then `mlflow gc`"
        )
    here = dict.fromkeys(str(one.files) for one in told if one.files is not None)
    if here and not cleaned:
        lines.append(
            "what was told (`--track`) holds rankings with names of users and hashtags, or models: "
            f"{', '.join(here)}; --copies deletes these"
        )
    return lines


def _line(exported: Exported) -> str:
    return json.dumps({**exported._asdict(), "version": str(exported.version)}) + "\n"


def _digest(version: pathlib.Path) -> str:
    path = version / _MODEL
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
