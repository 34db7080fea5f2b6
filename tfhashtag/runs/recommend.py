"""Hashtags for one user or post, from a run."""

import os
from typing import Any

from tfhashtag.errors import DataError
from tfhashtag.recommenders.post_settings import PostSettings
from tfhashtag.runs.export import servable_of
from tfhashtag.runs.run import Run
from tfhashtag.tasks import POSTS, USERS


def recommend(run_folder: str | os.PathLike, *, k: int = 10, **question: Any) -> list[dict]:
    """The best hashtags, best first: `[{"hashtag": str, "score": float}, ...]`.

    Args:
        run_folder: a complete run.
        k: how many, at least 1.
        question: fields that the task of the run reads, see `Task.read_query`.

    Raises:
        DataError: the question names somebody unknown, or holds what the model cannot read.
        ArtifactError: the run is not complete.
    """
    import tensorflow as tf

    run = Run.open(run_folder)
    task = POSTS if isinstance(run.settings, PostSettings) else USERS
    asked = task.read_query(
        {name: value for name, value in question.items() if value is not None}, "the query"
    )
    servable = servable_of(run)
    specs = {
        signature.name: {tensor.name: tensor.dtype for tensor in signature.inputs}
        for signature in servable.signatures
    }

    def call(name: str, **inputs: Any) -> dict[str, Any]:
        tensors = {key: tf.constant(value, specs[name][key]) for key, value in inputs.items()}
        found = tf.function(getattr(servable, name), autograph=False)(**tensors)
        return {key: value.numpy() for key, value in found.items()}

    try:
        (found,) = task.answer(call, [asked], k, lambda: run.corpus, run.settings)
    except DataError as error:
        raise DataError(f"{run_folder}: {error}") from error
    return [{"hashtag": hashtag, "score": score} for hashtag, score in found]
