"""PHR and its variants behind raw strings."""

from typing import Any

from tfhashtag.recommenders.phr.context import PhrContext
from tfhashtag.retrieval.inverted_post_index import InvertedPostIndex
from tfhashtag.tasks.posts.servable import PostsServable


def phr_servable(recommender: Any, k: int = 50) -> PostsServable:
    """A trained PHR as it is exported: see `PostsServable.of_labels`."""
    servable = PostsServable.of_labels(
        recommender.data,
        recommender.labels,
        recommender.word_ids,
        recommender.model,
        PhrContext(recommender),
        k,
    )
    if isinstance(recommender.index, InvertedPostIndex):
        servable.limits = (*servable.limits, recommender.index.told())
    return servable
