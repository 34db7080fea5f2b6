"""The names of recommenders: ours, and those that other packages add."""

import importlib
import importlib.metadata
from typing import TYPE_CHECKING, Any

import numpy as np

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.errors import ConfigError
from tfhashtag.settings import RecommenderSettings, nearest
from tfhashtag.training.options import TrainingOptions

if TYPE_CHECKING:
    from tfhashtag.recommenders.base import Recommender

GROUP = "tfhashtag.recommenders"
"""Entry points of this group name a model and its class: `toy = "toy.recommender:Toy"`."""

# Model to its folder here, the class of its settings and its own; nothing is imported by name
# alone, and of settings no TensorFlow.
_OURS = {
    "audience": ("audience", "AudienceSettings", "recommender:AudienceRecommender"),
    "engagement": ("engagement", "EngagementSettings", "recommender:EngagementRecommender"),
    "scorer": ("rules", "ScorerSettings", "recommender:ScorerRecommender"),
    "lambdamart": ("lambdamart", "LambdaMartSettings", "recommender:LambdaMartRecommender"),
    "collaborative": ("als", "CollaborativeSettings", "recommender:CollaborativeRecommender"),
    "phr": ("phr", "PhrSettings", "recommender:PhrRecommender"),
    "macon": ("macon", "MaconSettings", "recommender:MaconRecommender"),
    "post_rule": ("rules", "PostRuleSettings", "post_recommender:PostRuleRecommender"),
}


def model_names() -> list[str]:
    """Every `model` that a configuration may name: ours first, then those of other packages."""
    return [*_OURS, *(name for name in _others() if name not in _OURS)]


def settings_class(model: Any) -> type[RecommenderSettings]:
    """The class that validates the settings of a model.

    Raises:
        ConfigError: no recommender has that name, or the package that adds it cannot be loaded.
    """
    if model in _OURS:
        folder, settings, _ = _OURS[model]
        return getattr(importlib.import_module(f"{__package__}.{folder}.settings"), settings)
    return recommender_class(model).Settings


def recommender_class(model: str) -> "type[Recommender]":
    """The recommender that is registered under a name.

    Raises:
        ConfigError: as `settings_class`.
    """
    if model in _OURS:
        folder, _, place = _OURS[model]
        module, name = place.split(":")
        return getattr(importlib.import_module(f"{__package__}.{folder}.{module}"), name)
    others = _others()
    if model not in others:
        names = model_names()
        raise ConfigError(
            f"`model` is {model!r}, expected one of {', '.join(names)}.{nearest(model, names)}"
        )
    point = others[model]
    try:
        return point.load()
    except (ImportError, AttributeError) as error:
        package = point.dist.name if point.dist else point.value
        raise ConfigError(
            f"`model` is {model!r}, which package {package} adds as {point.value}, and that cannot "
            f"be loaded: {error}. Mend or remove the package."
        ) from error


def _others() -> dict[str, importlib.metadata.EntryPoint]:
    return {point.name: point for point in importlib.metadata.entry_points(group=GROUP)}


def build_recommender(
    settings: Any,
    corpus: Corpus,
    vectors: np.ndarray,
    options: TrainingOptions | None = None,
    names: np.ndarray | None = None,
):
    """The recommender that `settings.model` names, with fresh weights.

    Args:
        settings: a validated configuration.
        corpus: the posts.
        vectors: float32 `[messages, width]`, row `i` embeds message `i` of the corpus.
        options: how training will run.
        names: vectors of the hashtags' names, float32 `[hashtags, width]`; None: a model that
            reads them embeds them itself.
    """
    options = options or TrainingOptions()
    if settings.model == "engagement":
        from tfhashtag.recommenders.engagement.recommender import EngagementRecommender

        return EngagementRecommender(settings, corpus, vectors, options)
    if settings.model == "audience":
        from tfhashtag.recommenders.audience.recommender import AudienceRecommender

        return AudienceRecommender(settings, corpus, vectors, options, names)
    if settings.model == "scorer":
        from tfhashtag.recommenders.rules.recommender import ScorerRecommender

        return ScorerRecommender(settings, corpus, vectors, options)
    if settings.model == "collaborative":
        from tfhashtag.recommenders.als.recommender import CollaborativeRecommender

        return CollaborativeRecommender(settings, corpus, vectors, options)
    if settings.model == "lambdamart":
        from tfhashtag.recommenders.lambdamart.recommender import LambdaMartRecommender

        return LambdaMartRecommender(settings, corpus, vectors, options)
    raise AssertionError(settings.model)  # the schema knows no other name


def build_post_recommender(
    settings: Any,
    corpus: Corpus,
    vectors: np.ndarray,
    options: TrainingOptions | None = None,
    proposals=None,
    names: np.ndarray | None = None,
):
    """The recommender of posts that `settings.model` names, with fresh weights.

    Args:
        settings: a validated configuration.
        corpus: the posts.
        vectors: float32 `[messages, width]`, row `i` embeds message `i` of the corpus.
        options: how training will run.
        proposals: image proposals of the corpus, or None without images.
        names: as for `build_recommender`.
    """
    from tfhashtag.recommenders.phr.recommender import PostRecommender

    options = options or TrainingOptions()
    return PostRecommender(settings, corpus, vectors, options, proposals, names)
