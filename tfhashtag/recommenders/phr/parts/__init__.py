"""What PHR is made of, named as in the thesis: sides of a post, graphs of posts, the head."""

from tfhashtag.recommenders.phr.parts.aggregated_graph import AggregatedGraph
from tfhashtag.recommenders.phr.parts.content_experts import ContentExperts
from tfhashtag.recommenders.phr.parts.head import Head
from tfhashtag.recommenders.phr.parts.label_vectors import LabelVectors
from tfhashtag.recommenders.phr.parts.mean_side import MeanSide
from tfhashtag.recommenders.phr.parts.post_tag_side import PostTagSide
from tfhashtag.recommenders.phr.parts.relational_graph import RelationalGraph
from tfhashtag.recommenders.phr.parts.residual_path import ResidualPath
from tfhashtag.recommenders.phr.parts.self_term import SelfTerm
from tfhashtag.recommenders.phr.parts.textual_side import TextualSide
from tfhashtag.recommenders.phr.parts.visual_side import VisualSide

__all__ = [
    "AggregatedGraph",
    "ContentExperts",
    "Head",
    "LabelVectors",
    "MeanSide",
    "PostTagSide",
    "RelationalGraph",
    "ResidualPath",
    "SelfTerm",
    "TextualSide",
    "VisualSide",
]
