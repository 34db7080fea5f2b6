"""The contract: what every recommender does, ours and those that other packages add."""

import abc
import os
import pathlib
import random
import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.errors import ConfigError, DataError
from tfhashtag.recommenders.hashtag_names import NAMES, carry_names
from tfhashtag.settings import RecommenderSettings, never_answers
from tfhashtag.tasks.base import Queries, Ranking, Task
from tfhashtag.training.options import TrainingOptions

if TYPE_CHECKING:
    from tfhashtag.encoders.encoded_corpus import EncodedCorpus
    from tfhashtag.explain.explanation import Explanation
    from tfhashtag.export.servable import Servable
    from tfhashtag.training.list_training import CandidateLists
    from tfhashtag.training.monitor import TrainingMonitor


class Recommender(abc.ABC):
    """Learns from a corpus and ranks hashtags for queries of its task.

    A subclass gives `Settings`, `task`, `fit`, `score`, `save` and `restore`; `servable` and
    `explain` where it can. It is used by its configuration: `registry.recommender_class` finds it,
    and training, evaluation, comparison, recommendation, explanation and export ask nothing else
    of it. `tfhashtag.testing.check_recommender` says whether it keeps the contract.

    Args:
        settings: an instance of `Settings`.
        options: how training runs, which changes nothing of what is trained.

    Attributes:
        Settings: the class of its settings; its field `model` is the registered name.
        task: `tfhashtag.tasks.USERS` or `tfhashtag.tasks.POSTS`.
        can_update: whether what it learns is of no user, hashtag or word in particular, so that its
            weights serve posts that come later; then `carry` takes them to the larger corpus.
        can_train_on: whether `train_on` goes on from what was learned.
        trains_by_gradients: whether its batches can be shared by several workers, as those are that
            go through `TrainingOptions`.
        uses_tensorflow: whether it trains and ranks by TensorFlow, which takes seconds to load.
        probabilities: whether the sigmoid of a score is the probability that the hashtag is right;
            evaluations then tell how far it is from what came true.
        data: the corpus and its vectors, from `fit` or `load` on.
        corpus: the posts, the same.
        vectors: float32 `[messages, width]`, frozen embeddings of messages, the same, where
            `parts_of` names `texts`.
    """

    Settings: ClassVar[type[RecommenderSettings]]
    task: ClassVar[Task]
    can_update: ClassVar[bool] = False
    can_train_on: ClassVar[bool] = False
    trains_by_gradients: ClassVar[bool] = False
    uses_tensorflow: ClassVar[bool] = True
    probabilities: ClassVar[bool] = False
    corpus: Corpus
    vectors: np.ndarray

    def __init__(
        self, settings: RecommenderSettings, options: TrainingOptions | None = None
    ) -> None:
        self.settings = settings
        self.options = options or TrainingOptions()
        self.data: EncodedCorpus | None = None

    @classmethod
    def seeded(cls, settings: RecommenderSettings, options: TrainingOptions | None = None) -> Self:
        """A new one, with all that this process draws and computes from here on by its seed."""
        if cls.uses_tensorflow:
            from tfhashtag.training.trainer import deterministic

            deterministic(settings.seed)
        else:
            random.seed(settings.seed)
            np.random.seed(settings.seed)
        return cls(settings, options)

    @abc.abstractmethod
    def fit(self, data: "EncodedCorpus", monitor: "TrainingMonitor | None" = None) -> None:
        """Learns from the train posts of a corpus; whatever is chosen is chosen on the valid posts.

        Args:
            data: the posts with their vectors.
            monitor: where it reports and keeps its state; with the monitor of a run folder a
                training that was stopped goes on to the same result. None: in memory alone.

        Raises:
            DataError: there is nothing to learn from.
        """

    @abc.abstractmethod
    def score(self, queries: Queries) -> np.ndarray:
        """Scores, float32, higher is better, in the form that `queries.ranking` takes.

        Of users aligned with the lists of their queries, flat; of posts `[posts, labels]`.
        """

    def rank(self, queries: Queries, k: int | None = None) -> Ranking:
        """The hashtags of each query, ranked: the one way to scores.

        Args:
            queries: of this recommender's `task`.
            k: how many of each query are kept; None for all.

        Raises:
            DataError: a score that is not finite.
        """
        return queries.ranking(np.asarray(self.score(queries)), k)

    def retrieval_recall(self, queries: Queries) -> list[dict[str, Any]]:
        """How much of the truth each of its candidate sources names, as `recall_of` has it.

        Args:
            queries: of this recommender's `task`.

        Raises:
            ConfigError: this recommender ranks every hashtag, without candidates.
        """
        raise ConfigError(
            f"`model` is {self.settings.model}, which scores every hashtag that it is asked about: "
            "it has no candidate sources to report."
        )

    def begin(self, data: "EncodedCorpus", monitor: "TrainingMonitor | None" = None) -> None:
        """Reads what `list_parts` and `lists_of` need of a corpus, as `fit` does at its start."""
        raise NotImplementedError

    def list_parts(self) -> dict[str, int]:
        """The parts that it learns from, the last one `valid`, and how many lists each has."""
        raise NotImplementedError

    def lists_of(self, part: str, start: int, stop: int) -> "CandidateLists":
        """Some lists of a part: what `fit` works out of them before it trains."""
        raise NotImplementedError

    def servable(self, k: int = 50) -> "Servable":
        """What answers raw strings and bytes, in process and exported: one function for both.

        Args:
            k: hashtags in an answer of `serving_default`.

        Raises:
            ConfigError: this recommender ranks the lists of evaluations alone.
        """
        raise never_answers(self.settings)

    def explain(
        self, query: str, hashtag: str | None = None, *, split: str = "test", **more: Any
    ) -> "Explanation":
        """What the model looked at, and what carried its scores.

        Args:
            query: name of a user of the corpus, or id of a post.
            hashtag: which of its hashtags; some recommenders explain the best ones for None.
            split: the moment of which evaluation, of users.
            more: what a task's explanations take besides, see there.

        Raises:
            ConfigError: this recommender does not explain.
        """
        raise ConfigError(
            f"`model` is {self.settings.model}, which has nothing to explain; take `engagement`, "
            "`engagement_paper`, `posts` or `phr`."
        )

    def _read(self, data: "EncodedCorpus") -> None:
        """Takes the corpus that is learned from; what is read of it has to be there.

        A subclass makes what has its sizes.
        """
        held = {"texts": data.texts, "images": data.proposals}
        for part in self.parts_of(self.settings):
            if part in held and held[part] is None:
                raise DataError(
                    f"model `{self.settings.model}` reads the vectors of `{part}`, which the data "
                    "at hand has not; read it with `EncodedCorpus.read`, or encode it first."
                )
        self.data, self.corpus = data, data.corpus
        if data.texts is not None:
            self.vectors = data.texts

    @abc.abstractmethod
    def save(self, folder: str | os.PathLike) -> None:
        """Writes what was learned into an empty folder."""

    @abc.abstractmethod
    def restore(self, data: "EncodedCorpus", folder: str | os.PathLike) -> None:
        """Reads what `save` wrote, over the corpus that it was learned from.

        Raises:
            ArtifactError: a file is missing, damaged or of another configuration.
        """

    @classmethod
    def carry(
        cls,
        settings: RecommenderSettings,
        corpus: Corpus,
        data: "EncodedCorpus",
        saved: str | os.PathLike,
        folder: str | os.PathLike,
    ) -> None:
        """Writes what `save` wrote over one corpus as it is over another, without training.

        Args:
            settings: of the recommender.
            corpus: over which it was saved.
            data: the other corpus, larger or smaller.
            saved: what `save` wrote.
            folder: to make.

        Raises:
            ConfigError: not `can_update`.
            DataError: the names of new hashtags are not encoded.
        """
        if not cls.can_update:
            raise ConfigError(
                f"`model` is {settings.model}, whose weights are of the users, hashtags or words "
                "that it was trained on, so that it cannot take in posts without training. Import "
                "old and new posts together and train again, or take `engagement`."
            )
        shutil.copytree(saved, folder)
        names = pathlib.Path(folder) / NAMES
        if "names" in cls.parts_of(settings) and names.is_file():
            carry_names(names, corpus, data)

    def train_on(self, fresh: np.ndarray) -> dict[str, int]:
        """Goes on training from its weights on posts that came in, and on some that were there.

        Args:
            fresh: bool `[posts]` of its corpus, which came in; they are learned to be foreseen from
                the others.

        Returns:
            How many lists of `new` and of `old` posts it learned from; without a new one nothing
            was changed.

        Raises:
            ConfigError: not `can_train_on`.
        """
        raise ConfigError(
            f"`model` is {self.settings.model}, which cannot go on training; leave `train` out."
        )

    @classmethod
    def load(
        cls, folder: str | os.PathLike, settings: RecommenderSettings, data: "EncodedCorpus"
    ) -> Self:
        """A recommender as it was saved: ranks what the saved one ranked."""
        found = cls(settings)
        found.restore(data, folder)
        return found

    @classmethod
    def parts_of(cls, settings: RecommenderSettings) -> Sequence[str]:
        """Which vectors it reads, out of `texts`, `names` and `images`."""
        return ("texts",)
