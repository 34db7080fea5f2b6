"""What was made of a run and lies outside of it: exported versions, and what places were told."""

import hashlib
import json
import os
import pathlib
import shutil
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from tfhashtag.errors import ArtifactError
from tfhashtag.files import atomic_writer, clear_left_behind, in_turn, sha256_of
from tfhashtag.runs.states import check_unchanged
from tfhashtag.tracking.told import Book

FILE = "exports.jsonl"
_WRITTEN_NOW = "being written"  # in place of a digest
# What tells versions apart: runs may share a graph; the index holds sums of the variables.
_TELLING = ("saved_model.pb", "fingerprint.pb", "variables/variables.index")
# Of what places keep as files: rankings name users and hashtags, models and the projector hashtags.
_NAMING = (
    "run.trec", "qrels.trec", "model", "hashtags.tsv", "metadata.tsv", "projector_config.pbtxt",
)  # fmt: skip


class Exported(NamedTuple):
    """A version that was exported.

    Attributes:
        version: its folder.
        digest: of the version, to know it again.
        run: folder of the run that exported it; of a copied run, that of the original.
        data: digest of the posts that the run had; empty where it had other weights.
        options: of `Run.export` that it was exported with.
    """

    version: pathlib.Path
    digest: str
    run: pathlib.Path
    data: str
    options: dict[str, Any]


def note_place(run: Any, out: str | os.PathLike) -> None:
    """Writes down where a version of a run will be written, so that what a kill leaves is found.

    Raises:
        ArtifactError: an update or a forgetting has changed the run meanwhile.
    """
    check_unchanged(run)
    version = pathlib.Path(out).resolve() / "0"
    if all(one.version.parent != version.parent for one in _noted(run.folder)):
        _note(run, Exported(version, _WRITTEN_NOW, run.folder, run.info["data_digest"], {}))


def note_export(
    run: Any,
    version: pathlib.Path,
    options: Mapping[str, Any],
    written: pathlib.Path | None = None,
) -> None:
    """Writes down where a version of a run is exported to; not in a folder of others.

    It is called before the version is put in place, so that no kill leaves one that is not listed;
    one that is listed and never came there counts as one that is gone.

    Args:
        run: which exports it.
        version: its folder.
        options: of `Run.export`.
        written: what is about to be moved there; None where it is there.

    Raises:
        ArtifactError: an update or a forgetting has changed the run meanwhile.
    """
    digest = _digest(written or version)
    data = run.info["data_digest"]
    _note(run, Exported(version.resolve(), digest, run.folder, data, dict(options)))


def _note(run: Any, one: Exported) -> None:
    """Adds a line to the list of a run that is not in a folder of others."""
    if os.access(run.folder, os.W_OK):
        place = run.folder.resolve()
        line = _line(one._replace(run=place))
        with in_turn(place), (place / FILE).open("a+b") as file:
            check_unchanged(run)  # what was forgotten meanwhile comes nowhere any more
            if file.tell():
                file.seek(-1, os.SEEK_END)
                line = line if file.read(1) == b"\n" else f"\n{line}"  # one was torn
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())


def exports_of(folder: pathlib.Path) -> list[Exported]:
    """The exported versions of a run that are there as they were written.

    Raises:
        ArtifactError: the list is damaged.
    """
    # One whose export was killed is noted again when it is made again.
    noted = {(one.version, one.digest): one for one in _noted(folder)}
    return [one for one in noted.values() if one.digest == _digest(one.version)]


def of_others(folder: pathlib.Path, exported: Iterable[Exported]) -> list[str]:
    """A line about versions that a run exported which this one is a copy of, if there are any."""
    others = [one for one in exported if one.run != folder]
    return [
        f"exports of {', '.join(dict.fromkeys(str(one.run) for one in others))}, of which this run "
        f"is a copy or which it was before, stay: {_versions(others)}; forget there, too, or "
        "delete them"
    ] if others else []  # fmt: skip


def of_before(run: Any, exported: Iterable[Exported]) -> list[Exported]:
    """The versions that a run exported itself when it had other posts, or other weights."""
    own = [one for one in exported if one.run == run.folder]
    return [one for one in own if one.data != run.info["data_digest"]]


def count_as_old(folder: pathlib.Path, run: pathlib.Path) -> None:
    """Writes down in a folder's list that what a run exported has other weights than it has now."""
    noted = [one._replace(data="") if one.run == run else one for one in _noted(folder)]
    if noted:
        with atomic_writer(folder / FILE) as file:
            file.writelines(map(_line, noted))


def left_exported(exported: Iterable[Exported]) -> list[str]:
    """A line about versions that stay, with what to do, if there are any."""
    versions = _versions(exported)
    return [
        f"exports that were made before hold what they held: {versions}; --copies writes them "
        "anew and deletes these"
    ] if versions else []  # fmt: skip


def renew_exports(run: Any, old: Iterable[Exported]) -> list[str]:
    """Exports anew what a run has exported, and deletes the old versions; lines that say it.

    A running server takes up the new version before the old one goes. What a call before this one
    has exported anew is not exported again.

    Args:
        run: as it is now; where its training is not complete, versions are deleted alone.
        old: the old versions, of this run.
    """
    told = []
    places: dict[pathlib.Path, list[Exported]] = {}
    for one in old:
        places.setdefault(one.version.parent, []).append(one)
    gone = {one.version for versions in places.values() for one in versions}
    new = [one for one in exports_of(run.folder) if one.version not in gone]
    new = [one for one in new if one.run == run.folder and one not in of_before(run, new)]
    for models, versions in places.items():
        if run.complete and models not in {one.version.parent for one in new}:
            told.append(f"exported anew: {run.export(models, **versions[-1].options)}")
        for one in versions:
            shutil.rmtree(one.version)
        names = ", ".join(one.version.name for one in versions)
        alone = "" if run.complete else ", with nothing in its place: export again after training"
        told.append(f"deleted: version {names} of {models}{alone}")
    with in_turn(run.folder):
        kept = [one for one in _noted(run.folder) if one.version not in gone]
        kept = [one for one in kept if one.digest != _WRITTEN_NOW]  # what lay there is gone, too
        with atomic_writer(run.folder / FILE) as file:
            file.writelines(map(_line, kept))
    return told


def clear_places(folder: pathlib.Path) -> list[str]:
    """Deletes what killed exports left where a run has exported to; lines that say it."""
    places = dict.fromkeys(one.version.parent for one in _noted(folder))
    told = []
    for place in places:
        try:
            left = clear_left_behind(place) if place.is_dir() else []
        except OSError as error:
            reason = error.strerror or error
            told.append(f"{place}: cannot be read ({reason}); killed exports may lie there")
            continue
        told += [f"deleted: {path}, which an export that was killed has left" for path in left]
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
        told = [entry for entry in entries.values() if place != "tensorboard" and entry.get("key")]
        files = [pathlib.Path(entry["files"]) if entry.get("files") else None for entry in told]
        here = [path is not None and path.is_dir() for path in files]
        for entry, path, is_here in zip(told, files, here, strict=True):
            # Of a place on this machine, an update that gave no files has no folder.
            if is_here or path is None or not any(here):
                found.append(Told(place, entry["key"], path if is_here else None))
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


def _noted(folder: pathlib.Path) -> list[Exported]:
    """The lines of the list."""
    path, found = folder / FILE, []
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            one = Exported(**json.loads(line))
            version, run = pathlib.Path(one.version), pathlib.Path(one.run)
        except (ValueError, TypeError) as error:
            raise ArtifactError(
                f"{path}: line {number} is damaged, so an export may be missing: {line[:200]!r}. "
                "Delete the line, and the version that it was of."
            ) from error
        found.append(one._replace(version=version, run=run))
    return found


def _versions(exported: Iterable[Exported]) -> str:
    return ", ".join(str(one.version) for one in exported)


def _line(exported: Exported) -> str:
    places = {"version": str(exported.version), "run": str(exported.run)}
    return json.dumps({**exported._asdict(), **places}) + "\n"


def _digest(version: pathlib.Path) -> str:
    """Of what tells a version apart; empty where no model lies there."""
    if not (version / _TELLING[0]).is_file():
        return ""
    digest = hashlib.sha256()
    for path in (version / name for name in _TELLING):
        if path.is_file():
            digest.update(bytes.fromhex(sha256_of(path)))
    return digest.hexdigest()
