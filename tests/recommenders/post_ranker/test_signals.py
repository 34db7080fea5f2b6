"""Signals and candidates against plain loops over what a post may see."""

import dataclasses
import functools
import time

import numpy as np
import pytest
import scipy.sparse

from tests.conftest import corpus_of
from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.rows import Rows
from tfhashtag.corpus.trends import DAY
from tfhashtag.corpus.vocabulary import split_words
from tfhashtag.layers import WordIds
from tfhashtag.recommenders.post_ranker import tables
from tfhashtag.recommenders.post_ranker.posts_at import (
    PostReads,
    PostsAt,
    UnitTexts,
    imitated_moment,
)
from tfhashtag.recommenders.post_ranker.settings import RankerData
from tfhashtag.recommenders.post_ranker.signals import signal_names
from tfhashtag.recommenders.post_ranker.tables import tastes
from tfhashtag.retrieval import softmax_classifier
from tfhashtag.retrieval.graph_hashtag_times import NEVER
from tfhashtag.retrieval.post_search import STEP

DATA = RankerData(
    minimum_posts=2, history_posts=5, other_posts=9, taste_width=3, vocabulary_size=30, words=8
)
WORDS = ["tea", "green", "vote", "cat", "sun", "moon", "sky"]
TAGS = ["tea", "GreenTea", "vote", "cat", "dog", "rare"]


def random_corpus(timed):
    rng = np.random.default_rng(3)
    rows = []
    for number in range(90):
        words = rng.choice(
            ["tea", "green", "vote", "cat", "sun", "moon", "sky"], rng.integers(0, 5)
        )
        tags = rng.choice(TAGS[:5], rng.integers(0, 4), replace=False)
        rows.append((f"u{rng.integers(5)}", " ".join(words), tags.tolist(), int(number >= 66)))
    rows[3][2].append("rare")  # of one train post: no label
    rows.append(("new", "green tea", ["tea"], 1))
    rows.append(("u1", "", ["cat"], 1))
    corpus = corpus_of(rows)
    if not timed:
        return corpus
    return dataclasses.replace(corpus, timestamps=rng.integers(0, 60, len(corpus)) * 21_600)


def reads_of(corpus, pictures):
    rng = np.random.default_rng(5)
    names = rng.normal(size=(len(corpus.hashtags), 6)).astype("float32")
    names[corpus.hashtags.index("vote")] = 0  # a hashtag without a name vector
    ids = WordIds(["tea", "green", "vote", "cat", "sun"], oov_buckets=2, length=8)
    texts = UnitTexts(corpus, rng.normal(size=(len(corpus.messages), 6)).astype("float32"))
    shown = None
    if pictures:
        table = rng.normal(size=(30, 4)).astype("float32")
        table /= np.linalg.norm(table, axis=1, keepdims=True)
        shown = table, rng.integers(-1, 30, len(corpus))
    return PostReads(texts, names, ids.encode(corpus.messages), ids.vocabulary_size, shown)


@pytest.fixture(scope="module", autouse=True)
def short_classifiers():
    """Six steps a classifier in place of a hundred: what they learn is tested elsewhere."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(softmax_classifier, "_LEAST_STEPS", 6)
        yield


@pytest.fixture(scope="module")
def at_of():
    """A function `(timed, pictures)` to what posts see of a random corpus, made once."""

    @functools.cache
    def made(timed, pictures):
        corpus = random_corpus(timed)
        return PostsAt(corpus, reads_of(corpus, pictures), DATA)

    return made


def valid_posts(at):
    return np.flatnonzero(at.corpus.split_of_post == Split.VALID)


def share(similarity, real, temperature):
    weights = np.where(real, np.exp(np.array(similarity) / temperature), 0.0)
    return weights / max(weights.sum(), 1e-30)


class Oracle:
    """One query at a time, one label at a time."""

    def __init__(self, at):
        self.at, self.corpus = at, at.corpus
        corpus = self.corpus
        self.known = np.flatnonzero(corpus.split_of_post == Split.TRAIN).tolist()
        self.tags = [set(at.labels.rows[post].tolist()) for post in range(len(corpus))]
        self.user = corpus.user_of_post
        self.time = corpus.timestamps
        if self.time is None:
            self.time = np.where(corpus.split_of_post == Split.TRAIN, 0, 1)
        for name in ("vector", "own", "others", "user_mean", "chance"):  # asked for many times
            setattr(self, name, functools.cache(getattr(self, name)))

    def vector(self, kind, post):
        reads = self.at.reads
        if kind == "text":
            return reads.texts[self.corpus.message_of_post[[post]]][0].astype(float)
        return reads.picture_of(np.array([post]))[0].astype(float)

    def mean(self, vectors):
        return np.mean(vectors, axis=0) if vectors else None

    def own(self, post):
        """Newest first, of those among the user's newest that are earlier."""
        mine = [p for p in self.known if self.user[p] == self.user[post]][-5:][::-1]
        return [p for p in mine if self.time[p] < self.time[post]]

    def others(self, kind, post):
        vector = self.vector(kind, post)
        if not vector.any():
            return []
        found = [
            (-np.rint(np.float32(vector @ self.vector(kind, p)) * STEP), p)
            for p in self.known
            if self.user[p] != self.user[post] and self.time[p] < self.time[post]
        ]
        return [p for _, p in sorted(found)[:9]]

    def together(self, groups, one, other):
        sets = [{g for g, tags in groups if label in tags} for label in (one, other)]
        both = len(sets[0] & sets[1])
        return 0.0 if one == other else both / np.sqrt(max(len(sets[0]) * len(sets[1]), 1))

    def signals(self, post, label):
        found = {**self.of_history(post, label), **self.of_words(post, label)}
        for kind in self.at.signals.kinds:
            found |= {f"{kind}_{n}": v for n, v in self.of_kind(kind, post, label).items()}
        return found | (self.of_time(post, label) if self.corpus.timestamps is not None else {})

    def of_time(self, post, label):
        at, mine = self.time[post], self.own(post)
        every = [self.time[p] for p in self.known for _ in self.tags[p]]
        uses = [self.time[p] for p in self.known if label in self.tags[p]]
        seen = min(at, max(every) + 1)
        before = [use for use in uses if use < seen]

        def count(times, start, stop):
            return sum(seen - start <= time < seen - stop for time in times)

        def rising(span):
            now, then = (count(uses, *ends) + 0.5 for ends in ((span, 0), (5 * span, span)))
            all_now, all_then = (count(every, *e) + 1 for e in ((span, 0), (5 * span, span)))
            return np.log(now / then * all_then / all_now)

        def season(part_of, parts):
            here = sum(part_of(use) == part_of(at) for use in before)
            return np.log((here + 1) / (len(before) + parts) * parts)

        late = min(at, max(every) + 7 * DAY)
        own = [max(late - self.time[p], 0) for p in mine if label in self.tags[p]]
        pause = 0.0
        if len(mine) > 1:
            times = [self.time[p] for p in mine]
            usual = max((max(times) - min(times)) / (len(mine) - 1), 1)
            pause = np.log1p((late - max(times)) / usual)
        return {
            "time_age": np.log1p((seen - max(before) if before else NEVER) / 3600),
            "time_day": np.log1p(count(uses, DAY, 0)),
            "time_week": np.log1p(count(uses, 7 * DAY, 0)),
            "time_rising_day": rising(DAY),
            "time_rising_week": rising(7 * DAY),
            "time_weekday": season(lambda t: time.gmtime(t).tm_wday, 7),
            "time_hour": season(lambda t: time.gmtime(t).tm_hour // 3, 8),
            "time_own_age": np.log1p(min(own, default=NEVER) / 3600),
            "time_pause": pause,
        }

    def of_history(self, post, label):
        own = self.own(post)
        has = [label in self.tags[p] for p in own]
        ages = [age for age, true in enumerate(has) if true]
        users = [(self.user[p], self.tags[p]) for p in self.known]
        posts = [(p, self.tags[p]) for p in self.known]
        mine = {tag for p in own for tag in self.tags[p]}
        decayed = {t: sum(0.85**a for a, p in enumerate(own) if t in self.tags[p]) for t in mine}
        close = {t: self.together(users, t, label) for t in mine}
        likely = self.chance("text", post, both=True)
        best = np.argsort(-likely, kind="stable")[:5]
        beside = sum(np.exp(likely[t]) * self.together(posts, t, label) for t in best)
        return {
            "own_count": np.log1p(sum(has)),
            "own_share": np.sqrt(sum(has) / max(len(own), 1)),
            "own_decayed": sum(0.85**age for age in ages),
            "own_last_3": sum(has[:3]),
            "own_last_10": np.log1p(sum(has[:10])),
            "own_since": np.log1p(min(ages, default=200)),
            "together_sum": np.log1p(sum(decayed[t] * close[t] for t in mine)),
            "together_max": max(close.values(), default=0.0),
            "beside_likely": np.log1p(10 * beside),
            "history": np.log1p(len(own)),
        }

    def of_words(self, post, label):
        tokens = self.at.reads.tokens
        message = self.corpus.message_of_post
        total, largest = 0.0, 0.0
        tagged = [p for p in self.known if self.tags[p]]
        prior = (sum(label in self.tags[p] for p in tagged) + 1) / len(tagged)
        for word in set(tokens[message[post]].tolist()) - {0}:
            with_word = [p for p in tagged if word in tokens[message[p]]]
            part = sum(label in self.tags[p] for p in with_word) / (len(with_word) + 3)
            largest = max(largest, part)
            if part:
                total += part * max(np.log(part / prior), 0)
        name = self.corpus.hashtags[self.at.labels.hashtags[label]]
        words = split_words(self.corpus.messages[message[post]])
        spans = {"".join(words[a : a + n]) for n in (1, 2, 3) for a in range(len(words) - n + 1)}
        vector = self.at.reads.names[self.at.labels.hashtags[label]]
        vector = vector / max(np.linalg.norm(vector), 1e-30)
        with_it = [p for p in self.known if label in self.tags[p]]
        recent = set()
        for user in set(self.user.tolist()):
            mine = [p for p in self.known if self.user[p] == user]
            recent |= set(mine[len(mine) - int(np.ceil(len(mine) / 4)) :])
        lately = len(recent & set(with_it))
        return {
            "word_sum": total,
            "word_max": largest,
            "named": float(name.lower() in spans),
            "name_cosine": self.vector("text", post) @ vector,
            "popularity": np.log1p(len(with_it)),
            "recent": np.log1p(lately),
            "recent_ratio": np.log((lately + 0.5) / (len(with_it) / 4 + 0.5)),
            "users": np.log1p(len({self.user[p] for p in with_it})),
            "words": np.log1p(np.count_nonzero(tokens[message[post]])),
        }

    def user_mean(self, kind, post):
        """The mean of all that the user shows, if anything is earlier; else that of everybody."""
        means = {}
        for p in self.known:
            if self.vector(kind, p).any():
                means.setdefault(self.user[p], []).append(self.vector(kind, p))
        means = {user: self.mean(vectors) for user, vectors in means.items()}
        if self.own(post) and self.user[post] in means:
            return means[self.user[post]]
        return self.mean(list(means.values()))

    def chance(self, kind, post, both):
        vectors = self.at.moment.kinds[kind]
        x = self.vector(kind, post)
        if not x.any():
            x = self.mean([v for p in self.known if (v := self.vector(kind, p)).any()])
        weights, bias = vectors.weights, vectors.bias
        if both:
            mean, taste = self.user_mean(kind, post), self.at.moment.taste
            place = self.at.moment.user_places(self.user)
            mine = taste[place[post] if self.own(post) else len(taste) - 1]
            x = np.concatenate([x, mean / np.linalg.norm(mean), mine])
            weights, bias = vectors.both_weights, vectors.both_bias
        scores = x @ weights + bias
        return scores - np.log(np.exp(scores - scores.max()).sum()) - scores.max()

    def of_kind(self, kind, post, label):
        own, others = self.own(post), self.others(kind, post)
        vector = self.vector(kind, post)
        mine = [vector @ self.vector(kind, p) for p in own]
        theirs = [vector @ self.vector(kind, p) for p in others]
        has = np.array([label in self.tags[p] for p in own], float)
        they = np.array([label in self.tags[p] for p in others], float)
        taste = self.at.moment.taste
        place = self.at.moment.user_places(self.user)
        me = place[post] if own else len(taste) - 1
        liking = [max(taste[me] @ taste[place[p]], 0) for p in others]
        sharp, broad = (share(theirs, True, t) for t in (0.05, 0.15))
        with_it = [
            v for p in self.known if label in self.tags[p] and (v := self.vector(kind, p)).any()
        ]
        mean = self.mean(with_it) if with_it else np.zeros_like(vector)
        mean = mean / max(np.linalg.norm(mean), 1e-30)
        user = self.user_mean(kind, post)
        found = {
            "own_similar": np.log1p(10 * has @ share(mine, True, 0.1)),
            "own_similar_sum": np.log1p(
                sum(max(s, 0) for s, h in zip(mine, has, strict=True) if h)
            ),
            "own_closest": max((s for s, h in zip(mine, has, strict=True) if h), default=0.0),
            "others_sharp": np.log1p(10 * they @ sharp),
            "others_broad": np.log1p(10 * they @ broad),
            "others_taste": np.log1p(10 * they @ (sharp * liking)),
            "others_first_20": np.log1p(they[:20].sum()),
            "others_first_100": np.log1p(they.sum()),
            "others_closest": max((s for s, h in zip(theirs, they, strict=True) if h), default=0.0),
            "message_cosine": vector @ mean,
            "user_cosine": user @ mean / np.linalg.norm(user),
            "best_other": max(theirs, default=0.0),
        }
        for name, both in (("classifier", False), ("user_classifier", True)):
            chance = self.chance(kind, post, both)
            found[name], found[f"{name}_distance"] = chance[label], chance[label] - chance.max()
        return found


@pytest.mark.parametrize("timed, pictures", [(False, False), (True, True)])
def test_signals_are_those_of_plain_loops(at_of, timed, pictures):
    at = at_of(timed, pictures)
    oracle, posts = Oracle(at), valid_posts(at)
    (keys, signals, found), *_ = at.blocks(posts)
    assert at.signals.signals == signal_names(at.signals.kinds, timed)
    assert len(at.labels) == 5  # every label is a candidate here, and the rare one is no label
    assert np.array_equal(keys, np.arange(len(posts) * 5))
    for key, row in zip(keys, signals, strict=True):
        post, label = posts[key // 5], int(key % 5)
        got = dict(zip(at.signals.signals, row.tolist(), strict=True))
        for name, value in oracle.signals(post, label).items():
            assert got[name] == pytest.approx(value, abs=2e-4), (name, post, label)
    column = at.signals.signals.index("text_user_classifier")
    places = signals[:, at.signals.signals.index("text_user_classifier_rank")].reshape(-1, 5)
    values = signals[:, column].reshape(-1, 5)
    for row, place in zip(values, places, strict=True):
        order = np.argsort(-row, kind="stable")
        np.testing.assert_allclose(place[order], np.log1p(np.arange(5)), rtol=1e-6)
    named = {int(key) for key in found["named"]}
    assert named == {
        row * 5 + label
        for row, post in enumerate(posts)
        for label in range(5)
        if oracle.of_words(post, label)["named"]
    }


def test_a_taste_without_a_post_is_that_of_the_other_posts():
    tags = [[0, 1], [0], [2], [1, 2], [3], []]
    authors = np.array([0, 0, 0, 1, 1, 2])
    rows = Rows.from_lists(tags)
    used = np.zeros((3, 4))
    np.add.at(used, (authors[rows.row_of_value], rows.values), 1)
    labels, users, others = tastes(scipy.sparse.csr_matrix(used), rows, authors, 2)
    idf = np.log(4 / ((used > 0).sum(axis=0) + 1)) + 0.1
    for post, author in enumerate(authors):
        left = used[author].copy()
        left[tags[post]] -= 1
        for row, found in ((left, others[post]), (used[author], users[author])):
            weights = np.where(row > 0, 1 + np.log(np.maximum(row, 1)), 0) * idf
            taste = weights @ labels
            length = np.linalg.norm(taste if row is left else weights)
            np.testing.assert_allclose(found, taste / max(length, 1e-9), atol=1e-5)
    assert not users[-1].any()


def test_what_a_post_may_see(at_of):
    """Neither its own hashtags nor anything that is not known move a signal."""
    at = at_of(True, True)
    corpus, reads, posts = at.corpus, at.reads, valid_posts(at)
    tags = corpus.hashtag_values.copy()
    later = np.repeat(corpus.split_of_post != Split.TRAIN, np.diff(corpus.hashtag_offsets))
    tags[later] = (tags[later] + 1) % 5
    other = PostsAt(dataclasses.replace(corpus, hashtag_values=tags), reads, DATA)
    ours, theirs = at.lists(posts), other.lists(posts)
    np.testing.assert_array_equal(ours.keys, theirs.keys)
    np.testing.assert_array_equal(ours.features["signals"], theirs.features["signals"])
    assert not np.array_equal(ours.labels, theirs.labels)


def test_an_imitated_moment_knows_the_past_alone():
    corpus = random_corpus(timed=False)
    then, ahead = imitated_moment(corpus, 0.5, 0.9, 0.05, seed=1)
    known = np.flatnonzero(then.split_of_post == Split.TRAIN)
    train = np.flatnonzero(corpus.split_of_post == Split.TRAIN)
    assert set(known) | set(ahead) < set(train) and not set(known) & set(ahead)
    for user in range(4):
        mine = known[corpus.user_of_post[known] == user]
        assert mine.max() < ahead[corpus.user_of_post[ahead] == user].min()
    at = PostsAt(then, reads_of(corpus, False), DATA)
    assert set(at.moment.posts) == set(known)
    lists = at.lists(at.labels.answerable(ahead))
    assert len(lists.usable) and np.all(np.isfinite(lists.features["signals"]))


@pytest.mark.parametrize("timed, pictures", [(False, False), (True, True)])
def test_one_post_gives_what_a_batch_gives(at_of, timed, pictures):
    at = at_of(timed, pictures)
    posts = valid_posts(at)
    whole = at.lists(posts)
    for row in (0, len(posts) - 2, len(posts) - 1):  # the last two: nobody known, no text
        alone = at.lists(posts[row : row + 1])
        part = slice(whole.offsets[row], whole.offsets[row + 1])
        np.testing.assert_allclose(
            alone.features["signals"], whole.features["signals"][part], atol=2e-6
        )


def test_of_many_hashtags_the_classifiers_know_the_most_used(at_of, monkeypatch):
    """The others' chance is their share; what else is said of a candidate stays what it was."""
    every = at_of(False, False)
    posts = valid_posts(every)
    whole = every.lists(posts)
    monkeypatch.setattr(tables, "CLASSIFIED", 3)
    at = PostsAt(every.corpus, every.reads, DATA)
    found = at.lists(posts)
    np.testing.assert_array_equal(found.keys, whole.keys)
    known = np.isin(found.keys % 5, at.moment.classified)
    assert set(at.signals.every.searches) == {"text"} and 0 < known.sum() < len(known)
    for column, name in enumerate(at.signals.signals):
        ours, theirs = (np.asarray(each.features["signals"])[:, column] for each in (found, whole))
        if name in ("text_classifier", "text_user_classifier"):
            share = np.log(at.moment.share)
            np.testing.assert_allclose(ours[~known], share[found.keys[~known] % 5], rtol=1e-6)
            chance = np.bincount(found.keys[known] // 5, np.exp(ours[known]))
            np.testing.assert_allclose(chance, at.moment.share[at.moment.classified].sum(), 1e-5)
        elif "classifier" not in name and name not in ("beside_likely",):
            np.testing.assert_allclose(ours, theirs, atol=1e-5, err_msg=name)
