"""Requests that a server answers while it loads a model of posts."""

import itertools

import numpy as np

from tfhashtag.export.signatures import DEFAULT_SIGNATURE
from tfhashtag.export.warmup import MESSAGES, ROWS, WarmUpRequest, repeated


def warm_up_requests(
    proposals: tuple[int, int] | None, explains: bool = False
) -> list[WarmUpRequest]:
    """Requests for every signature of a model of posts.

    One post with everything and with each part missing, and eight of all kinds.

    Args:
        proposals: proposals of a picture and their width; None where the model reads none.
        explains: whether the model has `explain`.

    Example:

    >>> [len(request.inputs["user"]) for request in warm_up_requests((4, 8))[:-1:4]]
    [1, 1, 1, 1, 8]
    """
    jpeg, png = _pictures()
    text = MESSAGES[0]
    everything = (text, jpeg, "nobody")
    kinds = [everything, (text, b"", "nobody"), ("", png, ""), ("", b"", "")]
    large = [
        (message, picture, user)
        for message, (_, picture, user) in zip(
            repeated(MESSAGES, [ROWS]), itertools.cycle(kinds), strict=False
        )
    ]
    requests = []
    for rows in ([everything], [kinds[1]], [kinds[2]], [kinds[3]], large):
        texts, images, users = (np.array(column, object) for column in zip(*rows, strict=True))
        wide = 1 if len(rows) == 1 else 2  # the second picture is none
        pictures = np.array([[image, b""][:wide] for image in images], object)
        post = {"text": texts, "images": pictures, "user": users}
        given = np.zeros([len(rows), *(proposals or (1, 1))], np.float32)
        given[[bool(image) for image in images]] = 0.5
        requests += [
            WarmUpRequest(DEFAULT_SIGNATURE, post),
            WarmUpRequest("top_k", {**post, "k": np.int32(10)}),
            WarmUpRequest("vectors", {"text": texts, "proposals": given, "user": users}),
            WarmUpRequest("embed_post", post),
        ]
        if explains:
            hashtags = repeated(("football", "never seen before"), [len(rows)])
            requests.append(WarmUpRequest("explain", {**post, "hashtag": hashtags}))
    return [*requests, WarmUpRequest("trending", {"k": np.int32(10)})]


def _pictures() -> tuple[bytes, bytes]:
    """A JPEG and a PNG of 96 x 64 pixels."""
    import tensorflow as tf

    rows, columns = np.mgrid[:64, :96]
    pixels = np.stack([2 * columns, 3 * rows, 0 * rows + 90], -1).astype(np.uint8)
    return tf.io.encode_jpeg(pixels).numpy(), tf.io.encode_png(pixels).numpy()
