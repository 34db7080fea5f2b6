"""Evaluation by time: everything before a moment is known, windows after it are ranked."""

import dataclasses
import datetime
import itertools
import pathlib
from typing import Any

import numpy as np

from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.errors import ConfigError, DataError
from tfhashtag.files import write_json
from tfhashtag.recommenders.registry import recommender_class
from tfhashtag.records import Records
from tfhashtag.runs.drift import figures_of, mean_gain

PROTOCOL = "time"
FILE = "over_time.json"


def evaluate_over_time(
    run: Any, folder: pathlib.Path, *, windows: int = 4, start: str | None = None, seed: int = 0
) -> tuple[dict[str, Any], Records]:
    """Ranks the posts of each window after a moment with what was there before the window.

    The weights are those of the run. Posts that they learned from and that lie after the moment are
    counted in `learned_after`; for none, import with `--split global-time`.

    Args:
        run: a complete `Run`.
        folder: gets `over_time.json`.
        windows: of equal length in time (in posts where there are no times), at least 1.
        start: the moment, ISO 8601; None for that at which the test split of `global-time` begins,
            after nine tenths of all posts.
        seed: of what is drawn, and of ties.

    Returns:
        What `over_time.json` holds: of each window its bounds, `posts` and figures as of
        `tfhashtag.runs.drift`; their mean. And the same as a table.

    Raises:
        ConfigError: a number or time out of range, or weights of posts that are of their labels.
        DataError: no posts lie after the moment, or none of them can be asked about.
    """
    if windows < 1:
        raise ConfigError(f"`windows` must be at least 1, found {windows}.")
    kind, corpus = recommender_class(run.settings.model), run.corpus
    if run.task.name == "posts" and not kind.can_update:
        raise ConfigError(
            f"{run.folder}: `protocol` time moves what is known, and the weights of "
            f"`{run.settings.model}` are of the labels of its training. Take `--split "
            "global-time` in the import, and the usual protocol."
        )
    moments = np.arange(len(corpus)) if corpus.timestamps is None else corpus.timestamps
    first = _start(corpus, moments, start)
    after = int((moments >= first).sum())
    if windows > after:
        raise ConfigError(
            f"`windows` is {windows:,}, and {after:,} posts lie after the moment; choose fewer."
        )
    edges = np.linspace(first, int(moments.max()) + 1, windows + 1)
    rows: list[dict[str, Any]] = []
    for begin, end in itertools.pairwise(edges):
        inside = (moments >= begin) & (moments < end)
        said = {"from": _told(corpus, begin), "until": _told(corpus, end)}
        found = _window(run, moments, begin, inside, seed) if inside.any() else None
        rows.append({**said, "posts": int(inside.sum()), "figures": found})
    measured = [row["figures"] for row in rows if row["figures"]]
    if not measured:
        raise DataError(
            f"{run.folder}: none of the {after} posts after the moment can "
            "be asked about; choose an earlier one, or fewer windows."
        )
    weights = [row["queries"] for row in measured]
    result = {
        "split": "after",
        "protocol": PROTOCOL,
        "seed": seed,
        "start": _told(corpus, first),
        "learned_after": _learned_after(run, moments, first),
        "metric": run.task.followed,
        "queries": sum(weights),
        "value": float(np.average([row["value"] for row in measured], weights=weights)),
        "popular": float(np.average([row["popular"] for row in measured], weights=weights)),
        "gain": mean_gain(measured)[0],
        "gain_error": mean_gain(measured)[1],
        "windows": rows,
    }
    write_json(folder / FILE, result)
    return result, _table(result)


def _window(
    run: Any, moments: np.ndarray, begin: float, inside: np.ndarray, seed: int
) -> dict[str, Any] | None:
    """Figures of one window: what lies after it is not looked at."""
    corpus = run.corpus
    splits = np.where(moments < begin, Split.TRAIN, Split.VALID).astype(np.int8)
    splits[inside] = Split.TEST
    users = np.unique(corpus.user_of_post[inside]).astype(np.int32)
    moment = dataclasses.replace(corpus, split_of_post=splits, evaluation_users=users)
    recommender = run.recommender
    if run.task.name == "posts":
        data = dataclasses.replace(run.data, corpus=moment)
        kind = recommender_class(run.settings.model)
        try:
            recommender = kind.load(run.weights, run.settings, data)
        except DataError:
            return None  # no hashtag has enough posts before the window
    return figures_of(run.task, moment, run.settings.data, recommender, seed)


def _learned_after(run: Any, moments: np.ndarray, first: int) -> int | None:
    """How many posts the training learned from that lie after the moment; None if unknown."""
    if run.state:  # what came in later was not learned, unless by `--train`
        return None
    splits = run.corpus.split_of_post
    learned = splits == Split.TRAIN
    if getattr(getattr(run.settings, "training", None), "refit", False):
        learned |= splits == Split.VALID
    return int((learned & (moments >= first)).sum())


def _start(corpus: Corpus, moments: np.ndarray, start: str | None) -> int:
    if start is None:
        return int(np.sort(moments)[len(moments) * 9 // 10])
    if corpus.timestamps is None:
        raise ConfigError(f"{corpus.name}: its posts have no times; leave `start` out.")
    try:
        moment = datetime.datetime.fromisoformat(start)
    except ValueError as error:
        raise ConfigError(f"`start` is {start!r}; expected a date such as 2026-01-31.") from error
    first = int((moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp())
    if not moments.min() < first <= moments.max():
        raise ConfigError(
            f"`start` is {start}; expected a moment between {_told(corpus, moments.min())} and "
            f"{_told(corpus, moments.max())}, the posts' first and last."
        )
    return first


def _told(corpus: Corpus, moment: Any) -> str:
    if corpus.timestamps is None:
        return f"post {int(moment)}"
    return datetime.datetime.fromtimestamp(int(moment), datetime.UTC).isoformat()


def _table(result: dict[str, Any]) -> Records:
    rows = []
    for window in result["windows"]:
        found = window["figures"] or {}
        row = {"from": window["from"], "posts": window["posts"]}
        row |= {"queries": found.get("queries", 0)}
        for name, key in ((result["metric"], "value"), ("popularity", "popular"), ("gain", "gain")):
            row[name] = f"{found[key]:.4f}" if found else "-"
        row["±"] = f"{1.96 * found['gain_error']:.4f}" if found else "-"
        rows.append(row)
    rows.append(
        {
            "from": "all",
            "posts": sum(window["posts"] for window in result["windows"]),
            "queries": result["queries"],
            result["metric"]: f"{result['value']:.4f}",
            "popularity": f"{result['popular']:.4f}",
            "gain": f"{result['gain']:.4f}",
            "±": f"{1.96 * result['gain_error']:.4f}",
        }
    )
    return Records(rows, f"after {result['start']}, {len(result['windows'])} windows")
