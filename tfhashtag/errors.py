"""Expected failures. Each message says where, what was found, what was expected and what to do."""

import importlib
from typing import Any


class TfHashtagError(Exception):
    """An expected failure: the command line prints its message without a traceback, exit code 1."""


class DataError(TfHashtagError):
    """A data file or corpus directory is not what it should be."""


class ConfigError(TfHashtagError):
    """A setting is unknown, of the wrong type or out of range."""


class EncoderError(TfHashtagError):
    """An encoder cannot be found, loaded or used."""


class ArtifactError(TfHashtagError):
    """A run directory, checkpoint or exported model is missing, incomplete or damaged."""


class NotEncodedError(ArtifactError):
    """A corpus has no finished vectors of an encoder, or has changed since it was encoded."""


class ServingError(TfHashtagError):
    """The server cannot start or a request to a server failed."""


class WorkerError(TfHashtagError):
    """A worker of a training did not come, was lost, or is not like the others."""


class TuningError(TfHashtagError):
    """No trial of a tuning came to its end."""


class TrackingError(TfHashtagError):
    """A place that experiments are told to cannot be reached or written."""


class EngineError(TfHashtagError):
    """An engine that work was to run on is missing, cannot be reached or gave up."""


class ComparisonError(TfHashtagError):
    """A system of a comparison failed; the results of the others are written."""


def required(module: str, what: str, extra: str, kind: type[TfHashtagError] = ArtifactError) -> Any:
    """A module of a library that an extra of this package brings.

    Args:
        module: dotted.
        what: what needs the library, the beginning of the message.
        extra: its name.
        kind: of the error where it is not installed.

    Example:

    >>> required("nowhere", "the figures need Nowhere", "plots")
    Traceback (most recent call last):
    tfhashtag.errors.ArtifactError: the figures need Nowhere; install it with \
`pip install 'tfhashtag[plots]'`.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise kind(f"{what}; install it with `pip install 'tfhashtag[{extra}]'`.") from error
