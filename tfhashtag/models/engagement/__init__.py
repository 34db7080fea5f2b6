"""The engagement model: how likely will a user tag a hashtag?"""

from tfhashtag.models.engagement.audience import Audience, audience_of
from tfhashtag.models.engagement.audience_model import AudienceModel
from tfhashtag.models.engagement.audience_scoring import candidate_features, score_audience
from tfhashtag.models.engagement.catalogue import score_catalogue
from tfhashtag.models.engagement.model import EngagementModel
from tfhashtag.models.engagement.scoring import encode_topics, encode_users, score_candidates
from tfhashtag.models.engagement.signals import AudienceSignals
from tfhashtag.models.engagement.similarity_start import start_from_similarity

__all__ = [
    "Audience",
    "AudienceModel",
    "AudienceSignals",
    "EngagementModel",
    "audience_of",
    "candidate_features",
    "encode_topics",
    "encode_users",
    "score_audience",
    "score_candidates",
    "score_catalogue",
    "start_from_similarity",
]
