"""The published engagement model with all that it needs around it: to train, score and save."""

import json
import os
import pathlib
from collections.abc import Iterator

import keras
import numpy as np

from tfhashtag.data.corpus import Corpus, Split
from tfhashtag.data.episode import Episode, evaluation_episode, leave_out_episode
from tfhashtag.data.pipeline import scoring_batches, training_batches
from tfhashtag.data.vocabulary import MessageWords, Vocabulary
from tfhashtag.errors import DataError
from tfhashtag.evaluation import evaluate
from tfhashtag.models.engagement.model import EngagementModel
from tfhashtag.settings import EngagementSettings
from tfhashtag.training.checkpoint import load_state, save_state
from tfhashtag.training.options import TrainingOptions
from tfhashtag.training.progress import TrainingMonitor

_WEIGHTS = "model.npz"
_VOCABULARY = "vocabulary.json"


class EngagementRecommender:
    """Trains `EngagementModel` in three phases and ranks candidates with it.

    An epoch is the unit of everything: its batches are a function of seed and epoch alone, and the
    checkpoint after it holds every variable, the optimizer's too, so that a resumed training gives
    the result of an uninterrupted one to the last digit. After each epoch of the last two phases
    the valid split is ranked; the weights of the best epoch are the result.

    Args:
        settings: the configuration.
        corpus: the posts.
        vectors: float32 `[messages, width]`, frozen message embeddings.
        options: how to run.
    """

    def __init__(
        self,
        settings: EngagementSettings,
        corpus: Corpus,
        vectors: np.ndarray,
        options: TrainingOptions,
    ):
        self.settings = settings
        self.corpus = corpus
        self.vectors = vectors
        self.options = options
        train = np.unique(corpus.message_of_post[corpus.split_of_post == Split.TRAIN])
        self._set_vocabulary(
            Vocabulary.of_messages(
                (corpus.messages[message] for message in train), settings.data.vocabulary_size
            )
        )

    def fit(self, run) -> None:
        """Trains to the end, from the run's checkpoint where there is one.

        Raises:
            DataError: the corpus has no pair of user and hashtag to learn from.
        """
        settings, training = self.settings, self.settings.training
        valid = evaluation_episode(
            self.corpus, Split.VALID, minimum_contexts=settings.data.minimum_contexts
        )
        monitor = TrainingMonitor(run, self.options.progress)
        epochs = dict(training.epochs)
        state = {"phase": 0, "epoch": 0, "best": -1.0, "since": 0}
        best_path = run.folder / "checkpoints" / "best.npz"
        resumed = run.checkpoint.is_file()
        names = [name for name, count in epochs.items() if count]
        if resumed:
            state = self._peek(run.checkpoint)
            monitor.say(f"resumed: {names[state['phase']]}, {state['epoch']} epochs done")
        for phase in range(state["phase"], len(names)):
            name, limit = names[phase], epochs[names[phase]]
            self.model.set_phase(name)
            with self.options.scope():
                optimizer = keras.optimizers.Adam(training.learning_rate)
                optimizer.build(self.model.trainable_variables)
            self.model.compile(optimizer=optimizer, jit_compile=self.options.xla)
            groups = {"model": self.model.variables, "optimizer": optimizer.variables}
            if resumed:
                load_state(run.checkpoint, groups)
                resumed = False
            elif phase > state["phase"]:
                state = {"phase": phase, "epoch": 0, "best": state["best"], "since": 0}
            stop = False
            while state["epoch"] < limit and not stop:
                epoch = state["epoch"]
                step = sum(epochs[other] for other in names[:phase]) + epoch
                figures = self._epoch(monitor, name, epoch, limit, step)
                if name != "topics":
                    metrics = evaluate(valid.candidates, self.score(valid), seed=0)
                    figures["valid_MAP"] = metrics["averages"]["all"]["MAP"]
                    better = figures["valid_MAP"] > state["best"]
                    if better:
                        state["best"] = figures["valid_MAP"]
                        save_state(best_path, {"model": self.model.variables}, {})
                    state["since"] = 0 if better else state["since"] + 1
                    stop = bool(training.patience) and state["since"] >= training.patience
                state["epoch"] = limit if stop else epoch + 1
                save_state(run.checkpoint, groups, state)
                monitor.report(name, epoch, step, figures)
        if best_path.is_file():
            load_state(best_path, {"model": self.model.variables})

    def score(self, episode: Episode) -> np.ndarray:
        """Logits, float32, aligned with `episode.candidates.hashtags.values`."""
        scores = np.empty(len(episode.candidates.hashtags.values), np.float32)
        for places, inputs in scoring_batches(episode, self.words, self.settings.data):
            logits = self.model.predict_on_batch(inputs)["logits"]
            scores[places[places >= 0]] = logits[places >= 0]
        return scores

    def save(self, folder: str | os.PathLike) -> None:
        """Writes weights, model arguments and vocabulary into an empty folder."""
        folder = pathlib.Path(folder)
        self.vocabulary.save(folder / _VOCABULARY)
        save_state(folder / _WEIGHTS, {"model": self.model.variables}, {})

    def load(self, folder: str | os.PathLike) -> None:
        """Reads what `save` wrote.

        Raises:
            ArtifactError: a file is missing, damaged or of another configuration.
        """
        folder = pathlib.Path(folder)
        self._set_vocabulary(Vocabulary.load(folder / _VOCABULARY))
        load_state(folder / _WEIGHTS, {"model": self.model.variables})
