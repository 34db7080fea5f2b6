"""A system with nothing to train, run and kept like one that is trained."""

import json
import os
import pathlib

import numpy as np

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.errors import ArtifactError
from tfhashtag.files import write_json
from tfhashtag.recommenders.rules.settings import ScorerSettings
from tfhashtag.recommenders.rules.users import BertSimilarity, PopularityScorer, RandomScorer
from tfhashtag.tasks.users.episode import Episode
from tfhashtag.training.options import TrainingOptions

_FILE = "scorer.json"


class ScorerRecommender:
    """RANDOM, POPULAR and BERT-SIM of the engagement paper (EMNLP 2021, Section 4).

    Args:
        settings: the configuration; `score_by` says which.
        corpus: the posts; not read, the episode brings its own.
        vectors: float32 `[messages, width]`, message embeddings; read by similarity alone.
        options: how to run; without effect.
    """

    def __init__(
        self,
        settings: ScorerSettings,
        corpus: Corpus,
        vectors: np.ndarray,
        options: TrainingOptions,
    ):
        self.settings = settings
        self._scorer: RandomScorer | PopularityScorer | BertSimilarity
        if settings.score_by == "random":
            self._scorer = RandomScorer(settings.seed)
        elif settings.score_by == "similarity":
            self._scorer = BertSimilarity(vectors)
        else:
            self._scorer = PopularityScorer(
                "train" if settings.score_by == "train_posts" else "contexts"
            )

    def fit(self, run) -> None:
        """Does nothing: there is nothing to train."""

    def score(self, episode: Episode) -> np.ndarray:
        """Scores, float32, aligned with `episode.candidates.hashtags.values`."""
        return self._scorer.score(episode)

    def save(self, folder: str | os.PathLike) -> None:
        """Writes which scorer it is into an empty folder."""
        write_json(pathlib.Path(folder) / _FILE, {"score_by": self.settings.score_by})

    def load(self, folder: str | os.PathLike) -> None:
        """Reads what `save` wrote.

        Raises:
            ArtifactError: the file is missing, damaged or of another scorer.
        """
        path = pathlib.Path(folder) / _FILE
        try:
            found = json.loads(path.read_text(encoding="utf-8"))["score_by"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtifactError(f"{path}: not readable: {error!r}. Train again.") from error
        if found != self.settings.score_by:
            raise ArtifactError(
                f"{path}: found the scorer {found!r}, expected {self.settings.score_by!r}; it is "
                "of another configuration."
            )
