"""The three files of one evaluation of posts."""

import pathlib
from typing import Any

import numpy as np

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.evaluation.post_metrics import CUTOFFS, evaluate_posts
from tfhashtag.files import write_json
from tfhashtag.tasks.posts.labels import PostLabels
from tfhashtag.tasks.posts.trec import write_post_qrels, write_post_run


def write_post_results(
    folder: pathlib.Path,
    corpus: Corpus,
    labels: PostLabels,
    posts: np.ndarray,
    scores: np.ndarray,
    split: str,
    cutoffs: tuple[int, ...] = CUTOFFS,
    seed: int = 0,
) -> dict[str, Any]:
    """Measures, and writes run.trec, qrels.trec and metrics.json.

    Args:
        folder: an existing folder.
        corpus: the posts.
        labels: the label space.
        posts: int `[n]`, posts of the corpus.
        scores: float `[n, L]`.
        split: name of the part that the posts are of.
        cutoffs: the k of the metrics.
        seed: of ties.

    Returns:
        The content of metrics.json.

    Raises:
        DataError: no post has a label, or scores that are not finite.
    """
    result = {
        "split": split,
        "seed": seed,
        **evaluate_posts(labels.rows.take(posts), scores, tuple(cutoffs), seed, posts=posts),
    }
    write_post_run(folder / "run.trec", corpus, labels, posts, scores, seed=seed, numbers=posts)
    write_post_qrels(folder / "qrels.trec", corpus, labels, posts)
    write_json(folder / "metrics.json", result)
    return result
