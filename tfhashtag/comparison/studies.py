"""The studies by the names of their commands."""

from tfhashtag.comparison.engagement import EngagementStudy
from tfhashtag.comparison.phr import PhrStudy
from tfhashtag.comparison.study import Study
from tfhashtag.errors import ConfigError

_STUDIES: dict[str, type[Study]] = {study.name: study for study in (EngagementStudy, PhrStudy)}


def study_of(name: str, config: str | None = None) -> Study:
    """A study by its name.

    Args:
        name: `"engagement"` or `"phr"`.
        config: configuration of the reference and of the systems that are made of it; None: the
            study's own.

    Raises:
        ConfigError: an unknown name, or a configuration of another model.
    """
    if name not in _STUDIES:
        raise ConfigError(f"`study` must be one of {', '.join(_STUDIES)}, found {name!r}.")
    return _STUDIES[name](config)
