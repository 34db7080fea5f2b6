"""The engagement model, its baselines and ablations from a configuration."""

from typing import Any

from tfhashtag.layers import (
    EngagementHead,
    NeuralTopicModel,
    PersonalizedTopicAttention,
    UserEncoder,
)
from tfhashtag.losses import WeightedBinaryCrossentropy
from tfhashtag.recommenders.engagement.model import EngagementModel
from tfhashtag.recommenders.engagement.settings import EngagementNetwork

_POOLINGS = {"lstm": "last", "lstm_attention": "attention", "mean": "mean"}


def compose(
    network: EngagementNetwork,
    message_width: int,
    vocabulary_size: int = 10_000,
    *,
    positive_weight: float = 100.0,
    topic_weight: float = 1e-4,
    seed: int | None = None,
    cudnn: bool = False,
    **kwargs: Any,
) -> EngagementModel:
    """The model that a configuration asks for: systems of Tables 2 and 3 of EMNLP 2021.

    | system | `user` | `attention` | `topics` |
    |---|---|---|---|
    | MLP | `"mean"` | `"mean"` | None |
    | LSTM | `"lstm"` | `"mean"` | None |
    | LSTM-ATT (Zeng et al., ACL 2020) | `"lstm_attention"` | `"mean"` | None |
    | + TOPICS | `"lstm_attention"` | `"mean"` | K |
    | W/O JOINT, full model | `"lstm"` | `"topic_bilinear"` | K |

    W/O JOINT is the full model without the phase `"joint"`. What LSTM-ATT looks at in a history,
    `user_encoder.attention_of` tells.

    Args:
        network: which parts, and their sizes.
        message_width: int, d, width of a message vector.
        vocabulary_size: int, V.
        positive_weight: float, lambda of equation 8.
        topic_weight: float, mu of equation 10.
        seed: int or None, of the topic model's noise.
        cudnn: of `UserEncoder`; leave it off where training is compiled by XLA.
        **kwargs: of `keras.Model`: `dtype`, `name`.

    Example:

    >>> model = compose(EngagementNetwork(topics=None, hidden=5), message_width=4)
    >>> model.user_width
    10
    """
    policy = kwargs.get("dtype")
    user_encoder = UserEncoder(
        network.hidden,
        layers=0 if network.user == "mean" else 2,
        pooling=_POOLINGS[network.user],
        dropout=network.dropout,
        cudnn=cudnn,
        dtype=policy,
        name="user_encoder",
    )
    topic_model = None
    if network.topics is not None:
        sizes = vocabulary_size, network.topics, network.topic_hidden
        topic_model = NeuralTopicModel(*sizes, seed=seed, dtype=policy, name="topic_model")
    topic_attention = PersonalizedTopicAttention(
        network.hidden, network.attention, dtype=policy, name="topic_attention"
    )
    head = EngagementHead(
        network.head_hidden or network.hidden, network.dropout, dtype=policy, name="head"
    )
    loss = WeightedBinaryCrossentropy(positive_weight)
    return EngagementModel(
        message_width,
        user_encoder,
        topic_attention,
        head,
        topic_model,
        loss,
        topic_weight,
        **kwargs,
    )
