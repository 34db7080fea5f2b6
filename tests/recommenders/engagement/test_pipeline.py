import dataclasses

import numpy as np
import pytest

from tfhashtag.corpus.candidates import Candidates
from tfhashtag.corpus.corpus import Corpus
from tfhashtag.corpus.rows import Rows
from tfhashtag.corpus.vocabulary import MessageWords, Vocabulary
from tfhashtag.errors import DataError
from tfhashtag.recommenders.engagement.pipeline import (
    context_rows,
    history_rows,
    topic_batches,
    training_batches,
)
from tfhashtag.tasks.users.episode import evaluation_episode, leave_out_episode

USERS, HASHTAGS = 12, 9


def random_corpus(posts=260, seed=0) -> Corpus:
    rng = np.random.default_rng(seed)
    tags = [np.unique(rng.integers(0, HASHTAGS, rng.integers(1, 4))) for _ in range(posts)]
    messages = [f"word{i % 17} word{i % 5} m{i}" for i in range(posts - 20)]
    rows = Rows.from_lists(tags)
    return Corpus(
        name="random",
        post_ids=[str(i) for i in range(posts)],
        users=[f"u{i}" for i in range(USERS)],
        user_of_post=(rng.integers(0, USERS, posts) ** 2 // USERS).astype(np.int32),
        messages=messages,
        message_of_post=rng.integers(0, len(messages), posts).astype(np.int32),
        hashtags=[f"h{i}" for i in range(HASHTAGS)],
        hashtag_offsets=rows.offsets,
        hashtag_values=rows.values,
        split_of_post=np.sort(rng.choice(3, posts, p=[0.8, 0.1, 0.1])).astype(np.int8),
        evaluation_users=np.arange(USERS, dtype=np.int32),
        timestamps=None,
        images=None,
        digest="",
    )


CORPUS = random_corpus()
EPISODE = leave_out_episode(CORPUS, negatives=2, minimum_contexts=3)
WORDS = MessageWords.of_messages(Vocabulary.of_messages(CORPUS.messages, 30), CORPUS.messages)
SIZES = {"batch_users": 4, "history_length": 10, "contexts_length": 6}


def batches(episode=EPISODE, words=WORDS, **changes):
    dataset = training_batches(episode, words, **{**SIZES, **changes})
    found = [({k: v.numpy() for k, v in x.items()}, y.numpy()) for x, y in dataset]
    assert len(found) == int(dataset.cardinality())
    return found


def tags_of_message(user, message):
    """Hashtags that the user gave to a text in train."""
    posts = np.flatnonzero(
        (CORPUS.user_of_post == user)
        & (CORPUS.message_of_post == message)
        & (CORPUS.split_of_post == 0)
    )
    return [set(CORPUS.hashtags_of_post(p).tolist()) for p in posts]


def test_shapes_dtypes_and_masks():
    for x, y in batches():
        users, width = y.shape
        assert users <= 4 and x["history"].shape[0] == users and x["history"].shape[1] <= 10
        assert x["contexts"].shape == (users, width, 6)
        assert x["bag_of_words"].shape == (users, width, 30)
        assert x["bag_of_words"].dtype == y.dtype == np.float32
        assert x["history"].dtype == x["contexts"].dtype == np.int32
        assert x["candidate_mask"].dtype == bool
        assert (x["contexts"][~x["candidate_mask"]] == -1).all()
        assert (y[~x["candidate_mask"]] == 0).all()
        for rows in (x["history"], x["contexts"].reshape(-1, 6)):  # padding stands at the end
            assert (np.diff((rows >= 0).astype(int), axis=1) <= 0).all()
        assert np.array_equal(x["bag_of_words"], WORDS.bags(x["contexts"]))


def recorded(monkeypatch, **changes):
    """(user, hashtag, label, history, contexts) of every candidate of an epoch."""
    from tfhashtag.recommenders.engagement import pipeline

    seen, make = [], pipeline._batch

    def record(episode, words, rows, sizes, sample):
        x, y = make(episode, words, rows, sizes, sample)
        for r, row in enumerate(rows):
            for c, hashtag in enumerate(row.hashtags):
                history, contexts = x["history"][r], x["contexts"][r, c]
                seen.append(
                    (
                        row.user,
                        int(hashtag),
                        y[r, c],
                        history[history >= 0],
                        contexts[contexts >= 0],
                    )
                )
        return x, y

    monkeypatch.setattr(pipeline, "_batch", record)
    batches(**changes)
    return seen


@pytest.mark.parametrize("positives_per_row", [1, 2, 5])
def test_each_candidate_stands_once_an_epoch(monkeypatch, positives_per_row):
    seen = recorded(monkeypatch, positives_per_row=positives_per_row)
    found = sorted((user, hashtag, int(label)) for user, hashtag, label, _, _ in seen)
    candidates = EPISODE.candidates
    with_positive = np.isin(candidates.user_of_value, candidates.users[candidates.positives > 0])
    expected = sorted(
        zip(
            candidates.user_of_value[with_positive].tolist(),
            candidates.hashtags.values[with_positive].tolist(),
            candidates.labels[with_positive].tolist(),
            strict=True,
        )
    )
    assert found == expected


@pytest.mark.parametrize("positives_per_row", [1, 2, 5])
def test_nothing_leaks(monkeypatch, positives_per_row):
    """No history holds a message tagged with a positive of its row, no contexts an own message."""
    positives = 0
    for user, hashtag, label, history, contexts in recorded(
        monkeypatch, positives_per_row=positives_per_row
    ):
        own = set(CORPUS.message_of_post[CORPUS.user_of_post == user].tolist())
        visible = set(CORPUS.message_of_post[EPISODE.visible_contexts(user, hashtag)].tolist())
        assert set(contexts.tolist()) <= visible
        if label:
            positives += 1
            # A text that the user repeats may stand there for its use without the hashtag.
            assert all(
                any(hashtag not in tags for tags in tags_of_message(user, message))
                for message in history
            )
            tagged = {
                int(m)
                for m in own
                if tags_of_message(user, m) and all(hashtag in t for t in tags_of_message(user, m))
            }
            assert not tagged & set(contexts.tolist())
    assert positives == EPISODE.candidates.positives.sum() > 20


def test_the_leak_is_there_where_nothing_is_hidden(monkeypatch):
    from tfhashtag.recommenders.engagement import pipeline

    leaky = leave_out_episode(CORPUS, negatives=2, minimum_contexts=3, hide_own=False)
    seen = []
    make = pipeline._batch
    monkeypatch.setattr(
        pipeline, "_batch", lambda e, w, rows, s, d: (seen.extend(rows), make(e, w, rows, s, d))[1]
    )
    batches(leaky)
    for row in seen:
        assert np.array_equal(row.history, leaky.history[row.user])


def test_history_is_the_newest_in_order(monkeypatch):
    for user, _, _, history, _ in recorded(monkeypatch, history_length=3):
        own = CORPUS.message_of_post[EPISODE.history[user]].tolist()
        assert len(history) <= 3
        places = [i for i in range(len(own))]
        position = -1
        for message in history.tolist():
            position = next(i for i in places if i > position and own[i] == message)


def equal(left, right):
    return all(
        np.array_equal(a[k], b[k]) for (a, _), (b, _) in zip(left, right, strict=True) for k in a
    )


def test_a_seed_and_an_epoch_decide_everything():
    assert equal(batches(seed=3, epoch=1), batches(seed=3, epoch=1))
    assert not equal(batches(seed=3, epoch=1)[:1], batches(seed=3, epoch=2)[:1])
    assert not equal(batches(seed=3, epoch=1)[:1], batches(seed=4, epoch=1)[:1])


def test_short_histories_do_not_pay_for_long_ones():
    widths = {x["history"].shape[1] for x, _ in batches(history_length=50, batch_users=2)}
    assert len(widths) > 1


@pytest.mark.parametrize("most", [1, 2, 3])
def test_a_positive_gets_so_many_negatives_at_most(most):
    """An imitated future draws them for positives with too few contexts, too."""
    candidates = Candidates(
        np.array([0, 1]), Rows.from_lists([range(9), range(4)]), np.array([1, 1] + [0] * 10 + [1])
    )
    limited = batches(dataclasses.replace(EPISODE, candidates=candidates), negatives=most)
    assert sum(y.sum() for _, y in limited) == 3
    negatives = sum((x["candidate_mask"] & (y == 0)).sum() for x, y in limited)
    assert negatives == min(2 * most, 7) + min(most, 3)


def test_lists_of_any_length_are_of_one_kind():
    """What `fit` has traced for one epoch it takes for the next."""
    few, more = (training_batches(EPISODE, WORDS, positives_per_row=most) for most in (1, 5))
    assert next(iter(few))[1].shape[1] < next(iter(more))[1].shape[1]
    assert few.element_spec == more.element_spec


def test_without_words_there_is_no_bag():
    assert "bag_of_words" not in batches(words=None)[0][0]


def test_no_positive_is_an_error():
    empty = Candidates(np.array([0]), Rows.from_lists([[1]]), np.array([0]))
    with pytest.raises(DataError, match="no user has a positive"):
        training_batches(dataclasses.replace(EPISODE, candidates=empty), WORDS)


def test_topic_batches_give_every_hashtag_once():
    data = topic_batches(EPISODE, WORDS, batch_hashtags=4, contexts_length=6, seed=1)
    bags = np.concatenate([x["bag_of_words"].numpy() for x, _ in data])
    usable = np.flatnonzero(EPISODE.contexts.lengths >= 3)
    assert bags.shape == (len(usable), 1, 30) and len(data) == -(-len(usable) // 4)
    assert (bags.sum(axis=(1, 2)) > 0).all()


def test_topic_batches_without_a_hashtag():
    with pytest.raises(DataError, match="minimum_contexts"):
        topic_batches(dataclasses.replace(EPISODE, minimum_contexts=10_000), WORDS)


def test_rows_of_contexts_and_history():
    episode = evaluation_episode(CORPUS, 2, minimum_contexts=3)
    users, hashtags = np.array([0, 1, 2]), np.array([3, 3, 4])
    history = history_rows(episode, users, 4)
    assert history.shape == (3, 4)
    own = CORPUS.message_of_post[episode.history[0]]
    assert np.array_equal(history[0][history[0] >= 0], own[-4:])
    anybody = context_rows(episode, hashtags, 50)
    for row, hashtag in zip(anybody, hashtags, strict=True):
        expected = CORPUS.message_of_post[episode.contexts[hashtag]]
        assert sorted(row[row >= 0]) == sorted(expected)
    mine = context_rows(episode, hashtags, 50, users=users)
    for row, user, hashtag in zip(mine, users, hashtags, strict=True):
        expected = CORPUS.message_of_post[episode.visible_contexts(user, hashtag)]
        assert sorted(row[row >= 0]) == sorted(expected)
