"""Why a trained model says what it says: attention, and what carried a score."""

from tfhashtag.explain.audience_explanation import AudienceExplanation, explain_audience
from tfhashtag.explain.engagement_explanation import EngagementExplanation, explain_engagement
from tfhashtag.explain.post_explanation import PostExplanation, explain_post
from tfhashtag.explain.write import write_explanation

__all__ = [
    "AudienceExplanation",
    "EngagementExplanation",
    "PostExplanation",
    "explain_audience",
    "explain_engagement",
    "explain_post",
    "write_explanation",
]
