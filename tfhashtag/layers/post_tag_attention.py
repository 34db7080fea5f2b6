"""Similar posts as one vector, their hashtags guiding which of them count."""

from typing import Any

import keras
from keras import ops

from tfhashtag.layers.masked_softmax import masked_softmax
from tfhashtag.layers.placeholder import Placeholder
from tfhashtag.layers.sublayers import at_least_float32, dense
from tfhashtag.registration import public


@public
class PostTagAttention(keras.layers.Layer):
    r"""Post-tag attention (thesis 2024, equation 14).

    $$
    Q = \tanh(EM\, W_H\, EH^\top), \quad
    F = \tanh(W_E EM^\top + (W_{H'} EH^\top) Q^\top), \quad
    \pi = \mathrm{softmax}(W_F F + b_F), \quad
    V = \sum_{j=1}^{k} \pi_j EM_j
    $$

    with \(Q\) `[k, gamma]`, \(F\) `[g, k]`, \(\pi\) `[k]` and \(V\) `[g]`. The bias
    \(b_F \in \mathbb{R}^k\) belongs to places: the first post, the most similar one, has its own.
    So the order of posts matters, that of hashtags does not.

    A masked post gets weight exactly 0. A masked hashtag contributes nothing to \(F\); with no
    hashtag at all \(F = \tanh(W_E EM^\top)\). Where no post is left, the vector is a learned one
    and all weights are 0. What stands in masked rows is not read. The softmax runs in float32 at
    least.

    Input: `posts` EM, float `[B, k, g]`, most similar first; `hashtags` EH, float
    `[B, gamma, g]`; `posts_mask`, bool `[B, k]`, and `hashtags_mask`, bool `[B, gamma]`, true for
    a real one (None: all are). k, gamma and g are known sizes.
    Output: a dictionary of `vector`, float `[B, g]`, and `attention` \(\pi\), float `[B, k]`.

    Args:
        **kwargs: of `keras.layers.Layer`.

    Raises:
        ValueError: `posts` or `hashtags` is not of rank 3, or their widths differ.

    Example:

    >>> import numpy as np
    >>> found = PostTagAttention()(
    ...     np.ones((2, 3, 4), "float32"),
    ...     np.ones((2, 5, 4), "float32"),
    ...     posts_mask=np.array([[True, True, False], [False, False, False]]),
    ...     hashtags_mask=np.ones((2, 5), bool),
    ... )
    >>> found["vector"].numpy().tolist()
    [[1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]]
    >>> found["attention"].numpy().tolist()
    [[0.5, 0.5, 0.0], [0.0, 0.0, 0.0]]
    """

    def build(self, posts_shape: Any, hashtags_shape: Any) -> None:
        for name, shape in (("posts", posts_shape), ("hashtags", hashtags_shape)):
            if len(shape) != 3:
                raise ValueError(f"`{name}` must be [batch, {name}, width], found {tuple(shape)}.")
        if posts_shape[-1] != hashtags_shape[-1]:
            raise ValueError(
                f"`posts` and `hashtags` must be equally wide, found {posts_shape[-1]} and "
                f"{hashtags_shape[-1]}."
            )
        count, width = posts_shape[1:]
        # Rows times kernels: the kernel of W_E EM^T is the transpose of W_E, and so on.
        self.correlation_dense = dense(self, width, width, "correlation", use_bias=False)
        self.post_dense = dense(self, width, width, "post", use_bias=False)
        self.hashtag_dense = dense(self, width, width, "hashtag", use_bias=False)
        self.score_dense = dense(self, width, 1, "score", use_bias=False)
        self.bias = self.add_weight(shape=(count,), initializer="zeros", name="bias")
        self.no_posts = Placeholder(dtype=self.dtype_policy, name="no_posts")
        self.no_posts.build((None, width))

    def correlation(self, posts: Any, hashtags: Any) -> Any:
        """\\(Q\\), float `[B, k, gamma]` in (-1, 1): how each post and hashtag go together.

        Args:
            posts: float `[B, k, g]`.
            hashtags: float `[B, gamma, g]`; a row of zeros gives a column of zeros.
        """
        turned = ops.transpose(hashtags, (0, 2, 1))
        return ops.tanh(ops.matmul(self.correlation_dense(posts), turned))

    def call(
        self, posts: Any, hashtags: Any, posts_mask: Any = None, hashtags_mask: Any = None
    ) -> Any:
        if posts_mask is None:
            posts_mask = ops.ones(ops.shape(posts)[:2], "bool")
        if hashtags_mask is None:
            hashtags_mask = ops.ones(ops.shape(hashtags)[:2], "bool")
        posts_mask, hashtags_mask = ops.cast(posts_mask, "bool"), ops.cast(hashtags_mask, "bool")
        posts = ops.where(posts_mask[..., None], posts, ops.zeros_like(posts))
        # A row of zeros gives a column of zeros in Q and in W_H' EH^T: it adds nothing.
        hashtags = ops.where(hashtags_mask[..., None], hashtags, ops.zeros_like(hashtags))
        correlation = self.correlation(posts, hashtags)
        guidance = ops.matmul(correlation, self.hashtag_dense(hashtags))
        features = ops.tanh(self.post_dense(posts) + guidance)
        scores = ops.squeeze(self.score_dense(features), axis=-1)
        scores = at_least_float32(scores)
        scores = scores + ops.cast(self.bias, scores.dtype)
        attention = ops.cast(masked_softmax(scores, posts_mask), self.compute_dtype)
        vector = ops.squeeze(ops.matmul(attention[:, None, :], posts), axis=1)
        vector = self.no_posts(vector, ops.any(posts_mask, axis=-1))
        return {"vector": vector, "attention": attention}

    def compute_output_shape(self, posts_shape: Any, hashtags_shape: Any) -> Any:
        """`[B, g]` and `[B, k]`."""
        return {
            "vector": (posts_shape[0], posts_shape[2]),
            "attention": tuple(posts_shape[:2]),
        }
