"""Evaluation of a run folder: score, measure, write."""

import os
import pathlib
from typing import Any

import numpy as np

from tfhashtag.data.corpus import Split
from tfhashtag.data.episode import PROTOCOLS, Episode, evaluation_episode
from tfhashtag.errors import ConfigError, DataError
from tfhashtag.evaluation.evaluate import evaluate, write_metrics
from tfhashtag.evaluation.read_candidates import read_candidates
from tfhashtag.evaluation.trec import write_qrels, write_run


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
    from tfhashtag.training.run import Run

    if split not in ("valid", "test"):
        raise ConfigError(f"`split` must be valid or test, found {split!r}.")
    if protocol not in PROTOCOLS:
        raise ConfigError(f"`protocol` must be one of {', '.join(PROTOCOLS)}, found {protocol!r}.")
    if not cutoffs or min(cutoffs) < 1:
        raise ConfigError(f"`cutoffs` must be whole numbers of at least 1, found {list(cutoffs)}.")
    run = Run.open(run_folder)
    corpus = run.corpus
    episode = _episode(run, split, protocol, candidates, seed)
    scores = np.asarray(run.load_recommender().score(episode))
    result = evaluate(episode.candidates, scores, tuple(cutoffs), seed)
    folder = pathlib.Path(run.folder if out is None else out)
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: is a file; `--out` takes a folder.")
    folder.mkdir(parents=True, exist_ok=True)
    write_run(folder / "run.trec", corpus, episode.candidates, scores, seed)
    write_qrels(folder / "qrels.trec", corpus, episode.candidates)
    name = protocol if candidates is None else "candidates"
    return write_metrics(folder / "metrics.json", result, split, name, seed)


def _episode(run, split, protocol, candidates, seed) -> Episode:
    minimum = run.settings.data.minimum_contexts
    which = Split[split.upper()]
    if candidates is None:
        return evaluation_episode(run.corpus, which, protocol, seed, minimum)
    lists = read_candidates(candidates, run.corpus)
    return evaluation_episode(run.corpus, which, "sampled", seed, minimum).with_candidates(lists)
