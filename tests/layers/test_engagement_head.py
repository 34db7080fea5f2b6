import numpy as np
import pytest

from tfhashtag.layers import EngagementHead
from tfhashtag.testing import LayerContract

RNG = np.random.default_rng(0)
EMBEDDINGS = RNG.normal(size=(2, 3, 4)).astype("float32")
USER = RNG.normal(size=(2, 5)).astype("float32")


@pytest.mark.parametrize("check", LayerContract.CHECKS)
def test_contract(check):
    contract = LayerContract(
        lambda **kw: EngagementHead(hidden=6, **kw), {"embeddings": EMBEDDINGS, "user": USER}
    )
    getattr(contract, check)()


def test_equals_plain_loops():
    head = EngagementHead(hidden=6)
    head(EMBEDDINGS, USER)
    for weight in head.weights:
        weight.assign(RNG.normal(size=weight.shape))
    found = np.array(head(EMBEDDINGS, USER))
    w_mlp = np.concatenate([np.array(head.hashtag_dense.kernel), np.array(head.user_dense.kernel)])
    b_mlp = np.array(head.user_dense.bias)
    w, b = np.array(head.logit_dense.kernel)[:, 0], float(head.logit_dense.bias[0])
    for u in range(2):
        for h in range(3):
            both = np.concatenate([EMBEDDINGS[u, h], USER[u]])
            hidden = np.maximum(0, both @ w_mlp + b_mlp)
            np.testing.assert_allclose(found[u, h], hidden @ w + b, rtol=1e-4)
