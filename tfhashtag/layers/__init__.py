"""Keras layers of the models, one public layer a file."""

from tfhashtag.layers.engagement_head import EngagementHead
from tfhashtag.layers.neural_topic_model import NeuralTopicModel
from tfhashtag.layers.personalized_topic_attention import PersonalizedTopicAttention
from tfhashtag.layers.scorer_ensemble import ScorerEnsemble
from tfhashtag.layers.standardizer import Standardizer
from tfhashtag.layers.user_encoder import UserEncoder

__all__ = [
    "EngagementHead",
    "NeuralTopicModel",
    "PersonalizedTopicAttention",
    "ScorerEnsemble",
    "Standardizer",
    "UserEncoder",
]
