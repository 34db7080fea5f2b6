"""The names of recommenders: ours, and those that other packages add."""

import importlib
import importlib.metadata
import os
from typing import TYPE_CHECKING, Any

from tfhashtag.errors import ConfigError
from tfhashtag.settings import RecommenderSettings, nearest

if TYPE_CHECKING:
    from tfhashtag.corpus.corpus import Corpus
    from tfhashtag.encoders.encoded_corpus import EncodedCorpus
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
    "post_ranker": ("post_ranker", "RankerSettings", "recommender:PostRankerRecommender"),
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


def read_vectors(
    folder: str | os.PathLike, corpus: "Corpus", settings: RecommenderSettings
) -> "EncodedCorpus":
    """The vectors of a corpus folder that a recommender reads, and no others.

    Raises:
        DataError: they are not encoded.
    """
    from tfhashtag.encoders.encoded_corpus import EncodedCorpus

    parts = recommender_class(settings.model).parts_of(settings)
    return EncodedCorpus.read(folder, corpus, **settings.encoders, parts=parts)


def _others() -> dict[str, importlib.metadata.EntryPoint]:
    return {point.name: point for point in importlib.metadata.entry_points(group=GROUP)}
