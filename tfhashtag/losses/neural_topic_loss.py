"""The variational loss of the topic model."""

from typing import Any

import keras
from keras import ops

from tfhashtag.registration import public


@public
class NeuralTopicLoss(keras.losses.Loss):
    r"""Negative evidence lower bound of a topic model (EMNLP 2021, equation 9).

    $$
    L_{ntm} = D_{KL}(N(\mu, \sigma^2) \,\|\, N(0, I)) - \sum_v v_h \log \hat v_h
    $$

    a sum over topics and words for each hashtag, then the mean over hashtags. The second term is
    taken as \(\sum_v v_h \,\mathrm{logsumexp}(x) - v_h \cdot x\) over the decoder's logits \(x\),
    so the log-probabilities of all words are never stored. An empty bag has no second term.

    Input: `y_true`, the bags, counts `[N, V]`; `y_pred`, the output of `NeuralTopicModel`: a
    dictionary with `mean` and `log_sigma` `[N, K]` and `logits` `[N, V]`. `sample_weight`: `[N]`.

    Args:
        reduction: of `keras.losses.Loss`; the default divides by the sum of the weights.
        name: of the loss.
        dtype: of the computation; float32 by default.

    Example:

    >>> import numpy as np
    >>> outputs = {
    ...     "mean": np.zeros((1, 2)), "log_sigma": np.zeros((1, 2)), "logits": np.zeros((1, 4))
    ... }
    >>> round(float(NeuralTopicLoss()(np.array([[1.0, 2.0, 0.0, 0.0]]), outputs)), 4)  # 3 log 4
    4.1589
    """

    def __init__(
        self,
        reduction: str = "mean_with_sample_weight",
        name: str = "neural_topic_loss",
        dtype: Any = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    @staticmethod
    def kl(mean: Any, log_sigma: Any) -> Any:
        """Divergence of N(mean, sigma^2) from N(0, I): `[..., K]` to `[...]`."""
        return 0.5 * ops.sum(
            ops.square(mean) + ops.exp(2.0 * log_sigma) - 1.0 - 2.0 * log_sigma, axis=-1
        )

    @staticmethod
    def nll(bag_of_words: Any, logits: Any) -> Any:
        """Multinomial negative log-likelihood of the counts: `[..., V]` to `[...]`."""
        bag_of_words = ops.cast(bag_of_words, logits.dtype)
        total = ops.sum(bag_of_words, axis=-1)
        return total * ops.logsumexp(logits, axis=-1) - ops.sum(bag_of_words * logits, axis=-1)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each hashtag, `[N]`."""
        return self.kl(y_pred["mean"], y_pred["log_sigma"]) + self.nll(y_true, y_pred["logits"])
