"""The recommended model of users as a recommender: trains, ranks, saves."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfhashtag.corpus.candidates import Candidates
from tfhashtag.corpus.corpus import Corpus
from tfhashtag.encoders.encoded_corpus import EncodedCorpus
from tfhashtag.errors import DataError
from tfhashtag.explain.explanation import Explanation
from tfhashtag.memory import give_back
from tfhashtag.recommenders.audience.audience import (
    Audience,
    Widths,
    audience_of,
    names_from_messages,
)
from tfhashtag.recommenders.audience.explanation import explain_audience
from tfhashtag.recommenders.audience.looks import FIRST_LOOK, SOURCES
from tfhashtag.recommenders.audience.model import CONTENT_FEATURES, FEATURES, AudienceModel
from tfhashtag.recommenders.audience.scoring import AudienceScoring
from tfhashtag.recommenders.audience.servable import audience_servable
from tfhashtag.recommenders.audience.settings import AudienceSettings
from tfhashtag.recommenders.listwise import NO_LISTS, ListwiseRecommender, in_blocks
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
from tfhashtag.training.boosting import Boosting, boosted_trees
from tfhashtag.training.lightgbm_library import load_lightgbm
from tfhashtag.training.list_training import CandidateLists
from tfhashtag.training.monitor import TrainingMonitor

_BLOCK = 4096  # rows of features that are scored at once
_SETTLED = 16384  # candidates of a part that probabilities and looks are fitted to


class AudienceRecommender(ListwiseRecommender, UserRecommender):
    """Trains `AudienceModel` on imitated futures and ranks candidates with it.

    In each phase trees are grown before the networks are trained; the two do not see one another.
    Where `refit` does not wait for the phase `futures`, that is left out.

    Attributes:
        names: float16 `[hashtags, width]`, vectors of the hashtags' names; None where the settings
            take the messages instead.
        scoring: what works out the features of lists.
    """

    Settings = AudienceSettings
    watched, without_names, always_watched = "valid_MAP", "messages", False
    settings: AudienceSettings
    model: AudienceModel
    names: np.ndarray | None
    scoring: AudienceScoring

    def fit(self, data: EncodedCorpus, monitor: TrainingMonitor | None = None) -> None:
        """See `ListwiseRecommender.fit`."""
        if self.settings.network.trees:
            load_lightgbm()  # what is missing is told at once
        super().fit(data, monitor)

    def _settle(self, parts: Sequence[CandidateLists]) -> None:
        """Fits what follows from networks and trees: shares, probabilities, what is retrieved."""
        parts = [part.first(_SETTLED) for part in parts]
        logits, content = self._logits(parts)
        self.model.calibrate(logits, content, np.concatenate([part.labels for part in parts]))
        ends = np.cumsum([len(part) for part in parts])
        self.model.fit_first_look(
            [
                (part.features["all"], logits[end - len(part) : end], part.offsets)
                for part, end in zip(parts, ends, strict=True)
            ]
        )

    def score_episode(self, episode: Episode) -> np.ndarray:
        """Logits, float32, aligned with `episode.candidates.hashtags.values`."""
        if len(episode.candidates.labels) == 0:
            return np.zeros(0, np.float32)
        data = self.settings.data
        whole = len(episode.catalogue) <= data.rank_whole
        widths = None if whole else (data.candidates, data.ranked)
        return self.scoring.scores(self.model, episode, self.audience(episode), widths)

    def retrieval_recall(self, queries: Queries) -> list[dict[str, Any]]:
        """How much of the truth is retrieved where a catalogue is not ranked whole.

        Each source alone names as many hashtags as the first look does with all of them, `all`;
        `ranked` is what the second look leaves of these. See `Recommender.retrieval_recall`.
        """
        if not isinstance(queries, UserQueries):
            raise TypeError(f"`queries` must be of users, found {type(queries).__name__}.")
        episode, data = queries.episode, self.settings.data
        audience, model = self.audience(episode), self.model
        truth = np.flatnonzero(episode.candidates.labels > 0)

        def named(weights: Any, count: int) -> np.ndarray:
            looks = self.scoring.looks(model, audience, weights)
            place = self.scoring.retrieved(looks, episode, audience, data.candidates)
            return np.flatnonzero(place < count)

        def weights_of(signals: Sequence[str]) -> np.ndarray:
            return np.where([name in signals for name in FIRST_LOOK], model.first_look, 0)

        found = {name: named(weights_of(some), data.candidates) for name, some in SOURCES.items()}
        rows = recall_of(found, truth, len(queries))[:-1]
        left = min(data.ranked, data.candidates) if model.second_look.trees else data.candidates
        for name, keys in (
            ("all", named(weights_of(FIRST_LOOK), data.candidates)),
            ("ranked", named(None, left)),
        ):
            (union,) = recall_of({name: keys}, truth, len(queries))[1:]
            rows.append({**union, "source": name})
        return rows

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
    def _batch(self) -> int:
        return self.settings.training.batch_users

    def _grow(self, parts: Sequence[CandidateLists]) -> None:
        """Boosts trees on the lists of `parts`."""
        network, training, seed = self.settings.network, self.settings.training, self.settings.seed
        how = Boosting(network.trees, network.leaves, training.tree_rate, seed)
        self.model.trees.assign_trees(boosted_trees(parts, "all", how))
        if network.trees:
            some = [part.first(_SETTLED).features["all"][:] for part in parts]
            self.model.grow_second_look(np.concatenate(some))
            give_back()

    def _moments(self) -> Iterator[Episode]:
        training = self.settings.training
        return self._imitated(self.corpus, training.futures, self.settings.seed)

    def _imitated(self, corpus: Corpus, futures: list[list[float]], seed: int) -> Iterator[Episode]:
        training, least = self.settings.training, self.settings.data.minimum_contexts
        draws, users = training.negatives, training.users
        return imitated_futures(corpus, futures, training.jitter, seed, least, draws, users)

    def _valid_moment(self) -> Episode:
        settings = self.settings
        return self.valid_episode(settings.data.minimum_contexts, settings.training.users)

    def _updates(self, before: Corpus, fresh: np.ndarray) -> tuple[Episode, Episode]:
        training, seed = self.settings.training, self.settings.seed
        least = self.settings.data.minimum_contexts
        ahead = future_episode(
            before,
            ~fresh,
            fresh,
            seed=seed,
            minimum_contexts=least,
            negatives=training.negatives,
            users=training.users,
        )
        (again,) = self._imitated(before, training.futures[-1:], seed + 1)
        return ahead, again

    def _count(self, moment: Episode) -> int:
        return len(moment.candidates.answerable()) if len(moment.catalogue) else 0

    def _opened(self, moment: Episode) -> tuple[Episode, Audience | None]:
        episode = moment.with_candidates(moment.candidates.answerable())
        some = len(episode.catalogue) and len(episode.candidates.labels)
        return episode, self.audience(episode) if some else None

    def _lists(
        self, opened: tuple[Episode, Audience | None], start: int = 0, stop: int | None = None
    ) -> CandidateLists:
        episode, audience = opened
        if audience is None:
            return NO_LISTS
        lists = episode.candidates
        rows = np.arange(len(lists))[start:stop]
        first, last = lists.hashtags.offsets[[rows[0], rows[-1] + 1]]
        some = Candidates(lists.users[rows], lists.hashtags.take(rows), lists.labels[first:last])
        return self.scoring.features(episode.with_candidates(some), audience)

    def _measured(
        self, valid: Episode, part: CandidateLists, every: Sequence[CandidateLists]
    ) -> dict[str, float]:
        # Users without a positive count 0, whatever the scores.
        lists = valid.candidates.answerable()
        share = len(lists) / max(len(valid.candidates), 1)
        self._logits([part.first(_SETTLED) for part in every])  # sets the shares, as at the end
        model, features = self.model, part.features

        def scores(all_signals: np.ndarray, content: np.ndarray) -> list[Any]:
            return [
                model(all_signals, training=False), model.content_logits(content, training=False)
            ]  # fmt: skip

        found = in_blocks(scores, _BLOCK, features["all"], features["content"])
        return {
            f"valid_{key}MAP": mean_average_precision(lists, scores) * share
            for key, scores in zip(("", "content_"), found, strict=True)
        }

    def _nothing_to_learn(self, asked: int) -> DataError:
        return nothing_to_learn(self.corpus, self.settings.data.minimum_contexts)

    def _logits(self, parts: Sequence[CandidateLists]) -> list[np.ndarray]:
        """Logits of all lists, blended anew, and those of messages alone; not calibrated."""
        model = self.model

        # As a graph: trees that are asked some rows at a time take three times as long without.
        @tf.function(
            input_signature=[
                tf.TensorSpec([None, width], tf.float16) for width in (FEATURES, CONTENT_FEATURES)
            ]
        )
        def scores(features: Any, content: Any) -> list[Any]:
            """Mean logits of the members, sums of the trees, mean logits of messages alone."""
            return [
                tf.reduce_mean(model.member_logits(features), axis=-1),
                model.trees(features),
                tf.reduce_mean(model.content_member_logits(content), axis=-1),
            ]

        found = [
            in_blocks(scores, _BLOCK, part.features["all"], part.features["content"])
            for part in parts
        ]
        networks, trees, content = (np.concatenate(values) for values in zip(*found, strict=True))
        lengths = np.concatenate([np.diff(part.offsets) for part in parts])
        rows = np.repeat(np.arange(len(lengths)), lengths)
        return [model.blend(networks, trees, rows, self.settings.network.share), content]
