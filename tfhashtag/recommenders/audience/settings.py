"""Settings of the recommended model of users."""

from typing import Annotated, Literal

import pydantic
import pydantic_core
from pydantic import Field

from tfhashtag.settings import Future, RecommenderSettings, Section, setting
from tfhashtag.tasks.users.settings import UserData


class AudienceData(UserData):
    """What the audience model sees of a user and of a hashtag."""

    history_length: int = setting(50, "newest messages of a user", ge=1)
    messages: int = setting(100, "newest context messages of a hashtag that are looked at", ge=1)
    authors: int = setting(50, "newest authors of a hashtag that are looked at", ge=1)
    author_tags: int = setting(64, "hashtags of an author, those that weigh most", ge=1)
    taste_width: int = setting(96, "components of the SVD of the user x hashtag matrix", ge=1)
    reference: int = setting(
        32, "hashtags of the fixed sample of the catalogue that z-scores are taken over", ge=2
    )
    candidates: int = setting(
        1000, "hashtags of a user that are retrieved, of a large catalogue", ge=1
    )
    ranked: int = setting(
        100, "of them, those that a closer look puts highest, are ranked by all signals", ge=1
    )
    rank_whole: int = setting(
        2000, "a catalogue of at most so many hashtags is ranked whole, nothing is retrieved", ge=0
    )
    precision: Literal["float16", "float32"] = setting(
        "float16", "numbers of the vectors in the tables"
    )
    hashtag_names: Literal["encoder", "messages"] = setting(
        "encoder", "names embedded by the text encoder, or the mean of their messages"
    )


class AudienceNetwork(Section):
    """Sizes of the networks that read the match signals."""

    members: int = setting(4, "networks whose mean logit is the score", ge=1)
    hidden: list[Annotated[int, Field(ge=1)]] = setting(
        [32], "widths of their hidden layers", min_length=1
    )
    dropout: float = setting(0.1, "of the hidden layers", ge=0, lt=1)
    trees: int = setting(300, "boosted trees beside the networks", ge=0)
    share: float = setting(
        0.2,
        "of the networks in the score where there are trees, both as far apart within a list",
        ge=0,
        le=1,
    )
    leaves: int = setting(15, "leaves of each tree", ge=2)


class AudienceTraining(Section):
    """Training on imitated futures."""

    futures: list[Future] = setting(
        [[0.65, 1.0], [0.7, 1.0], [0.75, 1.0], [0.8, 1.0]],
        "cut and end of each imitated future, as fractions of a user's train posts",
        min_length=1,
    )
    jitter: float = setting(0.05, "how far each user's cut moves, at most", ge=0, lt=1)
    users: int = setting(
        8192,
        "users of each imitated future, and of the valid split, whose lists are learned from",
        ge=1,
    )
    negatives: int = setting(60, "draws for each positive in the imitated futures", ge=1)
    epochs: int = setting(2, "of each phase; the valid score is flat from here on", ge=1)
    patience: int = setting(
        0, "epochs without a better valid MAP before the first phase ends; 0: never", ge=0
    )
    refit: bool = setting(
        True,
        "learn from the valid split as one more future; without, and before it where `patience` is "
        "set, the valid split is ranked after each epoch",
    )
    refit_count: int = setting(
        1, "times the valid split counts in the refit beside each imitated future", ge=1
    )
    batch_users: int = setting(32, "users' lists a batch", ge=1)
    learning_rate: float = setting(2e-3, "of AdamW, cosine decay to 0", gt=0)
    weight_decay: float = setting(1e-3, "of AdamW", ge=0)
    tree_rate: float = setting(0.04, "what each boosted tree adds", gt=0, le=1)

    @pydantic.model_validator(mode="after")
    def _patience_is_for_refit(self) -> "AudienceTraining":
        if self.patience and not self.refit:
            raise pydantic_core.PydanticCustomError(
                "patience_without_refit",
                "`training.patience` chooses the epochs of `refit`, so that it must be 0 without, "
                "not {patience}",
                {"patience": self.patience},
            )
        return self


class AudienceSettings(RecommenderSettings):
    """`model: audience`, the recommended model: who wrote about a hashtag, and what."""

    model: Literal["audience"] = setting(meaning="which recommender")
    data: AudienceData = AudienceData()
    network: AudienceNetwork = AudienceNetwork()
    training: AudienceTraining = AudienceTraining()
