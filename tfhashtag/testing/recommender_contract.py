"""The contract of recommenders as checks that anybody can run on their own."""

import contextlib
import dataclasses
import os
import pathlib
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np

from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.corpus.rows import Rows
from tfhashtag.door import load
from tfhashtag.errors import ConfigError
from tfhashtag.recommenders.base import Recommender
from tfhashtag.recommenders.registry import recommender_class
from tfhashtag.runs.answers import can_answer
from tfhashtag.runs.run import Run
from tfhashtag.runs.train import train
from tfhashtag.settings import RecommenderSettings
from tfhashtag.tasks import POSTS, TASKS, Queries, UserQueries
from tfhashtag.testing.small_world import small_world
from tfhashtag.training.monitor import TrainingMonitor
from tfhashtag.training.options import TrainingOptions

_QUIET = TrainingOptions(progress=False)
_CLOSE = 1e-5


def check_recommender(
    settings_of: Callable[[str], RecommenderSettings],
    folder: str | os.PathLike | None = None,
    task: str = "users",
) -> Run:
    """Checks that a recommender keeps the contract of `Recommender`, on a small made corpus.

    It is registered under its name, trained twice (once whole, once stopped and resumed, to equal
    scores), saved and loaded (equal scores), asked for a batch and one by one, for the same lists
    in another order, and with the truth hidden. Where it answers questions: for somebody without a
    history and somebody unknown, in process and as an export.

    Args:
        settings_of: from the name of a text encoder to settings with that `text_encoder`, small
            enough to train in seconds; of posts with `image_encoder` `pixels` and four proposals,
            or `none`.
        folder: to work in; default a temporary one.
        task: `"users"` or `"posts"`, what the recommender is for.

    Returns:
        The trained run.

    Raises:
        AssertionError: the contract is not kept; the message says what was expected.
    """
    place = pathlib.Path(folder or tempfile.mkdtemp())
    corpus, encoder = small_world(task, place)
    settings = settings_of(encoder)
    kind = recommender_class(settings.model)
    _expect(issubclass(kind, Recommender), f"`{settings.model}` must name a `Recommender`")
    _expect(type(settings) is kind.Settings, "settings must be of the class `Settings`")
    _expect(kind.task is TASKS[task], f"`task` must be that of {task}")

    run = train(settings, corpus, place / "run", options=_QUIET)
    queries = run.task.queries(run.corpus, settings.data, Split.TEST)
    scores = np.asarray(run.recommender.score(queries))
    _expect(bool(np.all(np.isfinite(scores))), "every score must be finite")
    _check_saved(run, queries, scores)
    _check_batches(run.recommender, queries, scores)
    _check_hidden(run, queries, scores)
    _check_resumed(settings, corpus, place, queries, scores)
    _check_answers(run, place)
    return run


def _expect(kept: bool, what: str) -> None:
    if not kept:
        raise AssertionError(f"The contract of recommenders is not kept: {what}.")


def _check_saved(run: Run, queries: Queries, scores: np.ndarray) -> None:
    again = np.asarray(load(run.folder).recommender.score(queries))
    _expect(np.array_equal(again, scores), "a loaded recommender must score as the saved one")
    in_memory = type(run.recommender)(run.settings)
    _expect(in_memory.data is None, "`data` must be None before `fit`")


def _check_batches(recommender: Recommender, queries: Queries, scores: np.ndarray) -> None:
    """One by one, and in another order, gives what the batch gives."""
    ranking = recommender.rank(queries).best(5)
    rng = np.random.default_rng(0)
    order = rng.permutation(len(queries))
    shuffled = recommender.rank(queries.take(order)).best(5)
    _expect(_same(ranking, shuffled), "the order of queries must not matter")
    chosen = order[:3]
    for row in chosen:
        alone = recommender.rank(queries.take(np.array([row]))).best(5)
        (name,) = alone
        _expect(_same({name: ranking[name]}, alone), "a batch must give what single queries give")


def _same(first: dict, second: dict) -> bool:
    """Equal but for rounding: at the end of a list one hashtag may stand for another as good."""
    if first.keys() != second.keys():
        return False
    for name, rows in first.items():
        ours, theirs = dict(rows), dict(second[name])
        least = min([*ours.values(), *theirs.values()], default=0.0)
        for hashtag in ours.keys() | theirs.keys():
            pair = ours.get(hashtag, least), theirs.get(hashtag, least)
            if not np.isclose(*pair, rtol=_CLOSE, atol=_CLOSE):
                return False
    return True


def _check_hidden(run: Run, queries: Queries, scores: np.ndarray) -> None:
    """Scores do not move when the truth about the queries does."""
    if isinstance(queries, UserQueries):
        lists = queries.truth
        turned = dataclasses.replace(lists, labels=1 - np.minimum(lists.labels, 1))
        hidden = UserQueries(queries.episode.with_candidates(turned), queries.seed)
        found = run.recommender.score(hidden)
    else:
        data = dataclasses.replace(run.data, corpus=_without_hashtags(run.corpus, Split.TEST))
        other = type(run.recommender).load(run.weights, run.settings, data)
        found = other.score(POSTS.queries(run.corpus, run.settings.data, Split.TEST))
    _expect(np.array_equal(np.asarray(found), scores), "a score must not depend on the truth")


def _without_hashtags(corpus: Corpus, split: Split) -> Corpus:
    """The corpus as it was before the hashtags of a split's posts were written."""
    rows = Rows(corpus.hashtag_offsets, corpus.hashtag_values)
    nothing = np.zeros(0, np.int32)
    found = Rows.from_lists(
        nothing if corpus.split_of_post[post] == split else rows[post] for post in range(len(rows))
    )
    return dataclasses.replace(corpus, hashtag_offsets=found.offsets, hashtag_values=found.values)


class _StopsOnce(TrainingMonitor):
    """Ends a training after its first epoch, as Ctrl-C would."""

    def report(self, *line, **values):
        super().report(*line, **values)
        raise KeyboardInterrupt


def _check_resumed(settings, corpus, place: pathlib.Path, queries: Queries, scores) -> None:
    """A training that is stopped and resumed gives the scores of an uninterrupted one."""
    from tfhashtag.runs.create import create_run

    run = create_run(place / "resumed", settings, corpus, _QUIET)
    with contextlib.suppress(KeyboardInterrupt):
        run.new_recommender(_QUIET).fit(run.data, _StopsOnce(run.folder, show=False))
    whole = train(settings, None, run.folder, resume=True, options=_QUIET)
    found = np.asarray(whole.recommender.score(queries))
    _expect(np.array_equal(found, scores), "a resumed training must give the uninterrupted scores")


def _check_answers(run: Run, place: pathlib.Path) -> None:
    if not can_answer(run.settings):
        try:
            run.recommender.servable()
        except ConfigError:
            return
        raise AssertionError("a recommender that gives no servable must raise ConfigError.")
    asked: list[dict[str, Any]] = (
        [{"history": []}, {"history": ["never written before"]}, {"user": run.corpus.users[0]}]
        if run.task.query == "user"
        else [{"text": ""}, {"text": "never written before"}]
    )
    found = run.recommend(queries=asked, k=3)
    _expect(len(found) > 0, "somebody without a history must get an answer")
    numbers = np.array([row["score"] for row in found])
    _expect(bool(np.all(np.isfinite(numbers))), "every answer must be finite")

    from tfhashtag.runs.answers import Answers

    version = run.export(place / "models" / "checked", k=3, check=False)
    exported = Answers(version)
    questions = [run.task.read_query(record, "the query") for record in asked]
    theirs = run.task.answer(exported, questions, 3, lambda: run.corpus, run.settings)
    flat = np.array([score for rows in theirs for _, score in rows])
    _expect(np.allclose(flat, numbers, atol=_CLOSE), "an export must answer as the process does")
