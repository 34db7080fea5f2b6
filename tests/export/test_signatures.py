import numpy as np
import pytest

from tfhashtag.tasks.posts import signatures as posts
from tfhashtag.tasks.users.signatures import EXPLAIN, SIGNATURES


def test_the_names_are_the_contract():
    assert {
        s.name: ([t.name for t in s.inputs], [t.name for t in s.outputs]) for s in SIGNATURES
    } == {
        "serving_default": (["history"], ["hashtags", "scores"]),
        "top_k": (["history", "k"], ["hashtags", "scores"]),
        "score": (["history", "hashtags"], ["scores", "known"]),
        "score_contexts": (["history", "contexts"], ["scores", "attention"]),
        "embed_user": (["history"], ["embedding"]),
        "trending": (["k"], ["hashtags", "now", "before", "users", "ratio", "low", "high"]),
    }


@pytest.mark.parametrize(
    "signature",
    (*SIGNATURES, EXPLAIN, posts.EXPLAIN),
    ids=lambda one: f"{one.name} of {one.inputs[0].name}",
)
def test_examples_have_the_declared_shapes(signature):
    sizes = {}
    for tensor in signature.inputs:
        array = np.array(signature.example[tensor.name])
        assert array.ndim == tensor.rank
        assert array.dtype.kind == {"string": "U", "int32": "i"}[tensor.dtype]
        for letter, size in zip(tensor.shape, array.shape, strict=True):
            assert sizes.setdefault(letter, size) == size
