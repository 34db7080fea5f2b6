"""What the settings of all recommenders of posts have."""

from typing import Literal

from tfhashtag.settings import Encoders, RecommenderSettings, Section, setting
from tfhashtag.tasks.posts.settings import LabelData, PostData


class PostNetwork(Section):
    """What recommenders of posts read of pictures."""

    proposals: int = setting(
        9,
        "m, vectors of a picture: cells of a square grid",
        ge=1,
        source="not given; 49 is the encoders' own 7 x 7 map (`encode --proposals 49`)",
    )
    pictures: int = setting(
        8, "of a post that are read, the first; frames of clips count", ge=1, source="not given"
    )


class PostSettings(RecommenderSettings):
    """Of a recommender that ranks hashtags for posts."""

    image_encoder: str = setting(
        "none",
        "an encoder of pictures; `given`: vectors that posts bring; `none`: without pictures",
    )
    data: LabelData = LabelData()
    network: PostNetwork = PostNetwork()

    @property
    def encoders(self) -> Encoders:
        """The vectors that it reads."""
        return {
            "text_encoder": self.text_encoder,
            "image_encoder": self.image_encoder,
            "proposals": self.network.proposals,
            "pictures": self.network.pictures,
        }


class PostTraining(Section):
    """Optimisation of a network over posts."""

    epochs: int = setting(30, "at most", ge=1, source="AAAI 2019; not given in the thesis")
    batch_posts: int = setting(
        500, "posts a batch, and a graph", ge=1, source="thesis 2024, Table 6; AAAI 2019: 512"
    )
    epoch_posts: int = setting(
        0,
        "train posts that an epoch learns from, each in its turn; an eighth as many valid posts "
        "choose the epoch; 0: all, as a graph of posts needs them",
        ge=0,
        source="all in the papers",
    )
    optimizer: Literal["sgd", "adam"] = setting(
        "sgd", "the rule of the steps", source="thesis 2024, Table 6; AAAI 2019: adam"
    )
    learning_rate: float = setting(0.05, "of a step", gt=0, source="thesis 2024, Table 6")
    weight_decay: float = setting(0.0, "decoupled, of Adam", ge=0)
    patience: int = setting(
        5,
        "epochs without a better valid F1@9; 0: never stop",
        ge=0,
        source="not given in the thesis; AAAI 2019 chose on its test set",
    )


class PostNetworkSettings(PostSettings):
    """Of a network over posts."""

    data: PostData = PostData()
    training: PostTraining = PostTraining()
