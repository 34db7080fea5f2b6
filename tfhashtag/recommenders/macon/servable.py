"""MaCon behind raw strings."""

from typing import Any

from tfhashtag.recommenders.macon.context import MaconContext
from tfhashtag.tasks.posts.servable import PostsServable


def macon_servable(recommender: Any, k: int = 50) -> PostsServable:
    """A trained MaCon as it is exported: see `PostsServable.of_labels`."""
    return PostsServable.of_labels(
        recommender.data,
        recommender.labels,
        recommender.word_ids,
        recommender.model,
        MaconContext(recommender),
        k,
    )
