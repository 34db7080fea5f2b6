import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfhashtag.layers.masked_softmax import masked_softmax


@given(st.integers(0, 2**20))
def test_equals_a_softmax_over_what_is_real(seed):
    rng = np.random.default_rng(seed)
    scores, mask = rng.normal(size=(3, 5)), rng.random((3, 5)) < 0.5
    dirty = np.where(mask, scores, rng.choice([np.nan, np.inf, 1e300]))
    found = np.array(masked_softmax(dirty, mask))
    assert found.dtype == "float64"
    for row in range(3):
        real = np.exp(scores[row][mask[row]])
        np.testing.assert_allclose(found[row][mask[row]], real / real.sum())
        assert (found[row][~mask[row]] == 0).all()


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_large_scores_stay_finite(dtype):
    found = masked_softmax(np.array([[60_000, -60_000, 60_000]], dtype), np.ones((1, 3), bool))
    assert found.dtype == "float32"
    assert np.array(found).tolist() == [[0.5, 0.0, 0.5]]
