"""Episodes against the rules of the protocol, written again as plain loops, and against leaks."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfhashtag.corpus.corpus import Split
from tfhashtag.errors import DataError
from tfhashtag.tasks.users.episode import (
    catalogue_episode,
    evaluation_episode,
    future_episode,
    imitated_future,
    leave_out_episode,
    redraw,
)

# Few users, texts and hashtags, so that texts repeat within and across users and splits.
POSTS = st.lists(
    st.tuples(
        st.sampled_from("uvw"),
        st.sampled_from("abcdef"),
        st.lists(st.sampled_from("12345"), max_size=3, unique=True),
        st.sampled_from(list(Split)),
    ),
    min_size=12,
    max_size=40,
)
MINIMUM = 2


def records(corpus):
    """(user, text, hashtags, split) of every post, as indices."""
    return [
        (
            int(corpus.user_of_post[post]),
            int(corpus.message_of_post[post]),
            set(corpus.hashtags_of_post(post).tolist()),
            int(corpus.split_of_post[post]),
        )
        for post in range(len(corpus))
    ]


def texts_by_the_rules(posts, split, user, hashtag):
    """Texts of `hashtag` that the protocol shows `user`: train with repeats, then `split`."""
    own = {text for who, text, _, when in posts if who == user and when == split}
    seen = [text for _, text, tags, when in posts if when == 0 and hashtag in tags]
    ahead = dict.fromkeys(
        text for _, text, tags, when in posts if when == split and hashtag in tags
    )
    return seen + [text for text in ahead if text not in own]


def tags_of(posts, split, user):
    return set().union(*(tags for who, _, tags, when in posts if who == user and when == split))


@given(POSTS, st.sampled_from([1, 2]), st.sampled_from(["sampled", "full"]), st.integers(0, 3))
@settings(max_examples=200, deadline=None)
def test_evaluation_follows_the_protocol(make_corpus, posts, split, protocol, seed):
    corpus = make_corpus(posts)
    posts = records(corpus)
    episode = evaluation_episode(corpus, split, protocol, seed, MINIMUM)
    lists = episode.candidates
    assert lists.users.tolist() == corpus.evaluation_users.tolist()
    offered = set().union(*(tags for _, _, tags, when in posts if when == split))
    for row, user in enumerate(lists.users.tolist()):
        before, after = tags_of(posts, 0, user), tags_of(posts, split, user)
        enough = {
            tag for tag in offered if len(texts_by_the_rules(posts, split, user, tag)) >= MINIMUM
        }
        first, last = lists.hashtags.offsets[row : row + 2]
        listed = lists.hashtags[row].tolist()
        labels = dict(zip(listed, lists.labels[first:last].tolist(), strict=True))
        assert listed == sorted(set(listed))
        assert {tag for tag, label in labels.items() if label} == (after - before) & enough
        negatives = {tag for tag, label in labels.items() if not label}
        if protocol == "full":
            assert negatives == (offered - after - before) & enough
        else:
            pool = np.array(sorted(offered - after - before), int)
            rng, count = np.random.default_rng([seed, 0, user]), 100 * len(after - before)
            drawn = set(rng.choice(pool, count).tolist()) if len(pool) else set()
            assert negatives == drawn & enough
        for tag in listed:
            shown = corpus.message_of_post[episode.visible_contexts(user, tag)].tolist()
            assert shown == texts_by_the_rules(posts, split, user, tag)
        history = corpus.message_of_post[episode.history[user]].tolist()
        assert history == [text for who, text, _, when in posts if who == user and when == 0]


@given(POSTS, st.data())
@settings(max_examples=200, deadline=None)
def test_no_input_of_a_user_depends_on_the_users_own_labels(make_corpus, posts, data):
    """Other hashtags on a user's test posts change nothing that a model may see of that user."""
    # A leading post a hashtag keeps their indices equal in both corpora.
    posts = [("x", "z", list("12345"), Split.VALID), *posts]
    changed = [
        (user, text, data.draw(st.lists(st.sampled_from("12345"), max_size=3, unique=True)), split)
        if user == "u" and split == Split.TEST
        else (user, text, tags, split)
        for user, text, tags, split in posts
    ]
    one, other = make_corpus(posts), make_corpus(changed)
    if "u" not in one.users:
        return
    user = one.users.index("u")
    first, second = (
        evaluation_episode(corpus, 2, seed=0, minimum_contexts=1) for corpus in (one, other)
    )
    assert first.history[user].tolist() == second.history[user].tolist()
    for hashtag in range(len(one.hashtags)):
        shown = [
            sorted(one.message_of_post[episode.visible_contexts(user, hashtag)].tolist())
            for episode in (first, second)
        ]
        assert shown[0] == shown[1]


@given(POSTS, st.integers(0, 3))
@settings(max_examples=200, deadline=None)
def test_leave_out_shows_nothing_of_the_users_own(make_corpus, posts, seed):
    corpus = make_corpus(posts)
    posts = records(corpus)
    episode = leave_out_episode(corpus, negatives=2, seed=seed, minimum_contexts=MINIMUM)
    lists = episode.candidates
    for user in range(len(corpus.users)):
        mine = tags_of(posts, 0, user)
        expected = set()
        for tag in range(len(corpus.hashtags)):
            own = {
                text for who, text, tags, when in posts if who == user and not when and tag in tags
            }
            others = [
                text
                for who, text, tags, when in posts
                if when == 0 and tag in tags and who != user and text not in own
            ]
            shown = episode.visible_contexts(user, tag)
            assert corpus.message_of_post[shown].tolist() == others
            assert episode.visible_context_counts(user, tag) == len(others)
            if tag in mine and len(others) >= MINIMUM:
                expected.add(tag)
        listed = np.flatnonzero(lists.users == user)
        if len(listed) == 0:
            assert not expected
            continue
        first, last = lists.hashtags.offsets[listed[0] : listed[0] + 2]
        labels = dict(
            zip(lists.hashtags[listed[0]].tolist(), lists.labels[first:last].tolist(), strict=True)
        )
        assert {tag for tag, label in labels.items() if label} == expected
        negatives = {tag for tag, label in labels.items() if not label}
        assert len(negatives) <= 2 * len(expected)
        assert not negatives & mine


@given(POSTS)
@settings(max_examples=50, deadline=None)
def test_the_leak_can_be_switched_on(make_corpus, posts):
    corpus = make_corpus(posts)
    episode = leave_out_episode(corpus, minimum_contexts=1, hide_own=False)
    for user in range(len(corpus.users)):
        for tag in range(len(corpus.hashtags)):
            assert episode.visible_contexts(user, tag).tolist() == episode.contexts[tag].tolist()


@given(POSTS, st.floats(0.1, 0.9), st.integers(0, 3), st.data())
@settings(max_examples=100, deadline=None)
def test_imitated_future_cuts_time_lines_and_sees_train_alone(make_corpus, posts, cut, seed, data):
    posts = [("x", "z", list("12345"), Split.VALID), *posts]
    corpus = make_corpus(posts)
    episode = imitated_future(corpus, cut, seed=seed, minimum_contexts=1, jitter=0.1)
    train = corpus.split_of_post == Split.TRAIN
    for user in range(len(corpus.users)):
        own = np.flatnonzero(train & (corpus.user_of_post == user))
        known = episode.history[user]
        assert known.tolist() == own[: len(known)].tolist()
        assert len(known) >= min(1, len(own))
        ahead = corpus.message_of_post[own[len(known) :]]
        assert set(episode.future_messages[user].tolist()) == set(ahead.tolist())
        row = np.flatnonzero(episode.candidates.users == user)[0]
        first, last = episode.candidates.hashtags.offsets[row : row + 2]
        labels = episode.candidates.labels[first:last] > 0
        before = {t for post in known for t in corpus.hashtags_of_post(post)}
        after = {t for post in own[len(known) :] for t in corpus.hashtags_of_post(post)}
        assert set(episode.candidates.hashtags[row][labels]) <= after - before
        for tag in episode.candidates.hashtags[row]:
            shown = episode.visible_contexts(user, tag)
            assert not np.any(corpus.user_of_post[shown] == user)
    assert np.all(train[episode.contexts.values])
    # Other hashtags in the later splits change nothing.
    changed = make_corpus(
        [
            (user, text, tags if split == Split.TRAIN or user == "x" else ["3"], split)
            for user, text, tags, split in posts
        ]
    )
    again = imitated_future(changed, cut, seed=seed, minimum_contexts=1, jitter=0.1)
    assert again.candidates.hashtags.values.tolist() == episode.candidates.hashtags.values.tolist()
    assert again.contexts.values.tolist() == episode.contexts.values.tolist()


def test_hidden_places_are_those_that_visible_contexts_leaves_out(make_corpus):
    corpus = make_corpus(
        [("u", "a", ["1"], 0), ("v", "b", ["1"], 0), ("u", "c", ["1"], 2), ("v", "d", ["1"], 2)]
    )
    episode = evaluation_episode(corpus, 2, minimum_contexts=1)
    assert episode.contexts[0].tolist() == [0, 1, 2, 3]
    assert episode.future.tolist() == [False, False, True, True]
    assert episode.hidden.tolist() == [[0, 0, 0], [0, 0, 2], [1, 0, 1], [1, 0, 3]]
    assert episode.visible_contexts(0, 0).tolist() == [1, 3]


def test_context_block_samples_without_what_is_hidden(make_corpus):
    posts = [("v", f"text {i}", ["1"], 0) for i in range(40)]
    posts += [("u", f"own {i}", ["1"], 0) for i in range(40)]
    corpus = make_corpus(posts)
    episode = leave_out_episode(corpus)
    block = episode.visible_context_block(
        np.array([0, 1, 1]), np.array([0, 0, 0]), width=30, seed=4
    )
    assert block.shape == (3, 30)
    assert set(block[0]) <= set(range(40, 80)) and set(block[1]) <= set(range(40))
    assert len(set(block[0])) == 30 and block[1].tolist() == block[2].tolist()
    again = episode.visible_context_block(np.array([1]), np.array([0]), width=30, seed=4)
    assert again[0].tolist() == block[1].tolist()
    other = episode.visible_context_block(np.array([1]), np.array([0]), width=30, seed=5)
    assert other[0].tolist() != block[1].tolist()
    wide = episode.visible_context_block(np.array([1]), np.array([0]), width=50)
    assert sorted(wide[0]) == [-1] * 10 + list(range(40))


def test_seeds_decide_the_negatives(make_corpus):
    posts = [("u", "a", ["0"], 0)]
    posts += [(f"v{i}", f"text {i} {j}", [f"{i}"], 0) for i in range(300) for j in range(2)]
    posts += [(f"v{i}", f"late {i}", [f"{i}"], 2) for i in range(300)]
    posts += [("u", "b", ["7"], 2)]
    corpus = make_corpus(posts)
    lists = [
        evaluation_episode(corpus, 2, seed=seed, minimum_contexts=2).candidates
        for seed in (0, 0, 1)
    ]
    assert lists[0].hashtags.values.tolist() == lists[1].hashtags.values.tolist()
    assert lists[0].hashtags.values.tolist() != lists[2].hashtags.values.tolist()
    drawn = lists[0].hashtags.lengths[0] - 1
    # 100 draws from 298 hashtags hit 85 distinct ones in the mean, with a deviation of 3.
    assert 70 <= drawn <= 99
    leave = leave_out_episode(corpus, minimum_contexts=2)
    anew = redraw(leave, seed=9)
    assert anew.hidden is leave.hidden
    positives = [
        lists.hashtags.values[lists.labels > 0] for lists in (leave.candidates, anew.candidates)
    ]
    assert positives[0].tolist() == positives[1].tolist()


def test_lists_of_some_users_are_those_of_all(make_corpus):
    posts = [
        (f"u{i}", f"{i} {j}", [f"{i // 3}", f"{j}"], 2 * j // 3)
        for i in range(30)
        for j in (0, 1, 3)
    ]
    corpus = make_corpus(posts)
    every, some, other = (
        evaluation_episode(corpus, seed=seed, minimum_contexts=1, users=users).candidates
        for seed, users in ((0, None), (0, 7), (1, 7))
    )
    take_up = np.sum(every.positives > 0)
    assert len(every) == 30 and np.sum(some.positives > 0) == np.sum(other.positives > 0) == 7
    assert len(some) - 7 == round((30 - take_up) * 7 / take_up)
    assert some.users.tolist() == sorted(some.users) != other.users.tolist()
    again = every.take(some.users)
    assert again.hashtags.values.tolist() == some.hashtags.values.tolist()
    assert again.labels.tolist() == some.labels.tolist() and some.labels.any()


def test_corpora_with_next_to_nothing(make_corpus):
    empty = make_corpus([])
    for episode in (evaluation_episode(empty), leave_out_episode(empty), catalogue_episode(empty)):
        assert len(episode.candidates.labels) == 0 and len(episode.catalogue) == 0
    bare = make_corpus([("u", "a", [], 0), ("v", "a", [], 2)])
    for episode in (evaluation_episode(bare), imitated_future(bare, 0.5), leave_out_episode(bare)):
        assert len(episode.candidates.labels) == 0
    newcomer = make_corpus([("v", f"{i}", ["1"], 0) for i in range(5)] + [("u", "a", ["1"], 2)])
    episode = evaluation_episode(newcomer)
    user = newcomer.users.index("u")
    assert episode.history[user].tolist() == []
    assert episode.candidates.positives.tolist() == [0, 1]


def test_nothing_lies_ahead(make_corpus):
    corpus = make_corpus([("u", "a", ["1"], 0), ("u", "b", ["1"], 0), ("v", "c", [], 0)])
    episode = evaluation_episode(corpus, protocol="full", minimum_contexts=1)
    assert len(episode.candidates.labels) == 0 and len(episode.catalogue) == 0


def test_catalogue_of_the_present(make_corpus):
    posts = [("u", f"a{i}", ["1"], i % 3) for i in range(5)] + [("v", "b", ["2"], 0)]
    episode = catalogue_episode(make_corpus(posts))
    assert episode.catalogue.tolist() == [0]
    assert episode.history[0].tolist() == [0, 1, 2, 3, 4]


def test_wrong_arguments(make_corpus):
    corpus = make_corpus([("u", "a", ["1"], 0)])
    everything = np.ones(1, bool)
    with pytest.raises(DataError, match="`split` must be valid or test"):
        evaluation_episode(corpus, Split.TRAIN)
    with pytest.raises(DataError, match="`protocol` must be one of sampled, full, found 'all'"):
        evaluation_episode(corpus, Split.TEST, "all")
    with pytest.raises(DataError, match="both in `known` and in `ahead`"):
        future_episode(corpus, everything, everything)
    for cut, until in ((0.0, 1.0), (0.5, 0.4), (0.5, 1.5)):
        with pytest.raises(DataError, match="0 < cut < until <= 1"):
            imitated_future(corpus, cut, until=until)
    with pytest.raises(DataError, match="`jitter`"):
        imitated_future(corpus, 0.5, jitter=-1.0)


def test_counts_of_the_twitter_data(howyoutag_corpus):
    """The counts of the authors' released list."""
    episode = evaluation_episode(howyoutag_corpus)
    lists = episode.candidates
    assert len(lists) == 2571
    assert np.sum(lists.positives > 0) == 1951
    assert lists.positives.mean() == pytest.approx(1.33, abs=0.005)
    assert lists.hashtags.lengths.mean() == pytest.approx(80.2, abs=0.5)
    assert len(episode.catalogue) == 1488
    full = evaluation_episode(howyoutag_corpus, protocol="full")
    assert full.candidates.positives.tolist() == lists.positives.tolist()
    assert dataclasses.replace(full, candidates=lists).hidden.tolist() == episode.hidden.tolist()
