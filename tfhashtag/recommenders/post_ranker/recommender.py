"""The recommended model of posts as a recommender: retrieves, trains, ranks, saves."""

import dataclasses
import functools
import itertools
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.encoders.encoded_corpus import EncodedCorpus
from tfhashtag.errors import DataError
from tfhashtag.evaluation.post_metrics import CUTOFFS, evaluate_posts, rank_labels
from tfhashtag.explain.explanation import Explanation
from tfhashtag.layers import WordIds
from tfhashtag.recommenders.hashtag_names import NAMES, names_of, read_names, write_names
from tfhashtag.recommenders.post_ranker.explanation import explain_ranked_post
from tfhashtag.recommenders.post_ranker.kept_tables import (
    CLASSIFIERS,
    grown_indexes,
    read_classifiers,
    read_indexes,
    take_indexes,
    write_tables,
)
from tfhashtag.recommenders.post_ranker.model import PostRankerModel
from tfhashtag.recommenders.post_ranker.posts_at import (
    PostReads,
    PostsAt,
    UnitTexts,
    imitated_moment,
)
from tfhashtag.recommenders.post_ranker.servable import post_ranker_servable
from tfhashtag.recommenders.post_ranker.settings import RankerSettings
from tfhashtag.recommenders.post_ranker.signals import signal_names
from tfhashtag.recommenders.post_ranker.tables import Classifiers, reads_time, unit
from tfhashtag.recommenders.post_recommender import SCORES, PostRecommender
from tfhashtag.recommenders.prepared import PreparedLists
from tfhashtag.recommenders.train_vocabulary import train_vocabulary
from tfhashtag.retrieval.inverted_table import InvertedTable
from tfhashtag.retrieval.sources import recall_of
from tfhashtag.tasks import PostQueries, Queries
from tfhashtag.tasks.posts.labels import PostLabels
from tfhashtag.tasks.posts.picture_means import picture_means
from tfhashtag.tasks.posts.servable import PostsServable
from tfhashtag.training.checkpoint import load_state, save_state
from tfhashtag.training.list_training import (
    CandidateLists,
    ListSchedule,
    ListTraining,
    go_on,
)
from tfhashtag.training.monitor import Groups, TrainingMonitor
from tfhashtag.training.trainer import Phase, Trainer, deterministic

CUTOFF = 9  # of the F1 that epochs are watched by
_WEIGHTS = "model.npz"
_BLOCK = 1 << 16  # candidates that are scored at once
_NO_CANDIDATE = -1000.0  # below every logit; hashtags that are no candidates follow by popularity


class PostRankerRecommender(PostRecommender):
    """Retrieves a few hundred candidates a post and ranks them by `PostRankerModel`.

    Two phases. `futures` trains on futures cut out of the train split, each seen from the tables of
    what was known then, and ranks the valid posts after each epoch, which is what settings are
    chosen by. `refit` starts anew with the valid posts as one more future. Without `refit` the
    first phase's last epoch is the result.

    Attributes:
        model: the networks, from `fit` or `load` on, as all that follows.
        names: float32 `[hashtags, width]`, vectors of the hashtags' names; zeros where the settings
            do without.
        word_ids: texts to word ids, in the graph.
    """

    Settings = RankerSettings
    can_update = can_train_on = True
    trains_by_gradients = True
    probabilities = True
    settings: RankerSettings
    model: PostRankerModel
    names: np.ndarray
    word_ids: WordIds
    _held: tuple[str, PostsAt, np.ndarray] | None = None
    _classifiers: Classifiers | None = None
    _tables: dict[str, InvertedTable]

    def fit(self, data: EncodedCorpus, monitor: TrainingMonitor | None = None) -> None:
        """See `Recommender.fit`.

        Raises:
            DataError: no imitated future has a post to learn from.
            ConfigError: names are to be embedded, and the text encoder is a table.
        """
        monitor = monitor or TrainingMonitor(show=self.options.progress)
        training = self.settings.training
        deterministic(self.settings.seed)
        self.begin(data, monitor)
        valid = _drawn(self.settings, self._valid_posts)
        if self.options.prepared is None:
            parts = self._parts(monitor)
            valid_part = self.present.lists(valid)
        else:
            lists = PreparedLists(self.options.prepared, self.settings, data)
            parts = [part for part in lists.futures() if len(part.usable)]
            valid_part = lists.part("valid")
            if not parts:
                raise self._nothing_to_learn()
        chosen = len(valid_part.usable) > 0
        if not chosen:
            monitor.say("the valid split has no post to rank for: the last epoch is kept")
        measure = functools.partial(self._measured, valid, valid_part) if chosen else None
        phases = [self._phase("futures", parts, measure)]
        if training.refit and chosen:
            parts = [*parts, valid_part]
            phases.append(self._phase("refit", parts))
        Trainer(monitor, keep_best=False).fit(phases)
        self._calibrate(parts)

    def train_on(self, fresh: np.ndarray) -> dict[str, int]:
        """See `Recommender.train_on`; of the old posts the last imitated future is seen again."""
        training = self.settings.training
        deterministic(self.settings.seed)
        splits = np.where(fresh, Split.TEST, Split.TRAIN).astype(np.int8)
        before = dataclasses.replace(self.corpus, split_of_post=splits)
        seed = self.settings.seed * 101 + len(training.futures)
        cut, until = training.futures[-1]
        again = imitated_moment(before, cut, until, training.jitter, seed)
        counts, parts = {"new": 0, "old": 0}, []
        moments = {"new": (before, np.flatnonzero(fresh)), "old": again}
        for name, (corpus, ahead) in moments.items():
            try:
                at = PostsAt(corpus, self._reads, self.settings.data)
            except DataError:  # no hashtag has posts enough then: nothing to learn from
                continue
            found = at.lists(_drawn(self.settings, at.labels.answerable(ahead)))
            counts[name] = len(found.usable)
            parts += [found] if counts[name] else []
        if counts["new"]:
            go_on(self.model, self.model.heads, parts, self._schedule, self.settings.seed,
                  self.options)  # fmt: skip
            self._calibrate(parts)
        return counts

    def _calibrate(self, parts: Sequence[CandidateLists]) -> None:
        logits = [self._logits(part.features["signals"]) for part in parts]
        labels = [part.labels for part in parts]
        self.model.calibrate(np.concatenate(logits), np.concatenate(labels))

    def begin(self, data: EncodedCorpus, monitor: TrainingMonitor | None = None) -> None:
        """See `Recommender.begin`."""
        self._read(data)
        if self.settings.data.hashtag_names == "encoder":
            advice = "set `data.hashtag_names` to `none`, or name an encoder"
            self.names = names_of(data, monitor or TrainingMonitor(show=False), advice)

    def list_parts(self) -> dict[str, int]:
        """See `Recommender.list_parts`."""
        found = {}
        for index, (corpus, ahead) in enumerate(self._moments(), 1):
            try:
                labels = PostLabels.of_corpus(corpus, self.settings.data.minimum_posts)
                found[f"future-{index}"] = len(_drawn(self.settings, labels.answerable(ahead)))
            except DataError:  # no hashtag has posts enough then: a training leaves it out, too
                found[f"future-{index}"] = 0
        return {**found, "valid": len(_drawn(self.settings, self._valid_posts))}

    def lists_of(self, part: str, start: int, stop: int) -> CandidateLists:
        """See `Recommender.lists_of`."""
        if self._held is None or self._held[0] != part:
            at, ahead = self.present, self._valid_posts
            if part != "valid":
                number = int(part.removeprefix("future-")) - 1
                corpus, ahead = next(itertools.islice(self._moments(), number, None))
                at = PostsAt(corpus, self._reads, self.settings.data)
            self._held = part, at, _drawn(self.settings, at.labels.answerable(ahead))
        _, at, posts = self._held
        found = at.lists(posts[start:stop])
        assert found.keys is not None
        return dataclasses.replace(found, keys=found.keys + start * len(at.labels))

    def score_posts(self, posts: np.ndarray) -> np.ndarray:
        """Logits of every label, float32 `[n, L]`, for valid or test posts, int `[n]`.

        Hashtags that are no candidates of a post stand below all that are, by popularity.

        Raises:
            DataError: a post is a train post, whose hashtags the tables hold.
        """
        posts = np.asarray(posts)
        self._check_unknown(posts)
        scores = np.tile(self.floor, (len(posts), 1))
        for keys, signals, _ in self.present.blocks(posts):
            scores.reshape(-1)[keys] = self._logits(signals)
        return scores

    def retrieval_recall(self, queries: Queries) -> list[dict[str, Any]]:
        """See `Recommender.retrieval_recall`."""
        assert isinstance(queries, PostQueries)
        posts = np.asarray(queries.posts)
        self._check_unknown(posts)
        found: dict[str, list[np.ndarray]] = {}
        for _, _, keys in self.present.blocks(posts):
            for name, values in keys.items():
                found.setdefault(name, []).append(values)
        found.pop("all", None)
        joined = {name: np.concatenate(values) for name, values in found.items()}
        return recall_of(joined, self.present.truth(posts), len(posts))

    @functools.cached_property
    def present(self) -> PostsAt:
        """Posts after all train posts."""
        known = self._tables, self._classifiers
        return PostsAt(self.corpus, self._reads, self.settings.data, *known)

    @property
    def floor(self) -> np.ndarray:
        """The score of each hashtag where it is no candidate, float32 `[L]`."""
        return (_NO_CANDIDATE + self.present.moment.about[:, 0]).astype(np.float32)

    def servable(self, k: int = 50) -> PostsServable:
        """See `Recommender.servable`."""
        return post_ranker_servable(self, k)

    def explain(
        self, query: str, hashtag: str | None = None, *, split: str = "test", **more: Any
    ) -> Explanation:
        """See `explain_ranked_post`; `split` is the post's own."""
        return explain_ranked_post(self, query, hashtag, **more)

    def save(self, folder: str | os.PathLike) -> None:
        """Writes weights, vectors of hashtag names and the classifiers into an empty folder."""
        folder = pathlib.Path(folder)
        if self.settings.data.hashtag_names == "encoder":
            write_names(folder / NAMES, self.names)
        save_state(folder / _WEIGHTS, {"model": self.model.variables}, {})
        write_tables(folder, self.corpus, self.present)

    def restore(self, data: EncodedCorpus, folder: str | os.PathLike) -> None:
        """See `Recommender.restore`."""
        self._read(data)
        folder = pathlib.Path(folder)
        if self.settings.data.hashtag_names == "encoder":
            self.names = read_names(folder / NAMES, self.corpus, self.vectors.shape[1])
        load_state(folder / _WEIGHTS, {"model": self.model.variables})
        self._classifiers = read_classifiers(folder / CLASSIFIERS, self.corpus)
        self._tables = read_indexes(folder)

    @classmethod
    def carry(
        cls,
        settings: Any,
        corpus: Corpus,
        data: EncodedCorpus,
        saved: str | os.PathLike,
        folder: str | os.PathLike,
    ) -> None:
        """See `Recommender.carry`.

        The classifiers, which are tables, are trained anew; the rows of new posts are added to
        inverted files.
        """
        super().carry(settings, corpus, data, saved, folder)
        tables = take_indexes(folder)
        found = cls.load(folder, settings, data)
        found._tables = grown_indexes(tables, corpus, found.corpus, found._reads)
        write_tables(folder, found.corpus, found.present)

    @classmethod
    def parts_of(cls, settings: Any) -> Sequence[str]:
        """Texts, names where they are embedded, images where an encoder of them is named."""
        names = ("names",) if settings.data.hashtag_names == "encoder" else ()
        images = () if settings.image_encoder == "none" else ("images",)
        return ("texts", *names, *images)

    def _read(self, data: EncodedCorpus) -> None:
        super()._read(data)
        wanted = self.settings.data
        self.names = np.zeros((len(self.corpus.hashtags), self.vectors.shape[1]), np.float32)
        words = train_vocabulary(self.corpus, wanted.vocabulary_size).words
        self.word_ids = WordIds(words, wanted.oov_buckets, wanted.words)
        for name in ("present", "_reads"):
            vars(self).pop(name, None)
        self._held = self._classifiers = None
        self._tables = {}
        self._new_model()

    @functools.cached_property
    def _reads(self) -> PostReads:
        pictures, found = None, self.data.proposals if self.data else None
        if found is not None:
            table, rows = picture_means(found.vectors, np.asarray(found.rows_of_post))
            pictures = unit(table), rows
        return PostReads(
            UnitTexts(self.corpus, self.vectors),
            self.names,
            self.word_ids.encode(self.corpus.messages),
            self.word_ids.vocabulary_size,
            pictures,
        )

    def _new_model(self) -> None:
        network = self.settings.network
        kinds = ("text",) if self.settings.image_encoder == "none" else ("text", "picture")
        timed = reads_time(self.corpus, self.settings.data)
        with self.options.scope():
            self.model = PostRankerModel(
                len(signal_names(kinds, timed)),
                members=network.members,
                hidden=network.hidden,
                dropout=network.dropout,
                seed=self.settings.seed,
                dtype=self.options.dtype_policy,
                name="post_ranker",  # stands in the checkpoint's keys
            )
        model = self.model
        # Traced once, not once an epoch.
        self._compute_logits = tf.function(
            lambda signals: model(signals, training=False),
            [tf.TensorSpec([None, model.signals], tf.float32)],
        )

    @property
    def _valid_posts(self) -> np.ndarray:
        return self.labels.answerable(self._posts_of(Split.VALID))

    def _check_unknown(self, posts: np.ndarray) -> None:
        known = np.flatnonzero(self.corpus.split_of_post[posts] == Split.TRAIN)
        if len(known):
            raise DataError(
                f"post {self.corpus.post_ids[posts[known[0]]]!r} is a train post: the model looks "
                "its hashtags up. Ask for posts of the valid or the test split."
            )

    @property
    def _schedule(self) -> ListSchedule:
        training = self.settings.training
        return ListSchedule(
            training.batch_posts, training.epochs, training.learning_rate, training.weight_decay
        )

    def _phase(
        self,
        name: str,
        parts: list[CandidateLists],
        measure: Callable[[], dict[str, float]] | None = None,
    ) -> Phase:
        """Trains anew on the lists of `parts`."""
        lists: list[ListTraining] = []
        training = self.settings.training

        def begin() -> Groups:
            self._new_model()
            model, schedule = self.model, self._schedule
            lists[:] = [
                ListTraining(model, model.heads, parts, schedule, self.settings.seed, self.options)
            ]
            return lists[0].groups

        return Phase(
            name,
            training.epochs,
            begin,
            lambda epoch, step, show: lists[0].epoch(epoch, show),
            measure,
            f"valid_F1@{CUTOFF}",
        )

    def _moments(self) -> Iterator[tuple[Corpus, np.ndarray]]:
        training = self.settings.training
        for index, (cut, until) in enumerate(training.futures):
            seed = self.settings.seed * 101 + index
            yield imitated_moment(self.corpus, cut, until, training.jitter, seed)

    def _parts(self, monitor: TrainingMonitor) -> list[CandidateLists]:
        """What is learned from: the candidates of the posts of each imitated future."""
        parts: list[CandidateLists] = []
        asked = 0
        for index, (corpus, ahead) in enumerate(self._moments()):
            count = len(self.settings.training.futures)
            monitor.say(f"signals of imitated future {index + 1} of {count}")
            try:
                at = PostsAt(corpus, self._reads, self.settings.data)
            except DataError as error:
                monitor.say(f"left out: {error}")
                continue
            answerable = _drawn(self.settings, at.labels.answerable(ahead))
            asked += len(answerable)
            found = at.lists(answerable)
            if len(found.usable):
                parts.append(found)
        if not parts:
            raise self._nothing_to_learn(asked)
        return parts

    def _nothing_to_learn(self, asked: int = 0) -> DataError:
        why = (
            f"no imitated future has a post with a hashtag of {self.settings.data.minimum_posts} "
            "posts before. Lower `data.minimum_posts`, or bring more posts"
        )
        if asked:
            why = (
                "the posts of imitated futures carry every hashtag that could be ranked, so that "
                "none stands below another. Bring posts with other hashtags"
            )
        return DataError(f"{self.corpus.name}: {why}; `tfhashtag train phr` learns without.")

    def _measured(self, posts: np.ndarray, part: CandidateLists) -> dict[str, float]:
        ranked = _best_of(part, self._logits(part.features["signals"]), self.floor, posts)
        relevant, count = self.labels.rows.take(posts), len(self.labels)
        found = evaluate_posts(relevant, rankings=ranked, label_count=count)["metrics"]
        return {f"valid_{name}@{CUTOFF}": found[f"{name}@{CUTOFF}"] for name in ("HitRate", "F1")}

    def _logits(self, signals: np.ndarray) -> np.ndarray:
        parts = [
            np.asarray(self._compute_logits(signals[start : start + _BLOCK]), np.float32)
            for start in range(0, len(signals), _BLOCK)
        ]
        return np.concatenate([np.zeros(0, np.float32), *parts])


def _best_of(
    part: CandidateLists, logits: np.ndarray, floor: np.ndarray, posts: np.ndarray
) -> np.ndarray:
    """The best labels of posts by the logits of their candidates, as `rank_labels`; in blocks."""
    assert part.keys is not None
    best, count = [], len(floor)
    step = max(1, SCORES // count)
    for start in range(0, len(posts), step):
        chosen = posts[start : start + step]
        scores = np.tile(floor, (len(chosen), 1))
        mine = slice(*np.searchsorted(part.keys, [start * count, (start + step) * count]))
        scores.reshape(-1)[part.keys[mine] - start * count] = logits[mine]
        best.append(rank_labels(scores, max(CUTOFFS), posts=chosen))
    return np.concatenate(best)


def _drawn(settings: RankerSettings, posts: np.ndarray) -> np.ndarray:
    """Those of the posts of a moment that are learned from."""
    most = settings.training.posts
    if len(posts) <= most:
        return posts
    return np.sort(np.random.default_rng(settings.seed).choice(posts, most, replace=False))
