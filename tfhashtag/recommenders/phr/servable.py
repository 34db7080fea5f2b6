"""PHR and its variants behind raw strings."""

from typing import Any

from tfhashtag.recommenders.phr.context import PhrContext
from tfhashtag.tasks.posts.servable import PostsServable


def phr_servable(recommender: Any, k: int = 50) -> PostsServable:
    """A trained PHR as it is exported: see `PostsServable.of_labels`."""
    return PostsServable.of_labels(
        recommender.data,
        recommender.labels,
        recommender.word_ids,
        recommender.model,
        PhrContext(recommender),
        k,
    )
