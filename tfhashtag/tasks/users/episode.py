"""Episodes: a moment in time, what is known at it, and which hashtags each user takes up next.

Evaluation, the paper's training and the training on imitated futures differ only in which posts are
known and which lie ahead, so they share one type and one set of rules.
"""

import dataclasses
import functools
from typing import Any

import numpy as np

from tfhashtag.corpus.candidates import Candidates
from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.corpus.rows import Rows, sorted_distinct
from tfhashtag.corpus.splits import cut_time_lines
from tfhashtag.errors import DataError

PROTOCOLS = ("sampled", "full")


@dataclasses.dataclass(frozen=True)
class Episode:
    """What is known at a moment, and the candidates to rank for what happens after it.

    Attributes:
        corpus: the posts.
        history: a row for each corpus user: all of the user's known posts, oldest first.
        contexts: a row for each corpus hashtag: posts that show how it is used, the known ones in
            post order, then one post for each distinct text of the future.
        future: bool, aligned with `contexts.values`: whether the post lies in the future part.
        future_messages: a row for each corpus user: the distinct messages of the future part.
        catalogue: int32, sorted: the hashtags that may be ranked: those of the posts ahead (of the
            known posts, where training leaves out or all is known) with at least
            `minimum_contexts` posts, repeated texts counted. A candidate must besides have as many
            context messages that its user may see.
        candidates: the lists to rank.
        minimum_contexts: contexts that a user must see of a hashtag for it to be a candidate.
        hide_own: whether own messages are hidden, see `visible_contexts`.
    """

    corpus: Corpus
    history: Rows
    contexts: Rows
    future: np.ndarray
    future_messages: Rows
    catalogue: np.ndarray
    candidates: Candidates
    minimum_contexts: int = 5
    hide_own: bool = True

    def visible_contexts(self, user: int, hashtag: int) -> np.ndarray:
        """Context posts (int32) of a hashtag that a user may be shown.

        Hidden are the posts that the user wrote, the known posts with a text that the user tagged
        with the same hashtag, and the future posts with a text that the user writes in the future.
        """
        contexts = self.contexts[hashtag]
        first, last = self._hidden_range(user, hashtag)
        if first == last:
            return contexts
        return np.delete(contexts, self.hidden[first:last, 2])

    def visible_context_counts(self, users: np.ndarray, hashtags: np.ndarray) -> np.ndarray:
        """Number of context posts that each (user, hashtag) pair may be shown, int64."""
        first, last = self._hidden_range(users, hashtags)
        return self.contexts.lengths[hashtags] - (last - first)

    def hidden_places(self, users: np.ndarray, hashtags: np.ndarray) -> Rows:
        """What (user, hashtag) pairs must not see: places in rows of `contexts`, a row a pair."""
        first, last = self._hidden_range(users, hashtags)
        return Rows.from_slices(self.hidden[:, 2], first, last - first)

    def visible_context_block(
        self, users: np.ndarray, hashtags: np.ndarray, width: int = 30, seed: int = 0
    ) -> np.ndarray:
        """Context posts of (user, hashtag) pairs as a rectangle.

        Where a hashtag has more than `width`, they are a seeded sample, the same for all users but
        for what each may not see.

        Args:
            users, hashtags: int `[n]`.
            width: context posts at most.
            seed: of the sample.

        Returns:
            int32 `[n, width]`, padded with -1 at the end.
        """
        users, hashtags = np.asarray(users), np.asarray(hashtags)
        shuffled, places = self._shuffled_contexts(seed)
        block = shuffled.padded(hashtags, width, keep="first")
        first, last = self._hidden_range(users, hashtags)
        for pair in np.flatnonzero(first < last):
            row = hashtags[pair]
            hidden = np.isin(places[row], self.hidden[first[pair] : last[pair], 2])
            seen = shuffled[row][~hidden][:width]
            block[pair] = -1
            block[pair, : len(seen)] = seen
        return block

    def with_candidates(self, candidates: Candidates) -> "Episode":
        """The same moment with other lists to rank; what was worked out is kept."""
        episode = dataclasses.replace(self, candidates=candidates)
        for name in ("hidden", "_hidden_keys", "_shuffles"):
            if name in self.__dict__:
                episode.__dict__[name] = self.__dict__[name]
        return episode

    @functools.cached_property
    def hidden(self) -> np.ndarray:
        """What is hidden: int32 `[n, 3]` of (user, hashtag, place in the row of `contexts`).

        Sorted by the three columns, without repeats.
        """
        if not self.hide_own:
            return np.zeros((0, 3), np.int32)
        corpus, entries = self.corpus, self.contexts
        hashtags, posts = entries.row_of_value, entries.values
        messages = corpus.message_of_post[posts].astype(np.int64)
        everything = np.arange(len(posts))
        # A text and a hashtag as one number: who used the two together in the known posts.
        known_posts, known_tags = _taggings(corpus, self.history.values)
        with_tag = corpus.message_of_post[known_posts].astype(np.int64) * len(corpus.hashtags)
        with_tag += known_tags
        known, ahead = everything[~self.future], everything[self.future]
        tag_key = messages[known] * len(corpus.hashtags) + hashtags[known]
        entry_a, user_a = _join(tag_key, known, with_tag, corpus.user_of_post[known_posts])
        entry_b, user_b = _join(
            messages[ahead],
            ahead,
            self.future_messages.values.astype(np.int64),
            self.future_messages.row_of_value,
        )
        entry = np.concatenate([everything, entry_a, entry_b])
        user = np.concatenate([corpus.user_of_post[posts], user_a, user_b])
        # Entries stand in the order of hashtags and places: with the user they are one number.
        count = max(len(posts), 1)
        user, entry = np.divmod(np.unique(user.astype(np.int64) * count + entry), count)
        hashtag = hashtags[entry]
        place = entry - entries.offsets[hashtag]
        return np.stack([user, hashtag, place], axis=1).astype(np.int32)

    @functools.cached_property
    def _hidden_keys(self) -> np.ndarray:
        return self.hidden[:, 0].astype(np.int64) * len(self.corpus.hashtags) + self.hidden[:, 1]

    def _hidden_range(self, users: Any, hashtags: Any) -> Any:
        keys = np.asarray(users, dtype=np.int64) * len(self.corpus.hashtags) + hashtags
        return (
            np.searchsorted(self._hidden_keys, keys, "left"),
            np.searchsorted(self._hidden_keys, keys, "right"),
        )

    @functools.cached_property
    def _shuffles(self) -> dict[int, tuple[Rows, Rows]]:
        return {}

    def _shuffled_contexts(self, seed: int) -> tuple[Rows, Rows]:
        if seed not in self._shuffles:
            lot = np.random.default_rng(seed).random(len(self.contexts.values))
            row = self.contexts.row_of_value
            order = np.lexsort((lot, row))
            self._shuffles.clear()
            self._shuffles[seed] = (
                Rows(self.contexts.offsets, self.contexts.values[order]),
                Rows(self.contexts.offsets, order - self.contexts.offsets[row]),
            )
        return self._shuffles[seed]


def future_episode(
    corpus: Corpus,
    known: np.ndarray,
    ahead: np.ndarray,
    protocol: str = "sampled",
    seed: int = 0,
    minimum_contexts: int = 5,
    negatives: int = 100,
    users: int | None = None,
) -> Episode:
    """The episode that lies between two sets of posts.

    Positives of a user are the hashtags of the user's posts ahead that no known post of the user
    has. Under `sampled` the negatives are `negatives` draws for each of them, with replacement,
    from the hashtags of the posts ahead that the user has neither known nor ahead; a hashtag drawn
    twice stands once. Under `full` every hashtag of the posts ahead that the user has not known is
    a candidate. Candidates of which the user may see fewer than `minimum_contexts` context messages
    are then left out.

    Args:
        corpus: the posts.
        known: bool `[posts]`, the posts that are known.
        ahead: bool `[posts]`, the posts of the future part; no post is both.
        protocol: `"sampled"` or `"full"`.
        seed: of the draws; a user's draws depend on the seed and the user alone.
        minimum_contexts: see above.
        negatives: draws for each positive.
        users: lists at most of users who take up a hashtag that is new to them; where more do, so
            many have one, drawn by the seed, and the same share of the others. None: all have.

    Returns:
        The episode; the lists stand in the order of `corpus.evaluation_users`, each sorted by
        hashtag index.

    Raises:
        DataError: an unknown protocol, or a post that is known and ahead.
    """
    if protocol not in PROTOCOLS:
        raise DataError(f"`protocol` must be one of {', '.join(PROTOCOLS)}, found {protocol!r}.")
    if np.any(known & ahead):
        raise DataError(f"{np.sum(known & ahead)} posts are both in `known` and in `ahead`.")
    asked = np.asarray(corpus.evaluation_users, dtype=np.int32)
    episode = _moment(corpus, known, ahead, minimum_contexts)
    history_tags = _hashtags_of_users(corpus, known)
    future_tags = _hashtags_of_users(corpus, ahead)
    new_tags = _new_hashtags(future_tags, history_tags)
    if users is not None:
        asked = asked[_drawn(new_tags.lengths[asked] > 0, users, seed)]
    offered = sorted_distinct(future_tags.values)
    lists, labels = [], []
    for user in asked.tolist():
        before, positives = history_tags[user], new_tags[user]
        if protocol == "full":
            chosen = np.delete(episode.catalogue, _places(before, episode.catalogue))
        else:
            known_of, count = np.union1d(before, positives), negatives * len(positives)
            chosen = np.union1d(positives, _draw(offered, known_of, count, seed, user))
        lists.append(chosen)
        labels.append(np.isin(chosen, positives, assume_unique=True))
    return episode.with_candidates(
        _enough_contexts(episode, asked, Rows.from_lists(lists), _concatenate(labels))
    )


def evaluation_episode(
    corpus: Corpus,
    split: Split | int = Split.TEST,
    protocol: str = "sampled",
    seed: int = 0,
    minimum_contexts: int = 5,
    users: int | None = None,
) -> Episode:
    """The evaluation of a split: train is known, the split lies ahead, the rest is not looked at.

    Args:
        corpus: the posts.
        split: `Split.VALID` or `Split.TEST`.
        protocol: `"sampled"`, the paper's, or `"full"`; see `future_episode`.
        seed: of the negatives.
        minimum_contexts: context messages that a candidate must have.
        users: see `future_episode`.

    Raises:
        DataError: `split` is the train split, or the protocol is unknown.
    """
    split = Split(split)
    if split == Split.TRAIN:
        raise DataError("`split` must be valid or test: the train split is what is known.")
    known, ahead = corpus.split_of_post == Split.TRAIN, corpus.split_of_post == split
    return future_episode(corpus, known, ahead, protocol, seed, minimum_contexts, users=users)


def imitated_future(
    corpus: Corpus,
    cut: float,
    *,
    until: float = 1.0,
    jitter: float = 0.0,
    seed: int = 0,
    minimum_contexts: int = 5,
    negatives: int = 100,
    users: int | None = None,
    hide_own: bool = True,
) -> Episode:
    """A future inside the train split: each user's own time line is cut, as the real splits do.

    The posts before the cut are known, those from the cut to `until` lie ahead. A user with a
    single post has it before the cut.

    Args:
        corpus: the posts.
        cut: fraction of a user's posts that are known, between 0 and 1.
        until: fraction of a user's posts that end the future part.
        jitter: the cut of each user moves by a seeded uniform amount of at most this fraction.
        seed, minimum_contexts, negatives, users: see `future_episode`.
        hide_own: see `leave_out_episode`.

    Raises:
        DataError: not `0 < cut < until <= 1`, or a negative jitter.
    """
    train = corpus.split_of_post == Split.TRAIN
    known, ahead = cut_time_lines(corpus.user_of_post, train, cut, until, jitter, seed)
    episode = future_episode(
        corpus, known, ahead, "sampled", seed, minimum_contexts, negatives, users
    )
    return dataclasses.replace(episode, hide_own=hide_own)


def leave_out_episode(
    corpus: Corpus,
    negatives: int = 5,
    seed: int = 0,
    minimum_contexts: int = 5,
    hide_own: bool = True,
) -> Episode:
    """The paper's training: every hashtag that a user tagged in train, against drawn ones.

    A positive (user, hashtag) is kept where the user may see `minimum_contexts` context messages
    once the user's own are left out. Negatives are drawn with replacement from the hashtags with
    that many contexts that the user has not tagged; a hashtag drawn twice stands once.

    Args:
        corpus: the posts; only the train split is looked at.
        negatives: draws for each positive.
        seed: of the draws; `redraw` draws anew at little cost.
        minimum_contexts: see above.
        hide_own: leave own messages out of contexts and messages tagged with a hashtag out of the
            history, as it is at test. False copies the released behaviour of the paper, which
            leaks: then a model can learn to recognise identical messages.
    """
    train = corpus.split_of_post == Split.TRAIN
    episode = _moment(corpus, train, None, minimum_contexts, hide_own)
    return redraw(episode, negatives, seed)


def redraw(episode: Episode, negatives: int = 5, seed: int = 0) -> Episode:
    """A leave-out episode with negatives drawn by another seed."""
    corpus = episode.corpus
    train = np.zeros(len(corpus), bool)
    train[episode.history.values] = True
    tags = _hashtags_of_users(corpus, train)
    users = np.flatnonzero(tags.lengths).astype(np.int32)
    row = tags.row_of_value
    enough = episode.visible_context_counts(row, tags.values) >= episode.minimum_contexts
    lists, labels = [], []
    for user in users.tolist():
        mine = tags[user]
        positives = mine[enough[tags.offsets[user] : tags.offsets[user + 1]]]
        count = negatives * len(positives)
        chosen = np.union1d(positives, _draw(episode.catalogue, mine, count, seed, user))
        lists.append(chosen)
        labels.append(np.isin(chosen, positives, assume_unique=True))
    return episode.with_candidates(
        _enough_contexts(episode, users, Rows.from_lists(lists), _concatenate(labels))
    )


def catalogue_episode(corpus: Corpus, minimum_contexts: int = 5) -> Episode:
    """The present: all splits are known, nothing lies ahead, no lists; for export and serving."""
    return _moment(corpus, np.ones(len(corpus), bool), None, minimum_contexts)


def _moment(
    corpus: Any, known: Any, ahead: Any, minimum_contexts: Any, hide_own: bool = True
) -> Episode:
    """History, contexts and catalogue, without candidates."""
    known_posts = np.flatnonzero(known)
    ahead_posts = np.zeros(0, np.int64) if ahead is None else np.flatnonzero(ahead)
    users = corpus.user_of_post
    history = Rows.from_pairs(users[known_posts], known_posts, len(corpus.users))
    posts_a, tags_a = _taggings(corpus, known_posts)
    posts_b, tags_b = _taggings(corpus, ahead_posts)
    every_tag_b = tags_b
    texts = tags_b.astype(np.int64) * len(corpus.messages) + corpus.message_of_post[posts_b]
    distinct = np.sort(np.unique(texts, return_index=True)[1])
    posts_b, tags_b = posts_b[distinct], tags_b[distinct]
    tags = np.concatenate([tags_a, tags_b])
    contexts = Rows.from_pairs(tags, np.concatenate([posts_a, posts_b]), len(corpus.hashtags))
    is_ahead = np.repeat([False, True], [len(posts_a), len(posts_b)])
    future = is_ahead[np.argsort(tags, kind="stable")]
    pairs = users[ahead_posts].astype(np.int64) * len(corpus.messages)
    pairs = sorted_distinct(pairs + corpus.message_of_post[ahead_posts])
    future_messages = Rows.from_pairs(
        pairs // max(len(corpus.messages), 1),
        pairs % max(len(corpus.messages), 1),
        len(corpus.users),
    )
    tagged = np.bincount(tags_a, minlength=len(corpus.hashtags))
    tagged += np.bincount(every_tag_b, minlength=len(corpus.hashtags))
    catalogue = np.flatnonzero(tagged >= minimum_contexts).astype(np.int32)
    if ahead is not None:
        catalogue = np.intersect1d(catalogue, tags_b)
    empty = Candidates(np.zeros(0, np.int32), Rows.from_lists([]), np.zeros(0, np.int8))
    return Episode(
        corpus,
        history,
        contexts,
        future,
        future_messages,
        catalogue,
        empty,
        minimum_contexts,
        hide_own,
    )


def _taggings(corpus: Corpus, posts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(post, hashtag) pairs of the given posts, in their order."""
    rows = Rows(corpus.hashtag_offsets, corpus.hashtag_values).take(posts)
    return np.repeat(np.asarray(posts, dtype=np.int32), rows.lengths), rows.values


def _hashtags_of_users(corpus: Corpus, mask: np.ndarray) -> Rows:
    """Sorted distinct hashtags of every user's posts in the mask."""
    posts, tags = _taggings(corpus, np.flatnonzero(mask))
    count = max(len(corpus.hashtags), 1)
    pairs = sorted_distinct(corpus.user_of_post[posts].astype(np.int64) * count + tags)
    return Rows.from_pairs(pairs // count, pairs % count, len(corpus.users))


def _new_hashtags(future: Rows, history: Rows) -> Rows:
    """The hashtags ahead of each user that are new to them; all sorted and distinct."""
    count = np.int64(max(future.values.max(initial=0), history.values.max(initial=0)) + 1)
    ahead, before = (rows.row_of_value * count + rows.values for rows in (future, history))
    new = ~np.isin(ahead, before, assume_unique=True)
    return Rows.from_pairs(future.row_of_value[new], future.values[new], len(future))


def _drawn(take_up: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Places, rising, of at most so many for whom it is true, and of the same share of the rest."""
    lot = np.random.default_rng(seed).permutation(len(take_up))
    groups = lot[take_up[lot]], lot[~take_up[lot]]
    share = min(most / max(len(groups[0]), 1), 1)
    return np.sort(np.concatenate([group[: round(share * len(group))] for group in groups]))


def _draw(
    offered: np.ndarray, left_out: np.ndarray, count: int, seed: int, user: int
) -> np.ndarray:
    """Draws from what is offered but for some, both sorted; the cost is of what is drawn."""
    taken = _places(left_out, offered)
    left = len(offered) - len(taken)
    if count == 0 or left == 0:
        return np.zeros(0, np.int32)
    drawn = np.random.default_rng([seed, 0, user]).choice(left, count)
    # What is left stands as many places further as there are others before it.
    drawn += np.searchsorted(taken - np.arange(len(taken)), drawn, "right")
    return sorted_distinct(offered[drawn])


def _places(some: np.ndarray, every: np.ndarray) -> np.ndarray:
    """Where some values stand among others, both sorted; those that do not are left out."""
    places = np.searchsorted(every, some)
    places = np.minimum(places, len(every) - 1)
    return places[every[places] == some] if len(every) else places[:0]


def _concatenate(labels: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0, bool), *labels])


def _enough_contexts(episode: Episode, users: Any, lists: Rows, labels: Any) -> Candidates:
    row = lists.row_of_value
    enough = episode.visible_context_counts(users[row], lists.values) >= episode.minimum_contexts
    kept = Rows.from_pairs(row[enough], lists.values[enough], len(users))
    return Candidates(users, kept, labels[enough])


def _join(left_keys: Any, left: Any, right_keys: Any, right: Any) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of `left` and `right` whose keys are equal."""
    order = np.argsort(right_keys, kind="stable")
    keys = right_keys[order]
    first, last = (
        np.searchsorted(keys, left_keys, "left"),
        np.searchsorted(keys, left_keys, "right"),
    )
    return np.repeat(left, last - first), Rows.from_slices(right[order], first, last - first).values
