"""The recommended model of posts as a recommender: retrieves, trains, ranks, saves."""

import copy
import dataclasses
import functools
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.encoders.encoded_corpus import EncodedCorpus
from tfhashtag.errors import DataError
from tfhashtag.evaluation.post_metrics import CUTOFFS, evaluate_posts, rank_labels
from tfhashtag.explain.explanation import Explanation
from tfhashtag.layers import WordIds
from tfhashtag.recommenders.listwise import ListwiseRecommender, in_blocks
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
from tfhashtag.recommenders.post_ranker.tables import Classifiers, reads_time
from tfhashtag.recommenders.post_recommender import SCORES, PostRecommender
from tfhashtag.recommenders.train_vocabulary import train_vocabulary
from tfhashtag.retrieval.inverted_table import InvertedTable
from tfhashtag.retrieval.sources import recall_of
from tfhashtag.tasks import PostQueries, Queries
from tfhashtag.tasks.posts.labels import PostLabels
from tfhashtag.tasks.posts.picture_means import picture_means
from tfhashtag.tasks.posts.servable import PostsServable
from tfhashtag.training.list_training import CandidateLists
from tfhashtag.vector_codes import unit_rows

CUTOFF = 9  # of the F1 that epochs are watched by
_BLOCK = 1 << 13  # candidates that are scored at once: 25 MB a layer of 128
_NO_CANDIDATE = -1000.0  # below every logit; hashtags that are no candidates follow by popularity
_Moment = tuple[Corpus, np.ndarray]  # what is known are its train posts; and the posts asked about


class PostRankerRecommender(ListwiseRecommender, PostRecommender):
    """Retrieves a few hundred candidates a post and ranks them by `PostRankerModel`.

    Each imitated future is seen from the tables of what was known then. Hashtag names are zeros
    where the settings do without.

    Attributes:
        word_ids: texts to word ids, in the graph.
    """

    Settings = RankerSettings
    watched, without_names = f"valid_F1@{CUTOFF}", "none"
    settings: RankerSettings
    model: PostRankerModel
    names: np.ndarray
    word_ids: WordIds
    _classifiers: Classifiers | None = None
    _tables: dict[str, InvertedTable]

    def _settle(self, parts: Sequence[CandidateLists]) -> None:
        logits = [self._logits(part.features["signals"]) for part in parts]
        labels = [part.labels for part in parts]
        self.model.calibrate(np.concatenate(logits), np.concatenate(labels))

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

    def with_post_aside(self, post: int) -> "PostRankerRecommender":
        """The same weights over tables and classifiers that do not know a known post."""
        splits = self.corpus.split_of_post.copy()
        splits[post] = Split.TEST
        found = copy.copy(self)
        found.corpus = dataclasses.replace(self.corpus, split_of_post=splits)
        found.labels = PostLabels.of_corpus(found.corpus, self.settings.data.minimum_posts)
        found._classifiers = found._held = None
        found._tables = {}
        vars(found).pop("present", None)
        return found

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
        """See `ListwiseRecommender.save`; classifiers and inverted files are written, too."""
        super().save(folder)
        write_tables(folder, self.corpus, self.present)

    def restore(self, data: EncodedCorpus, folder: str | os.PathLike) -> None:
        """See `Recommender.restore`."""
        super().restore(data, folder)
        path = pathlib.Path(folder) / CLASSIFIERS
        self._classifiers = read_classifiers(path, self.corpus, len(self.labels))
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
        images = () if settings.image_encoder == "none" else ("images",)
        return (*super().parts_of(settings), *images)

    def _read(self, data: EncodedCorpus) -> None:
        super()._read(data)
        wanted = self.settings.data
        self.names = np.zeros((len(self.corpus.hashtags), self.vectors.shape[1]), np.float16)
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
            pictures = unit_rows(table), rows
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
            autograph=False,
        )

    def _check_unknown(self, posts: np.ndarray) -> None:
        known = np.flatnonzero(self.corpus.split_of_post[posts] == Split.TRAIN)
        if len(known):
            raise DataError(
                f"post {self.corpus.post_ids[posts[known[0]]]!r} is a train post: the model looks "
                "its hashtags up. Ask for posts of the valid or the test split."
            )

    @property
    def _batch(self) -> int:
        return self.settings.training.batch_posts

    def _moments(self) -> Iterator[_Moment]:
        futures = enumerate(self.settings.training.futures)
        return (self._imitated(self.corpus, future, number) for number, future in futures)

    def _imitated(self, corpus: Corpus, future: Sequence[float], number: int) -> _Moment:
        cut, until = future
        seed = self.settings.seed * 101 + number
        return imitated_moment(corpus, cut, until, self.settings.training.jitter, seed)

    def _valid_moment(self) -> _Moment:
        return self.corpus, self._posts_of(Split.VALID)

    def _updates(self, before: Corpus, fresh: np.ndarray) -> tuple[_Moment, _Moment]:
        futures = self.settings.training.futures
        return (before, np.flatnonzero(fresh)), self._imitated(before, futures[-1], len(futures))

    def _count(self, moment: _Moment) -> int:
        corpus, ahead = moment
        try:
            labels = PostLabels.of_corpus(corpus, self.settings.data.minimum_posts)
        except DataError:  # no hashtag has posts enough then: a training leaves it out, too
            return 0
        return len(_drawn(self.settings, labels.answerable(ahead)))

    def _opened(self, moment: _Moment) -> tuple[PostsAt, np.ndarray]:
        corpus, ahead = moment
        now = corpus is self.corpus
        at = self.present if now else PostsAt(corpus, self._reads, self.settings.data)
        return at, _drawn(self.settings, at.labels.answerable(ahead))

    def _lists(
        self, opened: tuple[PostsAt, np.ndarray], start: int = 0, stop: int | None = None
    ) -> CandidateLists:
        at, posts = opened
        found = at.lists(posts[start:stop])
        assert found.keys is not None
        return dataclasses.replace(found, keys=found.keys + start * len(at.labels))

    def _nothing_to_learn(self, asked: int) -> DataError:
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

    def _measured(
        self, valid: _Moment, part: CandidateLists, every: Sequence[CandidateLists]
    ) -> dict[str, float]:
        posts = _drawn(self.settings, self.labels.answerable(valid[1]))
        ranked = _best_of(part, self._logits(part.features["signals"]), self.floor, posts)
        relevant, count = self.labels.rows.take(posts), len(self.labels)
        found = evaluate_posts(relevant, rankings=ranked, label_count=count)["metrics"]
        return {f"valid_{name}@{CUTOFF}": found[f"{name}@{CUTOFF}"] for name in ("HitRate", "F1")}

    def _logits(self, signals: np.ndarray) -> np.ndarray:
        return in_blocks(lambda some: [self._compute_logits(some)], _BLOCK, signals)[0]


def _drawn(settings: RankerSettings, posts: np.ndarray) -> np.ndarray:
    """Those of the posts of a moment that are learned from."""
    most = settings.training.posts
    if len(posts) <= most:
        return posts
    return np.sort(np.random.default_rng(settings.seed).choice(posts, most, replace=False))


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
