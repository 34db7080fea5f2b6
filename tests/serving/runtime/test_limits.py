import numpy as np
import pytest
from grpc import StatusCode

from tfhashtag.errors import ServingError
from tfhashtag.serving.runtime.limits import Limits
from tfhashtag.serving.status import RequestError


@pytest.mark.parametrize(
    ("limits", "shape", "words"),
    [
        (Limits(rows=2), [3, 1], "Input `a` has 3 rows; this server takes at most 2."),
        (Limits(candidates=2), [1, 3], "Input `a` has 3 columns; this server takes at most 2."),
        (Limits(elements=8), [1, 3, 3], "Input `a` has 9 values; this server takes at most 8."),
    ],
)
def test_shapes(limits, shape, words):
    with pytest.raises(RequestError) as error:
        limits.check_shape("a", shape)
    assert (error.value.code, error.value.message) == (StatusCode.INVALID_ARGUMENT, words)
    limits.check_shape("a", [2] * min(len(shape), 3))
    Limits(None, None, None).check_shape("a", shape)


def test_values():
    limits = Limits(k=10, image_bytes=4)
    limits.check_values("k", np.array(10))
    limits.check_values("images", np.array([[b"1234", b""]], object))
    limits.check_values("text", np.array([b"12345"], object))
    limits.check_values("image", np.empty([0], object))
    with pytest.raises(RequestError, match="`k` is 11; this server takes at most 10"):
        limits.check_values("k", np.array(11))
    with pytest.raises(RequestError, match="A picture has 5 bytes; this server takes at most 4"):
        limits.check_values("images", np.array([[b"", b"12345"]], object))


def test_a_bound_is_positive():
    with pytest.raises(ServingError, match="limit `rows` is 0"):
        Limits(rows=0)
