"""Requests that a server answers while it loads a model of users."""

from typing import Any

import numpy as np

from tfhashtag.export.signatures import DEFAULT_SIGNATURE
from tfhashtag.export.warmup import MESSAGES, ROWS, WarmUpRequest, repeated

_HASHTAGS = ("football", "books", "never seen before", "")


def warm_up_requests(history_length: int, explains: bool = False) -> list[WarmUpRequest]:
    """Requests for every signature of a model of users.

    One user and eight, histories as short as one message and as wide as the model
    reads; some rows are padded, one user of a batch has written nothing.

    Args:
        history_length: messages of a user that the model was trained to read.
        explains: whether the model has `explain`.

    Example:

    >>> requests = warm_up_requests(50)
    >>> sorted({request.signature for request in requests})
    ['embed_user', 'score', 'score_contexts', 'serving_default', 'top_k', 'trending']
    >>> requests[0].inputs["history"].shape
    (1, 1)
    """
    widths = sorted({1, min(8, history_length), history_length})
    requests = []
    for batch, width in [
        *((1, width) for width in widths),
        (ROWS, widths[min(1, len(widths) - 1)]),
    ]:
        history = repeated(MESSAGES, [batch, width])
        history[1:2] = ""
        history[:, max(1, width - 2) :] = ""
        others: dict[str, dict[str, Any]] = {
            DEFAULT_SIGNATURE: {},
            "top_k": {"k": np.int32(10)},
            "score": {"hashtags": repeated(_HASHTAGS, [batch, 10])},
            "score_contexts": {"contexts": repeated(MESSAGES, [batch, 2, 5])},
            "embed_user": {},
            **({"explain": {"hashtag": repeated(_HASHTAGS, [batch])}} if explains else {}),
        }
        for name, inputs in others.items():
            requests.append(WarmUpRequest(name, {"history": history, **inputs}))
    return [*requests, WarmUpRequest("trending", {"k": np.int32(10)})]
