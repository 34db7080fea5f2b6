"""Keras layers of the models, one public layer a file."""

from tfhashtag.layers.aggregated_graph_conv import AggregatedGraphConv
from tfhashtag.layers.bilstm import BiLSTM
from tfhashtag.layers.co_attention import CoAttention
from tfhashtag.layers.count_residual import CountResidual
from tfhashtag.layers.engagement_head import EngagementHead
from tfhashtag.layers.hashtag_attention import HashtagAttention
from tfhashtag.layers.memory_network import MemoryNetwork
from tfhashtag.layers.mixture_of_experts import MixtureOfExperts
from tfhashtag.layers.neural_topic_model import NeuralTopicModel
from tfhashtag.layers.parallel_co_attention import ParallelCoAttention
from tfhashtag.layers.personalized_topic_attention import PersonalizedTopicAttention
from tfhashtag.layers.picture_pooling import PicturePooling
from tfhashtag.layers.picture_text_agreement import PictureTextAgreement
from tfhashtag.layers.placeholder import Placeholder
from tfhashtag.layers.post_tag_attention import PostTagAttention
from tfhashtag.layers.relational_graph_conv import RelationalGraphConv
from tfhashtag.layers.scorer_ensemble import ScorerEnsemble
from tfhashtag.layers.segments import Segments
from tfhashtag.layers.sextuplet_co_attention import SextupletCoAttention
from tfhashtag.layers.similarity_edges import neighbour_edges, similarity_edges
from tfhashtag.layers.standardizer import Standardizer
from tfhashtag.layers.tree_ensemble import Tree, TreeEnsemble
from tfhashtag.layers.user_encoder import UserEncoder
from tfhashtag.layers.user_habit import UserHabit
from tfhashtag.layers.word_ids import WordIds

__all__ = [
    "AggregatedGraphConv",
    "BiLSTM",
    "CoAttention",
    "CountResidual",
    "EngagementHead",
    "HashtagAttention",
    "MemoryNetwork",
    "MixtureOfExperts",
    "NeuralTopicModel",
    "ParallelCoAttention",
    "PersonalizedTopicAttention",
    "PicturePooling",
    "PictureTextAgreement",
    "Placeholder",
    "PostTagAttention",
    "RelationalGraphConv",
    "ScorerEnsemble",
    "Segments",
    "SextupletCoAttention",
    "Standardizer",
    "Tree",
    "TreeEnsemble",
    "UserEncoder",
    "UserHabit",
    "WordIds",
    "neighbour_edges",
    "similarity_edges",
]
