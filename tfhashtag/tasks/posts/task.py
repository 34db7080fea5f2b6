"""Posts: which hashtags does this post need."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tfhashtag.corpus.candidates import Candidates
from tfhashtag.corpus.clips import FRAMES, BrokenClipError, is_clip, sample_frames
from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.corpus.named_users import NamedUsers
from tfhashtag.corpus.post import with_audio
from tfhashtag.corpus.rows import Rows
from tfhashtag.corpus.store import source_of
from tfhashtag.errors import ConfigError, DataError
from tfhashtag.evaluation.beyond import Usage
from tfhashtag.evaluation.metrics_table import posts_table
from tfhashtag.evaluation.post_metrics import CUTOFFS, per_post, post_averages, rank_labels
from tfhashtag.evaluation.trec import RunLines
from tfhashtag.tasks.base import Call, Queries, Question, Ranking, Task
from tfhashtag.tasks.names import place_of
from tfhashtag.tasks.posts.labels import PostLabels
from tfhashtag.tasks.questions import check_fields, strings

DEPTH = 100  # hashtags of a post in `run.trec`, at most
_LEAST = 1e-30  # a smaller share is none, as that of a hashtag that is no candidate


@dataclasses.dataclass(frozen=True)
class PostQueries(Queries):
    """Posts of the corpus, each at the moment at which it is written.

    What a post may see, no later post and never its own hashtags, is `PostInputs`' to hold.

    Attributes:
        corpus: the posts.
        posts: int32 `[n]`, those that are asked about, of any split.
        labels: the hashtags that are ranked, and which of them each post has.
        seed: of the order of equal scores.
    """

    corpus: Corpus
    posts: np.ndarray
    labels: PostLabels
    seed: int = 0

    def __len__(self) -> int:
        return len(self.posts)

    def scores_of(self, run: RunLines) -> np.ndarray:
        """See `Queries.scores_of`: float64 `[n, L]`; labels that a post lacks come last, by lot."""
        row = np.full(len(self.corpus), -1, np.int64)
        row[self.posts] = np.arange(len(self))
        asked = row[run.queries]
        answered = np.bincount(asked[asked >= 0], minlength=len(self)) > 0
        for posts, how in (
            (self.posts[~answered], "lacks"),
            (np.unique(run.queries[asked < 0]), "holds, beside those asked about,"),
        ):
            if len(posts):
                raise DataError(
                    f"{run.path}: {how} {len(posts):,} of {len(self):,} posts, first "
                    f"{self.corpus.post_ids[posts[0]]!r}; rank the posts of qrels.trec, all and no "
                    "others."
                )
        scores = np.full((len(self), len(self.labels)), run.scores.min() - 1)
        scores[asked, run.hashtags] = run.scores
        return scores

    def take(self, rows: np.ndarray) -> "PostQueries":
        """See `Queries.take`."""
        return dataclasses.replace(self, posts=self.posts[np.asarray(rows)])

    @functools.cached_property
    def names(self) -> tuple[Sequence[str], Sequence[str]]:
        """Ids of the posts and hashtags of the labels."""
        return self.corpus.post_ids, [self.corpus.hashtags[tag] for tag in self.labels.hashtags]

    @functools.cached_property
    def relevant(self) -> Rows:
        """The labels of each post."""
        return self.labels.rows.take(self.posts)

    @property
    def askers(self) -> np.ndarray:
        """The authors."""
        return self.corpus.user_of_post[self.posts]

    @functools.cached_property
    def usage(self) -> Usage:
        """What the train posts hold."""
        train = np.flatnonzero(self.corpus.split_of_post == Split.TRAIN)
        author, users = self.corpus.user_of_post[train], len(self.corpus.users)
        labels = self.labels.rows.take(train)
        uses = Rows.from_pairs(author[labels.row_of_value], labels.values, users)
        count = len(self.labels)
        return Usage(uses, np.bincount(author, minlength=users), np.arange(count), count)

    @property
    def truth(self) -> Candidates:
        """The labels of each post: those that are relevant are all that is judged."""
        return Candidates(self.posts, self.relevant, np.ones(len(self.relevant.values), np.int8))

    def ranking(self, scores: np.ndarray, k: int | None = None) -> Ranking:
        """Scores `[n, L]` as ranked lists, of `DEPTH` hashtags for None."""
        scores = np.asarray(scores)
        if scores.shape != (len(self), len(self.labels)):
            raise DataError(
                f"`scores` must be [{len(self)} posts, {len(self.labels)} labels], found shape "
                f"{scores.shape}."
            )
        best = rank_labels(scores, k or DEPTH, self.seed, self.posts)
        count, width = best.shape
        rows = Rows(np.arange(count + 1) * width, best.ravel())
        keys = self.relevant.row_of_value.astype(np.int64) * len(self.labels)
        true = np.isin(
            np.arange(count)[:, None] * len(self.labels) + best, keys + self.relevant.values
        )
        lists = Candidates(self.posts, rows, true.ravel())
        flat = np.take_along_axis(scores, best, axis=1).ravel()
        return Ranking(*self.names, lists, flat, self.seed)


@dataclasses.dataclass(frozen=True)
class PostQuestion(Question):
    """A post to recommend for, of anybody.

    Attributes:
        text: without its hashtags; "" for none.
        images: the pictures and clips, encoded (JPEG, PNG, WebP, GIF or BMP; MP4, QuickTime, WebM,
            Matroska or AVI), in their order.
        user: who posts, a user of the corpus; None for somebody new.
    """

    text: str = ""
    images: tuple[bytes, ...] = ()
    user: str | None = None

    title = "Hashtags for the post"

    def hashed(self, named: NamedUsers) -> "PostQuestion":
        """See `Question.hashed`."""
        user = None if self.user is None else named.of_user(self.user)
        return PostQuestion(named.in_text(self.text), self.images, user)


class PostsTask(Task):
    """Which hashtags does a post need: its text, its picture and its user may each be missing."""

    name = "posts"
    query = "post"
    watched = "valid_F1@9"
    least = "data.minimum_posts"
    cutoffs = CUTOFFS
    protocols = ("labels",)
    followed = "HitRate@5"

    def splits_when_grown(self, corpus: Corpus, rule: str, new: np.ndarray) -> np.ndarray:
        """All train: what similar posts, habits and labels are made of."""
        return np.full(len(corpus), Split.TRAIN, np.int8)

    def queries(
        self,
        corpus: Corpus,
        data: Any,
        split: Split,
        protocol: str | None = None,
        seed: int = 0,
        candidates: pathlib.Path | None = None,
    ) -> PostQueries:
        """See `Task.queries`: the posts of the split that have a label, all labels to rank."""
        if candidates is not None or protocol not in (None, *self.protocols):
            raise ConfigError(
                "`protocol` and `candidates` are for recommenders of users; posts rank all labels."
            )
        labels = PostLabels.of_corpus(corpus, data.minimum_posts)
        posts = labels.answerable(np.flatnonzero(corpus.split_of_post == split))
        return PostQueries(corpus, posts, labels, seed)

    def measure(
        self, queries: Queries, ranking: Ranking, cutoffs: Sequence[int]
    ) -> dict[str, np.ndarray]:
        """HitRate, Precision and Recall of each post at each cut-off."""
        best = ranking.lists.hashtags.values.reshape(len(queries), -1)
        return per_post(_asked(queries).relevant, cutoffs=tuple(cutoffs), rankings=best)

    def judged_by(
        self, queries: Queries, ranking: Ranking, hashtags: np.ndarray, cutoffs: Sequence[int]
    ) -> tuple[int, dict[str, float]]:
        """See `Task.judged_by`."""
        asked, best = _asked(queries), ranking.lists.hashtags.values.reshape(len(queries), -1)
        true = asked.relevant
        kept = hashtags[true.values]
        judged = Rows.from_pairs(true.row_of_value[kept], true.values[kept], len(true))
        count = int((judged.lengths > 0).sum())
        if count == 0:
            return 0, {}
        left_out = (ranking.lists.labels.reshape(best.shape) > 0) & ~hashtags[best]
        order = np.argsort(left_out, axis=1, kind="stable")
        best = np.take_along_axis(np.where(left_out, -1, best), order, axis=1)
        values = per_post(judged, cutoffs=tuple(cutoffs), rankings=best)
        return count, post_averages(values)

    def averages(self, queries: Queries, values: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """Means over the posts; F1 is that of the means."""
        if len(queries) == 0:
            raise DataError("no post of the split has a label; there is nothing to evaluate.")
        labels = len(_asked(queries).labels)
        return {"posts": len(queries), "labels": labels, "metrics": post_averages(dict(values))}

    def table(self, result: Mapping[str, Any], title: str) -> Any:
        """A row a metric and a column a cut-off."""
        return posts_table(result, title)

    def headline(self, result: Mapping[str, Any]) -> str:
        """Split and number of posts."""
        return f"{result['split']}, {result['posts']:,} posts"

    def read_query(self, record: Mapping[str, Any], where: str) -> PostQuestion:
        """`{"text": ..., "image": path or bytes, or a list of them, "user": ...}`.

        At least a text or an image. `images` is another name of `image`, and `audio_text` is read
        after the text.
        """
        known = ("text", "image", "images", "audio_text", "user")
        check_fields(record, known, where, "posts")
        text, heard, user = (record.get(name) for name in ("text", "audio_text", "user"))
        images = [
            content
            for name in ("image", "images")
            for content in _contents(record.get(name), name, where)
        ]
        if text is None and heard is None and not images:
            raise DataError(f"{where}: give the post's text, its image or both.")
        said = "" if text is None else strings(text, "text", where)[0]
        if heard is not None:
            said = with_audio(said, strings(heard, "audio_text", where)[0])
        return PostQuestion(
            said, tuple(images), None if user is None else strings(user, "user", where)[0]
        )

    def answer(
        self,
        call: Call,
        questions: Sequence[Question],
        k: int,
        corpus: Callable[[], Corpus],
        settings: Any,
    ) -> list[list[tuple[str, float]]]:
        """See `Task.answer`.

        Raises:
            DataError: a user is not in the corpus, a picture cannot be decoded, or the model reads
                no pictures.
        """
        asked = [question for question in questions if isinstance(question, PostQuestion)]
        pictures = [_pictures(question, corpus, settings) for question in asked]
        wide = max(1, max(map(len, pictures), default=0))
        found = call(
            "top_k",
            text=[question.text for question in asked],
            images=[[*row, *[b""] * (wide - len(row))] for row in pictures],
            user=[question.user or "" for question in asked],
            k=k,
        )
        return [
            [(bytes(name).decode(), float(score)) for name, score in zip(*pair, strict=True)]
            for pair in zip(found["hashtags"], found["scores"], strict=True)
        ]

    def logits(self, answered: np.ndarray) -> np.ndarray:
        """Servables of posts answer shares of a softmax: their logs, the logits but for a constant.

        >>> POSTS.logits(np.array([0.7, 0.2, 0.0])).round(2).tolist()
        [-0.36, -1.61, -inf]
        """
        shares = np.asarray(answered, np.float64)
        return np.where(shares < _LEAST, -np.inf, np.log(np.maximum(shares, _LEAST)))

    def answered(self, scores: np.ndarray, ranking: Ranking) -> np.ndarray:
        """See `Task.answered`: logs of shares over all labels, float `[n, L]`."""
        scores = np.asarray(scores, np.float64)
        shares = np.exp(scores - np.logaddexp.reduce(scores, axis=1, keepdims=True))
        lists = ranking.lists.hashtags
        return self.logits(shares[lists.row_of_value, lists.values])


def _contents(given: Any, name: str, where: str) -> list[bytes]:
    """The bytes of the pictures and clips that a field names or holds."""
    found = []
    if isinstance(given, np.ndarray):  # the cell of a data frame
        given = given.tolist()
    for one in given if isinstance(given, list | tuple) else [given]:
        if one is None:
            continue
        content = one
        if not isinstance(one, bytes):
            named = os.fspath(one) if isinstance(one, os.PathLike) else one
            path = pathlib.Path(strings(named, name, where)[0])
            if not path.is_file():
                raise DataError(f"{where}: image {str(path)!r}: no such file.")
            content = path.read_bytes()
        if content:
            found.append(content)
    return found


def _pictures(question: PostQuestion, corpus: Callable[[], Corpus], settings: Any) -> list[bytes]:
    """The pictures of a question that can be answered, and frames in place of its clips."""
    if question.user is not None:
        posts = corpus()
        place_of(posts.users, question.user, "user", posts.name)
    if not question.images:
        return []
    if settings.image_encoder in ("none", "given"):
        raise DataError(
            f"the model reads no pictures (`image_encoder` is {settings.image_encoder!r}); leave "
            "the picture out."
        )
    found: list[bytes] = []
    for content in question.images:
        found += _frames(content, corpus) if is_clip(content) else [content]
    from tfhashtag.encoders.image_decoding import is_picture

    if not all(map(is_picture, found)):
        raise DataError(
            "`image` cannot be decoded; expected a whole JPEG, PNG, WebP, GIF or BMP file of at "
            "most 33 million pixels, or a clip."
        )
    return found


def _frames(clip: bytes, corpus: Callable[[], Corpus]) -> list[bytes]:
    """As many frames of a clip as the import of the corpus took."""
    folder = corpus().folder
    count = FRAMES if folder is None else source_of(folder).get("frames", FRAMES)
    try:
        return sample_frames(clip, count)
    except BrokenClipError as error:
        raise DataError(
            f"`image`: the clip cannot be read ({error}); expected a whole one."
        ) from None


def _asked(queries: Queries) -> PostQueries:
    assert isinstance(queries, PostQueries)
    return queries


POSTS = PostsTask()
