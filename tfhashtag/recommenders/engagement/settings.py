"""Settings of the published engagement model; the paper's baselines are values of them."""

from typing import Literal

import pydantic
import pydantic_core

from tfhashtag.settings import RecommenderSettings, Section, setting
from tfhashtag.tasks.users.settings import UserData

_PAPER = "EMNLP 2021, Section 4"


class EngagementData(UserData):
    """What the engagement model sees of a user and of a hashtag."""

    history_length: int = setting(50, "newest messages of a user", ge=1, source=_PAPER)
    contexts_length: int = setting(
        30,
        "context messages of a hashtag, a seeded sample where there are more",
        ge=1,
        source=_PAPER,
    )
    ranking_contexts_length: int | None = setting(
        None, "the same where hashtags are ranked; null: as in training", ge=1, source="not given"
    )
    vocabulary_size: int = setting(
        10_000, "most frequent words, for the bags of the topic model", ge=1, source=_PAPER
    )
    negatives: int = setting(5, "negatives a positive in training", ge=1, source=_PAPER)
    exclude_own: bool = setting(
        True, "leave own messages out of contexts, tagged messages out of history"
    )

    @property
    def contexts_of_ranked(self) -> int:
        """Context messages of a hashtag where it is ranked."""
        return self.ranking_contexts_length or self.contexts_length


class EngagementNetwork(Section):
    """Sizes and switches of the published engagement model."""

    topics: int | None = setting(100, "K; null: no topic model", ge=2, source=_PAPER)
    topic_hidden: int = setting(
        512, "hidden width of the topic encoder", ge=1, source="not given; equation 1"
    )
    hidden: int = setting(768, "LSTM units a direction", ge=1, source=_PAPER)
    head_hidden: int | None = setting(
        None, "width of the MLP; null: as hidden", ge=1, source="not given; equation 6"
    )
    user: Literal["lstm", "lstm_attention", "mean"] = setting(
        "lstm",
        "last states of a Bi-LSTM, attention over its states, or the mean message",
        source="EMNLP 2021, Section 3.1",
    )
    attention: Literal["topic_bilinear", "bilinear", "additive", "mean"] = setting(
        "topic_bilinear",
        "over a hashtag's messages; bilinear, read literally, cancels the topics; additive costs "
        "more; mean: none, topics concatenated",
        source="EMNLP 2021, equations 3 to 5",
    )
    dropout: float = setting(0.0, "of the head", ge=0, lt=1, source="none in the paper")
    start: Literal["similarity", "random"] = setting(
        "similarity",
        "weights that rank by closeness of messages, or Glorot's",
        source="not given",
    )
    topic_start: Literal["random", "clusters"] = setting(
        "random",
        "of the topics: Glorot's, or the words of clusters of hashtags",
        source="not given",
    )


class EngagementEpochs(Section):
    """At most that many epochs in each of the three phases."""

    topics: int = setting(20, "phase 1: the topic model alone", ge=0, source=_PAPER)
    warmup: int = setting(20, "phase 2: the rest, topic model frozen", ge=0, source=_PAPER)
    joint: int = setting(
        100, "phase 3: everything", ge=0, source="EMNLP 2021, Section 4 and equation 10"
    )


class EngagementTraining(Section):
    """Optimisation of the published engagement model."""

    epochs: EngagementEpochs = EngagementEpochs()
    examples: Literal["leave_out", "futures"] = setting(
        "leave_out",
        "every hashtag of a user against others, or a future cut out of train anew each epoch",
        source="not given",
    )
    batch_users: int = setting(128, "users a batch", ge=1, source=_PAPER)
    learning_rate: float = setting(
        1e-3, "of Adam; with both starts 2e-5 is far better", gt=0, source=_PAPER
    )
    topic_learning_rate: float | None = setting(
        None, "while the topic model is alone; null: as learning_rate", gt=0
    )
    positive_weight: float = setting(
        100.0, "lambda, what a positive weighs", gt=0, source="EMNLP 2021, equation 8"
    )
    topic_weight: float = setting(
        1e-4, "mu, what the topic loss weighs", ge=0, source="EMNLP 2021, equation 10"
    )
    patience: int = setting(
        0, "epochs without a better valid MAP before a phase ends; 0: never", ge=0
    )


class EngagementSettings(RecommenderSettings):
    """`model: engagement`, the published model (EMNLP 2021)."""

    model: Literal["engagement"] = setting(meaning="which recommender")
    data: EngagementData = EngagementData()
    network: EngagementNetwork = EngagementNetwork()
    training: EngagementTraining = EngagementTraining()

    @pydantic.model_validator(mode="after")
    def _topics_have_something_to_train(self) -> "EngagementSettings":
        epochs = self.training.epochs.topics
        if self.network.topics is None and epochs:
            raise pydantic_core.PydanticCustomError(
                "no_topics",
                "`network.topics` is null, so that `training.epochs.topics` must be 0, not "
                "{epochs}",
                {"epochs": epochs},
            )
        return self

    @pydantic.model_validator(mode="after")
    def _head_can_compare(self) -> "EngagementSettings":
        width = self.network.head_hidden or self.network.hidden
        if self.network.start == "similarity" and width < 4:
            raise pydantic_core.PydanticCustomError(
                "narrow_head",
                "`network.start` is similarity, which takes four units of the head at least; "
                "`network.head_hidden` (null: `network.hidden`) is {width}",
                {"width": width},
            )
        return self
