"""Latent topics of a hashtag from the words of its context messages."""

from typing import Any

import keras
from keras import ops

from tfhashtag.layers.sublayers import check_sizes, dense
from tfhashtag.registration import ConfiguredByArguments, public

_LOG_SIGMA_RANGE = 8.0


@public
class NeuralTopicModel(ConfiguredByArguments, keras.layers.Layer):
    r"""Variational topic model over bags of words (EMNLP 2021, equations 1 and 2).

    $$
    e = \mathrm{ReLU}(f_e(v_h)), \quad \mu = f_\mu(e), \quad \log\sigma = f_\sigma(e), \quad
    z_h = \mu + \sigma \epsilon, \quad \epsilon \sim N(0, I)
    $$

    $$
    \theta_h = \mathrm{softmax}(z_h), \quad \hat v_h = \mathrm{softmax}(f_\phi(\theta_h))
    $$

    ReLU stands on the hidden encoder only, so that `mean` and `log_sigma` can be negative. At
    inference \(z_h = \mu\). `log_sigma` is limited to [-8, 8], far outside what a trained model
    uses, so that no bag of words overflows the exponential. An empty bag is encoded from the
    biases alone and is as finite as any other.

    `tfhashtag.losses.NeuralTopicLoss` is equation 9 over the bag and this layer's output.

    Input: `bag_of_words`, counts of any numeric dtype, `[N, V]` (or with more leading axes).
    Output: a dictionary of float tensors:

    - `z`: `[N, K]`, \(z_h\), the global representation of a hashtag;
    - `theta`: `[N, K]`, the topic proportions, each row sums to 1;
    - `mean`, `log_sigma`: `[N, K]`;
    - `logits`: `[N, V]`, before the softmax of equation 2 (the loss takes them as they are, so
      the probabilities of all words are never stored).

    Args:
        vocabulary_size: int >= 1, V.
        topics: int >= 2, K.
        hidden: int >= 1, width of \(f_e\).
        seed: int or None, of the noise in training.
        **kwargs: of `keras.layers.Layer`.

    Raises:
        ValueError: an argument is out of range, or the bag is not V words wide.

    Example:

    >>> import numpy as np
    >>> model = NeuralTopicModel(vocabulary_size=6, topics=3, hidden=4)
    >>> outputs = model(np.array([[1, 0, 2, 0, 0, 1], [0, 0, 0, 0, 0, 0]], "float32"))
    >>> outputs["theta"].shape, outputs["logits"].shape
    (TensorShape([2, 3]), TensorShape([2, 6]))
    >>> model.topic_words().shape
    TensorShape([3, 6])
    """

    def __init__(
        self,
        vocabulary_size: int,
        topics: int = 100,
        hidden: int = 512,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_sizes(vocabulary_size=vocabulary_size, hidden=hidden)
        check_sizes(2, topics=topics)
        self.vocabulary_size = vocabulary_size
        self.topics = topics
        self.hidden = hidden
        self.seed = seed
        self.noise = keras.random.SeedGenerator(seed)

    def build(self, bag_of_words_shape: Any) -> None:
        if bag_of_words_shape[-1] != self.vocabulary_size:
            raise ValueError(
                f"`bag_of_words` must be `vocabulary_size` = {self.vocabulary_size} wide, found "
                f"shape {tuple(bag_of_words_shape)}."
            )
        words, hidden, topics = self.vocabulary_size, self.hidden, self.topics
        self.encoder_dense = dense(self, words, hidden, "encoder", activation="relu")
        self.mean_dense = dense(self, hidden, topics, "mean")
        self.log_sigma_dense = dense(self, hidden, topics, "log_sigma")
        self.decoder_dense = dense(self, topics, words, "decoder")

    def encode(self, bag_of_words: Any, training: Any = None) -> Any:
        """`z`, `mean` and `log_sigma` of the bags, without the cost of the decoder."""
        bag = ops.cast(bag_of_words, self.compute_dtype)
        encoded = self.encoder_dense(bag)
        mean = self.mean_dense(encoded)
        log_sigma = ops.clip(self.log_sigma_dense(encoded), -_LOG_SIGMA_RANGE, _LOG_SIGMA_RANGE)
        z = mean
        if training:
            noise = keras.random.normal(ops.shape(mean), dtype=mean.dtype, seed=self.noise)
            z = mean + ops.exp(log_sigma) * noise
        return {"z": z, "mean": mean, "log_sigma": log_sigma}

    def call(self, bag_of_words: Any, training: Any = None) -> Any:
        outputs = self.encode(bag_of_words, training=training)
        theta = ops.softmax(outputs["z"], axis=-1)
        return {**outputs, "theta": theta, "logits": self.decoder_dense(theta)}

    def start_from_counts(self, counts: Any) -> None:
        """Sets the decoder's bias to the log frequencies of words, before training.

        The model then starts from how frequent each word is anyway and learns what the topics
        change. From a bias of zeros that start alone takes thousands of steps of Adam.

        Args:
            counts: numbers of the words in all bags, `[V]`; one is added to each.
        """
        counts = ops.cast(counts, self.decoder_dense.bias.dtype) + 1.0
        self.decoder_dense.bias.assign(ops.log(counts / ops.sum(counts)))

    def start_from_topics(
        self, counts: Any, sharpness: float = 1.35, smoothing: float = 300.0
    ) -> None:
        r"""Sets the decoder from a first guess of topics, before training.

        The bias becomes the log frequencies \(\log p_v\) as in `start_from_counts`, and row k of
        the kernel \(s \log (p_{kv} / p_v)\), how much likelier a word is in topic k.

        Args:
            counts: numbers of the words in each topic, `[K, V]`.
            sharpness: s, at least 0. \(\theta\) is never all of one topic; above 1 makes up
                for it.
            smoothing: words of the overall mixture that are added to each topic, above 0: the more,
                the less a topic says of rare words.

        Raises:
            ValueError: the counts are not `[K, V]`.
        """
        if tuple(counts.shape) != (self.topics, self.vocabulary_size):
            raise ValueError(
                f"`counts` must be [{self.topics}, {self.vocabulary_size}], topics and words, "
                f"found shape {tuple(counts.shape)}."
            )
        counts = ops.cast(counts, self.decoder_dense.kernel.dtype)
        self.start_from_counts(ops.sum(counts, axis=0))
        share = ops.exp(self.decoder_dense.bias)
        smoothed = counts + smoothing * share
        smoothed = smoothed / ops.sum(smoothed, axis=-1, keepdims=True)
        self.decoder_dense.kernel.assign(sharpness * ops.log(smoothed / share))

    def topic_words(self, frequencies: bool = False) -> Any:
        r"""Topic-word distributions, float `[K, V]`: softmax over the decoder's weights.

        Args:
            frequencies: whether the decoder's bias counts too. Without it a row tells what the
                topic changes, and words that are rare anyway may lead it. With it row k is
                \(\hat v\) of equation 2 for a document that is all of topic k, what \(\beta_k\)
                is in LDA.
        """
        kernel = self.decoder_dense.kernel
        logits = kernel + self.decoder_dense.bias if frequencies else kernel
        return ops.softmax(logits, axis=-1)

    def compute_output_shape(self, bag_of_words_shape: Any) -> Any:
        """A dictionary of shapes with the keys of the output."""
        lead = tuple(bag_of_words_shape[:-1])
        latent = (*lead, self.topics)
        return {
            "z": latent,
            "mean": latent,
            "log_sigma": latent,
            "theta": latent,
            "logits": (*lead, self.vocabulary_size),
        }
