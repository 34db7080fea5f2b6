"""A folder that is made anew beside itself and exchanged in one step: whole before and after."""

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.corpus.splits import split_posts
from tfhashtag.corpus.store import read_corpus, source_of, write_posts
from tfhashtag.files import exchange, forgetting_folder, in_turn, write_json
from tfhashtag.runs import copies, states
from tfhashtag.runs.run import Run
from tfhashtag.tracking.told import FILE as TRACKING
from tfhashtag.tracking.told import Book

# Of a run; what else lies in it (rankings, pages, checkpoints) may name people and is removed.
_KEPT_FILES = ("config.yaml", "metrics.json", "over_time.json", "training.jsonl", TRACKING)
_KEPT_FOLDERS = ("tensorboard",)
QUEUED = "training_queued"  # in `run.json`: since when the run is to be trained anew


@contextlib.contextmanager
def beside(folder: pathlib.Path) -> Iterator[tuple[pathlib.Path, bool]]:
    """An empty folder that takes the place of another at the end, whose lock is held.

    Args:
        folder: which is given up at the end; an error leaves it as it is.

    Returns:
        The empty folder, and whether a kill had left one there.
    """
    aside = forgetting_folder(folder)
    with in_turn(folder):  # an export that is noted meanwhile would be lost
        cleaned = aside.exists()
        if cleaned:
            shutil.rmtree(aside)
        aside.mkdir()
        try:
            yield aside, cleaned
            os.link(folder / ".lock", aside / ".lock")  # it is held until the old one is gone
            exchange(folder, aside)
        finally:
            clear(folder)


def clear(folder: pathlib.Path) -> None:
    """Removes what a kill left beside a folder, whose lock is held."""
    shutil.rmtree(forgetting_folder(folder), ignore_errors=True)  # another command clears it, too


def split_anew(data: pathlib.Path, corpus: Corpus | None, state: int) -> None:
    """What is left of a run that has taken posts in is split again, to be trained on."""
    if corpus is None or not state:
        return
    source = source_of(data)
    splits = split_posts(source.get("split", "own-time"), corpus.user_of_post, 0, corpus.timestamps)
    write_posts(dataclasses.replace(corpus, split_of_post=splits), data, source or None)


def carry_files(run: Run, target: pathlib.Path, carried: bool) -> list[str]:
    """Brings over what names nobody; gives the names of what does not come along."""
    kept = {"config.yaml", copies.FILE}
    if carried:
        kept |= {*_KEPT_FILES, *_KEPT_FOLDERS}
    removed = []
    for entry in run.folder.iterdir():
        if entry.name in kept:
            if entry.is_dir():
                shutil.copytree(entry, target / entry.name, ignore=_but_events)
            else:
                shutil.copy2(entry, target / entry.name)
        elif entry.name == TRACKING:
            Book(run.folder).put_by(target)
        elif entry.name not in ("data", "run.json", states.LOG, states.STATES, ".lock"):
            removed += [entry.name] if not (carried and entry.name == "weights") else []
    return removed


def _but_events(folder: str, names: list[str]) -> list[str]:
    """Of TensorBoard, what is not curves: hashtags and their vectors for its projector."""
    return [
        name
        for name in names
        if "tfevents" not in name and not os.path.isdir(os.path.join(folder, name))
    ]


def write_info(
    run: Run,
    target: pathlib.Path,
    carried: bool,
    event: str = "forget",
    options: Mapping[str, Any] | None = None,
    **more: Any,
) -> None:
    """Writes `run.json` and `updates.jsonl` of a run that is made anew.

    Args:
        run: as it was.
        target: where it is made.
        carried: whether weights and states come along; else it begins anew with state 0.
        event: that the log tells.
        options: of the training that follows; None: those of the one before, in one process.
        more: for `run.json`.
    """
    info = {name: v for name, v in run.info.items() if name not in ("updates", QUEUED)} | more
    state = run.state if carried else 0
    place = target / states.STATES / str(state) if state else target
    info["data_digest"] = read_corpus(place / "data").digest
    if options is None:
        options = {**info.get("options", {}), "prepared": False}  # prepared lists: of other posts
        if options.pop("workers", None) is not None:  # this is one process
            options["strategy"] = "none"
    info["options"] = dict(options)
    lines = states.read_log(run) if carried else []
    line = {"when": states.now(), "event": event, "state": state, "from": run.state}
    lines.append({**line, "weights": "stay" if carried else "anew"})
    info["updates"] = {"state": state, "lines": len(lines)}
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (target / states.LOG).write_text(text, encoding="utf-8")
    write_json(target / "run.json", info)
    (target / "checkpoints").mkdir()
