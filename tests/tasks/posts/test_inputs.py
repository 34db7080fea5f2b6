"""What models read of posts: gathered rightly, and never a post's own hashtags."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.rows import Rows
from tfhashtag.errors import ConfigError, DataError
from tfhashtag.tasks.posts import inputs, picture_means
from tfhashtag.tasks.posts.inputs import PARTS, PostInputs, PostTables, earlier_posts
from tfhashtag.tasks.posts.label_counts import history_means
from tfhashtag.tasks.posts.labels import PostLabels
from tfhashtag.tasks.posts.settings import PostData

TAGS = [f"t{number}" for number in (5, 3, 11, 0, 8, 2, 7)]
DATA = PostData(minimum_posts=1, own_posts=3, other_posts=4, own_hashtags=7, other_hashtags=8)
WITH_HASHTAGS = DATA.model_copy(update={"similar_vectors": "texts_and_hashtags"})


def made(make_corpus, seed, times, posts=40):
    """A random corpus and tables; `frame` posts hold every hashtag: the label space is fixed."""
    rng = np.random.default_rng(seed)
    frame = [("frame", f"text {tag}", [tag], 0) for tag in TAGS]
    texts = [*(f"text {number}" for number in range(9)), "", " \t"]
    rows = frame + [
        (
            f"u{rng.integers(4)}",
            str(rng.choice(texts)),
            rng.choice(TAGS, rng.integers(0, 4), replace=False).tolist(),
            int(rng.choice([0, 0, 1, 2])),
        )
        for _ in range(posts)
    ]
    corpus = make_corpus(rows)
    if times:
        corpus = dataclasses.replace(corpus, timestamps=np.sort(rng.integers(0, 20, len(rows))))
    tables = PostTables(
        tokens=rng.integers(1, 9, (len(corpus.messages), 5)).astype(np.int32),
        text=rng.integers(-1, 2, (len(corpus.messages), 3)).astype(np.float32),
        hashtags=rng.normal(size=(len(corpus.hashtags), 3)).astype(np.float32),
        proposals=rng.normal(size=(6, 2, 4)).astype(np.float32),
        proposal_rows=rng.integers(-1, 6, (len(corpus), 1)).astype(np.int32),
    )
    return corpus, tables, rng


def batch_of(corpus, tables, posts, parts=PARTS, data=WITH_HASHTAGS):
    labels = PostLabels.of_corpus(corpus, 1)
    inputs = PostInputs(corpus, labels, tables, posts, data, parts=parts)
    return inputs.batch(np.arange(len(posts)))


def retagged(corpus, tags_of_post):
    """The corpus with other hashtags for some posts."""
    rows = [corpus.hashtags_of_post(index) for index in range(len(corpus))]
    for post, tags in tags_of_post.items():
        rows[post] = np.asarray(tags, np.int32)
    changed = Rows.from_lists(rows)
    return dataclasses.replace(
        corpus, hashtag_offsets=changed.offsets, hashtag_values=changed.values
    )


def assert_equal(left, right):
    assert set(left) == set(right)
    for name in left:
        np.testing.assert_array_equal(left[name], right[name], err_msg=name)


# === No hashtag reaches the inputs of its own post ===


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=25, deadline=None)
def test_own_hashtags_change_nothing(make_corpus, seed, times):
    corpus, tables, rng = made(make_corpus, seed, times)
    post = int(rng.integers(len(TAGS), len(corpus)))  # of train, valid or test
    before = batch_of(corpus, tables, np.array([post]))
    for tags in ([], rng.permutation(len(TAGS))[:3], np.arange(len(TAGS))):
        assert_equal(batch_of(retagged(corpus, {post: tags}), tables, np.array([post])), before)


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=15, deadline=None)
def test_labels_of_held_out_posts_may_be_permuted(make_corpus, seed, times):
    corpus, tables, rng = made(make_corpus, seed, times)
    held_out = np.flatnonzero(corpus.split_of_post != Split.TRAIN)
    before = batch_of(corpus, tables, np.arange(len(corpus)))
    turned = rng.permutation(held_out)
    tags = {
        int(post): corpus.hashtags_of_post(int(other))
        for post, other in zip(held_out, turned, strict=True)
    }
    assert_equal(batch_of(retagged(corpus, tags), tables, np.arange(len(corpus))), before)


def without_order(batch, row):
    """Inputs of one row; its hashtags without their order, which no model heeds."""
    found = {}
    for name, values in batch.items():
        value = values[row]
        if name in ("own_hashtags", "others_hashtags", "used_hashtags"):
            value = np.array(sorted(value.tolist()))
        found[name] = value
    return found


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=20, deadline=None)
def test_who_has_seen_a_post_is_said(make_corpus, seed, times):
    """In a graph a post may hear of all others but those: its hashtags do not come back to it."""
    corpus, tables, rng = made(make_corpus, seed, times)
    posts = np.arange(len(corpus))
    parts = ("similar", "used")
    before = batch_of(corpus, tables, posts, parts)
    train = np.flatnonzero(corpus.split_of_post == Split.TRAIN)
    post = int(rng.choice(train[train >= len(TAGS)]))
    changed = retagged(corpus, {post: np.arange(len(TAGS))})
    after = batch_of(changed, tables, posts, parts)
    assert np.array_equal(before["post"], posts)
    seen = (before["seen_posts"] == post).any(axis=1)
    assert not seen[post]
    for row in np.flatnonzero(~seen):
        assert_equal(without_order(after, row), without_order(before, row))


def test_the_leak_tests_can_fail(make_corpus):
    """Another train post's hashtags do reach the inputs, by every path that is tested."""
    reached = {"texts": set(), "texts_and_hashtags": set()}
    for seed, data in itertools.product(range(6), (DATA, WITH_HASHTAGS)):
        corpus, tables, _ = made(make_corpus, seed, times=False)
        posts = np.arange(len(TAGS), len(corpus))
        before = batch_of(corpus, tables, posts, data=data)
        post = int(posts[corpus.split_of_post[posts] == 0][0])
        changed = retagged(corpus, {post: np.arange(len(TAGS))})
        after = batch_of(changed, tables, posts, data=data)
        reached[data.similar_vectors] |= {
            name for name in before if not np.array_equal(before[name], after[name])
        }
    texts, with_hashtags = reached.values()
    assert texts >= {"own_hashtags", "others_hashtags", "used_hashtags", "history_hashtags"}
    assert texts >= {"count_labels", "count_signals"}
    assert with_hashtags == texts | {"own_posts", "others_posts"}
    assert not texts & {"own_posts", "text", "history_tokens", "seen_posts", "proposals"}


# === What is gathered ===


@pytest.mark.parametrize("data", [DATA, WITH_HASHTAGS], ids=lambda data: data.similar_vectors)
def test_every_tensor_by_plain_loops(make_corpus, data):
    corpus, tables, _ = made(make_corpus, 3, times=False)
    posts = np.arange(5, len(corpus), 2)
    labels = PostLabels.of_corpus(corpus, 1)
    inputs = PostInputs(corpus, labels, tables, posts, data, parts=PARTS)
    rows = np.array([9, 0, 3, 3])
    batch = inputs.batch(rows)
    assert len(inputs) == len(posts)
    assert all(len(value) == len(rows) for value in batch.values())
    for name, value in batch.items():
        wanted = {"f": np.float32, "i": np.int32, "b": bool}[value.dtype.kind]
        assert value.dtype == wanted, name
    neighbours = inputs.neighbours()
    assert neighbours.shape == (len(posts), 7)
    history = earlier_posts(corpus, posts, 2)
    for b, row in enumerate(rows):
        post = posts[row]
        message = corpus.message_of_post[post]
        has_text = bool(corpus.messages[message].strip())
        assert batch["has_text"][b] == has_text
        assert np.array_equal(batch["tokens"][b], tables.tokens[message])
        assert np.array_equal(batch["text"][b], tables.text[message] * has_text)
        image = tables.proposal_rows[post, 0]
        assert batch["has_image"][b] == (image >= 0)
        expected = tables.proposals[image] if image >= 0 else np.zeros((2, 4))
        assert np.array_equal(batch["proposals"][b], expected)
        for place, near in enumerate(neighbours[row]):
            side, at = ("own", place) if place < 3 else ("others", place - 3)
            assert batch[f"{side}_posts_mask"][b, at] == (near >= 0)
            text = corpus.messages[corpus.message_of_post[near]] if near >= 0 else ""
            vector = tables.text[corpus.message_of_post[near]] if text.strip() else np.zeros(3)
            if near >= 0 and data is WITH_HASHTAGS:
                for tag in corpus.hashtags_of_post(int(near)):
                    vector = vector + tables.hashtags[tag]
            np.testing.assert_allclose(batch[f"{side}_posts"][b, at], vector, atol=1e-6)
        for place, other in enumerate(history[row]):
            assert batch["history_mask"][b, place] == (other >= 0)
            if other < 0:
                assert not batch["history_tokens"][b, place].any()
                assert (batch["history_hashtags"][b, place] == -1).all()
                assert not batch["history_has_image"][b, place]
                continue
            tokens = tables.tokens[corpus.message_of_post[other]]
            assert np.array_equal(batch["history_tokens"][b, place], tokens)
            tags = batch["history_hashtags"][b, place]
            assert tags[tags >= 0].tolist() == labels.rows[other].tolist()
            image = tables.proposal_rows[other, 0]
            assert batch["history_has_image"][b, place] == (image >= 0)
            expected = tables.proposals[image] if image >= 0 else np.zeros((2, 4))
            assert np.array_equal(batch["history_proposals"][b, place], expected)
        targets = inputs.targets(rows)[b]
        assert targets[targets >= 0].tolist() == labels.rows[post].tolist()
        assert (targets >= -1).all()
    for name in ("own_hashtags", "others_hashtags", "used_hashtags"):
        assert not batch[name][~batch[f"{name}_mask"]].any()
        real = {tuple(vector) for vector in batch[name][batch[f"{name}_mask"]].tolist()}
        assert real <= {tuple(vector) for vector in tables.hashtags.tolist()}


def test_only_the_parts_that_are_asked_for(make_corpus):
    corpus, tables, _ = made(make_corpus, 0, times=False)
    posts, own = np.arange(4), {"tokens", "text", "has_text", "proposals", "has_image"}
    graph = {"post", "seen_posts"}
    sides = {
        f"{side}_{what}{mask}"
        for side in ("own", "others")
        for what in ("posts", "hashtags")
        for mask in ("", "_mask")
    }
    for parts, names in (
        ((), set()),
        (("similar",), sides | graph),
        (("used",), {"used_hashtags", "used_hashtags_mask"} | graph),
        (("signals",), {"count_labels", "count_signals", "user_text"}),
    ):
        assert set(batch_of(corpus, tables, posts, parts)) == own | names
    found = set(batch_of(corpus, tables, posts, ("history",)))
    assert found == own | {f"history_{name}" for name in ("mask", "tokens", "hashtags")} | {
        "history_proposals",
        "history_has_image",
    }
    bare = dataclasses.replace(tables, proposals=None, proposal_rows=None)
    found = set(batch_of(corpus, bare, posts, PARTS))
    assert not {name for name in found if "image" in name or "proposals" in name}


def test_a_batch_is_its_rows_one_by_one(make_corpus):
    corpus, tables, _ = made(make_corpus, 1, times=True)
    posts = np.arange(len(corpus))
    inputs = PostInputs(corpus, PostLabels.of_corpus(corpus, 1), tables, posts, DATA, parts=PARTS)
    whole = inputs.batch(posts)
    for row in (0, 12, 30):
        alone = inputs.batch(np.array([row]))
        for name, value in alone.items():
            width = value.shape[1:2] or (1,)
            expected = whole[name][row : row + 1]
            if name.startswith("count_"):  # as long as the longest of the batch
                expected = expected[:, : width[0]]
            assert np.array_equal(value, expected), name


def test_a_text_without_visible_characters_is_like_nothing(make_corpus):
    corpus = make_corpus(
        [
            ("u", "", ["x"], 0),
            ("u", "words", ["x"], 0),
            ("v", "  ", ["y"], 0),
            ("v", "", ["y"], 2),
        ]
    )
    tables = PostTables(
        tokens=np.int32([[0, 0], [4, 2], [0, 0]]),
        text=np.float32([[1, 0], [0.6, 0.8], [1, 0]]),  # an encoder's vector of no text
        hashtags=np.eye(2, dtype=np.float32),
    )
    labels = PostLabels.of_corpus(corpus, 1)
    inputs = PostInputs(corpus, labels, tables, np.arange(4), DATA, parts=PARTS)
    batch = inputs.batch(np.arange(4))
    assert batch["has_text"].tolist() == [False, True, False, False]
    assert batch["text"].tolist() == [[0, 0], [np.float32(0.6), np.float32(0.8)], [0, 0], [0, 0]]
    assert not inputs.similar.own_similarity.any()
    assert not inputs.similar.others_similarity.any()
    assert tables.text[0].tolist() == [1, 0]  # the given table stays what it was


def test_a_new_user_has_nothing(make_corpus):
    corpus = make_corpus([("u", "a", ["x"], 0), ("u", "b", ["x"], 0), ("new", "a", ["x"], 2)])
    tables = PostTables(
        np.ones((2, 3), np.int32), np.eye(2, dtype=np.float32), np.ones((1, 2), np.float32)
    )
    batch = batch_of(corpus, tables, np.array([2]))
    for name in ("own_posts_mask", "own_hashtags_mask", "used_hashtags_mask", "history_mask"):
        assert not batch[name].any(), name
    assert (batch["history_hashtags"] == -1).all() and not batch["user_text"].any()
    assert batch["others_posts_mask"].any() and batch["others_hashtags_mask"].any()


# === Earlier posts ===


@given(st.integers(0, 10_000), st.booleans(), st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_earlier_posts_by_plain_loops(make_corpus, seed, times, count):
    corpus, _, rng = made(make_corpus, seed, times)
    posts = rng.permutation(len(corpus))[:15]
    found = earlier_posts(corpus, posts, count)
    assert found.shape == (15, count) and found.dtype == np.int32
    for row, post in enumerate(posts):
        before = []
        for other in range(len(corpus)):
            earlier = (
                other < post
                if corpus.timestamps is None
                else corpus.timestamps[other] < corpus.timestamps[post]
            )
            same = corpus.user_of_post[other] == corpus.user_of_post[post]
            if earlier and same and corpus.split_of_post[other] == Split.TRAIN:
                before.append(other)
        expected = before[-count:]
        assert found[row].tolist() == [-1] * (count - len(expected)) + expected


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=40, deadline=None)
def test_the_mean_text_of_a_history_by_plain_loops(make_corpus, seed, times):
    corpus, tables, rng = made(make_corpus, seed, times)
    posts = rng.permutation(len(corpus))[:15]
    counts, means = history_means(corpus, posts, tables.text)
    for row, post in enumerate(posts):
        mine = [
            tables.text[corpus.message_of_post[other]]
            for other in range(len(corpus))
            if other != post
            and corpus.user_of_post[other] == corpus.user_of_post[post]
            and corpus.split_of_post[other] == Split.TRAIN
            and (not times or corpus.timestamps[other] < corpus.timestamps[post])
        ]
        assert counts[row] == len(mine)
        np.testing.assert_allclose(means[row], np.sum(mine, axis=0) / max(len(mine), 1), atol=1e-6)


@pytest.mark.parametrize("parts", [("similar",), ("signals",), ("similar", "signals")])
def test_posts_are_looked_around_alike_in_blocks(make_corpus, monkeypatch, parts):
    corpus, tables, rng = made(make_corpus, 3, True)
    labels, posts = PostLabels.of_corpus(corpus, 1), rng.permutation(len(corpus))[:21]
    rows = np.arange(21)
    whole = PostInputs(corpus, labels, tables, posts, DATA, parts=parts).batch(rows)
    monkeypatch.setattr(inputs, "_BLOCK", 4)
    blocks = PostInputs(corpus, labels, tables, posts, DATA, parts=parts).batch(rows)
    assert whole.keys() == blocks.keys()
    for name, expected in whole.items():
        np.testing.assert_array_equal(blocks[name], expected, err_msg=name)


def test_no_train_posts_at_all(make_corpus):
    corpus = make_corpus([("u", "a", ["x"], 2), ("u", "b", ["x"], 2)])
    assert earlier_posts(corpus, np.array([1, 0]), 2).tolist() == [[-1, -1]] * 2
    assert earlier_posts(corpus, np.array([], int), 2).shape == (0, 2)


# === Tables ===


@pytest.mark.parametrize("block", [1, 2, 1024])
def test_one_visual_vector_a_post(block, monkeypatch):
    rng = np.random.default_rng(0)
    proposals = rng.normal(size=(5, 3, 2)).astype(np.float32)
    rows = np.int32([[4], [-1], [0], [4]])
    tables = PostTables(
        np.ones((1, 2), np.int32), np.ones((1, 2)), np.ones((1, 2)), proposals, rows
    )
    one, other = proposals[4].mean(0), proposals[0].mean(0)
    monkeypatch.setattr(picture_means, "_BLOCK", block)
    np.testing.assert_allclose(tables.visual(), [one, np.zeros(2), other, one], rtol=1e-6)
    several = dataclasses.replace(
        tables, proposal_rows=np.int32([[4, 0], [-1, -1], [0, -1], [0, 4]])
    )
    expected = [(one + other) / 2, np.zeros(2), other, (one + other) / 2]
    np.testing.assert_allclose(several.visual(), expected, rtol=1e-6)
    found = several.pictures_of(np.array([[0, -1], [2, 1]]), "history_")
    assert found["history_image_mask"].tolist() == [
        [[True, True], [False, False]],
        [[True, False], [False, False]],
    ]
    assert found["history_has_image"].tolist() == [[True, False], [True, False]]
    np.testing.assert_array_equal(found["history_proposals"][0, 0], proposals[[4, 0]].reshape(6, 2))
    assert (
        not found["history_proposals"][0, 1].any()
        and not found["history_proposals"][1, 0, 3:].any()
    )
    assert "image_mask" not in tables.pictures_of(np.array([0]))
    assert dataclasses.replace(tables, proposals=None, proposal_rows=None).visual() is None


def test_errors(make_corpus):
    with pytest.raises(DataError, match="one encoder"):
        PostTables(np.ones((1, 2), np.int32), np.ones((1, 2)), np.ones((1, 3)))
    corpus, tables, _ = made(make_corpus, 0, times=False)
    labels = PostLabels.of_corpus(corpus, 1)
    with pytest.raises(ConfigError, match="`parts`"):
        PostInputs(corpus, labels, tables, np.arange(3), DATA, parts=("likes",))
    inputs = PostInputs(corpus, labels, tables, np.arange(3), DATA, parts=("history",))
    with pytest.raises(ConfigError, match="`similar`"):
        inputs.neighbours()
