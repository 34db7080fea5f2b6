"""Which runs can be explained how."""

from collections.abc import Sequence

from tfhashtag.errors import ConfigError


def check_model(run, wanted: Sequence[str], what: str) -> None:
    """Refuses a run of another kind.

    Raises:
        ConfigError: the run's model is none of `wanted`.
    """
    if run.settings.model not in wanted:
        raise ConfigError(
            f"{run.folder}: `model` is {run.settings.model}; {what} needs a run of model "
            f"{' or '.join(wanted)}."
        )
