"""Batches of users for the engagement model, as a `tf.data.Dataset`."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tfhashtag.corpus.vocabulary import MessageWords
from tfhashtag.errors import DataError
from tfhashtag.tasks.users.episode import Episode
from tfhashtag.training.generated import generated
from tfhashtag.training.options import Shares, TrainingOptions

Batch = dict[str, np.ndarray]
_WHOLE = TrainingOptions().shares


def training_batches(
    episode: Episode,
    words: MessageWords | None,
    *,
    batch_users: int = 128,
    history_length: int = 50,
    contexts_length: int = 30,
    positives_per_row: int = 2,
    negatives: int | None = None,
    seed: int = 0,
    epoch: int = 0,
    shares: Shares = _WHOLE,
) -> tf.data.Dataset:
    """One epoch: every positive of the episode once, with its share of the negatives.

    A row of a batch is a user with up to `positives_per_row` of the user's positives and, for each,
    an equal share of the user's negatives. A user with more positives stands in several rows.

    At test, a positive's contexts hold no message by the user, and the user's history none with
    that hashtag. So, where `episode.hide_own`, the contexts of each candidate are those that
    `episode.visible_contexts` gives, and the history leaves out every message that carries **any
    positive of this row**: one history for all candidates of the row, encoded once. The user's
    other positives stay in it, and a row takes fewer positives where they would cost more than
    half of the history.

    Rows of similar history length share a batch, and a batch is only as long as its longest history
    (in steps of 8 messages): short histories do not pay for the longest. The order of rows of one
    length and the order of batches are random. Contexts are drawn anew in each epoch. One
    (`seed`, `epoch`) always gives the same batches.

    Args:
        episode: positives and negatives in `candidates`, histories and contexts.
        words: for the bags of words; None leaves `bag_of_words` out (a model without topics).
        batch_users: rows of a batch, B.
        history_length: newest messages of a user that are kept, H at most.
        contexts_length: context messages of a hashtag, M; a sample where there are more.
        positives_per_row: at least 1.
        negatives: the most that a positive gets, a sample where its share is larger (an imitated
            future draws them for positives with too few contexts too); None: the whole share.
        seed, epoch: of all draws.
        shares: which rows of a batch are made here, see `TrainingOptions.shares`.

    Returns:
        Pairs of inputs and labels as `EngagementModel.fit` takes them: `history` int32 `[B, H]`,
        `contexts` int32 `[B, C, M]`, `bag_of_words` float32 `[B, C, V]`, `candidate_mask` bool
        `[B, C]`; labels float32 `[B, C]`. Contexts and bag are of the same sampled messages.

    Raises:
        DataError: the episode has no positive.
    """
    rows = _training_rows(episode, positives_per_row, negatives, _rng(seed, epoch, 0))
    if not rows:
        raise DataError(
            f"corpus {episode.corpus.name}: no user has a positive hashtag to train on; more posts "
            "with shared hashtags, or a smaller `minimum_contexts`, are needed."
        )
    plan = _length_buckets(
        [min(len(row.history), history_length) for row in rows], batch_users, _rng(seed, epoch, 1)
    )
    width = max(len(row.hashtags) for row in rows)

    sample = _sample_seed(seed, epoch)

    def batches() -> Iterator[tuple[Batch, np.ndarray]]:
        for indices, length in plan:
            sizes = (length, width, contexts_length)
            for part, weight in shares(indices):
                chosen = [rows[i] if weight else rows[i].without_candidates() for i in part]
                yield _batch(episode, words, chosen, sizes, sample)

    return _dataset(batches, words, contexts_length, count=len(plan) * len(shares(plan[0][0])))


def topic_batches(
    episode: Episode,
    words: MessageWords,
    *,
    batch_hashtags: int = 128,
    contexts_length: int = 30,
    seed: int = 0,
    epoch: int = 0,
    shares: Shares = _WHOLE,
) -> tf.data.Dataset:
    """One epoch for the topic model alone: every hashtag with enough contexts once, shuffled.

    Returns:
        Pairs of inputs and labels for the phase `"topics"`: `bag_of_words` float32 `[B, 1, V]`,
        `candidate_mask` bool `[B, 1]`; labels are zeros `[B, 1]` that nothing reads.

    Raises:
        DataError: no hashtag has `episode.minimum_contexts` messages.
    """
    hashtags = np.flatnonzero(episode.contexts.lengths >= episode.minimum_contexts)
    if len(hashtags) == 0:
        raise DataError(
            f"corpus {episode.corpus.name}: no hashtag has {episode.minimum_contexts} context "
            "messages; lower `minimum_contexts`."
        )
    hashtags = _rng(seed, epoch, 2).permutation(hashtags)
    parts = [
        part
        for start in range(0, len(hashtags), batch_hashtags)
        for part in shares(hashtags[start : start + batch_hashtags])
    ]

    def batches() -> Any:
        for chosen, weight in parts:
            rows = context_rows(episode, chosen, contexts_length, _sample_seed(seed, epoch))
            inputs = {
                "bag_of_words": words.bags(rows[:, None, :]),
                "candidate_mask": np.full((len(chosen), 1), weight > 0),
            }
            yield inputs, np.zeros((len(chosen), 1), np.float32)

    signature = (
        {
            "bag_of_words": tf.TensorSpec((None, 1, words.size), tf.float32),
            "candidate_mask": tf.TensorSpec((None, 1), tf.bool),
        },
        tf.TensorSpec((None, 1), tf.float32),
    )
    dataset = generated(batches, signature)
    return dataset.apply(tf.data.experimental.assert_cardinality(len(parts))).prefetch(2)


def history_rows(episode: Episode, users: np.ndarray, history_length: int = 50) -> np.ndarray:
    """Message rows of the newest messages of users: int32 `[users, history_length]`, -1 pads."""
    return _messages(episode, episode.history.padded(users, history_length, keep="last"))


def context_rows(
    episode: Episode,
    hashtags: np.ndarray,
    contexts_length: int = 30,
    seed: int = 0,
    users: np.ndarray | None = None,
) -> np.ndarray:
    """Message rows of contexts of hashtags: int32 `[n, contexts_length]`, -1 pads.

    Where a hashtag has more, they are a seeded sample.

    Args:
        episode: whose contexts.
        hashtags: int `[n]`.
        contexts_length: M.
        seed: of the sample.
        users: int `[n]`, for whom: what this user may not see is left out. None: for nobody in
            particular, nothing is left out.
    """
    users = np.full(len(hashtags), -1) if users is None else users
    return _messages(episode, episode.visible_context_block(users, hashtags, contexts_length, seed))


class _Row(NamedTuple):
    """A user with some of the user's candidates: what one row of a batch is made of."""

    user: int
    hashtags: np.ndarray
    labels: np.ndarray
    history: np.ndarray

    def without_candidates(self) -> "_Row":
        """A row that weighs nothing."""
        return self._replace(hashtags=self.hashtags[:0], labels=self.labels[:0])


def _training_rows(
    episode: Any, positives_per_row: Any, negatives_per_positive: Any, rng: Any
) -> list[_Row]:
    if positives_per_row < 1:
        raise ValueError(f"`positives_per_row` must be at least 1, found {positives_per_row}.")
    corpus, candidates = episode.corpus, episode.candidates
    rows = []
    for index, user in enumerate(candidates.users):
        start, stop = candidates.hashtags.offsets[index : index + 2]
        hashtags = candidates.hashtags.values[start:stop]
        labels = candidates.labels[start:stop]
        positives = rng.permutation(hashtags[labels > 0])
        if len(positives) == 0:
            continue
        most = None if negatives_per_positive is None else negatives_per_positive * len(positives)
        negatives = rng.permutation(hashtags[labels == 0])[:most]
        history = episode.history[user]
        tags = [set(corpus.hashtags_of_post(post).tolist()) for post in history]
        if not episode.hide_own:
            tags = [set() for _ in history]
        groups = _groups(positives.tolist(), tags, positives_per_row)
        ends = np.cumsum([len(group) for group in groups])[:-1]
        shares = np.array_split(negatives, ends * len(negatives) // len(positives))
        for group, share in zip(groups, shares, strict=True):
            seen = [not own & set(group) for own in tags]
            rows.append(
                _Row(
                    int(user),
                    np.concatenate([group, share]).astype(np.int32),
                    np.repeat(np.array([1, 0], np.float32), [len(group), len(share)]),
                    history[np.array(seen, dtype=bool)],
                )
            )
    return rows


def _groups(positives: list[int], tags_of_history: list[set[int]], most: int) -> list[list[int]]:
    """Positives in groups of at most `most`, one of several hiding at most half of the history."""
    groups: list[list[int]] = []
    for positive in positives:
        grown = {*groups[-1], positive} if groups else {positive}
        hidden = sum(bool(tags & grown) for tags in tags_of_history)
        if groups and len(grown) <= most and 2 * hidden <= len(tags_of_history):
            groups[-1].append(positive)
        else:
            groups.append([positive])
    return groups


def _length_buckets(lengths: Any, batch_users: Any, rng: Any) -> list[tuple[np.ndarray, int]]:
    """Batches of similar length, shuffled: row indices and the padded length of each."""
    step = 8  # histories are padded to multiples of it
    buckets = np.maximum(1, -(-np.asarray(lengths) // step))
    order = rng.permutation(len(buckets))
    order = order[np.argsort(buckets[order], kind="stable")]
    parts = [order[i : i + batch_users] for i in range(0, len(order), batch_users)]
    longest = max(1, *lengths)
    return [
        (parts[i], min(int(buckets[parts[i]].max()) * step, longest))
        for i in rng.permutation(len(parts))
    ]


def _batch(
    episode: Any, words: Any, rows: Any, sizes: Any, sample: Any
) -> tuple[Batch, np.ndarray]:
    length, width, contexts_length = sizes
    history = np.full((len(rows), length), -1, np.int32)
    mask = np.zeros((len(rows), width), bool)
    labels = np.zeros((len(rows), width), np.float32)
    for place, row in enumerate(rows):
        newest = row.history[-length:]
        history[place, : len(newest)] = newest
        mask[place, : len(row.hashtags)] = True
        labels[place, : len(row.hashtags)] = row.labels
    contexts = np.full((len(rows), width, contexts_length), -1, np.int32)
    contexts[mask] = context_rows(
        episode,
        np.concatenate([row.hashtags for row in rows]),
        contexts_length,
        sample,
        users=np.repeat([row.user for row in rows], [len(row.hashtags) for row in rows]),
    )
    batch = {
        "history": _messages(episode, history),
        "contexts": contexts,
        "candidate_mask": mask,
    }
    if words is not None:
        batch["bag_of_words"] = words.bags(contexts)
    return batch, labels


def _messages(episode: Any, posts: Any) -> np.ndarray:
    """Message rows of posts, -1 for -1."""
    return np.where(posts >= 0, episode.corpus.message_of_post[posts], -1).astype(np.int32)


def _dataset(batches: Any, words: Any, contexts_length: Any, count: Any) -> tf.data.Dataset:
    # No number of candidates: it differs between epochs, which would trace the step for each.
    inputs = {
        "history": tf.TensorSpec((None, None), tf.int32),
        "contexts": tf.TensorSpec((None, None, contexts_length), tf.int32),
        "candidate_mask": tf.TensorSpec((None, None), tf.bool),
    }
    if words is not None:
        inputs["bag_of_words"] = tf.TensorSpec((None, None, words.size), tf.float32)
    signature = (inputs, tf.TensorSpec((None, None), tf.float32))
    dataset = generated(batches, signature)
    return dataset.apply(tf.data.experimental.assert_cardinality(count)).prefetch(2)


def _rng(*key: int) -> np.random.Generator:
    return np.random.default_rng(list(key))


def _sample_seed(seed: int, epoch: int) -> int:
    return int(_rng(seed, epoch, 3).integers(2**31))
