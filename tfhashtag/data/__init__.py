"""Corpora, what is known at a moment of them, and the hashtags to rank. No TensorFlow."""

from tfhashtag.data.candidates import Candidates
from tfhashtag.data.corpus import Corpus, Split
from tfhashtag.data.episode import (
    Episode,
    catalogue_episode,
    evaluation_episode,
    future_episode,
    imitated_future,
    leave_out_episode,
    redraw,
)
from tfhashtag.data.exact_post_index import ExactPostIndex
from tfhashtag.data.label_counts import LabelCounts
from tfhashtag.data.post_labels import PostLabels
from tfhashtag.data.post_search import PostIndex, PostQueries
from tfhashtag.data.rows import Rows
from tfhashtag.data.similar_hashtags import similar_hashtags
from tfhashtag.data.similar_posts import SimilarPosts, find_similar_posts

__all__ = [
    "Candidates",
    "Corpus",
    "Episode",
    "ExactPostIndex",
    "LabelCounts",
    "PostIndex",
    "PostLabels",
    "PostQueries",
    "Rows",
    "SimilarPosts",
    "Split",
    "catalogue_episode",
    "evaluation_episode",
    "find_similar_posts",
    "future_episode",
    "imitated_future",
    "leave_out_episode",
    "redraw",
    "similar_hashtags",
]
