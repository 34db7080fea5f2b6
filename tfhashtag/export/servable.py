"""What an export writes and what answers in process: one object for both."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from tfhashtag.export.signatures import Signature
from tfhashtag.export.warmup import WarmUpRequest


class Servable(Protocol):
    """A trained model behind signatures: raw strings and bytes in, hashtags and scores out.

    Besides these attributes it has a method for every signature, with its name and its inputs in
    their order, made of TensorFlow operations.
    """

    @property
    def signatures(self) -> Sequence[Signature]:
        """What it answers."""

    @property
    def requests(self) -> Sequence[WarmUpRequest]:
        """Its warm-up requests."""

    @property
    def limits(self) -> Sequence[str]:
        """Sentences for the model card: what answers mean where input is missing or unknown."""

    @property
    def memory(self) -> Mapping[str, int]:
        """Bytes that a run takes at its peak, as far as they were measured.

        By `row` of a request, `value` (each string, which becomes a vector), `text` (each byte of
        text), `word` (each string and word of the longest one), `hashtag` (each row and hashtag of
        the row that has the most), `number`, `padded` (each string of `images`, empty or
        not), `picture` (of a few that are read at a time) and `pixel` (of the largest). The
        embedded server refuses by them what would take too much, and has guesses for what is not
        named.
        """

    @property
    def shapes(self) -> Mapping[str, Sequence[int | None]]:
        """By input name, sizes that are known; all sizes of the others are open."""

    def avoid(self, ops: Collection[str]) -> Sequence[str]:
        """Has the graph do without operations, where there is another way.

        Args:
            ops: those that the server lacks.

        Returns:
            Sentences for the model card: what answers differ by it.
        """

    def trackables(self) -> list[Any]:
        """Variables, tables and models that the methods use."""
