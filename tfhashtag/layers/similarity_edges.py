"""Which posts are linked, and how strongly: cosines above a threshold."""

from keras import ops


def similarity_edges(
    visual,
    textual,
    visual_threshold: float = 0.6,
    textual_threshold: float = 0.95,
    visual_mask=None,
    textual_mask=None,
):
    r"""Edges among the posts of a batch (thesis 2024, equations 17 and 18).

    $$
    A_{i,j}^{red} = sim_{i,j}^V [sim_{i,j}^V \geq \theta], \quad
    A_{i,j}^{blue} = sim_{i,j}^T [sim_{i,j}^T \geq \lambda]
    $$

    where sim is the cosine; a post is no neighbour of itself. Differentiable in the features,
    wherever there is an edge. A vector of zeros has cosine 0 with everything. A cosine within
    rounding of its threshold may fall on either side of it.

    Args:
        visual: float `[N, f]`, pooled visual features, or None for no visual relation.
        textual: float `[N, f']`, pooled textual features, or None for no textual relation.
        visual_threshold: theta, in [-1, 1], inclusive.
        textual_threshold: lambda, in [-1, 1], inclusive.
        visual_mask: bool `[N]`, false for a post without a picture, which then has no visual
            neighbours (None: all have one).
        textual_mask: bool `[N]`, the same for texts.

    Returns:
        Weights, float `[N, N, relations]`, float32 at least, 0 where there is no edge:
        `[i, j, 0]` is red (visual), `[i, j, 1]` blue (textual); a relation whose features are
        None is left out.

    Raises:
        ValueError: both features are None, or a threshold lies outside [-1, 1].

    Example:

    >>> import numpy as np
    >>> visual = np.array([[1, 0], [0.8, 0.6], [0, 1]])
    >>> similarity_edges(visual, None, visual_threshold=0.5)[..., 0].numpy().round(2).tolist()
    [[0.0, 0.8, 0.0], [0.8, 0.0, 0.6], [0.0, 0.6, 0.0]]
    """

    def edges(features, threshold, mask):
        unit = _unit(features)
        cosines = ops.matmul(unit, ops.transpose(unit))
        linked = ops.logical_and(
            cosines >= threshold, ops.logical_not(ops.eye(ops.shape(unit)[0], dtype="bool"))
        )
        if mask is not None:
            mask = ops.cast(mask, "bool")
            linked = ops.logical_and(linked, ops.logical_and(mask[:, None], mask[None, :]))
        return ops.where(linked, cosines, ops.zeros_like(cosines))

    _check(visual_threshold, textual_threshold)
    relations = []
    if visual is not None:
        relations.append(edges(visual, visual_threshold, visual_mask))
    if textual is not None:
        relations.append(edges(textual, textual_threshold, textual_mask))
    return _stacked(relations)


def neighbour_edges(
    visual,
    textual,
    neighbour_visual,
    neighbour_textual,
    visual_threshold: float = 0.6,
    textual_threshold: float = 0.95,
    neighbour_visual_mask=None,
    neighbour_textual_mask=None,
):
    """Edges from each post to its own retrieved posts (thesis 2024, equations 17 and 18).

    As `similarity_edges`, where every post of the batch has neighbours of its own and none
    within the batch.

    Args:
        visual: float `[B, f]` or None for no visual relation.
        textual: float `[B, f']` or None for no textual relation.
        neighbour_visual: float `[B, n, f]`; None where `visual` is.
        neighbour_textual: float `[B, n, f']`; None where `textual` is.
        visual_threshold: theta, in [-1, 1], inclusive.
        textual_threshold: lambda, in [-1, 1], inclusive.
        neighbour_visual_mask: bool `[B, n]`, false where there is no neighbour, or where it or
            the post has no picture (None: all true).
        neighbour_textual_mask: bool `[B, n]`, the same for texts.

    Returns:
        Weights, float `[B, n, relations]`, float32 at least, 0 where there is no edge.

    Raises:
        ValueError: no relation is given, one side of a relation is None, or a threshold lies
            outside [-1, 1].

    Example:

    >>> import numpy as np
    >>> textual, neighbours = np.array([[3.0, 4.0]]), np.array([[[3.0, 4.0], [4.0, 3.0]]])
    >>> neighbour_edges(None, textual, None, neighbours, 0.6, 0.97).numpy().round(2).tolist()
    [[[1.0], [0.0]]]
    """

    def edges(features, neighbours, threshold, mask):
        cosines = ops.squeeze(ops.matmul(_unit(neighbours), _unit(features)[..., None]), axis=-1)
        linked = cosines >= threshold
        if mask is not None:
            linked = ops.logical_and(linked, ops.cast(mask, "bool"))
        return ops.where(linked, cosines, ops.zeros_like(cosines))

    _check(visual_threshold, textual_threshold)
    relations = []
    for name, features, neighbours, threshold, mask in (
        ("visual", visual, neighbour_visual, visual_threshold, neighbour_visual_mask),
        ("textual", textual, neighbour_textual, textual_threshold, neighbour_textual_mask),
    ):
        if (features is None) != (neighbours is None):
            raise ValueError(
                f"`{name}` and `neighbour_{name}` must be given both or be None both, found one."
            )
        if features is not None:
            relations.append(edges(features, neighbours, threshold, mask))
    return _stacked(relations)


def _unit(features):
    features = ops.convert_to_tensor(features)
    if features.dtype != "float64":
        features = ops.cast(features, "float32")
    squares = ops.sum(ops.square(features), axis=-1, keepdims=True)
    return features * ops.rsqrt(ops.maximum(squares, 1e-12))


def _check(visual_threshold, textual_threshold):
    for name, value in (("visual", visual_threshold), ("textual", textual_threshold)):
        if not -1 <= value <= 1:
            raise ValueError(f"`{name}_threshold` must lie in [-1, 1], found {value!r}.")


def _stacked(relations):
    if not relations:
        raise ValueError("`visual` or `textual` must be given, found None for both.")
    return ops.stack(relations, axis=-1)
