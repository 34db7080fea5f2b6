"""The signals against plain loops over what `Episode` says that a user may see."""

import dataclasses
import gc
import math
import weakref

import numpy as np
import pytest
import tensorflow as tf

import tfhashtag.recommenders.audience.signals as module
from tests.fixtures.corpora import HASHTAGS, USERS, random_corpus
from tfhashtag.corpus.rows import Rows
from tfhashtag.errors import DataError
from tfhashtag.recommenders.audience.audience import LARGE, Widths, audience_of
from tfhashtag.recommenders.audience.hidden import Shown
from tfhashtag.recommenders.audience.model import (
    FEATURES,
    AudienceModel,
    content_features_of,
    features_of,
    statistics_of,
)
from tfhashtag.recommenders.audience.scoring import AudienceScoring, user_inputs
from tfhashtag.recommenders.audience.signals import (
    CONTENT_SIGNALS,
    SIGNALS,
    USER_SIGNALS,
    AudienceSignals,
)
from tfhashtag.tasks.users.episode import catalogue_episode, evaluation_episode
from tfhashtag.training.logistic_fit import logistic_fit

WIDTH = 5
CORPUS = random_corpus(lambda i: f"m{i}", [40, 40, 120])
RNG = np.random.default_rng(1)
VECTORS = RNG.normal(size=(len(CORPUS.messages), WIDTH)).astype("float32")
NAMES = RNG.normal(size=(HASHTAGS, WIDTH)).astype("float32")
EPISODE = evaluation_episode(CORPUS, 2, "full", minimum_contexts=2)
MESSAGES, AUTHORS = 12, 5
WIDTHS = Widths(
    history=4, messages=MESSAGES, authors=AUTHORS, taste=3, reference=4, precision="float32"
)
AUDIENCE = audience_of(EPISODE, VECTORS, NAMES, WIDTHS)
COUNT = len(AUDIENCE.hashtags)


def unit(x):
    norm = np.linalg.norm(x, axis=-1, keepdims=True)
    return x / np.where(norm > 0, norm, 1)


def soft(values, temperature):
    total = sum(math.exp(temperature * (v - 1)) for v in values)
    return math.log(max(total, math.exp(-2 * temperature))) / temperature + 1


def tags_of(user):
    posts = EPISODE.history[user][-4:]
    return [int(tag) for post in posts for tag in CORPUS.hashtags_of_post(post)]


def profile(user):
    """Text, taste, names and weighted hashtags of a user, by hand."""
    posts = EPISODE.history[user][-4:]
    tags = tags_of(user)
    weights = np.zeros(HASHTAGS)
    for tag in set(tags):
        users = sum(tag in tags_of(other) for other in range(USERS))
        weights[tag] = (1 + math.log(tags.count(tag))) * math.log((USERS + 1) / (users + 1))
    weights = unit(weights)
    used = sorted({tag for other in range(USERS) for tag in tags_of(other)})
    names = unit(unit(NAMES) - unit(NAMES)[used].mean(axis=0))
    texts = unit(VECTORS[CORPUS.message_of_post[posts]])
    mean = texts.mean(axis=0) if len(posts) else np.zeros(WIDTH)
    return {
        "mean": mean,
        "length": len(posts),
        "weights": weights,
        "taste": unit(weights @ AUDIENCE.taste),
        "names": unit(weights @ names),
        "all_names": names,
        "tags": sorted(set(tags)),
    }


PROFILES = [profile(user) for user in range(USERS)]
TEXT_MEAN = np.mean([p["mean"] for p in PROFILES if p["length"]], axis=0)
for p in PROFILES:
    p["centred"] = unit(p["mean"] - TEXT_MEAN) if p["length"] else np.zeros(WIDTH)


SEEN = set(EPISODE.history.values.tolist()) | set(EPISODE.contexts.values.tolist())


def age(post):
    """Those of the future part first, then by how much its user has written since."""
    user, late = CORPUS.user_of_post[post], CORPUS.split_of_post[post] != 2
    shown = [p for p in SEEN if CORPUS.user_of_post[p] == user]
    return late, sum(p > post for p in shown), -post


def rows_of(hashtag):
    """The newest posts of a hashtag and its newest authors."""
    posts = sorted(EPISODE.contexts[hashtag].tolist(), key=age)
    # Between authors who are equally new the one that is numbered higher is newer.
    youngest = {}
    for post in posts:
        user = int(CORPUS.user_of_post[post])
        youngest[user] = min(youngest.get(user, (9, 9)), age(post)[:2])
    authors = sorted(youngest, key=lambda user: (youngest[user], -user))
    return posts[:MESSAGES], authors[:AUTHORS]


def expected(user, hashtag):
    me = PROFILES[user]
    visible = EPISODE.visible_contexts(user, hashtag)
    everybody = set(CORPUS.user_of_post[visible].tolist())
    newest, newest_authors = rows_of(hashtag)
    posts = np.array([post for post in newest if post in visible], int)
    vectors = unit(VECTORS[CORPUS.message_of_post[posts]]).reshape(-1, WIDTH)
    text = vectors @ unit(me["mean"])
    centred = unit(vectors - TEXT_MEAN) @ me["centred"]
    cosine = unit(vectors.sum(axis=0)) @ unit(me["mean"])
    found = [cosine, max(text, default=-1), soft(text, 20)]
    found += [max(centred, default=-1), soft(centred, 15)]
    authors = [author for author in newest_authors if author in everybody]
    close = {
        "text": [PROFILES[a]["centred"] @ me["centred"] for a in authors],
        "taste": [PROFILES[a]["taste"] @ me["taste"] for a in authors],
        "tags": [PROFILES[a]["weights"] @ me["weights"] for a in authors],
        "names": [PROFILES[a]["names"] @ me["names"] for a in authors],
    }
    of_all = {"text": "centred", "taste": "taste", "names": "names"}  # not of the newest alone
    for kind in ("text", "taste", "tags", "names"):
        values = close[kind] or [-1.0]
        mean = np.mean(close[kind] or [0.0])
        if kind in of_all:
            part = of_all[kind]
            mean = np.mean([PROFILES[a][part] @ me[part] for a in everybody] or [0.0])
        found += [mean, max(values), soft(close[kind], 10)]
    together = np.mean([close[kind] for kind in close], axis=0)
    found += [np.mean(together) if authors else 0.0, max(together, default=-1)]
    found.append(soft(together, 15))
    # An author counts as recent by any context message of the future part.
    every = EPISODE.contexts[hashtag]
    late = set(CORPUS.user_of_post[every[CORPUS.split_of_post[every] == 2]].tolist())
    now = [value for author, value in zip(authors, together, strict=True) if author in late]
    now = now or together[:1]  # of none who is recent, the newest
    found += [np.mean(now), max(now), soft(now, 15)] if len(now) else [0.0, -1.0, -1.0]
    shared = sum(len(set(PROFILES[a]["tags"]) & set(me["tags"])) for a in authors)
    found.append(math.log1p(shared))
    found += whitened(me, [PROFILES[author] for author in everybody])
    name = me["all_names"][hashtag]
    found += [name @ unit(me["mean"]), name @ me["names"]]
    found.append(max([name @ me["all_names"][tag] for tag in me["tags"]], default=-1.0))
    recent = max((CORPUS.split_of_post[visible] == 2).sum(), 1)
    others = np.diff(CORPUS.hashtag_offsets)[visible] - 1
    users = sum(hashtag in PROFILES[other]["tags"] for other in range(USERS))
    found += [math.log(len(visible)), math.log1p(recent), recent / len(visible)]
    found += [math.log1p(len(everybody)), others.mean(), (others == 0).mean(), math.log1p(users)]
    return found


def whole(p):
    return np.concatenate([p["centred"], p["taste"], p["names"]])


def metric():
    """The inverse of the shrunk second moments of all authors."""
    posts = np.concatenate([EPISODE.contexts[hashtag] for hashtag in AUDIENCE.hashtags])
    rows = np.array([whole(PROFILES[user]) for user in set(CORPUS.user_of_post[posts].tolist())])
    moments = sum(np.outer(row, row) for row in rows) / len(rows)
    return np.linalg.inv(moments + 30 * np.mean(np.diag(moments)) * np.eye(len(moments)))


def whitened(me, authors):
    """A Gaussian of one covariance for each hashtag's authors: how likely is this user?"""
    if not authors:
        return [0.0, 0.0, 0.0, 0.0]
    inverse = metric()
    rows = np.array([whole(author) for author in authors])
    products = [row @ inverse @ whole(me) for row in rows]
    mean = rows.mean(axis=0)
    norm = math.sqrt(max(mean @ inverse @ mean, 0))
    level = np.mean(products) - norm**2 / 2 + math.log(len(authors))
    return [sum(products), np.mean(products), np.mean(products) / norm if norm else 0.0, level]


def every(users, audience=AUDIENCE):
    """All hashtags as candidates, and what is shown of them."""
    places = np.tile(np.arange(len(audience.hashtags), dtype=np.int32), (len(users), 1))
    return places, audience.shown(np.asarray(users), places)


def state_and_signals(users, audience=AUDIENCE, hide=True):
    signals = AudienceSignals(audience)
    messages, mask, tags = user_inputs(EPISODE, np.asarray(users), 4)
    state = signals.user_state(VECTORS[np.maximum(messages, 0)], mask, tags)
    places, shown = every(users, audience)
    return state, signals.signals(state, places, shown if hide else None).numpy()


def test_equals_plain_loops_over_what_each_user_may_see():
    _, found = state_and_signals(range(USERS))
    compared = 0
    for user in range(USERS):
        for place, hashtag in enumerate(AUDIENCE.hashtags):
            if len(EPISODE.visible_contexts(user, hashtag)) == 0:
                continue
            np.testing.assert_allclose(
                found[user, place], expected(user, hashtag), atol=2e-5, err_msg=f"{user} {hashtag}"
            )
            compared += 1
    assert compared > 50
    assert len(EPISODE.hidden) > 100  # otherwise nothing was shown about hiding
    assert max(EPISODE.contexts.lengths) > 2 * MESSAGES  # nor about the newest


def test_what_is_hidden_changes_nothing():
    """Other vectors for the hidden messages give equal signals."""
    user = 0
    changed = VECTORS.copy()
    posts = np.flatnonzero((CORPUS.split_of_post == 2) & (CORPUS.user_of_post == user))
    only_mine = np.setdiff1d(
        CORPUS.message_of_post[posts],
        CORPUS.message_of_post[np.setdiff1d(EPISODE.history.values, posts)],
    )
    changed[only_mine] += 3.0
    assert len(only_mine) > 3
    audience = audience_of(EPISODE, changed, NAMES, WIDTHS)
    before = state_and_signals([user])[1]
    after = state_and_signals([user], audience)[1]
    np.testing.assert_allclose(before, after, atol=1e-5)
    assert not np.allclose(before, state_and_signals([user], audience, hide=False)[1], atol=1e-3)


def test_batch_of_one_order_of_users_and_padding():
    users = [3, 0, 9, 5]
    _, together = state_and_signals(users)
    for place, user in enumerate(users):
        np.testing.assert_allclose(state_and_signals([user])[1][0], together[place], atol=1e-5)
    signals = AudienceSignals(AUDIENCE)
    messages, mask, tags = user_inputs(EPISODE, np.array(users), 4)
    rows = VECTORS[np.maximum(messages, 0)]
    rows = np.concatenate([np.full((4, 2, WIDTH), 7.0, "float32"), rows], axis=1)
    mask = np.concatenate([np.zeros((4, 2), bool), mask], axis=1)
    tags = np.pad(tags, [[0, 0], [3, 1]], constant_values=-1)
    places, _ = every(users)
    order = np.random.default_rng(0).permutation(COUNT)
    places = np.pad(places[:, order], [[0, 0], [0, 2]], constant_values=-1)
    shown = AUDIENCE.shown(np.array(users), places)
    padded = signals.signals(signals.user_state(rows, mask, tags), places, shown).numpy()
    np.testing.assert_allclose(padded[:, :COUNT], together[:, order], atol=1e-5)
    assert np.isfinite(padded).all()


def test_order_of_history_does_not_matter():
    signals = AudienceSignals(AUDIENCE)
    messages, mask, tags = user_inputs(EPISODE, np.arange(4), 4)
    rows = VECTORS[np.maximum(messages, 0)]
    places, _ = every(range(4))
    one = signals.signals(signals.user_state(rows, mask, tags), places)
    two = signals.user_state(rows[:, ::-1], mask[:, ::-1], tags[:, ::-1])
    two = signals.signals(two, places)
    np.testing.assert_allclose(one, two, atol=1e-5)


def test_silent_user_and_empty_width_are_finite():
    silent = USERS - 1
    assert len(EPISODE.history[silent]) == 0
    state, found = state_and_signals([silent])
    assert np.isfinite(found).all()
    assert np.all(state["alone"].numpy() == 0)
    text = [SIGNALS.index(name) for name in ("text_cosine", "text_max", "authors_all_max")]
    assert np.all(np.abs(found[..., text]) < 1e-6)
    model = AudienceModel(members=2, hidden=(4,))
    statistics = statistics_of(found, tf.ones([1, COUNT]))
    assert np.isfinite(model(features_of(found, state["alone"], statistics))).all()


def test_context_signals_equal_those_of_the_tables():
    users = np.array([0, 4])
    signals = AudienceSignals(AUDIENCE)
    state, found = state_and_signals(users, hide=False)
    posts = np.pad(AUDIENCE.posts, [[0, 0], [0, 2]], constant_values=-1)
    rows = VECTORS[CORPUS.message_of_post[np.maximum(posts, 0)]]
    rows = np.broadcast_to(rows, (2, *rows.shape))
    mask = np.broadcast_to(posts >= 0, (2, *posts.shape))
    given, attention = signals.context_signals(state, tf.constant(rows), tf.constant(mask))
    np.testing.assert_allclose(given, found[..., : len(CONTENT_SIGNALS)], atol=1e-5)
    np.testing.assert_allclose(np.sum(attention, axis=-1), 1, atol=1e-5)
    assert np.all(np.array(attention)[~mask] == 0)
    assert not np.allclose(attention[0], attention[1])  # personal


def test_context_signals_without_any_message():
    state, _ = state_and_signals([0])
    given, attention = AudienceSignals(AUDIENCE).context_signals(
        state, tf.zeros([1, 2, 3, WIDTH]), tf.zeros([1, 2, 3], bool)
    )
    assert np.isfinite(given).all()
    assert np.all(np.array(attention) == 0)


def test_lengths_of_products_do_not_change_what_is_said(monkeypatch):
    """Enough hashtags, authors and messages that each is filled up."""
    rng, users, count = np.random.default_rng(4), 50, 45
    corpus = random_corpus(lambda i: f"m{i}", [150, 20, 30])
    rows = Rows.from_lists([rng.permutation(count)[:9] for _ in range(len(corpus))])
    corpus = dataclasses.replace(
        corpus,
        users=[f"u{i}" for i in range(users)],
        user_of_post=rng.integers(0, users, len(corpus)).astype(np.int32),
        hashtags=[f"h{i}" for i in range(count)],
        hashtag_offsets=rows.offsets,
        hashtag_values=rows.values,
    )
    names = rng.normal(size=(count, WIDTH)).astype("float32")
    audience = audience_of(catalogue_episode(corpus, minimum_contexts=1), VECTORS, names, WIDTHS)
    history = tf.constant(rng.normal(size=(3, 4, WIDTH)), tf.float32)
    tags = rng.permuted(np.maximum(np.arange(-9, 42), -1)).reshape(3, -1)
    tags, mask = tf.constant(tags, tf.int32), tf.ones([3, 4], bool)

    def found():
        signals = AudienceSignals(audience)
        state = signals.user_state(history, mask, tags)
        candidates = tf.tile(tf.range(len(audience.hashtags))[None], [3, 1])
        told = signals.signals(state, candidates), signals.unused(state), state["alone"]
        return len(state["known"]), [value.numpy() for value in told]

    filled, ours = found()
    with monkeypatch.context() as patch:
        patch.setattr("tfhashtag.recommenders.audience.signals._even", lambda values, *_: values)
        bare, theirs = found()
    assert filled == 44 and bare == 43
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def trained_model():
    model = AudienceModel(members=2, hidden=(6,), seed=3)
    features = AudienceScoring(VECTORS, 4).features(EPISODE, AUDIENCE)
    arrays = {head: np.asarray(values) for head, values in features.features.items()}
    features = dataclasses.replace(features, features=arrays)
    model.standardizer.adapt(features.features["all"])
    model.content_standardizer.adapt(features.features["content"])
    return model, features


def test_scores_do_not_depend_on_the_other_candidates_or_the_blocks():
    model, features = trained_model()
    assert features.features["all"].shape == (len(EPISODE.candidates.labels), FEATURES)
    scores = AudienceScoring(VECTORS, 4).scores(model, EPISODE, AUDIENCE)
    np.testing.assert_allclose(scores, model(features.features["all"]), atol=5e-3)  # in 16 bits
    scoring = AudienceScoring(VECTORS, 4, block_pairs=1)
    np.testing.assert_allclose(scores, scoring.scores(model, EPISODE, AUDIENCE), atol=5e-5)
    lists = EPISODE.candidates
    keep = np.arange(len(lists.labels)) % 3 == 0
    rows = Rows.from_pairs(lists.hashtags.row_of_value[keep], lists.hashtags.values[keep], USERS)
    fewer = EPISODE.with_candidates(
        dataclasses.replace(lists, hashtags=rows, labels=lists.labels[keep])
    )
    # The same object, after another moment's tables, and for some candidates alone.
    other = catalogue_episode(CORPUS, minimum_contexts=2).with_candidates(fewer.candidates)
    scoring.scores(model, other, audience_of(other, VECTORS, NAMES, WIDTHS))
    np.testing.assert_allclose(scoring.scores(model, fewer, AUDIENCE), scores[keep], atol=5e-5)


def test_no_future_takes_the_newest_split_as_recent():
    episode = catalogue_episode(CORPUS, minimum_contexts=2)
    audience = audience_of(episode, VECTORS, NAMES, WIDTHS)
    newest = [(CORPUS.split_of_post[episode.contexts[h]] == 2).sum() for h in audience.hashtags]
    assert audience.counts[:, 1].tolist() == newest
    assert 0 < sum(newest) < audience.counts[:, 0].sum()
    for row, late in zip(audience.posts, newest, strict=True):  # and puts them first
        splits = CORPUS.split_of_post[row[row >= 0]]
        assert np.all(splits[:late] == 2) and np.all(splits[late:] < 2)


def test_of_authors_none_of_whom_is_recent_the_newest_is():
    shown = np.array([[[1, 1, 0], [0, 1, 1], [1, 1, 1], [0, 0, 0]]], bool)
    recent = np.array([[[0, 1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]], bool)
    found = module._recent(tf.constant(shown), tf.constant(recent)).numpy().astype(int)
    assert found.tolist() == [[[0, 1, 0], [0, 1, 0], [1, 0, 0], [0, 0, 0]]]


def test_own_messages_do_not_move_the_statistics():
    """What is hidden of hashtags that a user has used: with it or without, the same features."""
    episode = catalogue_episode(CORPUS, minimum_contexts=2)
    audience = audience_of(episode, VECTORS, NAMES, WIDTHS)
    signals = AudienceSignals(audience)
    users = np.array([u for u in range(USERS) if len(tags_in(episode, u)) < len(audience.hashtags)])
    assert len(users) > 1
    messages, mask, tags = user_inputs(episode, users, 50)
    state = signals.user_state(VECTORS[np.maximum(messages, 0)], mask, tags)
    reference = np.tile(audience.reference, (len(users), 1))
    shown = audience.shown(users, reference)
    assert shown.counts[..., 0].sum() < audience.counts[reference][..., 0].sum()
    counted = signals.unused(state)
    used = [
        [h in tags_in(episode, u) for h in audience.hashtags[audience.reference]] for u in users
    ]
    np.testing.assert_array_equal(counted, 1 - np.array(used, float))
    with_own, without = (
        statistics_of(signals.signals(state, reference, rows), counted) for rows in (None, shown)
    )
    for one, two in zip(with_own, without, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-4)


def tags_in(episode, user):
    return {int(t) for post in episode.history[user] for t in CORPUS.hashtags_of_post(post)}


def test_statistics_of_new_hashtags_by_hand():
    values = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
    new = np.array([[1, 0, 1, 1, 0], [0, 0, 0, 0, 0]], "float32")
    mean, deviation = statistics_of(values, new)
    np.testing.assert_allclose(mean[0, 0], values[0, [0, 2, 3]].mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(deviation[0, 0], values[0, [0, 2, 3]].std(axis=0), rtol=1e-5)
    assert np.all(np.array(mean[1]) == 0) and np.all(np.array(deviation[1]) == 0)


def test_content_features_stand_first():
    state, found = state_and_signals([0, 1])
    statistics = statistics_of(found, tf.ones([2, COUNT]))
    width = len(CONTENT_SIGNALS)
    whole = np.array(features_of(found, state["alone"], statistics))
    content = np.array(content_features_of(found, state["alone"], statistics))
    np.testing.assert_array_equal(content[..., :width], whole[..., :width])
    middle = whole[..., len(SIGNALS) : len(SIGNALS) + width]
    np.testing.assert_array_equal(content[..., width : 2 * width], middle)
    assert whole.shape[-1] == FEATURES == 2 * len(SIGNALS) + len(USER_SIGNALS)


def test_calibration_keeps_ranks_and_meets_the_rate():
    model, features = trained_model()
    labels = (np.random.default_rng(0).random(len(features.labels)) < 0.2).astype(float)
    before = np.array(model(features.features["all"]))
    model.calibrate(before, np.array(model.content_logits(features.features["content"])), labels)
    after = np.array(model(features.features["all"]))
    assert np.array_equal(np.argsort(before, kind="stable"), np.argsort(after, kind="stable")) or (
        model.calibration.numpy()[0] == 1.0
    )
    scores = np.random.default_rng(1).normal(size=500)
    labels = np.random.default_rng(2).random(500) < 1 / (1 + np.exp(-(2 * scores - 1)))
    scale, shift = logistic_fit(scores, labels)
    assert abs(scale - 2) < 0.6 and abs(shift + 1) < 0.4
    fitted = 1 / (1 + np.exp(-(scale * scores + shift)))
    assert abs(fitted.mean() - labels.mean()) < 1e-3
    labels = np.arange(6000) % 60 == 0  # all but separable, where whole steps go too far
    scores = np.random.default_rng(0).normal(size=6000) * 2 + 12 * labels
    scale, shift = logistic_fit(scores, labels)
    fitted = 1 / (1 + np.exp(-(scale * scores + shift)))
    assert 2 < scale < 5 and np.abs(fitted - labels).mean() < 1e-3


@pytest.mark.parametrize("argument", ["vectors", "names"])
def test_refuses_tables_of_another_corpus(argument):
    tables = {"vectors": VECTORS, "names": NAMES}
    tables[argument] = tables[argument][:-1]
    with pytest.raises(DataError, match=f"`{argument}`"):
        audience_of(EPISODE, **tables)


def test_refuses_an_empty_catalogue():
    with pytest.raises(DataError, match="nothing to rank"):
        audience_of(catalogue_episode(CORPUS, minimum_contexts=1000), VECTORS, NAMES)


def test_features_are_signals_then_their_scores_in_the_catalogue_then_the_user():
    signals = tf.constant([[[3.0, 1.0, 7.0], [5.0, 1.0, 2.0]]])
    alone = tf.constant([[9.0, 8.0]])
    statistics = tf.constant([[[1.0, 1.0, 2.0]]]), tf.constant([[[4.0, 1e-4, 0.5]]])
    # (signal - mean) / deviation; what is the same for the whole catalogue says nothing.
    expected = [[[3, 1, 7, 0.5, 0, 10, 9, 8], [5, 1, 2, 1, 0, 0, 9, 8]]]
    np.testing.assert_allclose(features_of(signals, alone, statistics), expected, rtol=1e-6)


def test_what_is_shown_is_what_the_episode_shows():
    """Masks, counts and norms of the rows, pair by pair."""
    places, shown = every(range(USERS))
    assert isinstance(shown, Shown)
    for user, place in np.ndindex(places.shape):
        hashtag = AUDIENCE.hashtags[place]
        visible = set(EPISODE.visible_contexts(user, hashtag).tolist())
        posts, people = AUDIENCE.posts[place], AUDIENCE.authors[place]
        wanted = [post in visible for post in posts.tolist()]
        assert shown.messages[user, place].tolist() == wanted
        assert shown.counts[user, place, 0] == len(visible)
        everybody = {int(CORPUS.user_of_post[post]) for post in visible}
        assert shown.counts[user, place, 4] == len(everybody)
        wanted = [at >= 0 and AUDIENCE.users[at] in everybody for at in people.tolist()]
        assert shown.authors[user, place].tolist() == wanted


def test_half_the_precision_is_close():
    half = audience_of(EPISODE, VECTORS, NAMES, dataclasses.replace(WIDTHS, precision="float16"))
    assert half.vectors.dtype == half.author_text.dtype == np.float16
    np.testing.assert_allclose(
        state_and_signals(range(USERS), half)[1], state_and_signals(range(USERS))[1], atol=5e-3
    )


def test_what_numpy_holds_tensorflow_does_not_copy():
    signals = AudienceSignals(AUDIENCE)
    messages, mask, tags = user_inputs(EPISODE, np.arange(USERS), 4)

    @tf.function
    def found(vectors, mask, tags, places):
        return signals.signals(signals.user_state(vectors, mask, tags), places)

    places = tf.tile(tf.range(COUNT)[None], [USERS, 1])
    found(VECTORS[np.maximum(messages, 0)], mask, tags, places)
    for name in LARGE:
        held = np.from_dlpack(getattr(signals, name).read_value())
        assert np.shares_memory(held, getattr(AUDIENCE, name)), name


def test_what_is_released_leaves_memory():
    # As wide as a line of memory: slices of such rows are no copies.
    vectors, names = np.tile(VECTORS, 16), np.tile(NAMES, 16)
    audience = audience_of(EPISODE, vectors, names, WIDTHS)
    rooms = [weakref.ref(getattr(audience, name).base) for name in LARGE]
    signals = AudienceSignals(audience)
    del audience
    gc.collect()
    assert all(room() is not None for room in rooms)  # TensorFlow holds them
    signals.release()
    gc.collect()
    assert not any(room() is not None for room in rooms)
    assert signals.vectors.read_value().shape == (0, 16 * WIDTH)
