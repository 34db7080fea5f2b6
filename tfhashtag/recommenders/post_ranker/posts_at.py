"""Posts of a corpus, asked about at one moment: their candidates and signals, block by block."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.corpus.splits import cut_time_lines
from tfhashtag.recommenders.post_ranker.settings import RankerData
from tfhashtag.recommenders.post_ranker.signals import PostSignals
from tfhashtag.recommenders.post_ranker.tables import Classifiers, moment_of
from tfhashtag.retrieval.choose_index import post_index
from tfhashtag.retrieval.graph_inverted_search import GraphInvertedSearch
from tfhashtag.retrieval.graph_post_search import GraphPostSearch
from tfhashtag.retrieval.inverted_post_index import InvertedPostIndex
from tfhashtag.retrieval.inverted_table import InvertedTable
from tfhashtag.retrieval.post_search import PostQueries
from tfhashtag.stored_rows import StoredRows
from tfhashtag.tasks.posts.labels import PostLabels
from tfhashtag.training.list_training import CandidateLists
from tfhashtag.training.traced_once import traced_once
from tfhashtag.vector_codes import unit_rows

_BLOCK = 256  # posts at a time
_SEARCHED = 2048  # by an inverted file, which takes a cell with all that look into it
ALWAYS = np.iinfo(np.int64).max  # later than every post


@dataclasses.dataclass(frozen=True)
class PostReads:
    """What is read of texts and pictures, whatever the moment.

    Attributes:
        texts: float32 `[messages, g]`, see `UnitTexts`.
        names: float16 `[hashtags of the corpus, g]`.
        tokens: int32 `[messages, W]`, word ids, 0 pads.
        words: how many word ids there are, 0 included.
        pictures: float32 `[rows, w]`, unit means of the proposals of posts' pictures, and the row
            of each post, -1 for none; None without pictures.
    """

    texts: Any
    names: np.ndarray
    tokens: np.ndarray
    words: int
    pictures: tuple[np.ndarray, np.ndarray] | None = None

    def picture_of(self, posts: np.ndarray) -> np.ndarray:
        """A row a post, zeros for one without picture."""
        assert self.pictures is not None
        table, rows = self.pictures
        found = np.asarray(table[np.maximum(rows[posts], 0)], np.float32)
        return np.where((rows[posts] >= 0)[:, None], found, np.float32(0))

    def searched(self, kind: str, posts: int) -> tuple[Any, np.ndarray | None, float]:
        """What posts are alike by: texts, pictures and the share of these, as an index takes it."""
        if kind == "text":
            return self.texts, None, 0.0
        return np.zeros((len(self.texts), 0), np.float32), self.picture_of(np.arange(posts)), 1.0


def imitated_moment(
    corpus: Corpus, cut: float, until: float, jitter: float, seed: int
) -> tuple[Corpus, np.ndarray]:
    """The corpus as it was inside its train split, and the posts that lay ahead then, int `[n]`.

    What was known then is the train split of that corpus; of the rest nothing can be seen. Each
    user's posts are cut; where all have too few for that, all posts are cut at one place.
    """
    train = corpus.split_of_post == Split.TRAIN
    known, ahead = cut_time_lines(corpus.user_of_post, train, cut, until, jitter, seed)
    if not ahead.any():
        everybody = np.zeros_like(corpus.user_of_post)
        known, ahead = cut_time_lines(everybody, train, cut, until, jitter, seed)
    splits = np.where(known, Split.TRAIN, Split.TEST).astype(np.int8)
    return dataclasses.replace(corpus, split_of_post=splits), np.flatnonzero(ahead)


class PostsAt:
    """Answers posts at the moment after the train posts of a corpus.

    Args:
        corpus: its train posts are known.
        reads: of all its texts and pictures.
        data: sizes.
        tables: rows of inverted files that were built before, by kind of vectors.
        classifiers: of these very posts, see `moment_of`.
    """

    def __init__(
        self,
        corpus: Corpus,
        reads: PostReads,
        data: RankerData,
        tables: Mapping[str, InvertedTable] | None = None,
        classifiers: Classifiers | None = None,
    ) -> None:
        self.corpus, self.reads, self.data = corpus, reads, data
        self.labels = PostLabels.of_corpus(corpus, data.minimum_posts)
        self.moment = moment_of(
            corpus,
            self.labels,
            reads.texts,
            reads.names,
            reads.tokens,
            reads.words,
            data,
            reads.pictures,
            classifiers,
        )
        names = [corpus.hashtags[tag] for tag in self.labels.hashtags]
        self.signals = PostSignals(self.moment, names, data.candidates)
        self.indexes = {
            kind: post_index(
                corpus, text, visual, data, omega, tables.get(kind) if tables else None
            )
            for kind in self.moment.kinds
            for text, visual, omega in [reads.searched(kind, len(corpus))]
        }
        self._compute = traced_once(self.signals)

    @property
    def inverted(self) -> dict[str, InvertedPostIndex]:
        """The inverted files, by kind; what is not there is searched exactly."""
        return {
            k: found for k, found in self.indexes.items() if isinstance(found, InvertedPostIndex)
        }

    def graph_search(self, kind: str) -> GraphPostSearch | GraphInvertedSearch:
        """What searches in a graph as the index does here, after all known posts."""
        vectors, users = self.moment.kinds[kind], self.moment.user_of_post
        if kind not in self.inverted:
            return GraphPostSearch(vectors.unit, vectors.row, users)
        table, known = self.inverted[kind].index.table, self.moment.posts
        return GraphInvertedSearch(table, known, users, np.ones(len(known)), table.codes.shape[1])

    def query(self, posts: np.ndarray) -> dict[str, Any]:
        """What `PostSignals` takes, of corpus posts int `[n]`."""
        corpus, reads = self.corpus, self.reads
        messages = corpus.message_of_post[posts]
        times = np.full(len(posts), ALWAYS)
        if corpus.timestamps is not None:
            times = np.asarray(corpus.timestamps[posts], np.int64)
        found: dict[str, Any] = {
            "texts": np.array([corpus.messages[message] for message in messages], object),
            "tokens": reads.tokens[messages],
            "users": self.moment.user_places(corpus.user_of_post[posts]),
            "times": times,
            "text": np.asarray(reads.texts[messages], np.float32),
        }
        if self.moment.uses is not None:
            found["moments"] = times
        if reads.pictures is not None:
            found["picture"] = reads.picture_of(posts)
        for kind, index in self.indexes.items():
            text, visual = found["text"], None
            if kind == "picture":
                text, visual = text[:, :0], found[kind]
            own_times = None if corpus.timestamps is None else times
            asked = PostQueries(text, visual, corpus.user_of_post[posts], posts, own_times)
            near, similarity = index.search(asked, self.data.other_posts, "others")
            real = np.any(found[kind], axis=1)[:, None]
            place = np.searchsorted(self.moment.posts, np.maximum(near, 0)).astype(np.int32)
            found[f"{kind}_near"] = np.where(real & (near >= 0), place, -1).astype(np.int32)
            found[f"{kind}_similarity"] = np.where(real, similarity, np.float32(0))
        return found

    def blocks(self, posts: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, dict]]:
        """Keys and signals of the candidates of each block of posts, and the keys of each source.

        A key is place in `posts` * number of labels + label.
        """
        many = _SEARCHED if self.inverted else _BLOCK
        for first in range(0, len(posts), many):
            query = self.query(posts[first : first + many])
            for start in range(0, len(query["users"]), _BLOCK):
                some = slice(start, start + _BLOCK)
                features, found = self._compute({k: tf.constant(v[some]) for k, v in query.items()})
                shift = (first + start) * len(self.labels)
                keys = {name: np.asarray(value) + shift for name, value in found.items()}
                yield keys["all"], np.asarray(features), keys

    def truth(self, posts: np.ndarray) -> np.ndarray:
        """Keys of the labels that the posts have, rising."""
        rows = self.labels.rows.take(posts)
        return np.sort(rows.row_of_value.astype(np.int64) * len(self.labels) + rows.values)

    def lists(self, posts: np.ndarray) -> CandidateLists:
        """Signals of the candidates of posts, and which of them are true."""
        found, every = StoredRows(0, len(self.signals.signals), np.float32), []
        for keys, signals, _ in self.blocks(posts):
            every.append(keys)
            found.add(signals)
        keys = np.concatenate([np.zeros(0, np.int64), *every])
        counts = np.bincount(keys // len(self.labels), minlength=len(posts))
        labels = np.isin(keys, self.truth(posts)).astype(np.float32)
        offsets = np.concatenate([[0], np.cumsum(counts)])
        return CandidateLists({"signals": found}, offsets, labels, keys)


class UnitTexts:
    """Unit vectors of messages, zeros for one without a visible character; made when gathered.

    Args:
        corpus: the messages.
        vectors: float `[messages, g]`; may be memory-mapped.
    """

    ndim = 2

    def __init__(self, corpus: Corpus, vectors: Any) -> None:
        self._vectors, self._blank = vectors, corpus.blank
        self.shape = vectors.shape

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> np.ndarray:
        found = unit_rows(self._vectors[rows])
        found[self._blank[rows]] = 0
        return found
