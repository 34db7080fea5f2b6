"""What an export writes and what answers in process: one object for both."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from tfhashtag.export.signatures import Signature
from tfhashtag.export.warmup import WarmUpRequest


class Servable(Protocol):
    """A trained model behind signatures: raw strings and bytes in, hashtags and scores out.

    Besides these attributes it has a method for every signature, with its name and its inputs in
    their order, made of TensorFlow operations.

    Attributes:
        signatures: what it answers.
        requests: its warm-up requests.
        limits: sentences for the model card: what answers mean where input is missing or unknown.
        shapes: by input name, sizes that are known; all sizes of the others are open.
    """

    signatures: Sequence[Signature]
    requests: Sequence[WarmUpRequest]
    limits: Sequence[str]
    shapes: Mapping[str, Sequence[int | None]]

    def trackables(self) -> list[Any]:
        """Variables, tables and models that the methods use."""
