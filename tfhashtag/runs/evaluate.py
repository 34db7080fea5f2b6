"""Evaluation of a run folder: score, measure, write."""

import os
import pathlib
from typing import Any

import numpy as np

from tfhashtag.corpus.corpus import Split
from tfhashtag.errors import ConfigError, DataError
from tfhashtag.evaluation.evaluate import evaluate, write_metrics
from tfhashtag.evaluation.post_metrics import CUTOFFS
from tfhashtag.evaluation.trec import write_qrels, write_run
from tfhashtag.recommenders.post_settings import PostSettings
from tfhashtag.tasks import PostQueries, UserQueries
from tfhashtag.tasks.posts.labels import PostLabels
from tfhashtag.tasks.posts.results import write_post_results
from tfhashtag.tasks.users.candidates_file import read_candidates
from tfhashtag.tasks.users.episode import PROTOCOLS, Episode, evaluation_episode


def evaluate_run(
    run_folder: str | os.PathLike,
    *,
    split: str = "test",
    protocol: str = "sampled",
    candidates: str | os.PathLike | None = None,
    out: str | os.PathLike | None = None,
    cutoffs: tuple[int, ...] = (5,),
    seed: int = 0,
) -> dict[str, Any]:
    """Ranks with the trained model of a run and writes metrics.json, run.trec and qrels.trec.

    Args:
        run_folder: a complete run.
        split: `"valid"` or `"test"`.
        protocol: `"sampled"` or `"full"`, see `tfhashtag.data.evaluation_episode`.
        candidates: a JSON Lines file of lists that replace the protocol's; contexts stay those of
            the split.
        out: folder of the three files; default the run folder.
        cutoffs: the k of the metrics with a cut-off, each at least 1.
        seed: of negatives and ties.

    Returns:
        The content of metrics.json.

    Raises:
        ConfigError: an unknown split or protocol, or a bad cut-off.
        DataError: a mistake in the file of candidates, or scores that are not finite.
        ArtifactError: the run is not complete.
    """
    from tfhashtag.runs.run import Run

    which = _split(split)
    if protocol not in PROTOCOLS:
        raise ConfigError(f"`protocol` must be one of {', '.join(PROTOCOLS)}, found {protocol!r}.")
    if not cutoffs or min(cutoffs) < 1:
        raise ConfigError(f"`cutoffs` must be whole numbers of at least 1, found {list(cutoffs)}.")
    run = Run.open(run_folder)
    if isinstance(run.settings, PostSettings):
        raise ConfigError(
            f"{run_folder}: `model` is {run.settings.model}, which ranks hashtags of posts, not of "
            "users; evaluate it with `evaluate_post_run`."
        )
    corpus = run.corpus
    episode = _episode(run, which, protocol, candidates, seed)
    recommender = run.load_recommender()
    folder = _results_folder(run, out)
    scores = np.asarray(recommender.score(UserQueries(episode, seed)))
    result = evaluate(episode.candidates, scores, tuple(cutoffs), seed)
    write_run(folder / "run.trec", corpus.users, corpus.hashtags, episode.candidates, scores, seed)
    write_qrels(folder / "qrels.trec", corpus.users, corpus.hashtags, episode.candidates)
    name = protocol if candidates is None else "candidates"
    return write_metrics(folder / "metrics.json", result, split, name, seed)


def evaluate_post_run(
    run_folder: str | os.PathLike,
    *,
    split: str = "test",
    out: str | os.PathLike | None = None,
    cutoffs: tuple[int, ...] = CUTOFFS,
    seed: int = 0,
) -> dict[str, Any]:
    """Ranks labels for posts with a run of a post model; writes the same three files.

    Args:
        run_folder: a complete run of `model: phr` or `model: macon`.
        split: `"valid"` or `"test"`.
        out: folder of metrics.json, run.trec and qrels.trec; default the run folder.
        cutoffs: the k of the metrics, each at least 1.
        seed: of ties.

    Returns:
        The content of metrics.json.

    Raises:
        ConfigError: an unknown split, a bad cut-off, or a run of another kind of model.
        DataError: the split has no post with a label, or scores that are not finite.
        ArtifactError: the run is not complete.
    """
    from tfhashtag.runs.run import Run

    which, run = _split(split), Run.open(run_folder)
    if not isinstance(run.settings, PostSettings):
        raise ConfigError(f"{run_folder}: `model` is {run.settings.model}, no model of posts.")
    if not cutoffs or min(cutoffs) < 1:
        raise ConfigError(f"`cutoffs` must be whole numbers of at least 1, found {list(cutoffs)}.")
    recommender, corpus = run.load_recommender(), run.corpus
    labels = PostLabels.of_corpus(corpus, run.settings.data.minimum_posts)
    posts = labels.answerable(np.flatnonzero(corpus.split_of_post == which))
    folder = _results_folder(run, out)
    scores = recommender.score(PostQueries(corpus, posts, labels, seed))
    return write_post_results(
        folder, run.corpus, labels, posts, scores, split, tuple(cutoffs), seed
    )


def _split(name: str) -> Split:
    if name not in ("valid", "test"):
        raise ConfigError(f"`split` must be valid or test, found {name!r}.")
    return Split[name.upper()]


def _results_folder(run, out: str | os.PathLike | None) -> pathlib.Path:
    folder = pathlib.Path(run.folder if out is None else out)
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: is a file; `--out` takes a folder.")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _episode(run, which, protocol, candidates, seed) -> Episode:
    minimum = run.settings.data.minimum_contexts
    if candidates is None:
        return evaluation_episode(run.corpus, which, protocol, seed, minimum)
    lists = read_candidates(candidates, run.corpus)
    return evaluation_episode(run.corpus, which, "sampled", seed, minimum).with_candidates(lists)
