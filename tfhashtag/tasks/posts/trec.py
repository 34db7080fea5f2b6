"""Runs and qrels of posts in TREC format: a post is the query, a hashtag the document."""

import os

import numpy as np

from tfhashtag.corpus.candidates import Candidates
from tfhashtag.corpus.corpus import Corpus
from tfhashtag.corpus.rows import Rows
from tfhashtag.errors import DataError
from tfhashtag.evaluation.post_metrics import rank_labels
from tfhashtag.evaluation.trec import encoded_names, strictly_falling
from tfhashtag.files import atomic_writer
from tfhashtag.metrics import rank
from tfhashtag.tasks.posts.labels import PostLabels


def write_post_run(
    path: str | os.PathLike,
    corpus: Corpus,
    labels: PostLabels,
    posts: np.ndarray,
    scores: np.ndarray,
    depth: int = 100,
    seed: int = 0,
    tag: str = "tfhashtag",
    numbers: np.ndarray | None = None,
) -> None:
    """Writes `post Q0 hashtag rank score tag` lines, best first.

    Posts without a label are left out, as they are from the averages. Scores are written so that
    they fall strictly as float32, as in `write_run`: any tool then sees our ranking.

    Args:
        path: the file; appears whole or not at all.
        corpus: for the names.
        labels: the label space.
        posts: int `[n]`, the posts that were scored, distinct.
        scores: float `[n, L]`.
        depth: hashtags of a post to write, at most.
        seed: of the order of equal scores, as given to `evaluate_posts`.
        tag: name of the run, without white space.
        numbers: int `[n]` for the order of equal scores, as `posts` of `evaluate_posts`.

    Raises:
        DataError: scores that do not fit, are not finite or beyond the range of float32.
    """
    posts, scores = np.asarray(posts), np.asarray(scores)
    if scores.shape != (len(posts), len(labels)):
        raise DataError(
            f"`scores` must be [{len(posts)} posts, {len(labels)} labels], found shape "
            f"{scores.shape}."
        )
    numbers = np.arange(len(posts)) if numbers is None else np.asarray(numbers)
    kept = np.flatnonzero(labels.rows.lengths[posts] > 0)
    ranked = rank_labels(scores[kept], depth, seed, numbers[kept])
    width = ranked.shape[1]
    lists = Candidates(
        numbers[kept],
        Rows(np.arange(len(kept) + 1) * width, ranked.ravel()),
        np.zeros(ranked.size, np.int8),
    )
    flat = scores[kept[:, None], ranked].ravel()
    ranking = rank(lists, flat, seed)
    written = strictly_falling(ranking, flat[ranking.order])
    queries = encoded_names(corpus.post_ids, posts[kept[ranking.row]])
    hashtags = encoded_names(corpus.hashtags, labels.hashtags[ranked.ravel()[ranking.order]])
    with atomic_writer(path) as file:
        for query, hashtag, place, score in zip(
            queries, hashtags, ranking.rank.tolist(), written.tolist(), strict=True
        ):
            file.write(f"{query} Q0 {hashtag} {place} {score:.9g} {tag}\n")


def write_post_qrels(
    path: str | os.PathLike, corpus: Corpus, labels: PostLabels, posts: np.ndarray
) -> None:
    """Writes `post 0 hashtag 1` lines for every label that the given posts have."""
    posts = np.asarray(posts)
    rows = labels.rows.take(posts)
    queries = encoded_names(corpus.post_ids, posts[rows.row_of_value])
    hashtags = encoded_names(corpus.hashtags, labels.hashtags[rows.values])
    with atomic_writer(path) as file:
        for query, hashtag in zip(queries, hashtags, strict=True):
            file.write(f"{query} 0 {hashtag} 1\n")
