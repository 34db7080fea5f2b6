"""What all systems of a comparison of post models share: posts, labels, inputs, the split."""

import functools
import os
import pathlib

import numpy as np

from tfhashtag.comparison.system import Ranked
from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.corpus.store import read_corpus
from tfhashtag.errors import DataError
from tfhashtag.evaluation.post_metrics import CUTOFFS, per_post
from tfhashtag.recommenders.phr.settings import PhrSettings
from tfhashtag.tasks.posts.inputs import PostTables
from tfhashtag.tasks.posts.labels import PostLabels
from tfhashtag.tasks.posts.results import write_post_results

SPLIT = Split.TEST


class PostTask:
    """The test posts with a label, and what is known of them.

    Args:
        data: corpus folder, encoded as the settings say.
        settings: of PHR; its encoders, proposals and label space are everybody's.

    Raises:
        DataError: no test post has a label.
        ArtifactError: `data` is no corpus folder, or is not encoded so.
    """

    def __init__(self, data: str | os.PathLike, settings: PhrSettings):
        self.data = pathlib.Path(data)
        self.settings = settings
        self.corpus: Corpus = read_corpus(data)
        self.labels = PostLabels.of_corpus(self.corpus, settings.data.minimum_posts)
        test = np.flatnonzero(self.corpus.split_of_post == SPLIT)
        self.posts = self.labels.answerable(test)
        if len(self.posts) == 0:
            raise DataError(
                f"{data}: none of {len(test)} test posts has a hashtag with at least "
                f"`data.minimum_posts` = {settings.data.minimum_posts} train posts; there is "
                "nothing to compare on. Split the corpus anew, or lower it."
            )
        self.text_vectors  # noqa: B018  a corpus that is not encoded is refused before any training
        self.proposals  # noqa: B018

    @functools.cached_property
    def text_vectors(self) -> np.ndarray:
        """Message vectors `[messages, g]`; those of messages without text are zeros."""
        from tfhashtag.encoders import load_embeddings

        vectors = load_embeddings(self.data, self.corpus, self.settings.text_encoder)
        empty = np.array([not text.strip() for text in self.corpus.messages], bool)
        if empty.any():
            vectors = np.array(vectors, np.float32)
            vectors[empty] = 0
        return vectors

    @functools.cached_property
    def proposals(self):
        """Image proposals, or None without images."""
        if self.settings.image_encoder == "none":
            return None
        from tfhashtag.encoders import load_proposals

        return load_proposals(
            self.data, self.corpus, self.settings.image_encoder, self.settings.network.proposals
        )

    @functools.cached_property
    def visual(self) -> np.ndarray | None:
        """The mean proposal of each post, zeros without image; None without images."""
        if self.proposals is None:
            return None
        tables = PostTables(
            np.zeros((len(self.corpus.messages), 1), np.int32),
            self.text_vectors,
            np.zeros((1, self.text_vectors.shape[1]), np.float32),
            self.proposals.vectors,
            self.proposals.row_of_post,
        )
        return tables.visual()

    def write(self, folder: pathlib.Path, scores: np.ndarray, seed: int) -> Ranked:
        """Writes the results of scores, float `[test posts, L]`, and gives them post by post."""
        write_post_results(
            folder,
            self.corpus,
            self.labels,
            self.posts,
            scores,
            SPLIT.name.lower(),
            CUTOFFS,
            seed,
        )
        relevant = self.labels.rows.take(self.posts)
        values = per_post(relevant, scores, CUTOFFS, seed, posts=self.posts)
        ids = [self.corpus.post_ids[post] for post in self.posts]
        return Ranked(ids, with_f1(values))


def with_f1(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    r"""Adds F1@k, post by post, such that its mean is the F1 of the means.

    \(F_1 = 2PR / (P + R)\) of the means \(P\) and \(R\) is no mean over posts. Post \(i\) gets
    \(F_1 + \frac{2R^2}{(P + R)^2} (p_i - P) + \frac{2P^2}{(P + R)^2} (r_i - R)\), its part in
    \(F_1\) to first order (the delta method), so that paired tests of \(F_1\) over posts hold.

    Args:
        values: of `per_post`.

    Returns:
        The same, with `F1@k` after each `Recall@k`.

    Example:

    >>> values = with_f1({"Precision@2": np.array([0.5, 0]), "Recall@2": np.array([1.0, 0.0])})
    >>> float(values["F1@2"].mean().round(6))  # 2 * 0.25 * 0.5 / 0.75
    0.333333
    """
    found: dict[str, np.ndarray] = {}
    for name, value in values.items():
        found[name] = value
        metric, _, k = name.partition("@")
        if metric != "Recall":
            continue
        each_p, each_r = values[f"Precision@{k}"], value
        p, r = each_p.mean(), each_r.mean()
        if p + r == 0:
            found[f"F1@{k}"] = np.zeros_like(each_r)
            continue
        f1 = 2 * p * r / (p + r)
        slopes = 2 * (np.array([r, p]) / (p + r)) ** 2
        found[f"F1@{k}"] = f1 + slopes[0] * (each_p - p) + slopes[1] * (each_r - r)
    return found
