"""Runs, evaluations and studies, told to places: what is told stands in `tracking.json`."""

import contextlib
import json
import os
import pathlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tfhashtag.errors import ArtifactError, TrackingError
from tfhashtag.files import write_json
from tfhashtag.settings import flat
from tfhashtag.tracking.tracker import Tracked, Tracker, trackers_of

FILE = "tracking.json"
_FILES, _FILES_OVER_TIME = ("metrics.json", "run.trec", "qrels.trec"), ("over_time.json",)
_COUNTED = ("posts", "users", "hashtags", "there", "encoded")  # of an update
_SHOWN = 10_000  # hashtags in the projector, the most used


class Book:
    """What a folder has told to the places: `tracking.json` there.

    So that a training that goes on, or an evaluation of it, adds to what was begun.

    Args:
        folder: of a run or of a study; it may come later.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.folder = pathlib.Path(folder)

    def entry(self, place: str, name: str) -> dict[str, Any]:
        """`key`, and how far things are told; empty where nothing is.

        Raises:
            ArtifactError: the file is damaged.
        """
        return self.entries().get(place, {}).get(name, {})

    def note(self, place: str, name: str, **values: Any) -> None:
        """Adds to an entry."""
        found = self.entries()
        found.setdefault(place, {}).setdefault(name, {}).update(values)
        write_json(self.folder / FILE, found)

    def untold(self, place: str) -> list[tuple[str, dict[str, Any]]]:
        """Names and contents of what was kept for a place and is not told."""
        entries = self.entries().get(place, {}).items()
        return [(name, entry["untold"]) for name, entry in entries if entry.get("untold")]

    def entries(self) -> dict[str, dict[str, dict[str, Any]]]:
        """What the places were told, by place and name."""
        path = self.folder / FILE
        if not path.is_file():
            return {}
        try:
            return dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise ArtifactError(f"{path}: not readable as JSON: {error}. Delete it.") from error

    def put_by(self, folder: pathlib.Path) -> None:
        """Writes where things were told into another folder: to be found, not to be gone on with.

        Args:
            folder: of a run that begins anew.
        """
        kept = {
            place: {
                f"{name} before {entry['key']}": {
                    k: entry[k] for k in ("key", "files") if k in entry
                }
                for name, entry in entries.items()
                if entry.get("key")
            }
            for place, entries in self.entries().items()
        }
        if kept:
            write_json(folder / FILE, kept)

    def start(
        self,
        tracker: Tracker,
        name: str,
        parameters: Mapping[str, Any],
        tags: Mapping[str, str],
        parent: Tracked | None = None,
    ) -> Tracked:
        """Begins one in a place, or goes on with it; a part is named within its `parent`."""
        entry = self.entry(tracker.name, name)
        key = entry.get("key", "")
        shown = name.rpartition("/")[2] if parent is not None else name
        tracked = tracker.start(shown, self.folder, parameters, tags, key, parent)
        if not key or entry.get("files") != tracked.kept_in:
            self.note(tracker.name, name, key=tracked.key, files=tracked.kept_in)
        return tracked


class RunTracking:
    """Tells places of a run: settings and data, each epoch, the model, evaluations.

    Args:
        trackers: the places.
        run: a `Run`, of which nothing needs to be trained yet.
    """

    def __init__(self, trackers: Sequence[Tracker], run: Any) -> None:
        self._trackers, self._run = trackers, run
        self._book = Book(run.folder)
        self._begun: dict[str, Tracked] = {}
        self._warned = False

    def watch(self, phase: str, step: int, values: Mapping[str, float]) -> None:
        """Tells the epochs that the log of the run holds; what a `TrainingMonitor` calls.

        A place that cannot be reached does not stop a training: it is said once, and `finish` tells
        all that is missing.
        """
        try:
            self._epochs()
        except TrackingError as error:
            if not self._warned:
                print(f"{error} The training goes on.", file=sys.stderr)
            self._warned = True

    def finish(self, with_model: bool) -> None:
        """Tells what is missing of a complete run, its files, its model and its hashtags.

        Args:
            with_model: whether it can be exported.

        Raises:
            TrackingError: a place cannot be reached; the run is complete all the same.
        """
        run = self._run
        self._epochs()
        for tracker in self._trackers:
            tracked, name = self._begun[tracker.name], self._name
            names = ("config.yaml", "run.json", "training.jsonl", "metrics.json")
            tracked.files(run.folder / file for file in names)
            if not self._book.entry(tracker.name, name).get("model"):
                if with_model:
                    tracked.model(run)
                if run.data.texts is not None:
                    tracked.vectors(*hashtag_vectors(run.data))
                self._book.note(tracker.name, name, model=True)
            tracked.end()

    @contextlib.contextmanager
    def told_when_stopped(self) -> Iterator[None]:
        """A training in this block that is stopped or fails is told so."""
        try:
            yield
        except BaseException:
            with contextlib.suppress(TrackingError):  # what stopped it is what is told
                for tracked in self._begun.values():
                    tracked.end(complete=False)
            raise

    def evaluated(self, found: Any) -> None:
        """Tells the figures of an evaluation and keeps its files.

        Args:
            found: an `Evaluation` of the run.
        """
        self._epochs()
        split = found.result["split"]
        protocol = found.result.get("protocol")
        head = split if protocol is None else f"{split}/{protocol}"
        names = _FILES_OVER_TIME if protocol == "time" else _FILES
        for tracked in self._begun.values():
            tracked.metrics({f"{head}/{name}": value for name, value in _leaves(found.result)})
            tracked.files((found.folder / name for name in names), head)
            tracked.end()

    def keep(self, report: Any) -> None:
        """Writes down what an update brought, until it is told.

        Args:
            report: an `UpdateReport` of the run.
        """
        figures = {k: v for k, v in (report.figures or {}).items() if not isinstance(v, str)}
        if report.figures:
            figures[report.figures["metric"]] = figures.pop("value")
        untold = {
            "counts": {name: getattr(report, name) for name in _COUNTED},
            "figures": {name: float(value) for name, value in figures.items()},
            "trained": _under("trained", report.trained or {}),
            "about": about(self._run),
            "model": report.version is not None,
        }
        for tracker in self._trackers:
            self._book.note(tracker.name, f"{self._name}/update-{report.state}", untold=untold)

    def tell_updates(self) -> None:
        """Tells what updates brought that is not told: runs within that of the training.

        Raises:
            TrackingError: a place cannot be reached; what is not told is told the next time.
        """
        waiting = [
            (tracker, name, untold)
            for tracker in self._trackers
            for name, untold in self._book.untold(tracker.name)
        ]
        if not waiting:
            return
        try:
            self._epochs()
            for tracker in self._trackers:
                told = [(name, untold) for one, name, untold in waiting if one is tracker]
                for name, untold in told:
                    self._tell_update(tracker, name, untold)
                if told:
                    self._begun[tracker.name].end()
        except TrackingError as error:
            raise TrackingError(
                f"{error} The update is done; the next one with `track` tells of it."
            ) from error

    def _tell_update(self, tracker: Tracker, name: str, untold: Mapping[str, Any]) -> None:
        whole, state = self._begun[tracker.name], int(name.rpartition("-")[2])
        if state != self._run.state:
            print(f"{name} had not been told to {tracker.name}: it is now.", file=sys.stderr)
        counts, figures = untold["counts"], untold["figures"]
        given = {**counts, **untold["trained"]}
        part = self._book.start(tracker, name, given, untold["about"], whole)
        part.metrics(figures)
        part.end()
        whole.metrics(_under("update", {**counts, **figures}), state)
        whole.files([self._run.folder / "run.json", self._run.folder / "updates.jsonl"])
        if untold["model"] and state == self._run.state:
            whole.model(self._run)
        self._book.note(tracker.name, name, untold=None)

    def _epochs(self) -> None:
        """Begins where it is not begun, and tells what of the log is not told."""
        run = self._run
        lines = _lines(run.log_file)
        for tracker in self._trackers:
            if tracker.name not in self._begun:
                self._begun[tracker.name] = self._book.start(
                    tracker, self._name, flat(run.settings.model_dump(mode="json")), about(run)
                )
            told = self._book.entry(tracker.name, self._name).get("epochs", 0)
            for number, line in enumerate(lines[told:], told):
                values = {
                    f"{line['phase']}/{name}": value
                    for name, value in line.items()
                    if isinstance(value, float)
                }
                self._begun[tracker.name].epoch(values, number)
            if len(lines) > told:
                self._book.note(tracker.name, self._name, epochs=len(lines))

    @property
    def _name(self) -> str:
        return self._book.folder.resolve().name


def tell_study(track: str | Iterable[str], folder: pathlib.Path, study: Mapping[str, Any]) -> None:
    """Tells places of a comparison or a tuning, and of each of its parts.

    Args:
        track: as `trackers_of` takes it.
        folder: of the study, whose `tracking.json` knows what was told.
        study: `name`, `parameters`, `tags`, `files`, and `parts`: each `name`, `parameters`,
            `metrics` and, where there are any, `epochs`: number to figures.

    Raises:
        ConfigError, TrackingError: an unknown place, or one that cannot be reached.
    """
    book = Book(folder)
    for tracker in trackers_of(track):
        whole = book.start(tracker, study["name"], study["parameters"], study["tags"])
        whole.files(study["files"])
        for part in study["parts"]:
            name = f"{study['name']}/{part['name']}"
            if book.entry(tracker.name, name).get("told"):
                continue
            tracked = book.start(tracker, name, part["parameters"], study["tags"], whole)
            for step, values in part.get("epochs", {}).items():
                tracked.epoch(values, step)
            tracked.metrics(part["metrics"])
            tracked.end()
            book.note(tracker.name, name, told=True)
        whole.end()


def about(run: Any) -> dict[str, str]:
    """Facts of a run."""
    return {
        "model": run.settings.model,
        "corpus": str(run.info.get("corpus", "")),
        "data_digest": run.info["data_digest"],
        "tfhashtag": run.info.get("libraries", {}).get("tfhashtag", ""),
    }


def hashtag_vectors(data: Any) -> tuple[list[str], np.ndarray, list[int]]:
    """Names, vectors and numbers of train posts of the most used hashtags.

    A vector is that of the hashtag's name where the recommender reads names, else the mean of the
    train messages that carry it.
    """
    from tfhashtag.corpus.corpus import Split

    corpus = data.corpus
    posts, tags = corpus.taggings()
    train = corpus.split_of_post[posts] == Split.TRAIN
    posts, tags = posts[train], tags[train]
    counts = np.bincount(tags, minlength=len(corpus.hashtags))
    best = np.argsort(-counts, kind="stable")[:_SHOWN]
    best = best[counts[best] > 0]
    if data.names is not None:
        vectors = np.asarray(data.names[best], np.float32)
    else:
        place = np.full(len(corpus.hashtags), -1)
        place[best] = np.arange(len(best))
        kept = place[tags] >= 0
        vectors = np.zeros((len(best), data.texts.shape[1]), np.float32)
        np.add.at(vectors, place[tags[kept]], data.texts[corpus.message_of_post[posts[kept]]])
        vectors /= counts[best, None]
    return [corpus.hashtags[tag] for tag in best], vectors, counts[best].tolist()


def _lines(log: pathlib.Path) -> list[dict[str, Any]]:
    """The epochs of a log."""
    if not log.is_file():
        return []
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if "epoch" in line]


def _under(head: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{head}/{name}": value for name, value in values.items()}


def _leaves(result: Mapping[str, Any]) -> Iterable[tuple[str, float]]:
    """Figures of a result by paths: `all/MAP`."""
    for key, value in flat(result).items():
        if isinstance(value, float):
            path = key.removeprefix("averages.").removeprefix("metrics.")
            yield path.replace(".", "/", 1), value
