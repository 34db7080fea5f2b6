"""Explanations of a run's answers."""

from collections.abc import Callable
from typing import Any

from tfhashtag.errors import ConfigError
from tfhashtag.explain.explanation import Explanation
from tfhashtag.runs.run import Run


def explain_run(run: Run, query: str, hashtag: str | None = None, **options: Any) -> Explanation:
    """What the trained model of a run looked at for a user or a post, see `Recommender.explain`.

    Raises:
        ConfigError: its model does not explain.
    """
    from tfhashtag.recommenders.audience.explanation import explain_audience
    from tfhashtag.recommenders.engagement.explanation import explain_engagement
    from tfhashtag.recommenders.phr.explanation import explain_post

    explain: dict[str, Callable[..., Explanation]] = {
        "audience": explain_audience,
        "engagement": explain_engagement,
        "phr": explain_post,
    }
    if run.settings.model not in explain:
        raise ConfigError(
            f"{run.folder}: `model` is {run.settings.model}, which has nothing to explain; give a "
            "run of `engagement`, `engagement_paper` or `phr`."
        )
    return explain[run.settings.model](run.load_recommender(), query, hashtag, **options)
