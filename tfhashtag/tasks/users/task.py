"""Users: who will tag what next."""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tfhashtag.corpus.candidates import Candidates
from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.corpus.hashtag import find_hashtags, hashtag_key
from tfhashtag.corpus.named_users import NamedUsers
from tfhashtag.corpus.rows import Rows
from tfhashtag.corpus.splits import AT_RANDOM, split_at_random, split_posts
from tfhashtag.errors import ConfigError, DataError
from tfhashtag.evaluation.beyond import Usage
from tfhashtag.evaluation.evaluate import averages
from tfhashtag.evaluation.metrics_table import averages_table
from tfhashtag.evaluation.trec import RunLines
from tfhashtag.metrics import default_metrics, rank
from tfhashtag.tasks.base import Call, Queries, Question, Ranking, Task
from tfhashtag.tasks.names import place_of
from tfhashtag.tasks.questions import check_fields, strings, yes_or_no
from tfhashtag.tasks.users.candidates_file import read_candidates
from tfhashtag.tasks.users.episode import PROTOCOLS, Episode, evaluation_episode

_LEAST = 1e-7  # distance from 0 and 1 that a sigmoid in single precision still tells


@dataclasses.dataclass(frozen=True)
class UserQueries(Queries):
    """Users with the hashtags to rank for each, at a moment.

    Attributes:
        episode: the moment: histories, contexts, lists.
        seed: of the order of equal scores.
    """

    episode: Episode
    seed: int = 0

    @property
    def corpus(self) -> Corpus:  # type: ignore[override]
        """The posts."""
        return self.episode.corpus

    def __len__(self) -> int:
        return len(self.episode.candidates)

    @property
    def names(self) -> tuple[Sequence[str], Sequence[str]]:
        """Users and hashtags of the corpus."""
        return self.corpus.users, self.corpus.hashtags

    @property
    def truth(self) -> Candidates:
        """The lists."""
        return self.episode.candidates

    @property
    def askers(self) -> np.ndarray:
        """The users themselves."""
        return self.truth.users

    @functools.cached_property
    def usage(self) -> Usage:
        """What the histories of the moment hold."""
        history = self.episode.history
        tags = Rows(self.corpus.hashtag_offsets, self.corpus.hashtag_values).take(history.values)
        uses = Rows.from_pairs(
            history.row_of_value[tags.row_of_value], tags.values, len(self.corpus.users)
        )
        return Usage(uses, history.lengths, self.episode.catalogue, len(self.corpus.hashtags))

    def scores_of(self, run: RunLines) -> np.ndarray:
        """See `Queries.scores_of`: float64, aligned with the lists, which must be those ranked."""
        width = len(self.corpus.hashtags)
        lists = self.truth
        asked = lists.user_of_value.astype(np.int64) * width + lists.hashtags.values
        answered = run.queries * width + run.hashtags
        order = np.argsort(answered)
        place = order[np.searchsorted(answered[order], asked).clip(max=len(order) - 1)]
        missing = np.flatnonzero(answered[place] != asked)
        for pairs, how in (
            (asked[missing], "lacks"),
            (np.setdiff1d(answered, asked), "holds, beside these lists,"),
        ):
            if len(pairs):
                user, hashtag = divmod(int(pairs[0]), width)
                raise DataError(
                    f"{run.path}: {how} {len(pairs):,} of {len(asked):,} pairs, first "
                    f"{self.corpus.users[user]!r} and {self.corpus.hashtags[hashtag]!r}; rank the "
                    "pairs of qrels.trec, all and no others."
                )
        return run.scores[place]

    def take(self, rows: np.ndarray) -> "UserQueries":
        """See `Queries.take`."""
        return UserQueries(self.episode.with_candidates(self.truth.take(rows)), self.seed)

    def ranking(self, scores: np.ndarray, k: int | None = None) -> Ranking:
        """Scores, flat and aligned with the lists, as ranked lists."""
        found = Ranking(*self.names, self.truth, scores, self.seed)
        if k is None:
            return found
        kept = np.sort(found.order.order[found.order.rank <= k])
        lists = self.truth
        rows = lists.hashtags.row_of_value[kept]
        hashtags = Rows.from_pairs(rows, lists.hashtags.values[kept], len(lists))
        best = Candidates(lists.users, hashtags, lists.labels[kept])
        return Ranking(*self.names, best, np.asarray(scores)[kept], self.seed)


@dataclasses.dataclass(frozen=True)
class UserQuestion(Question):
    """Somebody to recommend for: a user of the corpus, or a history.

    Attributes:
        user: a user of the corpus; the newest messages of all its splits are the history.
        history: messages, oldest first, that may carry their `#hashtags`; in place of `user`.
        new_only: leave out the hashtags that the history holds, of a user of the corpus those of
            all their posts.
    """

    user: str | None = None
    history: tuple[str, ...] = ()
    new_only: bool = False

    @property
    def title(self) -> str:  # type: ignore[override]
        """For the head of a table."""
        return f"Hashtags for {self.user or 'the given history'}"

    def hashed(self, named: NamedUsers) -> "UserQuestion":
        """See `Question.hashed`."""
        user = None if self.user is None else named.of_user(self.user)
        return UserQuestion(user, tuple(map(named.in_text, self.history)), self.new_only)

    def messages(self, corpus: Callable[[], Corpus], newest: int | None = None) -> list[str]:
        """The history as raw strings, oldest first.

        Args:
            corpus: gives the corpus; called where `user` stands for the history.
            newest: how many there are at most, the newest; None: all.

        Raises:
            DataError: the user is not in the corpus.
        """
        if self.user is None:
            return [text for text in self.history if text.strip()][-(newest or 0) :]
        posts = corpus()
        user = place_of(posts.users, self.user, "user", posts.name)
        written = np.flatnonzero(posts.user_of_post == user)
        found: list[str] = []
        step = newest or max(len(written), 1)
        for stop in range(len(written), 0, -step):  # until enough of them say something
            texts = history_strings(posts, user, written[max(stop - step, 0) : stop])
            found = [text for text in texts if text.strip()] + found
            if len(found) >= step:
                break
        return found[-step:]


class UsersTask(Task):
    """Which hashtags will a user take up that they never used before?"""

    name = "users"
    query = "user"
    watched = "valid_MAP"
    least = "data.minimum_contexts"
    cutoffs = (5,)
    protocols = PROTOCOLS
    followed = "MAP"

    def splits_when_grown(self, corpus: Corpus, rule: str, new: np.ndarray) -> np.ndarray:
        """Split anew by the rule: what is newest of each user counts as recent.

        What was split at random stays as it was drawn, and the new posts are drawn besides.
        """
        if rule != AT_RANDOM:
            return split_posts(rule, corpus.user_of_post, 0, corpus.timestamps)
        splits = corpus.split_of_post.copy()
        splits[new] = split_at_random(int(new.sum()), seed=len(new))
        return splits

    def queries(
        self,
        corpus: Corpus,
        data: Any,
        split: Split,
        protocol: str | None = None,
        seed: int = 0,
        candidates: pathlib.Path | None = None,
    ) -> UserQueries:
        """See `Task.queries`; `candidates` is read by `read_candidates`."""
        protocol = protocol or PROTOCOLS[0]
        if protocol not in PROTOCOLS:
            raise ConfigError(
                f"`protocol` must be one of {', '.join(PROTOCOLS)}, found {protocol!r}."
            )
        if candidates is not None and protocol != PROTOCOLS[0]:
            raise ConfigError("`candidates` replace the lists of `protocol`; give one of them.")
        episode = evaluation_episode(corpus, split, protocol, seed, data.minimum_contexts)
        if candidates is not None:
            episode = episode.with_candidates(read_candidates(candidates, corpus))
        return UserQueries(episode, seed)

    def logits(self, answered: np.ndarray) -> np.ndarray:
        """Servables of users answer sigmoids, in single precision."""
        held = np.clip(np.asarray(answered, np.float64), _LEAST, 1 - _LEAST)
        return np.log(held) - np.log1p(-held)

    def answered(self, scores: np.ndarray, ranking: Ranking) -> np.ndarray:
        """See `Task.answered`: the scores are logits, as far as single precision tells them."""
        most = np.log1p(-_LEAST) - np.log(_LEAST)
        return np.clip(np.asarray(ranking.scores, np.float64), -most, most)

    def measure(
        self, queries: Queries, ranking: Ranking, cutoffs: Sequence[int]
    ) -> dict[str, np.ndarray]:
        """MAP, MRR, and MAP, P, nDCG, Recall, HitRate at each cut-off; no positive counts 0."""
        return {metric.name: metric(ranking.order) for metric in default_metrics(tuple(cutoffs))}

    def judged_by(
        self, queries: Queries, ranking: Ranking, hashtags: np.ndarray, cutoffs: Sequence[int]
    ) -> tuple[int, dict[str, float]]:
        """See `Task.judged_by`."""
        lists = ranking.lists
        kept = (lists.labels == 0) | hashtags[lists.hashtags.values]
        rows = lists.hashtags.row_of_value
        positives = np.bincount(rows[kept], lists.labels[kept] > 0, len(lists)) > 0
        kept &= positives[rows]
        if not positives.any():
            return 0, {}
        row = (np.cumsum(positives) - 1)[rows[kept]]
        left = Candidates(
            lists.users[positives],
            Rows.from_pairs(row, lists.hashtags.values[kept], int(positives.sum())),
            lists.labels[kept],
        )
        order = rank(left, ranking.scores[kept], ranking.seed)
        values = {metric.name: metric(order) for metric in default_metrics(tuple(cutoffs))}
        return len(left), averages(left, values)["averages"]["all"]

    def averages(self, queries: Queries, values: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """Over all users (the paper's average), and over those who have a positive."""
        if len(queries) == 0:
            raise DataError("`candidates` holds no user; there is nothing to evaluate.")
        return averages(queries.truth, values)

    def table(self, result: Mapping[str, Any], title: str) -> Any:
        """A row a metric and a column an average."""
        return averages_table(result, title)

    def headline(self, result: Mapping[str, Any]) -> str:
        """Split, protocol and number of users."""
        return f"{result['split']}, {result['protocol']}, {result['users']:,} users"

    def read_query(self, record: Mapping[str, Any], where: str) -> UserQuestion:
        """`{"user": ...}` or `{"history": [...]}`, and `new_only`."""
        check_fields(record, ("user", "history", "new_only"), where, "users")
        user, history = record.get("user"), record.get("history")
        new_only = yes_or_no(record.get("new_only", False), "new_only", where)
        if (user is None) == (history is None):
            raise DataError(f"{where}: give either a user or a history, one of the two.")
        if user is not None:
            return UserQuestion(strings(user, "user", where)[0], (), new_only)
        return UserQuestion(None, tuple(strings(history, "history", where, many=True)), new_only)

    def answer(
        self,
        call: Call,
        questions: Sequence[Question],
        k: int,
        corpus: Callable[[], Corpus],
        settings: Any,
    ) -> list[list[tuple[str, float]]]:
        """See `Task.answer`; of a history the newest messages are sent, padded to one width."""
        length = settings.data.history_length
        asked = [question for question in questions if isinstance(question, UserQuestion)]
        histories = [
            question.messages(corpus, None if question.new_only else length) for question in asked
        ]
        used = [
            known_hashtags(history) if question.new_only else set()
            for question, history in zip(asked, histories, strict=True)
        ]
        histories = [history[-length:] for history in histories]
        width = max(1, *(len(history) for history in histories))
        padded = [history + [""] * (width - len(history)) for history in histories]
        wanted = k + max(len(known) for known in used)
        while True:
            found = call("top_k", history=padded, k=wanted)
            kept = [
                [row for row in _rows(names, scores) if hashtag_key(row[0]) not in known][:k]
                for names, scores, known in zip(
                    found["hashtags"], found["scores"], used, strict=True
                )
            ]
            # A corpus that keeps spellings has several names for one key.
            if all(len(rows) == k for rows in kept) or len(found["scores"][0]) < wanted:
                return kept
            wanted *= 2


def known_hashtags(history: Sequence[str]) -> set[str]:
    """Keys of the hashtags in raw messages: by the rule for texts, and words behind a sign whole.

    The second are tags such as `pale-ale`, which the rule would cut.

    >>> sorted(known_hashtags(["good read #books#Tea #Sci-Fi", "# alone"]))
    ['books', 'books#tea', 'sci', 'sci-fi', 'tea']
    """
    words = (word for text in history for word in text.split() if word.startswith("#"))
    found = (name for text in history for name in find_hashtags(text))
    return {key for name in (*words, *found) if (key := hashtag_key(name))}


def history_strings(corpus: Corpus, user: int, posts: np.ndarray) -> list[str]:
    """The messages of `posts` with their hashtags appended as `#tag`, in the order of `posts`.

    Args:
        corpus: the posts.
        user: corpus index of the user, checked to be the author.
        posts: int32 post indices.

    Raises:
        DataError: a post is by somebody else.
    """
    if np.any(corpus.user_of_post[posts] != user):
        raise DataError(f"not every post of the history is by user {corpus.users[user]!r}.")
    messages = [corpus.messages[message] for message in corpus.message_of_post[posts]]
    tags = [
        "".join(f" #{corpus.hashtags[tag]}" for tag in corpus.hashtags_of_post(post))
        for post in posts
    ]
    return [message + tagged for message, tagged in zip(messages, tags, strict=True)]


def _rows(names: Any, scores: Any) -> list[tuple[str, float]]:
    return [(bytes(n).decode(), float(s)) for n, s in zip(names, scores, strict=True)]


USERS = UsersTask()
