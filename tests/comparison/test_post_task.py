import dataclasses

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from tfhashtag.comparison.post_systems import PostSettingsOf
from tfhashtag.comparison.post_task import PostTask, with_f1
from tfhashtag.corpus.corpus import Split
from tfhashtag.corpus.store import read_corpus, write_corpus
from tfhashtag.errors import ArtifactError, DataError
from tfhashtag.evaluation.post_metrics import post_averages


@hypothesis.given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=20))
def test_f1_of_posts_has_the_mean_of_the_means(values):
    given = {
        "Precision@9": np.array([p for p, _ in values]),
        "Recall@9": np.array([r for _, r in values]),
    }
    found = with_f1(given)["F1@9"]
    np.testing.assert_allclose(found.mean(), post_averages(given)["F1@9"], atol=1e-9)


def test_f1_of_posts_is_the_slope():
    rng = np.random.default_rng(0)
    p, r = rng.random(50), rng.random(50)
    found = with_f1({"Precision@1": p, "Recall@1": r})["F1@1"]

    def f1(weights):
        mean_p, mean_r = weights @ p, weights @ r
        return 2 * mean_p * mean_r / (mean_p + mean_r)

    even = np.full(50, 1 / 50)
    for post in (0, 7, 31):
        step = 1e-6
        moved = even * (1 - step)
        moved[post] += step
        slope = (f1(moved) - f1(even)) / step
        assert slope == pytest.approx(found[post] - found.mean(), abs=1e-4)


def test_a_corpus_that_is_not_encoded_is_refused(encoded_posts, overrides, tmp_path):
    corpus = read_corpus(encoded_posts)
    settings = PostSettingsOf("phr", corpus, overrides).phr
    write_corpus(dataclasses.replace(corpus, images=None, proposals=None), tmp_path / "bare")
    with pytest.raises(ArtifactError, match="tfhashtag encode"):
        PostTask(tmp_path / "bare", settings)


def test_nothing_to_compare_on_is_told(encoded_posts, overrides, tmp_path):
    corpus = read_corpus(encoded_posts)
    settings = PostSettingsOf("phr", corpus, overrides).phr
    split = np.where(corpus.split_of_post == Split.TEST, Split.VALID, corpus.split_of_post)
    changed = dataclasses.replace(corpus, split_of_post=split.astype(np.int8), images=None)
    write_corpus(changed, tmp_path / "corpus")
    with pytest.raises(DataError, match="none of 0 test posts"):
        PostTask(tmp_path / "corpus", settings)


def test_visual_is_the_mean_proposal(encoded_posts, overrides):
    corpus = read_corpus(encoded_posts)
    task = PostTask(encoded_posts, PostSettingsOf("phr", corpus, overrides).phr)
    with_image = next(post for post, name in enumerate(corpus.images) if name)
    without = next(post for post, name in enumerate(corpus.images) if not name)
    row = task.proposals.row_of_post[with_image]
    np.testing.assert_allclose(
        task.visual[with_image], np.mean(task.proposals.vectors[row], axis=0), rtol=1e-5
    )
    assert not task.visual[without].any()
