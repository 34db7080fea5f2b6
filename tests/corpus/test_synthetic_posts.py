"""Made posts: each source of hashtags is told by what it is made of, and by nothing else."""

import collections
import io
import itertools
import json
import os

import numpy as np
import pytest
from PIL import Image

from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.store import read_corpus
from tfhashtag.corpus.synthetic_posts import (
    SOURCES,
    read_truth,
    synthetic_posts,
    write_synthetic_posts,
)
from tfhashtag.errors import ArtifactError, DataError
from tfhashtag.retrieval.similar_posts import find_similar_posts

SMALL = dict(posts=240, users=20, seed=3, themes=3, picture_size=24)


@pytest.fixture(scope="module")
def made():
    return synthetic_posts(2400, 120, seed=0, picture_size=24)


def tags_of_source(made, source):
    """{post: set of hashtag names} of one source."""
    found = collections.defaultdict(set)
    posts, tags = made.corpus.taggings()
    for post, tag, of in zip(posts, tags, made.sources, strict=True):
        if SOURCES[of] == source:
            found[int(post)].add(made.corpus.hashtags[tag])
    return found


# What simple statistics see -----------------------------------------------------------------


def picture_features(made):
    """Mean colours of 3 x 3 cells less their mean, to length 1; zeros without picture."""
    features = np.zeros((len(made.corpus), 27), np.float32)
    for post, names in enumerate(made.corpus.images):
        if names:
            image = np.asarray(Image.open(io.BytesIO(made.pictures[names[0]])), np.float32)
            side = len(image) // 3
            features[post] = image.reshape(3, side, 3, side, 3).mean((1, 3)).ravel()
    there = features.any(1)
    features[there] -= features[there].mean(0)
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-9)


def text_features(made):
    """Bags of words, to length 1."""
    texts = [made.corpus.messages[m].split() for m in made.corpus.message_of_post]
    places = {word: i for i, word in enumerate(sorted({word for text in texts for word in text}))}
    features = np.zeros((len(texts), len(places)), np.float32)
    for post, text in enumerate(texts):
        features[post, [places[word] for word in text]] = 1
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-9)


PREDICTORS = ("popularity", "picture", "own", "linear", "similar")


class Statistics:
    """Scores of all hashtags for the posts after train, by simple rules."""

    def __init__(self, made):
        self.made, corpus = made, made.corpus
        posts, tags = corpus.taggings()
        self.has = np.zeros((len(corpus), len(corpus.hashtags)), np.float32)
        self.has[posts, tags] = 1
        self.source_of_tag = np.zeros(len(corpus.hashtags), int)
        self.source_of_tag[tags] = made.sources
        self.train = np.flatnonzero(corpus.split_of_post == Split.TRAIN)
        self.late = np.flatnonzero(corpus.split_of_post != Split.TRAIN)
        users = corpus.user_of_post
        self.same_user = users[self.late][:, None] == users[self.train][None]
        self.picture, self.text = picture_features(made), text_features(made)

    def similarity(self, features):
        return features[self.late] @ features[self.train].T

    def neighbours(self, similarity):
        """Share of the 10 most similar posts by others that have each hashtag."""
        similarity = np.where(self.same_user, -9, similarity)
        nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :10]
        return self.has[self.train][nearest].mean(1)

    def similar(self):
        """Share among the 6 posts by others that equation 13 finds, mostly by text."""
        corpus = self.made.corpus
        text = np.zeros((len(corpus.messages), self.text.shape[1]), np.float32)
        text[corpus.message_of_post] = self.text
        found = find_similar_posts(corpus, self.late, text, self.picture, omega=0.1, mu=6).others
        assert np.isin(found[found >= 0], self.train).all()
        return (self.has[found] * (found >= 0)[..., None]).mean(1)

    def linear(self, *features):
        """Ridge regression of the hashtags on features."""
        inputs = np.concatenate([*features, np.ones((len(self.has), 1), np.float32)], axis=1)
        train = inputs[self.train]
        weights = train.T @ train + np.eye(inputs.shape[1])
        return inputs[self.late] @ np.linalg.solve(weights, train.T @ self.has[self.train])

    def own(self):
        """Share of the user's own train posts that have each hashtag."""
        counts = np.maximum(self.same_user.sum(1, keepdims=True), 1)
        return self.same_user.astype(np.float32) @ self.has[self.train] / counts

    def recall(self, scores, k, columns):
        """Recall@k among the hashtags of `columns`."""
        truth = self.has[self.late][:, columns]
        some = truth.sum(1) > 0
        ties = 1e-6 * np.random.default_rng(0).random(truth.shape)
        best = np.argsort(-(scores[:, columns] + ties), axis=1)[:, :k]
        hits = np.take_along_axis(truth, best, 1).sum(1)
        return float((hits[some] / truth[some].sum(1)).mean())


def recalls(made):
    """{predictor: {source: recall@3 within the source's hashtags}} on the posts after train."""
    by = Statistics(made)
    scores = {
        "popularity": np.tile(by.has[by.train].sum(0), (len(by.late), 1)),
        "picture": by.neighbours(by.similarity(by.picture)),
        "own": by.own(),
        "linear": by.linear(by.picture, by.text),
        "similar": by.similar(),
    }
    return {
        name: {
            source: by.recall(scores[name], 3, np.flatnonzero(by.source_of_tag == number))
            for number, source in enumerate(SOURCES)
        }
        for name in PREDICTORS
    }


def advantage(made, source):
    """How much recall@9 over all hashtags falls when one of four added rules is left out."""
    by = Statistics(made)
    scores = {
        "picture": by.linear(by.picture),
        "text": by.linear(by.text),
        "habit": by.own(),
        "similar": by.similar(),
    }
    columns = np.arange(len(by.source_of_tag))
    everything = by.recall(sum(scores.values()), 9, columns)
    del scores[source]
    return everything - by.recall(sum(scores.values()), 9, columns)


@pytest.fixture(scope="module")
def recall(made):
    return recalls(made)


@pytest.mark.parametrize(
    "source, teller, at_least, blind",
    [
        ("picture", "picture", 0.85, ("own", "similar")),
        ("text", "linear", 0.85, ("picture", "own")),
        ("habit", "own", 0.8, ("picture", "linear", "similar")),
        ("similar", "similar", 0.65, ("picture", "own")),
    ],
)
def test_each_source_is_told_by_its_own_signal_alone(recall, source, teller, at_least, blind):
    assert recall[teller][source] > at_least
    chance = recall["popularity"][source]
    for predictor in blind:
        assert recall[predictor][source] < chance + 0.15, predictor


def test_similar_posts_tell_what_a_classifier_of_texts_cannot_learn(recall):
    """Train has a few posts of the event, others' all: enough to copy, too few to learn from."""
    assert recall["similar"]["similar"] > recall["linear"]["similar"] + 0.3
    assert recall["similar"]["similar"] > recall["popularity"]["similar"] + 0.5


def test_nothing_tells_noise(recall):
    assert all(recall[predictor]["noise"] < 0.25 for predictor in PREDICTORS)  # 3 of 24 by chance


@pytest.mark.parametrize("source", SOURCES)
def test_a_source_that_is_off_takes_its_hashtags_and_nothing_else(source):
    on = synthetic_posts(**SMALL)
    off = synthetic_posts(**SMALL, **{source: 0})
    assert tags_of_source(on, source) and not tags_of_source(off, source)
    for other in set(SOURCES) - {source}:
        assert tags_of_source(on, other) == tags_of_source(off, other)
    assert on.pictures == off.pictures and on.corpus.images == off.corpus.images
    assert on.corpus.messages == off.corpus.messages
    for column in ("user_of_post", "message_of_post", "timestamps", "split_of_post"):
        np.testing.assert_array_equal(getattr(on.corpus, column), getattr(off.corpus, column))


MEDIUM = dict(
    posts=1600, users=80, seed=1, themes=6, picture_size=24,
    picture=2, text=2, habit=2, similar=2, noise=0.25,
)  # fmt: skip


@pytest.fixture(scope="module")
def everything_on():
    return synthetic_posts(**MEDIUM)


@pytest.mark.parametrize("source", ["picture", "text", "habit", "similar"])
def test_a_rule_has_an_advantage_while_its_source_is_on(everything_on, source):
    assert advantage(everything_on, source) > 0.02
    assert advantage(synthetic_posts(**MEDIUM | {source: 0}), source) < 0.01


# Construction --------------------------------------------------------------------------------


def test_events_have_words_of_their_own_together_alone(made):
    """Six words each, of which two events share two at most, and three hashtags at most."""
    corpus = made.corpus
    words, hashtags = {}, collections.defaultdict(set)
    for post, tags in tags_of_source(made, "similar").items():
        text = corpus.messages[corpus.message_of_post[post]].split()
        assert words.setdefault(made.events[post], frozenset(text[2:])) == frozenset(text[2:])
        hashtags[made.events[post]] |= tags
    assert len(words) > 350 and {len(own) for own in words.values()} == {6}
    assert max(len(a & b) for a, b in itertools.combinations(words.values(), 2)) == 2
    events_of_word = collections.Counter(itertools.chain.from_iterable(words.values()))
    assert min(events_of_word.values()) > 15
    assert max(map(len, hashtags.values())) == 3
    events_of_hashtag = collections.Counter(itertools.chain.from_iterable(hashtags.values()))
    assert len(events_of_hashtag) == 36 and min(events_of_hashtag.values()) > 10


def test_events_come_and_go(made):
    """Late posts are about events that others began in train; no user posts of one twice."""
    late = made.corpus.split_of_post != Split.TRAIN
    of_train = np.bincount(made.events[~late], minlength=made.events.max() + 1)
    assert np.mean(of_train[made.events[late]] >= 2) > 0.85
    assert 3 < np.median(of_train[made.events[late]]) < 8
    assert np.mean(np.isin(np.arange(len(of_train)), made.events[late])) < 0.4
    users = made.corpus.user_of_post
    assert len(set(zip(users.tolist(), made.events.tolist(), strict=True))) == len(users)


def test_users_and_themes_are_independent(made):
    """Pearson's statistic of each pair of columns is what chance gives."""
    columns = [made.text_themes, made.picture_themes, made.events, made.corpus.user_of_post]
    for i, one in enumerate(columns[:2]):
        for other in columns[i + 1 :]:
            _, rows = np.unique(one, return_inverse=True)
            _, places = np.unique(other, return_inverse=True)
            counts = np.zeros((rows.max() + 1, places.max() + 1))
            np.add.at(counts, (rows, places), 1)
            expected = counts.sum(1, keepdims=True) * counts.sum(0) / counts.sum()
            degrees = (counts.shape[0] - 1) * (counts.shape[1] - 1)
            statistic = ((counts - expected) ** 2 / expected).sum()
            assert statistic < degrees + 4 * np.sqrt(2 * degrees)


def test_hashtags_of_sources_are_disjoint(made):
    names = [set().union(*tags_of_source(made, source).values()) for source in SOURCES]
    assert sum(map(len, names)) == len(set().union(*names)) == len(made.corpus.hashtags)
    assert [len(found) for found in names] == [24, 24, 36, 36, 24]


def test_strength_is_the_number_of_hashtags():
    strengths = dict(picture=0.3, text=1.5, habit=2, similar=3, noise=0)
    made = synthetic_posts(**SMALL, **strengths, without_picture=0, without_text=0)
    for source, strength in strengths.items():
        tags = tags_of_source(made, source)
        counts = np.array([len(tags[post]) for post in range(len(made.corpus))])
        assert abs(counts.mean() - strength) < 0.1, source
        assert set(counts) <= {int(strength), int(strength) + (strength % 1 > 0)}
    assert made.shares() == pytest.approx(
        {source: strength / 6.8 for source, strength in strengths.items()}, abs=0.02
    )


def test_what_is_missing_has_no_hashtags_of_it(made):
    corpus = made.corpus
    bare = {post for post, names in enumerate(corpus.images) if not names}
    mute = {
        post for post in range(len(corpus)) if not corpus.messages[corpus.message_of_post[post]]
    }
    assert abs(len(bare) / 2400 - 0.05) < 0.02 and abs(len(mute) / 2400 - 0.05) < 0.02
    assert not bare & tags_of_source(made, "picture").keys()
    assert not mute & tags_of_source(made, "text").keys()
    assert not mute & tags_of_source(made, "similar").keys()
    nothing = synthetic_posts(**SMALL, without_picture=1, without_text=1)
    assert nothing.corpus.images is None and nothing.corpus.messages == [""]
    assert nothing.shares()["picture"] == nothing.shares()["similar"] == 0


def test_time_and_newcomers(made):
    corpus = made.corpus
    assert np.all(np.diff(corpus.timestamps) > 0) and np.all(np.diff(corpus.split_of_post) >= 0)
    assert np.bincount(corpus.split_of_post).tolist() == [1920, 240, 240]
    trained = np.unique(corpus.user_of_post[corpus.split_of_post == Split.TRAIN])
    assert len(corpus.users) == 120 and len(trained) == 114  # 5 % are newcomers


def test_pictures_are_files_of_both_formats(made):
    formats = collections.Counter()
    for content in made.pictures.values():
        image = Image.open(io.BytesIO(content))
        image.load()
        formats[image.format] += 1
    assert 0.2 < formats["PNG"] / len(made.pictures) < 0.3 and set(formats) == {"PNG", "JPEG"}


def test_the_seed_decides():
    one, same = synthetic_posts(**SMALL), synthetic_posts(**SMALL)
    other = synthetic_posts(**SMALL | {"seed": 4})
    assert one.pictures == same.pictures and one.corpus.messages == same.corpus.messages
    np.testing.assert_array_equal(one.sources, same.sources)
    assert one.corpus.messages != other.corpus.messages
    assert not one.pictures.keys() & other.pictures.keys()


@pytest.mark.parametrize("users, posts", [(1, 1), (50, 7), (3, 400), (1, 40)])
def test_odd_sizes(users, posts):
    made = synthetic_posts(posts, users, themes=2, picture_size=24, newcomers=0.4)
    assert len(made.corpus) == posts and len(made.corpus.users) == min(users, posts)
    assert len(made.sources) == len(made.corpus.hashtag_values)


@pytest.mark.parametrize(
    "name, value",
    [("posts", 0), ("users", 0), ("seed", -1), ("picture", 3.5), ("noise", -0.1),
     ("similar", float("nan")), ("without_text", 1.1), ("newcomers", 1), ("themes", 13),
     ("picture_size", 8)],
)  # fmt: skip
def test_out_of_range(name, value):
    with pytest.raises(DataError, match=rf"`{name}` must lie in \["):
        synthetic_posts(**SMALL | {name: value})


# Files ---------------------------------------------------------------------------------------


def test_folder_with_truth(tmp_path):
    made = synthetic_posts(**SMALL)
    write_synthetic_posts(made, tmp_path / "corpus")
    assert os.listdir(tmp_path) == ["corpus"]
    corpus = read_corpus(tmp_path / "corpus")
    assert corpus.images == made.corpus.images
    for name in corpus.pictures:
        assert (tmp_path / "corpus" / name).read_bytes() == made.pictures[name]
    truth = read_truth(tmp_path / "corpus")
    assert truth.parameters["posts"] == 240 and truth.parameters["similar"] == 1
    posts, tags = corpus.taggings()
    pairs = [(corpus.post_ids[p], corpus.hashtags[t]) for p, t in zip(posts, tags, strict=True)]
    assert truth.sources.keys() == set(pairs) and len(pairs) == len(set(pairs))
    assert [truth.sources[pair] for pair in pairs] == [SOURCES[source] for source in made.sources]
    counted = collections.Counter(truth.sources.values())
    assert truth.shares == {source: counted[source] / len(pairs) for source in SOURCES}
    info = json.loads((tmp_path / "corpus" / "truth.json").read_text())
    assert info["taggings"] == dict(counted)
    with pytest.raises(DataError, match="exists already"):
        write_synthetic_posts(made, tmp_path / "corpus")


def test_a_failed_write_leaves_nothing(tmp_path):
    made = synthetic_posts(**SMALL)
    made.pictures.pop(next(iter(made.pictures)))
    with pytest.raises(DataError, match="no content"):
        write_synthetic_posts(made, tmp_path / "corpus")
    assert not os.listdir(tmp_path)


def test_truth_that_is_not_there_or_damaged(tmp_path):
    with pytest.raises(ArtifactError, match=r"no `truth\.json`; expected a corpus of"):
        read_truth(tmp_path)
    write_synthetic_posts(synthetic_posts(**SMALL), tmp_path / "corpus")
    (tmp_path / "corpus" / "truth.parquet").write_bytes(b"PAR1")
    with pytest.raises(ArtifactError, match="not readable"):
        read_truth(tmp_path / "corpus")
