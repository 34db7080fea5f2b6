"""Settings of the recommended model of posts."""

from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from tfhashtag.recommenders.post_settings import PostNetwork, PostSettings
from tfhashtag.settings import Future, Section, setting
from tfhashtag.tasks.posts.settings import SearchData


class RankerData(SearchData):
    """What is looked up of a user, of the posts around a post, and of hashtags."""

    history_posts: int = setting(100, "newest posts of a user", ge=1)
    other_posts: int = setting(300, "most similar posts of others", ge=1)
    taste_width: int = setting(64, "components of the SVD of the user x hashtag matrix", ge=1)
    hashtag_names: Literal["encoder", "none"] = setting(
        "encoder", "whether names are embedded by the text encoder and compared with texts"
    )
    words: int = setting(40, "words of a text that are read", ge=1)
    vocabulary_size: int = setting(20_000, "most frequent words", ge=1)
    oov_buckets: int = setting(1000, "for words outside the vocabulary", ge=1)
    time: Literal["auto", "on", "off"] = setting(
        "auto",
        "whether the moment of a post is read: ages, rates now and before, weekday and hour, the "
        "user's pauses; auto where posts have times",
    )
    candidates: int = setting(40, "that the widest sources name for a post", ge=1)

    @pydantic.field_validator("time", mode="before")
    @classmethod
    def _as_yaml_reads_it(cls, value: Any) -> Any:
        return ("off", "on")[value] if isinstance(value, bool) else value


class RankerNetwork(PostNetwork):
    """Sizes of the networks that read the signals."""

    members: int = setting(6, "networks whose mean logit is the score", ge=1)
    hidden: list[Annotated[int, Field(ge=1)]] = setting(
        [128, 64], "widths of their hidden layers", min_length=1
    )
    dropout: float = setting(0.2, "of the hidden layers", ge=0, lt=1)


class RankerTraining(Section):
    """Training on imitated futures."""

    futures: list[Future] = setting(
        [[0.5, 1.0], [0.6, 1.0], [0.7, 1.0], [0.8, 1.0]],
        "cut and end of each imitated future, as fractions of a user's train posts",
        min_length=1,
    )
    posts: int = setting(
        8192,
        "of each imitated future, and of the valid split, that are learned from; of more so many "
        "are drawn at random",
        ge=1,
    )
    jitter: float = setting(0.05, "how far each user's cut moves, at most", ge=0, lt=1)
    epochs: int = setting(3, "of each phase", ge=1)
    refit: bool = setting(True, "train anew with the valid split as one more future")
    refit_count: int = setting(
        3, "times the valid split counts in the refit beside each imitated future", ge=1
    )
    batch_posts: int = setting(64, "posts' lists a batch", ge=1)
    learning_rate: float = setting(2e-3, "of AdamW, cosine decay to 0", gt=0)
    weight_decay: float = setting(1e-3, "of AdamW", ge=0)


class RankerSettings(PostSettings):
    """`model: post_ranker`, the recommended model of posts: candidates, signals, networks."""

    model: Literal["post_ranker"] = setting(meaning="which recommender")
    data: RankerData = RankerData()
    network: RankerNetwork = RankerNetwork()
    training: RankerTraining = RankerTraining()
