"""The engagement model: how likely will a user tag a hashtag?"""

from tfhashtag.models.engagement.catalogue import score_catalogue
from tfhashtag.models.engagement.model import EngagementModel
from tfhashtag.models.engagement.scoring import encode_topics, encode_users, score_candidates

__all__ = [
    "EngagementModel",
    "encode_topics",
    "encode_users",
    "score_candidates",
    "score_catalogue",
]
