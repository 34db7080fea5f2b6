import numpy as np
import pytest

from tfhashtag.tasks.users.signatures import SIGNATURES


def test_the_names_are_the_contract():
    assert {
        s.name: ([t.name for t in s.inputs], [t.name for t in s.outputs]) for s in SIGNATURES
    } == {
        "serving_default": (["history"], ["hashtags", "scores"]),
        "top_k": (["history", "k"], ["hashtags", "scores"]),
        "score": (["history", "hashtags"], ["scores", "known"]),
        "score_contexts": (["history", "contexts"], ["scores", "attention"]),
        "embed_user": (["history"], ["embedding"]),
    }


@pytest.mark.parametrize("signature", SIGNATURES, ids=lambda signature: signature.name)
def test_examples_have_the_declared_shapes(signature):
    sizes = {}
    for tensor in signature.inputs:
        array = np.array(signature.example[tensor.name])
        assert array.ndim == tensor.rank
        assert array.dtype.kind == {"string": "U", "int32": "i"}[tensor.dtype]
        for letter, size in zip(tensor.shape, array.shape, strict=True):
            assert sizes.setdefault(letter, size) == size
