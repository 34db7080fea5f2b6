"""How much one request may ask for."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from tfhashtag.errors import ServingError
from tfhashtag.serving.runtime.memory import IMAGE_INPUTS
from tfhashtag.serving.status import invalid

COUNT_INPUT = "k"


@dataclass(frozen=True)
class Limits:
    """What a request may hold at most; beyond it the answer is INVALID_ARGUMENT.

    TensorFlow Serving has no such limits. A bound of None is no bound.

    Args:
        rows: first dimension of an input: users or posts of a request.
        candidates: second dimension of an input: candidates or messages of a user.
        elements: values of one input. A tensor can claim a shape of gigabytes and hold one value.
        k: the scalar input `k`, hashtags wanted.
        image_bytes: bytes of one picture in the input `images`.
        json_values: values of the JSON of a REST request; commas in texts are counted, too.
        memory: bytes that the run of one request may take, as `MemoryCost` tells it.
        seconds: deadline of a request whose client gives none.

    Raises:
        ServingError: a bound is not positive.

    Example:

    >>> Limits(rows=2).check_shape("text", [2])
    >>> Limits(rows=2).check_shape("text", [3])
    Traceback (most recent call last):
        ...
    tfhashtag.serving.status.RequestError: Input `text` has 3 rows; this server takes at most 2.
    """

    rows: int | None = 1024
    candidates: int | None = 4096
    elements: int | None = 2**22
    k: int | None = 1000
    image_bytes: int | None = 16 * 2**20
    json_values: int | None = 2**20
    memory: int | None = 2**30
    seconds: float | None = 60.0

    def __post_init__(self) -> None:
        for bound in fields(self):
            value = getattr(self, bound.name)
            if value is not None and value <= 0:
                raise ServingError(f"limit `{bound.name}` is {value}; expected more than 0.")

    def check_shape(self, alias: str, shape: Sequence[int]) -> None:
        """Looks at the shape that an input claims, before anything is made of it.

        Args:
            alias: name of the input, for the message.
            shape: its dimensions.

        Raises:
            RequestError: INVALID_ARGUMENT, it is beyond a bound.
        """
        elements = 1
        for size in shape:
            elements *= size
        found = (
            (self.rows, shape[0] if shape else 0, "rows"),
            (self.candidates, shape[1] if len(shape) > 1 else 0, "columns"),
            (self.elements, elements, "values"),
        )
        for bound, count, what in found:
            if bound is not None and count > bound:
                raise invalid(
                    f"Input `{alias}` has {count} {what}; this server takes at most {bound}."
                )

    def check_values(self, alias: str, array: np.ndarray) -> None:
        """Looks at the values of the inputs `k` and `images`.

        Raises:
            RequestError: INVALID_ARGUMENT, one is beyond its bound.
        """
        if alias == COUNT_INPUT and self.k is not None and array.ndim == 0:
            if array.dtype.kind in "iu" and array > self.k:
                raise invalid(f"`k` is {array}; this server takes at most {self.k}.")
        elif alias in IMAGE_INPUTS and self.image_bytes is not None and array.dtype.kind == "O":
            largest = max(map(len, array.flat), default=0)
            if largest > self.image_bytes:
                raise invalid(
                    f"A picture has {largest} bytes; this server takes at most {self.image_bytes}."
                )
