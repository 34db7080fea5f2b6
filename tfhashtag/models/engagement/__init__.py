"""The engagement model: how likely will a user tag a hashtag?"""

from tfhashtag.models.engagement.catalogue import score_catalogue
from tfhashtag.models.engagement.model import EngagementModel

__all__ = ["EngagementModel", "score_catalogue"]
