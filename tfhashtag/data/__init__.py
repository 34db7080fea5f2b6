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
from tfhashtag.data.post_labels import PostLabels
from tfhashtag.data.rows import Rows

__all__ = [
    "Candidates",
    "Corpus",
    "Episode",
    "PostLabels",
    "Rows",
    "Split",
    "catalogue_episode",
    "evaluation_episode",
    "future_episode",
    "imitated_future",
    "leave_out_episode",
    "redraw",
]
