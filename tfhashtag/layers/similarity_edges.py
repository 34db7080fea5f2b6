"""Which posts are linked, and how strongly: cosines above a threshold."""

from typing import Any

from keras import ops


def similarity_edges(features: Any, threshold: float, mask: Any = None) -> Any:
    r"""Edges of one relation among the posts of a batch (thesis 2024, equations 17 and 18).

    $$
    A_{i,j}^{red} = sim_{i,j}^V [sim_{i,j}^V \geq \theta], \quad
    A_{i,j}^{blue} = sim_{i,j}^T [sim_{i,j}^T \geq \lambda]
    $$

    where sim is the cosine; a post is no neighbour of itself. Differentiable in the features,
    wherever there is an edge. A vector of zeros has cosine 0 with everything. A cosine within
    rounding of its threshold may fall on either side of it.

    Args:
        features: float `[N, f]`, pooled visual or textual features.
        threshold: theta or lambda, in [-1, 1], inclusive.
        mask: bool `[N]`, false for a post without a picture (a text), which then has no
            neighbours (None: all have one).

    Returns:
        Weights, float `[N, N]`, float32 at least, 0 where there is no edge.

    Raises:
        ValueError: the threshold lies outside [-1, 1].

    Example:

    >>> import numpy as np
    >>> features = np.array([[1, 0], [0.8, 0.6], [0, 1]])
    >>> similarity_edges(features, 0.5).numpy().round(2).tolist()
    [[0.0, 0.8, 0.0], [0.8, 0.0, 0.6], [0.0, 0.6, 0.0]]
    """
    unit = _unit(features)
    linked = ops.logical_not(ops.eye(ops.shape(unit)[0], dtype="bool"))
    if mask is not None:
        mask = ops.cast(mask, "bool")
        linked = ops.logical_and(linked, ops.logical_and(mask[:, None], mask[None, :]))
    return _edges(ops.matmul(unit, ops.transpose(unit)), threshold, linked)


def neighbour_edges(features: Any, neighbours: Any, threshold: float, mask: Any = None) -> Any:
    """Edges from each post to its own retrieved posts (thesis 2024, equations 17 and 18).

    As `similarity_edges`, where every post of the batch has neighbours of its own and none
    within the batch.

    Args:
        features: float `[B, f]`.
        neighbours: float `[B, n, f]`.
        threshold: theta or lambda, in [-1, 1], inclusive.
        mask: bool `[B, n]`, false where there is no neighbour, or where it or the post has no
            picture (no text; None: all true).

    Returns:
        Weights, float `[B, n]`, float32 at least, 0 where there is no edge.

    Raises:
        ValueError: the threshold lies outside [-1, 1].

    Example:

    >>> import numpy as np
    >>> features, neighbours = np.array([[3.0, 4.0]]), np.array([[[3.0, 4.0], [4.0, 3.0]]])
    >>> neighbour_edges(features, neighbours, 0.97).numpy().round(2).tolist()
    [[1.0, 0.0]]
    """
    cosines = ops.squeeze(ops.matmul(_unit(neighbours), _unit(features)[..., None]), axis=-1)
    return _edges(cosines, threshold, None if mask is None else ops.cast(mask, "bool"))


def _edges(cosines: Any, threshold: Any, allowed: Any) -> Any:
    if not -1 <= threshold <= 1:
        raise ValueError(f"`threshold` must lie in [-1, 1], found {threshold!r}.")
    linked = cosines >= threshold
    if allowed is not None:
        linked = ops.logical_and(linked, allowed)
    return ops.where(linked, cosines, ops.zeros_like(cosines))


def _unit(features: Any) -> Any:
    features = ops.convert_to_tensor(features)
    if features.dtype != "float64":
        features = ops.cast(features, "float32")
    squares = ops.sum(ops.square(features), axis=-1, keepdims=True)
    return features * ops.rsqrt(ops.maximum(squares, 1e-12))
