"""The recommended model of users as a recommender: trains, ranks, saves."""

import dataclasses
import itertools
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfhashtag.corpus.candidates import Candidates
from tfhashtag.corpus.corpus import Split
from tfhashtag.encoders.encoded_corpus import EncodedCorpus
from tfhashtag.explain.explanation import Explanation
from tfhashtag.recommenders.audience.audience import (
    Audience,
    Widths,
    audience_of,
    names_from_messages,
)
from tfhashtag.recommenders.audience.explanation import explain_audience
from tfhashtag.recommenders.audience.model import AudienceModel
from tfhashtag.recommenders.audience.scoring import AudienceScoring
from tfhashtag.recommenders.audience.servable import audience_servable
from tfhashtag.recommenders.audience.settings import AudienceSettings
from tfhashtag.recommenders.audience.signals import FIRST_LOOK, SOURCES
from tfhashtag.recommenders.hashtag_names import NAMES, names_of, read_names, write_names
from tfhashtag.recommenders.prepared import PreparedLists
from tfhashtag.recommenders.user_recommender import (
    UserRecommender,
    imitated_futures,
    mean_average_precision,
    nothing_to_learn,
)
from tfhashtag.retrieval.sources import recall_of
from tfhashtag.tasks import Queries, UserQueries
from tfhashtag.tasks.users.episode import Episode, future_episode
from tfhashtag.tasks.users.servable import UsersServable
from tfhashtag.training.boosting import Boosting, boosted_trees, load_lightgbm
from tfhashtag.training.checkpoint import load_state, save_state
from tfhashtag.training.list_training import (
    CandidateLists,
    ListSchedule,
    ListTraining,
    go_on,
)
from tfhashtag.training.monitor import Groups, TrainingMonitor
from tfhashtag.training.trainer import Phase, Trainer, deterministic

_WEIGHTS = "model.npz"
_BLOCK = 4096  # rows of features that are scored at once
_SETTLED = 16384  # candidates of a part that probabilities and the first look are fitted to


class AudienceRecommender(UserRecommender):
    """Trains `AudienceModel` on imitated futures and ranks candidates with it.

    Two phases. `futures` trains on futures cut out of the train split and ranks the valid split
    after each epoch, which is what settings are chosen by. `refit` starts anew, with the valid
    split as one more future, and there is nothing left to stop by: it has as many epochs as the
    settings say, or with `patience` as many as `futures` had at its best valid MAP. Where it does
    not wait for that, `futures` is left out. Without `refit` its last epoch is the result. Each
    phase first grows the trees, then trains the networks; the two do not see one another.

    Attributes:
        model: the networks, from `fit` or `load` on.
        names: float32 `[hashtags, width]`, vectors of the hashtags' names; None where the settings
            take the messages instead.
        scoring: what works out the features of lists.
    """

    Settings = AudienceSettings
    trains_by_gradients = True
    probabilities = True
    settings: AudienceSettings
    can_update = can_train_on = True
    model: AudienceModel
    names: np.ndarray | None
    scoring: AudienceScoring
    _held: tuple[str, Episode, Audience] | None = None

    def fit(self, data: EncodedCorpus, monitor: TrainingMonitor | None = None) -> None:
        """See `Recommender.fit`.

        Raises:
            DataError: no imitated future has a list to learn from.
            ConfigError: names are to be embedded, and the text encoder is a table.
        """
        monitor = monitor or TrainingMonitor(show=self.options.progress)
        training, wanted = self.settings.training, self.settings.data
        deterministic(self.settings.seed)
        if self.settings.network.trees:
            load_lightgbm()  # what is missing is told at once
        self.begin(data, monitor)
        valid = self.valid_episode(wanted.minimum_contexts)
        lists = valid.candidates.answerable()
        if self.options.prepared is None:
            parts = self._parts(monitor)
            valid_part = self._features(valid.with_candidates(lists))
        else:
            prepared = PreparedLists(self.options.prepared, self.settings, data)
            parts, valid_part = list(prepared.futures()), prepared.part("valid")
            if not any(len(part.usable) for part in parts):
                raise nothing_to_learn(self.corpus, wanted.minimum_contexts)

        def measured() -> dict[str, float]:
            # Users without a positive count 0, whatever the scores.
            share = len(lists) / max(len(valid.candidates), 1)
            self._logits([part.first(_SETTLED) for part in parts])  # sets the shares, as at the end
            found = self._blended(valid_part)
            return {
                f"valid_{key}MAP": mean_average_precision(lists, scores) * share
                for key, scores in zip(("", "content_"), found, strict=True)
            }

        # Without a list of the valid split nothing can be chosen by it, nor learned from it.
        chosen = len(valid_part.usable) > 0
        if not chosen:
            monitor.say(
                "the valid split has no user with a list: every epoch is trained, the last is kept"
            )
        phases = []
        if training.patience or not (training.refit and chosen):
            phases = [self._phase("futures", parts, measured if chosen else None)]
        if training.refit and chosen:
            parts = [*parts, valid_part]
            phases.append(self._phase("refit", parts, as_long_as_best=bool(training.patience)))
        Trainer(monitor, training.patience, keep_best=False).fit(phases)
        self._settle(parts)

    def train_on(self, fresh: np.ndarray) -> dict[str, int]:
        """See `Recommender.train_on`; of the old posts the last imitated future is seen again."""
        training, settings = self.settings.training, self.settings
        deterministic(settings.seed)
        splits = np.where(fresh, Split.TEST, Split.TRAIN).astype(np.int8)
        before = dataclasses.replace(self.corpus, split_of_post=splits)
        wanted = settings.data.minimum_contexts
        episodes = [
            future_episode(
                before, ~fresh, fresh, seed=settings.seed, minimum_contexts=wanted,
                negatives=training.negatives,
            ),
            *imitated_futures(
                before, training.futures[-1:], training.jitter, settings.seed + 1, wanted,
                training.negatives,
            ),
        ]  # fmt: skip
        parts = [
            self._features(episode.with_candidates(episode.candidates.answerable()))
            for episode in episodes
        ]
        done = {"new": len(parts[0].usable), "old": len(parts[1].usable)}
        if done["new"]:
            parts, model = [part for part in parts if len(part)], self.model
            go_on(model, model.heads, parts, self._schedule, settings.seed, self.options)
            self._settle(parts)
        return done

    def _settle(self, parts: Sequence[CandidateLists]) -> None:
        """Fits what follows from networks and trees: shares, probabilities, the first look."""
        parts = [part.first(_SETTLED) for part in parts if len(part)]
        logits, content = self._logits(parts)
        self.model.calibrate(logits, content, np.concatenate([part.labels for part in parts]))
        ends = np.cumsum([len(part) for part in parts])
        self.model.fit_first_look(
            [
                (part.features["all"], logits[end - len(part) : end], part.offsets)
                for part, end in zip(parts, ends, strict=True)
            ]
        )

    def begin(self, data: EncodedCorpus, monitor: TrainingMonitor | None = None) -> None:
        """See `Recommender.begin`."""
        self._read(data)
        if self.settings.data.hashtag_names == "encoder":
            advice = "set `data.hashtag_names` to `messages`, or name an encoder"
            self.names = names_of(data, monitor or TrainingMonitor(show=False), advice)

    def list_parts(self) -> dict[str, int]:
        """See `Recommender.list_parts`."""
        found = {
            f"future-{number}": len(episode.candidates.answerable())
            if len(episode.catalogue)
            else 0
            for number, episode in enumerate(self._futures(), 1)
        }
        valid = self.valid_episode(self.settings.data.minimum_contexts)
        return {**found, "valid": len(valid.candidates.answerable()) * bool(len(valid.catalogue))}

    def lists_of(self, part: str, start: int, stop: int) -> CandidateLists:
        """See `Recommender.lists_of`."""
        if self._held is None or self._held[0] != part:
            if part == "valid":
                episode = self.valid_episode(self.settings.data.minimum_contexts)
            else:
                number = int(part.removeprefix("future-")) - 1
                episode = next(itertools.islice(self._futures(), number, None))
            episode = episode.with_candidates(episode.candidates.answerable())
            self._held = part, episode, self.audience(episode)
        _, episode, audience = self._held
        lists = episode.candidates
        rows = np.arange(start, stop)
        first, last = lists.hashtags.offsets[[start, stop]]
        some = Candidates(lists.users[rows], lists.hashtags.take(rows), lists.labels[first:last])
        return self.scoring.features(episode.with_candidates(some), audience)

    def score_episode(self, episode: Episode) -> np.ndarray:
        """Logits, float32, aligned with `episode.candidates.hashtags.values`."""
        if len(episode.candidates.labels) == 0:
            return np.zeros(0, np.float32)
        data = self.settings.data
        count = None if len(episode.catalogue) <= data.rank_whole else data.candidates
        return self.scoring.scores(self.model, episode, self.audience(episode), count)

    def retrieval_recall(self, queries: Queries) -> list[dict[str, Any]]:
        """How much of the truth is retrieved where a catalogue is not ranked whole.

        Each source alone names as many hashtags as are ranked; `all` is the sum of their looks, by
        which they are retrieved. See `Recommender.retrieval_recall`.
        """
        if not isinstance(queries, UserQueries):
            raise TypeError(f"`queries` must be of users, found {type(queries).__name__}.")
        episode, count = queries.episode, self.settings.data.candidates
        audience, weights = self.audience(episode), np.asarray(self.model.first_look)

        def named(signals: Sequence[str]) -> np.ndarray:
            some = np.where([name in signals for name in FIRST_LOOK], weights, 0)
            kept, _ = self.scoring.retrieved(some.astype(np.float32), episode, audience, count)
            return np.flatnonzero(kept)

        truth = np.flatnonzero(episode.candidates.labels > 0)
        rows = recall_of({s: named(v) for s, v in SOURCES.items()}, truth, len(queries))
        (whole,) = recall_of({"all": named(FIRST_LOOK)}, truth, len(queries))[1:]
        return [*rows[:-1], whole]

    def audience(self, episode: Episode) -> Audience:
        """The constants of an episode, as this model reads them."""
        data = self.settings.data
        names = self.names
        if names is None:
            names = names_from_messages(episode, self.vectors)
        widths = Widths(
            history=data.history_length,
            messages=data.messages,
            authors=data.authors,
            tags=data.author_tags,
            taste=data.taste_width,
            reference=data.reference,
            precision=data.precision,
        )
        return audience_of(episode, self.vectors, names, widths)

    def servable(self, k: int = 50) -> UsersServable:
        """See `Recommender.servable`."""
        return audience_servable(self, k)

    def explain(
        self, query: str, hashtag: str | None = None, *, split: str = "test", **more: Any
    ) -> Explanation:
        """See `explain_audience`."""
        return explain_audience(self, query, hashtag, split, **more)

    def save(self, folder: str | os.PathLike) -> None:
        """Writes weights and hashtag names into an empty folder."""
        folder = pathlib.Path(folder)
        if self.names is not None:
            write_names(folder / NAMES, self.names)
        save_state(folder / _WEIGHTS, {"model": self.model.variables}, {})

    def restore(self, data: EncodedCorpus, folder: str | os.PathLike) -> None:
        """See `Recommender.restore`."""
        self._read(data)
        if self.settings.data.hashtag_names == "encoder":
            self.names = read_names(
                pathlib.Path(folder) / NAMES, self.corpus, self.vectors.shape[1]
            )
        load_state(pathlib.Path(folder) / _WEIGHTS, {"model": self.model.variables})

    @classmethod
    def parts_of(cls, settings: Any) -> Sequence[str]:
        """Texts, and names where they are embedded."""
        return ("texts", "names") if settings.data.hashtag_names == "encoder" else ("texts",)

    def _read(self, data: EncodedCorpus) -> None:
        super()._read(data)
        self.names = self._held = None
        self.scoring = AudienceScoring(self.vectors, self.settings.data.history_length)
        self._new_model()

    def _new_model(self) -> None:
        network = self.settings.network
        with self.options.scope():
            self.model = AudienceModel(
                members=network.members,
                hidden=network.hidden,
                dropout=network.dropout,
                trees=network.trees,
                leaves=network.leaves,
                seed=self.settings.seed,
                dtype=self.options.dtype_policy,
                name="audience",  # stands in the checkpoint's keys
            )

    @property
    def _schedule(self) -> ListSchedule:
        training = self.settings.training
        return ListSchedule(
            training.batch_users, training.epochs, training.learning_rate, training.weight_decay
        )

    def _phase(
        self,
        name: str,
        parts: list[CandidateLists],
        measure: Callable[[], dict[str, float]] | None = None,
        as_long_as_best: bool = False,
    ) -> Phase:
        """Trains anew on the lists of `parts`."""
        lists: list[ListTraining] = []

        def begin() -> Groups:
            self._new_model()
            self._grow(parts)
            model, schedule = self.model, self._schedule
            lists[:] = [
                ListTraining(model, model.heads, parts, schedule, self.settings.seed, self.options)
            ]
            return lists[0].groups

        return Phase(
            name,
            self.settings.training.epochs,
            begin,
            lambda epoch, step, show: lists[0].epoch(epoch, show),
            measure,
            "valid_MAP",
            as_long_as_best,
        )

    def _grow(self, parts: list[CandidateLists]) -> None:
        """Boosts trees on the lists of `parts`."""
        network, training, seed = self.settings.network, self.settings.training, self.settings.seed
        how = Boosting(network.trees, network.leaves, training.tree_rate, seed)
        self.model.trees.assign_trees(boosted_trees(parts, "all", how))

    def _parts(self, monitor: TrainingMonitor) -> list[CandidateLists]:
        """What is learned from: the features of each imitated future."""
        training = self.settings.training
        parts = []
        for index, episode in enumerate(self._futures()):
            monitor.say(f"signals of imitated future {index + 1} of {len(training.futures)}")
            lists = episode.candidates.answerable()
            parts.append(self._features(episode.with_candidates(lists)))
        if not any(len(part.usable) for part in parts):
            raise nothing_to_learn(self.corpus, self.settings.data.minimum_contexts)
        return [part for part in parts if len(part.labels)]

    def _futures(self) -> Iterator[Episode]:
        training = self.settings.training
        return imitated_futures(
            self.corpus,
            training.futures,
            training.jitter,
            self.settings.seed,
            self.settings.data.minimum_contexts,
            training.negatives,
        )

    def _features(self, episode: Episode) -> CandidateLists:
        if len(episode.catalogue) == 0 or len(episode.candidates.labels) == 0:
            empty = np.zeros((0, 0), np.float16)
            return CandidateLists(
                {"all": empty, "content": empty}, np.zeros(1, np.int64), np.zeros(0, np.float32)
            )
        return self.scoring.features(episode, self.audience(episode))

    def _logits(self, parts: Sequence[CandidateLists]) -> list[np.ndarray]:
        """Logits of all lists, blended anew, and those of messages alone; not calibrated."""
        model, found = self.model, []
        for part in parts:
            for start in range(0, len(part), _BLOCK):
                some = {name: v[start : start + _BLOCK] for name, v in part.features.items()}
                found.append(self._scores(some["all"], some["content"]))
        if not found:
            return [np.zeros(0, np.float32)] * 2
        networks, trees, content = (np.concatenate(values) for values in zip(*found, strict=True))
        lengths = np.concatenate([np.diff(part.offsets) for part in parts])
        rows = np.repeat(np.arange(len(lengths)), lengths)
        return [model.blend(networks, trees, rows), content]

    def _blended(self, part: CandidateLists) -> list[np.ndarray]:
        """Logits of lists by the shares as they are, and those of messages alone."""
        found: list[list[np.ndarray]] = [[np.zeros(0, np.float32)], [np.zeros(0, np.float32)]]
        for start in range(0, len(part.labels), _BLOCK):
            some = {name: v[start : start + _BLOCK] for name, v in part.features.items()}
            found[0].append(np.asarray(self.model(some["all"], training=False)))
            found[1].append(np.asarray(self.model.content_logits(some["content"], training=False)))
        return [np.concatenate(values) for values in found]

    def _scores(self, features: np.ndarray, content: np.ndarray) -> list[np.ndarray]:
        """Mean logits of the members, sums of the trees, mean logits of messages alone."""
        model = self.model
        return [
            np.asarray(tf.reduce_mean(model.member_logits(features), axis=-1)),
            np.asarray(model.trees(features)),
            np.asarray(tf.reduce_mean(model.content_member_logits(content), axis=-1)),
        ]
