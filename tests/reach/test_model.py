"""Effects of hashtags on made posts: who uses a hashtag is not what the hashtag does."""

import dataclasses

import numpy as np
import pytest

from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.synthetic_reach import EFFECTS, synthetic_reach, write_synthetic_reach
from tfhashtag.errors import DataError
from tfhashtag.reach.calibration import calibration_of
from tfhashtag.reach.model import fit_reach, reach_of_posts


@pytest.fixture(scope="module")
def made():
    return synthetic_reach(6000, 200, seed=1)


@pytest.fixture(scope="module")
def splits(made):
    return {split: made.corpus.split_of_post == split for split in Split}


@pytest.fixture(scope="module")
def model(made, splits):
    return fit_reach(made.corpus, splits[Split.TRAIN], splits[Split.VALID])


def mean_of_kind(corpus, values, kind):
    return np.mean([v for v, name in zip(values, corpus.hashtags, strict=True) if kind in name])


def test_popular_authors_do_not_lend_their_reach_to_a_hashtag(made, splits, model):
    corpus = made.corpus
    reach = reach_of_posts(corpus, splits[Split.TRAIN])
    posts, tags = corpus.taggings()
    naive = np.bincount(tags, reach[posts]) / np.bincount(tags)
    assert mean_of_kind(corpus, naive, "fame") > 1
    assert mean_of_kind(corpus, naive, "craft") < 0
    for kind, effect in EFFECTS.items():
        assert abs(mean_of_kind(corpus, model.effects, kind) - effect) < 0.06, kind
    true = np.array([made.effects[name] for name in corpus.hashtags])
    assert np.mean(np.abs(model.effects - true) < 1.96 * model.errors) > 0.85
    # The hour is no hashtag either: most of what is posted in the evening is `fame`.
    assert model.hours[18:22].mean() - model.hours[6:18].mean() == pytest.approx(0.3, abs=0.1)


def test_outcomes_where_nothing_is_learned_from_are_told(made, splits):
    none = np.full(len(made.corpus), -1)
    later = {"likes": np.where(splits[Split.TRAIN], -1, made.corpus.outcomes["likes"])}
    for outcomes, told in (
        (later, "none of its train posts says"),
        ({"likes": none}, "say nothing"),
    ):
        corpus = dataclasses.replace(made.corpus, outcomes=outcomes)
        with pytest.raises(DataError, match=told):
            reach_of_posts(corpus, splits[Split.TRAIN])
    unknown = dataclasses.replace(made.corpus, outcomes={**made.corpus.outcomes, "followers": none})
    without = {name: v for name, v in made.corpus.outcomes.items() if name != "followers"}
    asked = splits[Split.TRAIN], splits[Split.VALID]
    expected = fit_reach(dataclasses.replace(made.corpus, outcomes=without), *asked)
    assert np.array_equal(fit_reach(unknown, *asked).effects, expected.effects)


def test_what_is_expected_comes_true(made, splits, model):
    corpus, test = made.corpus, np.flatnonzero(splits[Split.TEST])
    reach = reach_of_posts(corpus, splits[Split.TRAIN])
    seen = reach[test] - model.usual[corpus.user_of_post[test]]
    found = calibration_of(model.beyond_usual(corpus, test), seen)
    assert abs(found["slope"] - 1) < 3 * found["slope_error"] < 0.5
    assert found["error"] < 0.12 and sum(row["posts"] for row in found["bins"]) == len(test)
    assert model.spread == pytest.approx(0.5, abs=0.05)


def test_the_solution_is_that_of_a_dense_ridge_within_authors(made, splits, model):
    corpus = made.corpus
    train = np.flatnonzero(splits[Split.TRAIN])
    reach = reach_of_posts(corpus, splits[Split.TRAIN])[train]
    author = np.eye(len(corpus.users))[corpus.user_of_post[train]]
    tag = np.zeros((len(corpus), len(corpus.hashtags)))
    tag[corpus.taggings()] = 1
    moment = corpus.timestamps[train]
    hour, day = np.eye(24)[moment // 3600 % 24], np.eye(7)[(moment // 86400 + 3) % 7]
    design = np.hstack([hour, day, tag[train], author])
    followers = np.log1p(corpus.outcomes["followers"])[train]
    assert np.allclose(followers, author @ (author.T @ followers / author.sum(axis=0)))  # constant
    sizes = [31, len(corpus.hashtags), author.shape[1]]
    penalty = np.repeat([10.0, model.chosen["own"], 0.0], sizes)
    found = np.linalg.solve(design.T @ design + np.diag(penalty), design.T @ reach)
    effects = model.slope * found[31 : 31 + len(corpus.hashtags)]
    assert np.abs(effects - model.effects).max() < 1e-3


def test_a_new_hashtag_is_known_by_its_vector(made, splits):
    """What is common to hashtags that look alike is learned, and what nobody used adds that."""
    corpus, rng = made.corpus, np.random.default_rng(0)
    new = corpus.hashtags.index("bookscraft"), corpus.hashtags.index("booksdull")
    kinds = [next(i for i, k in enumerate(EFFECTS) if tag.endswith(k)) for tag in corpus.hashtags]
    vectors = np.eye(len(EFFECTS))[kinds] + 0.1 * rng.normal(size=(len(kinds), len(EFFECTS)))
    posts, tags = corpus.taggings()
    without = splits[Split.TRAIN].copy()
    without[posts[np.isin(tags, new)]] = False
    learned = fit_reach(corpus, without, splits[Split.VALID], vectors)
    assert learned.chosen["vectors"] is not None
    assert learned.effects[new[0]] > 0.2 and learned.effects[new[1]] < -0.2
    alone = fit_reach(corpus, without, splits[Split.VALID])
    assert alone.effects[list(new)].tolist() == [0, 0]
    assert (alone.errors[list(new)] > np.delete(alone.errors, new).max()).all()


def test_an_author_of_few_posts_is_held_towards_those_with_as_many_followers(made, splits):
    corpus = made.corpus
    famous = np.argmax(np.bincount(corpus.user_of_post, corpus.outcomes["followers"]))
    own = np.flatnonzero(splits[Split.TRAIN] & (corpus.user_of_post == famous))
    train = splits[Split.TRAIN].copy()
    train[own[1:]] = False
    model = fit_reach(corpus, train, splits[Split.VALID])
    assert model.usual[famous] > np.quantile(model.usual, 0.9)


def test_outcomes_are_averaged_over_those_that_are_known():
    plain = synthetic_reach(20, 4).corpus
    likes, views = np.full(20, -1), np.full(20, -1)
    likes[:10], views[5:15] = np.arange(10), np.arange(10) * 10
    corpus = dataclasses.replace(plain, outcomes={"likes": likes, "views": views})
    found = reach_of_posts(corpus, np.ones(20, bool))
    by_hand = np.log1p(likes[7]) - np.log1p(np.arange(10)).mean()
    by_hand += np.log1p(views[7]) - np.log1p(np.arange(10) * 10).mean()
    assert found[7] == pytest.approx(by_hand / 2)
    assert np.isnan(found[15:]).all() and np.isfinite(found[:15]).all()


def test_posts_without_outcomes_are_told(made, splits):
    bare = dataclasses.replace(made.corpus, outcomes=None)
    with pytest.raises(DataError, match=r"nothing of what came of them; import them with .*likes"):
        fit_reach(bare, splits[Split.TRAIN], splits[Split.VALID])
    none = np.zeros(len(bare), bool)
    with pytest.raises(DataError, match="0 posts with outcomes to choose on; expected at least 10"):
        fit_reach(made.corpus, splits[Split.TRAIN], none)


def test_the_made_corpus_is_the_same_again(made, tmp_path):
    again = synthetic_reach(6000, 200, seed=1).corpus
    assert again.outcomes["likes"].tolist() == made.corpus.outcomes["likes"].tolist()
    write_synthetic_reach(made, tmp_path / "corpus")
    assert '"bookscraft": 0.4' in (tmp_path / "corpus" / "truth.json").read_text()
    with pytest.raises(DataError, match="at least 1, found 0"):
        synthetic_reach(0)
