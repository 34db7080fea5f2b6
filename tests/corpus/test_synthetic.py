"""Made corpora: the same seed, the same corpus; and there is something to learn."""

import numpy as np
import pytest

from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.statistics import plot_statistics, statistics_of
from tfhashtag.corpus.synthetic import synthetic_corpus
from tfhashtag.errors import DataError
from tfhashtag.tasks.users.episode import evaluation_episode


def test_seed_decides():
    one, same, other = (synthetic_corpus(300, 20, seed) for seed in (1, 1, 2))
    assert one.messages == same.messages
    assert one.hashtag_values.tolist() == same.hashtag_values.tolist()
    assert one.messages != other.messages


def test_enough_to_evaluate():
    corpus = synthetic_corpus(4000, 200, 0)
    for split in (Split.VALID, Split.TEST):
        candidates = evaluation_episode(corpus, split).candidates
        assert candidates.labels.sum() > 100
        assert len(candidates.labels) > 50 * candidates.labels.sum()


@pytest.mark.parametrize("arguments", [(0, 1), (1, 0)])
def test_bad_sizes(arguments):
    with pytest.raises(DataError, match="at least 1"):
        synthetic_corpus(*arguments)
    with pytest.raises(DataError, match="`noise`"):
        synthetic_corpus(10, 2, noise=2)


def test_statistics_by_hand(make_corpus):
    corpus = make_corpus(
        [
            ("a", "1", ["x", "y"], Split.TRAIN),
            ("a", "2", ["x"], Split.VALID),
            ("b", "3", ["z"], Split.TRAIN),
            ("b", "4", ["z", "new"], Split.TEST),
        ]
    )
    found = statistics_of(corpus)
    assert (found.tweets, found.users, found.hashtags) == (4, 2, 4)
    assert found.hashtags_per_user == 1.5
    assert found.tweets_per_hashtag == 6 / 4
    assert found.new_hashtag_rate == 50
    np.testing.assert_array_equal(found.context_sizes, [2, 1, 2, 1])


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_figure_3(tmp_path, ending):
    pytest.importorskip("matplotlib", reason="the extra `plots` is not installed")
    path = tmp_path / f"figure.{ending}"
    plot_statistics(statistics_of(synthetic_corpus(200, 20, 0)), path)
    assert path.stat().st_size > 5000
