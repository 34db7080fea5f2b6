"""What the recommended models of users and of posts have in common: they learn from lists."""

import abc
import dataclasses
import functools
import gc
import itertools
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.encoders.encoded_corpus import EncodedCorpus
from tfhashtag.errors import DataError
from tfhashtag.memory import give_back
from tfhashtag.recommenders.base import Recommender
from tfhashtag.recommenders.hashtag_names import NAMES, names_of, read_names, write_names
from tfhashtag.recommenders.prepared import PreparedLists
from tfhashtag.training.checkpoint import load_state, save_state
from tfhashtag.training.list_training import (
    NO_LISTS,
    CandidateLists,
    ListSchedule,
    ListTraining,
    go_on,
)
from tfhashtag.training.monitor import Groups, TrainingMonitor
from tfhashtag.training.trainer import Phase, Trainer, deterministic

_WEIGHTS = "model.npz"


class ListwiseRecommender(Recommender):
    """Trains networks on the lists of imitated futures; what it learns is of nobody in particular.

    Two phases. `futures` trains on futures cut out of the train split, each seen from what was
    known then, and ranks the valid split after each epoch, which is what settings are chosen by.
    `refit` starts anew, with the valid split as one more future that counts `refit_count` times,
    as if its lists were there so often. There is nothing left to stop by: it has as many epochs as
    the settings say, or with `patience` as many as `futures` had when it was best. Without `refit`
    the last epoch of `futures` is the result.

    A moment is what a subclass takes for one: a corpus as it was known, and what lay ahead. It is
    opened before its lists are worked out, which costs what is common to all of them.

    Attributes:
        model: the networks, from `fit` or `load` on, as all that follows.
        names: float16 `[hashtags, width]`, vectors of the hashtags' names; what a subclass takes
            in their place where the settings do without.
        watched: the figure of `_measured` that says how good an epoch is.
        without_names: the value of `data.hashtag_names` that needs no encoder.
        always_watched: whether there is a phase `futures` where `refit` does not wait for it.
    """

    can_update = can_train_on = trains_by_gradients = probabilities = True
    watched: ClassVar[str]
    without_names: ClassVar[str]
    always_watched: ClassVar[bool] = True
    settings: Any
    model: Any
    names: Any
    _held: tuple[str, Any] | None = None

    def fit(self, data: EncodedCorpus, monitor: TrainingMonitor | None = None) -> None:
        """See `Recommender.fit`.

        Raises:
            DataError: no imitated future has a list to learn from.
            ConfigError: names are to be embedded, and the text encoder is a table.
        """
        monitor = monitor or TrainingMonitor(show=self.options.progress)
        training = self.settings.training
        patience = getattr(training, "patience", 0)
        deterministic(self.settings.seed)
        self.begin(data, monitor)
        valid = self._valid_moment()
        if self.options.prepared is None:
            parts = self._futures(monitor)
            valid_part = self._lists(self._opened(valid))
        else:
            prepared = PreparedLists(self.options.prepared, self.settings, data)
            parts, valid_part = list(prepared.futures()), prepared.part("valid")
        asked = sum(len(part.offsets) - 1 for part in parts)
        parts = [part for part in parts if len(part.usable)]
        if not parts:
            raise self._nothing_to_learn(asked)
        # Without a list of the valid split nothing can be chosen by it, nor learned from it.
        chosen = len(valid_part.usable) > 0
        if not chosen:
            monitor.say(
                "the valid split has no list to rank: every epoch is trained, the last is kept"
            )
        refit = training.refit and chosen
        counted = [valid_part] * training.refit_count if refit else []
        every, phases = [*parts, *counted], []
        if self.always_watched or patience or not refit:
            measure = functools.partial(self._measured, valid, valid_part, every)
            phases = [self._phase("futures", parts, measure if chosen else None)]
        if refit:
            phases.append(self._phase("refit", every, as_long_as_best=bool(patience)))
        Trainer(monitor, patience, keep_best=False).fit(phases)
        self._settle(every)

    def train_on(self, fresh: np.ndarray) -> dict[str, int]:
        """See `Recommender.train_on`; of the old posts the last imitated future is seen again."""
        deterministic(self.settings.seed)
        splits = np.where(fresh, Split.TEST, Split.TRAIN).astype(np.int8)
        before = dataclasses.replace(self.corpus, split_of_post=splits)
        monitor = TrainingMonitor(show=self.options.progress)
        new, old = (self._lists_at(moment, monitor) for moment in self._updates(before, fresh))
        found = {"new": len(new.usable), "old": len(old.usable)}
        if found["new"]:
            parts, model = [part for part in (new, old) if len(part.usable)], self.model
            go_on(model, model.heads, parts, self._schedule, self.settings.seed, self.options)
            self._settle(parts)
        return found

    def begin(self, data: EncodedCorpus, monitor: TrainingMonitor | None = None) -> None:
        """See `Recommender.begin`."""
        self._read(data)
        if "names" in self.parts_of(self.settings):
            advice = f"set `data.hashtag_names` to `{self.without_names}`, or name an encoder"
            self.names = names_of(data, monitor or TrainingMonitor(show=False), advice)

    def list_parts(self) -> dict[str, int]:
        """See `Recommender.list_parts`."""
        futures = enumerate(self._moments(), 1)
        found = {f"future-{number}": self._count(moment) for number, moment in futures}
        return {**found, "valid": self._count(self._valid_moment())}

    def lists_of(self, part: str, start: int, stop: int) -> CandidateLists:
        """See `Recommender.lists_of`."""
        if self._held is None or self._held[0] != part:
            if part == "valid":
                moment = self._valid_moment()
            else:
                number = int(part.removeprefix("future-")) - 1
                moment = next(itertools.islice(self._moments(), number, None))
            self._held = part, self._opened(moment)
        return self._lists(self._held[1], start, stop)

    def save(self, folder: str | os.PathLike) -> None:
        """Writes weights, and vectors of hashtag names that were embedded, into an empty folder."""
        folder = pathlib.Path(folder)
        if "names" in self.parts_of(self.settings):
            write_names(folder / NAMES, self.names)
        save_state(folder / _WEIGHTS, {"model": self.model.variables}, {})

    def restore(self, data: EncodedCorpus, folder: str | os.PathLike) -> None:
        """See `Recommender.restore`."""
        self._read(data)
        folder = pathlib.Path(folder)
        if "names" in self.parts_of(self.settings):
            self.names = read_names(folder / NAMES, self.corpus, self.vectors.shape[1])
        load_state(folder / _WEIGHTS, {"model": self.model.variables})

    @classmethod
    def parts_of(cls, settings: Any) -> Sequence[str]:
        """Texts, and names where they are embedded."""
        return ("texts", "names") if settings.data.hashtag_names == "encoder" else ("texts",)

    @abc.abstractmethod
    def _moments(self) -> Iterator[Any]:
        """The moment of each imitated future."""

    @abc.abstractmethod
    def _valid_moment(self) -> Any:
        """The moment of the valid split."""

    @abc.abstractmethod
    def _updates(self, before: Corpus, fresh: np.ndarray) -> tuple[Any, Any]:
        """The moment before fresh posts, and that of the last imitated future of the others.

        Args:
            before: the corpus, with all that is not fresh as its train posts.
            fresh: bool `[posts]`.
        """

    @abc.abstractmethod
    def _count(self, moment: Any) -> int:
        """How many lists a moment has, 0 where nothing can be ranked."""

    @abc.abstractmethod
    def _opened(self, moment: Any) -> Any:
        """A moment with all that its lists have in common.

        Raises:
            DataError: nothing can be ranked then.
        """

    @abc.abstractmethod
    def _lists(self, opened: Any, start: int = 0, stop: int | None = None) -> CandidateLists:
        """Some lists of a moment."""

    @abc.abstractmethod
    def _measured(
        self, valid: Any, part: CandidateLists, every: Sequence[CandidateLists]
    ) -> dict[str, float]:
        """Figures of the valid split, of which `part` are the lists; `every` are all at the end."""

    @abc.abstractmethod
    def _settle(self, parts: Sequence[CandidateLists]) -> None:
        """Fits what follows from the networks, such as probabilities, to the lists learned from."""

    @abc.abstractmethod
    def _new_model(self) -> None:
        """Makes `model`, not yet trained."""

    @abc.abstractmethod
    def _nothing_to_learn(self, asked: int) -> DataError:
        """The error of a corpus whose imitated futures have no list to learn from, of `asked`."""

    def _grow(self, parts: Sequence[CandidateLists]) -> None:
        """What is learned before the networks are; nothing, unless a subclass says so."""

    @property
    @abc.abstractmethod
    def _batch(self) -> int:
        """How many lists a batch has."""

    @property
    def _schedule(self) -> ListSchedule:
        training = self.settings.training
        return ListSchedule(
            self._batch, training.epochs, training.learning_rate, training.weight_decay
        )

    def _phase(
        self,
        name: str,
        parts: Sequence[CandidateLists],
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
            self.watched,
            as_long_as_best,
        )

    def _futures(self, monitor: TrainingMonitor) -> list[CandidateLists]:
        """The lists of each imitated future."""
        count, parts = len(self.settings.training.futures), []
        for number, moment in enumerate(self._moments(), 1):
            monitor.say(f"signals of imitated future {number} of {count}")
            parts.append(self._lists_at(moment, monitor))
        return parts

    def _lists_at(self, moment: Any, monitor: TrainingMonitor) -> CandidateLists:
        """The lists of a moment; none, and that is told, where nothing can be ranked then."""
        try:
            opened = self._opened(moment)
        except DataError as error:
            monitor.say(f"left out: {error}")
            return NO_LISTS
        found = self._lists(opened)
        del opened
        gc.collect()  # graphs refer to themselves: the tables of each moment would stay
        give_back()
        return found


def in_blocks(
    compute: Callable[..., Sequence[Any]], rows: int, *arrays: np.ndarray
) -> list[np.ndarray]:
    """What a function gives of arrays, `rows` rows of each at a time, laid end to end."""
    starts = range(0, max(len(arrays[0]), 1), rows)
    found = [compute(*(array[start : start + rows] for array in arrays)) for start in starts]
    return [np.concatenate([np.asarray(v) for v in values]) for values in zip(*found, strict=True)]
