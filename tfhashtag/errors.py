"""Expected failures. Each message says where, what was found, what was expected and what to do."""


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
