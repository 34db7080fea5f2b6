"""What is wrong with a post."""

from collections.abc import Callable, Iterable


class BadPost(Exception):
    """A post that breaks a rule; `reason` is its short name, the message says the rest."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def missing_field(what: str, fields: Iterable[object]) -> BadPost:
    """The fault of a post that lacks a field, which tells those that it has."""
    return BadPost("missing field", f"{what}; found {', '.join(map(str, fields)) or 'nothing'}")


#: Called with place and fault of a post; raises it, or counts it and lets the reader go on.
OnBad = Callable[[str, BadPost], None]
