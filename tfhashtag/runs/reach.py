"""What a run knows of reach: effects of hashtags, and how they are weighed against fit."""

import dataclasses
import json
import os
import pathlib
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.errors import ArtifactError, DataError
from tfhashtag.files import in_turn, write_json
from tfhashtag.reach.blend import POOL, Blend, fitted_blend
from tfhashtag.reach.model import ReachModel, fit_reach, reach_of_posts
from tfhashtag.recommenders.registry import recommender_class
from tfhashtag.runs.answers import can_answer
from tfhashtag.runs.states import check_unchanged
from tfhashtag.tasks.base import Queries, Ranking
from tfhashtag.training.logistic_fit import logistic_fit

FILE = "hashtag_reach.json"
_QUERIES = 500  # of the choice, by which scores become probabilities
_WIDTH = 32  # of vectors of hashtags
_MESSAGES = 65536


@dataclasses.dataclass(frozen=True)
class Moment:
    """A run whose splits say what is learned from and what is chosen on.

    Attributes:
        data: corpus and vectors.
        recommender: the model over them.
    """

    data: Any
    recommender: Any

    @property
    def corpus(self) -> Corpus:
        """The posts."""
        found: Corpus = self.data.corpus
        return found

    def split(self, split: Split) -> np.ndarray:
        """Posts of a split, bool `[posts]`."""
        return self.corpus.split_of_post == split

    @classmethod
    def of(cls, run: Any) -> "Moment":
        """As the run has it; without valid posts the newest tenth of the train posts is these.

        After updates of models of posts all posts are train posts.
        """
        reach_of_posts(run.corpus, np.ones(len(run.corpus), bool))  # refuses what has no outcomes
        splits = run.corpus.split_of_post
        if np.any(splits == Split.VALID):
            return cls(run.data, run.recommender)
        splits, known = splits.copy(), np.flatnonzero(splits == Split.TRAIN)
        splits[known[len(known) * 9 // 10 :]] = Split.VALID
        data = dataclasses.replace(
            run.data, corpus=dataclasses.replace(run.corpus, split_of_post=splits)
        )
        return cls(
            data, recommender_class(run.settings.model).load(run.weights, run.settings, data)
        )

    def learned(self, last: np.ndarray | None = None) -> ReachModel:
        """The model of reach: learned from the train posts, chosen on the valid ones."""
        train, valid = self.split(Split.TRAIN), self.split(Split.VALID)
        return fit_reach(self.corpus, train, valid, hashtag_vectors(self.data, train), last=last)


@dataclasses.dataclass(frozen=True)
class Pools:
    """The hashtags that fit best for each query, best first; of candidates alone.

    Attributes:
        queries: who or what is asked about.
        ranking: all ranked lists.
        place: int64 `[queries, pool]`, places in the flat lists of the ranking; -1 where shorter.
        hashtags: int64 `[queries, pool]`, of the corpus, -1 where shorter.
        scores: float64 `[queries, pool]`, -inf where shorter: `Task.logits` of what the run would
            answer; of a recommender that answers nothing, its scores.
    """

    queries: Queries
    ranking: Ranking
    place: np.ndarray
    hashtags: np.ndarray
    scores: np.ndarray

    @classmethod
    def ranked(cls, run: Any, moment: Moment, split: Split, most: int, seed: int) -> "Pools":
        """Asks the recommender about the split, of users for every hashtag they may take up.

        Args:
            run, moment: what is asked.
            split: `Split.VALID` or `Split.TEST`.
            most: queries; of more, so many are drawn.
            seed: of that draw and of ties.

        Raises:
            DataError: nobody can be asked about.
        """
        task = run.task
        protocol = "full" if "full" in task.protocols else None
        queries = task.queries(moment.corpus, run.settings.data, split, protocol, seed)
        if len(queries) == 0:
            raise DataError(
                f"{run.folder}: no {task.query} of the {split.name.lower()} split has anything to "
                "be ranked for, so that fit cannot be weighed; import more posts."
            )
        if len(queries) > most:
            rows = np.random.default_rng(seed).choice(len(queries), most, replace=False)
            queries = queries.take(np.sort(rows))
        scores = np.asarray(moment.recommender.score(queries))
        ranking = queries.ranking(scores)
        fits = np.asarray(ranking.scores, np.float64)
        if can_answer(run.settings):  # so that a fit is the same here and in answers
            fits = task.answered(scores, ranking)
        order, lists = ranking.order, ranking.lists
        if task.query == "post":  # lists stand in order, ties included
            order = dataclasses.replace(
                order,
                order=np.arange(len(lists.labels)),
                rank=np.arange(len(lists.labels)) - lists.hashtags.offsets[order.row] + 1,
            )
        kept = (order.rank <= POOL) & ~np.isneginf(fits[order.order])
        place = np.full((len(lists), POOL), -1, np.int64)
        place[order.row[kept], order.rank[kept] - 1] = order.order[kept]
        number = {name: tag for tag, name in enumerate(moment.corpus.hashtags)}
        of_name = np.array([number[name] for name in ranking.hashtags])
        there = place >= 0
        return cls(
            queries,
            ranking,
            place,
            np.where(there, of_name[lists.hashtags.values[place]], -1),
            np.where(there, fits[place], -np.inf),
        )

    def labels(self) -> np.ndarray:
        """Whether each is right, bool `[queries, pool]`."""
        return np.asarray((self.ranking.lists.labels[self.place] > 0) & (self.place >= 0))

    def effects(self, effects: np.ndarray) -> np.ndarray:
        """Of the hashtags, float64 `[queries, pool]`, 0 where shorter."""
        return np.where(self.hashtags >= 0, effects[self.hashtags], 0.0)

    def reordered(self, shares: np.ndarray) -> Ranking:
        """The ranking with each pool in order of falling shares; equal ones stay as they stand."""
        lists, place = self.ranking.lists, self.place
        order = np.argsort(-np.where(place >= 0, shares, -1.0), axis=1, kind="stable")
        there = place >= 0
        source = np.take_along_axis(place, order, axis=1)[there]
        values, labels = lists.hashtags.values.copy(), lists.labels.copy()
        values[place[there]] = lists.hashtags.values[source]
        labels[place[there]] = lists.labels[source]
        changed = dataclasses.replace(
            lists, hashtags=dataclasses.replace(lists.hashtags, values=values), labels=labels
        )
        return dataclasses.replace(self.ranking, lists=changed)


def blend_of(pools: Pools, effects: np.ndarray) -> Blend:
    """Scores as probabilities by what was right, and the exchange of effects for them."""
    there = pools.place >= 0
    scale, shift = logistic_fit(pools.scores[there], pools.labels()[there])
    return fitted_blend(pools.scores, pools.effects(effects), scale, shift)


@dataclasses.dataclass(frozen=True)
class KnownReach:
    """What `recommend` needs of reach.

    Attributes:
        blend: of fit and reach.
        effects: hashtag to what it adds, in logs.
    """

    blend: Blend
    effects: dict[str, float]

    def reordered(
        self, rows: Sequence[tuple[str, float]], k: int, weight: float
    ) -> list[dict[str, Any]]:
        """The `k` best, best first, with `score`, `fit` and `reach`.

        Args:
            rows: hashtags with their `Task.logits`, best first; those of -inf stay behind all. The
                first `POOL` are reordered, the others follow as they stand, with a score of 0.
            k: how many are kept.
            weight: of reach.
        """
        if not rows:
            return []
        scores = np.array([score for _, score in rows])
        effects = np.array([self.effects.get(name, 0.0) for name, _ in rows])
        shares = np.zeros(len(rows))
        shares[:POOL] = self.blend.distribution(scores[:POOL], effects[:POOL], weight)
        fits = self.blend.probability(scores)
        return [
            {
                "hashtag": rows[place][0],
                "score": float(shares[place]),
                "fit": float(fits[place]),
                "reach": float(np.exp(effects[place])),
            }
            for place in np.argsort(-shares, kind="stable")[:k]
        ]


def known_reach(run: Any) -> KnownReach:
    """What a run knows of reach; learned at the first question, and kept until its posts change.

    Effects are learned from all posts, penalties and probabilities chosen on the valid ones.

    Raises:
        DataError: the posts carry no outcomes, or too few.
        ArtifactError: the training is not complete, or what was kept is damaged.
    """
    digest = run.info["data_digest"]
    held = _KNOWN.get(run)
    if held is None or held[0] != digest:
        held = _KNOWN[run] = digest, _read(run.place / FILE, digest) or _learn(run)
    return held[1]


_KNOWN: weakref.WeakKeyDictionary[Any, tuple[str, KnownReach]] = weakref.WeakKeyDictionary()


def _read(path: pathlib.Path, digest: str) -> KnownReach | None:
    if not path.is_file():
        return None
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        found = KnownReach(Blend(**kept["blend"]), dict(kept["effects"]))
        return found if kept["data_digest"] == digest else None
    except (ValueError, KeyError, TypeError) as error:
        raise ArtifactError(
            f"{path}: not readable: {error!r}. Delete it, and it is learned anew."
        ) from error


def _learn(run: Any) -> KnownReach:
    """Learns what is known of reach, and keeps it in the run."""
    run.check_complete()
    moment = Moment.of(run)
    model = moment.learned(last=np.ones(len(moment.corpus), bool))
    blend = blend_of(Pools.ranked(run, moment, Split.VALID, _QUERIES, 0), model.effects)
    effects = dict(zip(moment.corpus.hashtags, model.effects.tolist(), strict=True))
    kept = {"data_digest": run.info["data_digest"], "blend": dataclasses.asdict(blend)}
    if os.access(run.place, os.W_OK):  # else it is learned by each process
        with in_turn(run.weights):  # what is forgotten meanwhile must not come back
            check_unchanged(run)
            write_json(run.place / FILE, {**kept, "effects": effects})
    return KnownReach(blend, effects)


def hashtag_vectors(data: Any, train: np.ndarray) -> np.ndarray | None:
    """What hashtags are near to: vectors of their names, else means of the texts that carry them.

    Args:
        data: an `EncodedCorpus`.
        train: bool `[posts]`, whose texts are looked at; of a hashtag that none of them has, all.

    Returns:
        float64 `[hashtags, at most 32]`, by their main directions; None where nothing is encoded.
    """
    if data.names is not None:
        vectors = np.asarray(data.names, np.float64)
    elif data.texts is not None:
        vectors = _means_of_texts(data, train)
    else:
        return None
    there = np.any(vectors != 0, axis=1)
    about = vectors - vectors[there].mean(axis=0)
    values, directions = np.linalg.eigh(about[there].T @ about[there])
    return np.where(there[:, None], about @ directions[:, np.argsort(-values)[:_WIDTH]], 0.0)


def _means_of_texts(data: Any, train: np.ndarray) -> np.ndarray:
    corpus = data.corpus
    posts, tags = corpus.taggings()
    known = np.bincount(tags[train[posts]], minlength=len(corpus.hashtags)) > 0
    used = train[posts] | ~known[tags]
    shape = len(corpus.hashtags), len(corpus.messages)
    uses = sp.csr_matrix(
        (np.ones(int(used.sum())), (tags[used], corpus.message_of_post[posts[used]])), shape
    ).tocsc()
    total = np.zeros((len(corpus.hashtags), data.texts.shape[1]))
    for start in range(0, len(corpus.messages), _MESSAGES):
        part = slice(start, start + _MESSAGES)
        total += uses[:, part] @ np.asarray(data.texts[part], np.float64)
    return total / np.maximum(np.asarray(uses.sum(axis=1)), 1)
