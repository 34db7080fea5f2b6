"""Visual features: a memory a position, written and read for one post."""

from typing import Any

import keras
from keras import ops

from tfhashtag.layers.sublayers import at_least_float32, check_sizes, dense
from tfhashtag.registration import ConfiguredByArguments, public

EPSILON = 1e-8


def _normalized(vectors: Any) -> Any:
    """Unit vectors along the last axis, in float32 at least; a zero vector stays zero."""
    vectors = at_least_float32(vectors)
    squares = ops.sum(ops.square(vectors), axis=-1, keepdims=True)
    return vectors * ops.rsqrt(squares + EPSILON)


@public
class MemoryNetwork(ConfiguredByArguments, keras.layers.Layer):
    r"""Consolidates image proposals through memories (thesis 2024, equations 2 to 11).

    The memory is that of the differentiable neural computer (Graves et al. 2016): addressed by
    content, erased, then written, then read. A dense layer brings a proposal to the memory's
    width, \(x_j \in \mathbb{R}^f\); each \(\phi\) is a dense layer of its own, shared by the
    positions j; each position has its own memory \(M_j \in \mathbb{R}^{s \times f}\).

    $$
    K^w_j = \phi(x_j) \in \mathbb{R}^{s \times f}, \quad
    v_j = \phi(x_j), \quad
    e_j = \sigma(\phi(x_j)), \quad
    K^r_{j,d} = \phi_d(x_j)
    $$
    $$
    w_j = \mathrm{softmax}_l(c \cos(K^w_{j,l}, x_j)), \quad
    M_j = M^0_j \odot (1 - w_j e_j^\top) + w_j v_j^\top
    $$
    $$
    w^r_{j,d} = \mathrm{softmax}_l(\cos(K^r_{j,d}, M_{j,l})), \quad
    o_{j,d} = M_j^\top w^r_{j,d}, \quad
    V_j = \phi([o_{j,1}; \dots; o_{j,n_r}])
    $$

    Every post begins with the learned \(M^0\): nothing is kept from post to post, so features do
    not depend on the batch. Cosines and softmaxes run in float32 at least, and \(10^{-8}\) is added
    to both squared norms of a cosine, which makes that of a zero vector 0.

    Memory: a few tensors of `[B, m, s, f]`; one is 86 MB at batch 500, m = 9, s = 16, f = 300.

    Input: `proposals`, float `[B, m, a]`, m and a of known size. Output: float `[B, m, f]`.

    Args:
        features: int >= 1, f.
        slots: int >= 1, s.
        heads: int >= 1, \(n_r\), read heads.
        strength: float, finite, c, of the write weights.
        **kwargs: of `keras.layers.Layer`.

    Raises:
        ValueError: an argument is out of range, or `proposals` is not of rank 3 with known m and a.

    Example:

    >>> import numpy as np
    >>> layer = MemoryNetwork(features=6, slots=4, heads=2)
    >>> layer(np.ones((2, 9, 8), "float32")).shape
    TensorShape([2, 9, 6])
    """

    def __init__(
        self,
        features: int = 300,
        slots: int = 16,
        heads: int = 4,
        strength: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_sizes(features=features, slots=slots, heads=heads)
        if not abs(strength) < float("inf"):
            raise ValueError(f"`strength` must be a finite number, found {strength!r}.")
        self.features = features
        self.slots = slots
        self.heads = heads
        self.strength = strength

    def build(self, proposals_shape: Any) -> None:
        if len(proposals_shape) != 3 or None in proposals_shape[1:]:
            raise ValueError(
                "`proposals` must be [posts, proposals, width] with known sizes behind the posts, "
                f"found shape {tuple(proposals_shape)}."
            )
        count, width = proposals_shape[1:]
        size = self.features
        self.project_dense = dense(self, width, size, "project")
        self.write_key_dense = dense(self, size, self.slots * size, "write_key")
        self.content_dense = dense(self, size, size, "content")
        self.erase_dense = dense(self, size, size, "erase")
        self.read_key_dense = dense(self, size, self.heads * size, "read_key")
        self.output_dense = dense(self, self.heads * size, size, "output")
        self.memory = self.add_weight(
            shape=(count, self.slots, size),
            # Rows of about unit length, all different: equal slots would stay equal.
            initializer=keras.initializers.RandomNormal(stddev=size**-0.5),
            name="memory",
        )

    def write(self, projected: Any) -> Any:
        """The memories after the write, equations 3 to 7: `[B, m, f]` to `[B, m, s, f]`."""
        count = projected.shape[1]
        keys = ops.reshape(self.write_key_dense(projected), (-1, count, self.slots, self.features))
        cosines = ops.sum(_normalized(keys) * _normalized(projected)[:, :, None, :], axis=-1)
        weights = ops.cast(ops.softmax(self.strength * cosines, axis=-1), self.compute_dtype)
        erase = ops.sigmoid(self.erase_dense(projected))[:, :, None, :]
        content = self.content_dense(projected)[:, :, None, :]
        weights = weights[..., None]
        memory = ops.cast(self.memory, self.compute_dtype)
        return memory * (1 - weights * erase) + weights * content

    def read(self, projected: Any, memories: Any) -> Any:
        """What the heads read, equations 8 to 10.

        Args:
            projected: float `[B, m, f]`.
            memories: float `[B, m, s, f]`.

        Returns:
            float `[B, m, nr, f]`.
        """
        count = projected.shape[1]
        keys = ops.reshape(self.read_key_dense(projected), (-1, count, self.heads, self.features))
        turned = ops.transpose(_normalized(memories), (0, 1, 3, 2))
        weights = ops.softmax(ops.matmul(_normalized(keys), turned), axis=-1)
        return ops.matmul(ops.cast(weights, self.compute_dtype), memories)

    def call(self, proposals: Any) -> Any:
        posts, given = ops.shape(proposals)[0], ops.shape(proposals)[1]
        count = self.memory.shape[0]
        several = proposals.shape[1] != count
        if several:  # pictures: each is read by itself
            proposals = ops.reshape(proposals, (-1, count, proposals.shape[-1]))
        projected = self.project_dense(proposals)
        readouts = self.read(projected, self.write(projected))
        found = ops.reshape(readouts, (-1, count, self.heads * self.features))
        found = self.output_dense(found)
        return ops.reshape(found, (posts, given, self.features)) if several else found

    def compute_output_shape(self, proposals_shape: Any) -> Any:
        """The shape of `proposals`, f wide."""
        return (*proposals_shape[:2], self.features)
