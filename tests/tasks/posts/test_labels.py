"""The label space of post models, against counts made post by post."""

import collections

import numpy as np
import pytest

from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.rows import Rows
from tfhashtag.errors import ConfigError, DataError
from tfhashtag.tasks.posts.labels import PostLabels


def small(make_corpus):
    return make_corpus(
        [
            ("u", "a", ["rare", "often", "late"], 0),
            ("v", "b", ["often"], 0),
            ("u", "c", ["late", "often"], 1),
            ("u", "d", ["late", "rare"], 2),
            ("v", "e", [], 2),
        ]
    )


def test_only_train_posts_are_counted(make_corpus):
    corpus = small(make_corpus)
    labels = PostLabels.of_corpus(corpus, minimum_posts=2)
    assert [corpus.hashtags[index] for index in labels.hashtags] == ["often"]
    assert [labels.rows[post].tolist() for post in range(5)] == [[0], [0], [0], [], []]
    assert labels.answerable(np.array([4, 2, 3, 0])).tolist() == [2, 0]
    assert len(labels) == 1


def test_labels_count_through_the_hashtags(make_corpus):
    corpus = small(make_corpus)
    labels = PostLabels.of_corpus(corpus, minimum_posts=1)
    for post in range(len(corpus)):
        found = labels.hashtags[labels.rows[post]].tolist()
        assert found == corpus.hashtags_of_post(post).tolist()


def test_wrong_arguments(make_corpus):
    corpus = small(make_corpus)
    with pytest.raises(ConfigError, match="at least 1, found 0"):
        PostLabels.of_corpus(corpus, minimum_posts=0)
    with pytest.raises(DataError, match=r"no hashtag .* more than 2 train posts"):
        PostLabels.of_corpus(corpus, minimum_posts=3)
    with pytest.raises(DataError, match="rise"):
        PostLabels(np.array([3, 3]), Rows.from_lists([[0]]))
    with pytest.raises(DataError, match="found 0 to 2"):
        PostLabels(np.array([3, 5]), Rows.from_lists([[0, 2]]))


def test_the_twitter_data(howyoutag_corpus):
    corpus = howyoutag_corpus
    labels = PostLabels.of_corpus(corpus)
    train = np.flatnonzero(corpus.split_of_post == Split.TRAIN)
    counts = collections.Counter(tag for post in train for tag in corpus.hashtags_of_post(post))
    expected = sorted(tag for tag, count in counts.items() if count >= 5)
    assert labels.hashtags.tolist() == expected and len(labels) == 1572
    assert len(labels.answerable(np.flatnonzero(corpus.split_of_post == Split.TEST))) == 2833
