"""Two sides of a post, integrated proposal by proposal."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from tfhashtag.registration import ConfiguredByArguments, public

BLOCK_VALUES = 2**22  # of R at once: 16 MiB in float32


@public
class CoAttention(ConfiguredByArguments, keras.layers.Layer):
    r"""Co-attention of two sides of a post (thesis 2024, equations 15 and 16).

    For the pair of text and image, `first` is the text \(T\) and `second` is the image \(V\):

    $$
    R^{T,V} = \tanh(W_T^{T,V} T + W_V^{T,V} V), \quad
    \pi^{T,V} = \mathrm{softmax}(W_R^{T,V} R^{T,V} + b^{T,V}), \quad
    IT = \sum_{j=1}^m \pi_j^{T,V} R_j^{T,V} \quad (15)
    $$

    $$
    R^{V,T} = \tanh(W_V^{V,T} V + W_T^{V,T} IT), \quad
    \pi^{V,T} = \mathrm{softmax}(W_R^{V,T} R^{V,T} + b^{V,T}), \quad
    IV = \sum_{j=1}^m \pi_j^{V,T} R_j^{V,T} \quad (16)
    $$

    and the result is \(IT + IV\). So both sides enter (15) alike, while (16) sees `second` as it is
    and `first` only through \(IT\).

    The thesis holds a side as a matrix \(f \times m\); here the m proposals are rows, `[m, f]`, and
    \(R\) is `[m, m * f]`, one row a proposal j. The weighted sum over its rows is a vector of
    `m * f` values. It is read as \(f \times m\) column by column: value `p * f + i` is feature i
    of proposal p, hence entry `[p, i]` of the result. (Another order would be the same family of
    functions, with the columns of the learned \(W\) in another order.)

    Memory: \(R\) of a whole batch is `batch * m * m * f` numbers, 1.4 GB at batch 500, m = 49 and
    f = 300. The batch passes in blocks of posts, and the backward pass computes a block's \(R\)
    again, so that nothing of that size is ever held; `block` says how many posts.

    Input: `first` and `second`, float `[B, m, f]`, m and f known when the layer is built.
    Output: a dictionary of `vector` \(IT + IV\), float `[B, m, f]`, and `attention`, float
    `[B, 2, m]`: \(\pi\) of (15), then of (16). The softmax runs in float32 at least.

    Args:
        block: int >= 1, posts in a block; None takes as many as fill 16 MiB of float32.
        **kwargs: of `keras.layers.Layer`.

    Raises:
        ValueError: `block` is not an integer of at least 1, or the two sides are not of one shape
            `[batch, proposals, width]`.

    Example:

    >>> import numpy as np
    >>> text, image = np.ones((2, 4, 3), "float32"), np.zeros((2, 4, 3), "float32")
    >>> result = CoAttention()(text, image)
    >>> result["vector"].shape, result["attention"].shape
    (TensorShape([2, 4, 3]), TensorShape([2, 2, 4]))
    """

    def __init__(self, block: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if block is not None and (not isinstance(block, int) or block < 1):
            raise ValueError(f"`block` must be None or an integer of at least 1, found {block!r}.")
        self.block = block

    def build(self, first_shape: Any, second_shape: Any) -> None:
        first_shape, second_shape = tuple(first_shape), tuple(second_shape)
        if len(first_shape) != 3 or None in first_shape[1:]:
            raise ValueError(
                "`first` must be [batch, proposals, width] with known proposals and width, found "
                f"shape {first_shape}."
            )
        if first_shape[1:] != second_shape[1:]:
            raise ValueError(
                f"`second` must be of the shape of `first`, {first_shape}, found {second_shape}."
            )
        proposals, width = first_shape[1:]
        for step in ("first", "second"):
            # Rows of the kernel: W of `first` (or of IT) in the upper half, W of `second` below.
            kernel = self.add_weight(shape=(2 * width, proposals * width), name=f"{step}_kernel")
            vector = self.add_weight(shape=(proposals * width,), name=f"{step}_vector")
            bias = self.add_weight(shape=(proposals,), initializer="zeros", name=f"{step}_bias")
            setattr(self, f"{step}_kernel", kernel)
            setattr(self, f"{step}_vector", vector)
            setattr(self, f"{step}_bias", bias)

    def call(self, first: Any, second: Any) -> Any:
        shape = ops.shape(second)
        block = self.block or max(1, BLOCK_VALUES // (shape[1] * shape[1] * shape[2]))
        one, one_attention = _integrate(
            ops.concatenate([first, second], axis=-1),
            tf.convert_to_tensor(self.first_kernel),
            tf.convert_to_tensor(self.first_vector),
            tf.convert_to_tensor(self.first_bias),
            block,
        )
        one = ops.reshape(one, shape)
        two, two_attention = _integrate(
            ops.concatenate([one, second], axis=-1),
            tf.convert_to_tensor(self.second_kernel),
            tf.convert_to_tensor(self.second_vector),
            tf.convert_to_tensor(self.second_bias),
            block,
        )
        return {
            "vector": one + ops.reshape(two, shape),
            "attention": ops.stack([one_attention, two_attention], axis=1),
        }

    def compute_output_shape(self, first_shape: Any, second_shape: Any) -> Any:
        """`vector` `[B, m, f]` and `attention` `[B, 2, m]`."""
        return {
            "vector": tuple(first_shape),
            "attention": (first_shape[0], 2, first_shape[1]),
        }


def _integrate(sides: Any, kernel: Any, vector: Any, bias: Any, block: Any) -> Any:
    """One of the two equations: `[B, m, 2f]` to the weighted sum `[B, m * f]` and pi `[B, m]`."""

    @tf.custom_gradient
    def run(sides: Any, kernel: Any, vector: Any, bias: Any) -> Any:
        blocks = _Blocks(sides, block, kernel.dtype)
        total, attention = _weighted_sums(blocks, kernel, vector, bias)

        def gradient(*above: Any) -> Any:
            return _gradients(blocks, kernel, vector, bias, attention, *above)

        return (total, attention), gradient

    return run(sides, kernel, vector, bias)


class _Blocks:
    """`count` blocks of `size` posts, as even as can be; zeros fill up the last."""

    def __init__(self, sides: Any, block: Any, dtype: Any) -> None:
        self.batch, self.dtype = tf.shape(sides)[0], dtype
        self.count = tf.maximum((self.batch + block - 1) // block, 1)
        self.size = (self.batch + self.count - 1) // self.count
        self.sides = self.split(sides)
        self.proposals, self.width = sides.shape[1:]
        self.precise = tf.float64 if dtype == tf.float64 else tf.float32

    def split(self, tensor: Any) -> Any:
        tail = [[0, 0]] * (len(tensor.shape) - 1)
        tensor = tf.pad(tensor, [[0, self.count * self.size - self.batch], *tail])
        return tf.reshape(tensor, (self.count, self.size, *tensor.shape[1:]))

    def joined(self, array: Any, *shape: Any) -> Any:
        return tf.reshape(array.stack(), (self.count * self.size, *shape))[: self.batch]

    def outputs(self, *shape: Any) -> Any:
        return tf.TensorArray(self.dtype, self.count, element_shape=(None, *shape))

    def loop(self, body: Any, *start: Any) -> Any:
        """What `body(i, *values)` has made of `start` after all blocks."""
        _, *values = tf.while_loop(
            lambda i, *_: i < self.count,
            lambda i, *values: (i + 1, *body(i, *values)),
            (0, *start),
            parallel_iterations=1,
            maximum_iterations=self.count,
        )
        return values

    def mixed(self, i: Any, kernel: Any) -> Any:
        """R of a block, `[size * m, m * f]`, and its sides as rows."""
        rows = tf.reshape(self.sides[i], (-1, self.width))
        return tf.tanh(tf.matmul(rows, kernel)), rows


def _weighted_sums(blocks: Any, kernel: Any, vector: Any, bias: Any) -> Any:
    """The sums `[B, m * f]` and pi `[B, m]`."""
    proposals, wide = blocks.proposals, vector.shape[0]

    def forward(i: Any, sums: Any, weights: Any) -> Any:
        hidden, _ = blocks.mixed(i, kernel)
        logits = tf.reshape(tf.linalg.matvec(hidden, vector), (blocks.size, proposals)) + bias
        attention = tf.cast(tf.nn.softmax(tf.cast(logits, blocks.precise)), kernel.dtype)
        hidden = tf.reshape(hidden, (blocks.size, proposals, wide))
        total = tf.squeeze(tf.matmul(attention[:, None, :], hidden), 1)
        return sums.write(i, total), weights.write(i, attention)

    sums, weights = blocks.loop(forward, blocks.outputs(wide), blocks.outputs(proposals))
    return blocks.joined(sums, wide), blocks.joined(weights, proposals)


def _gradients(
    blocks: Any,
    kernel: Any,
    vector: Any,
    bias: Any,
    attention: Any,
    total_gradient: Any,
    attention_gradient: Any,
) -> Any:
    """Gradients of `sides`, `kernel`, `vector` and `bias`; a block's R is computed again."""
    precise, proposals, wide = blocks.precise, blocks.proposals, vector.shape[0]
    totals, attentions = blocks.split(total_gradient), blocks.split(attention_gradient)
    weights = blocks.split(attention)

    def backward(i: Any, sides_out: Any, kernel_sum: Any, vector_sum: Any, bias_sum: Any) -> Any:
        weight, above = weights[i], totals[i]
        hidden, flat = blocks.mixed(i, kernel)
        rows = tf.reshape(hidden, (blocks.size, proposals, wide))
        # through the weighted sum and the softmax, to the logits
        along = tf.cast(tf.linalg.matvec(rows, above) + attentions[i], precise)
        exact = tf.cast(weight, precise)
        logits = exact * (along - tf.reduce_sum(exact * along, -1, keepdims=True))
        low = tf.cast(logits, kernel.dtype)
        # dR = pi x d(sum) + d(logits) x W_R, in one product, then through tanh
        rows = tf.matmul(
            tf.stack([weight, low], axis=-1),
            tf.stack([above, tf.broadcast_to(vector, tf.shape(above))], axis=1),
        )
        inner = tf.raw_ops.TanhGrad(y=hidden, dy=tf.reshape(rows, (-1, wide)))
        sides_part = tf.matmul(inner, kernel, transpose_b=True)
        to_vector = tf.linalg.matvec(hidden, tf.reshape(low, (-1,)), transpose_a=True)
        return (
            sides_out.write(i, tf.reshape(sides_part, tf.shape(blocks.sides[i]))),
            kernel_sum + tf.cast(tf.matmul(flat, inner, transpose_a=True), precise),
            vector_sum + tf.cast(to_vector, precise),
            bias_sum + tf.reduce_sum(logits, 0),
        )

    zeros = [tf.zeros(weight.shape, precise) for weight in (kernel, vector, bias)]
    sides_out, *sums = blocks.loop(backward, blocks.outputs(proposals, blocks.width), *zeros)
    sides_gradient = blocks.joined(sides_out, proposals, blocks.width)
    return sides_gradient, *(tf.cast(value, kernel.dtype) for value in sums)
