"""Settings of the rules: systems with nothing to train."""

from typing import Literal

import pydantic
import pydantic_core

from tfhashtag.recommenders.post_settings import PostSettings
from tfhashtag.settings import RecommenderSettings, setting
from tfhashtag.tasks.posts.settings import LabelData
from tfhashtag.tasks.users.settings import UserData


class ScorerSettings(RecommenderSettings):
    """`model: scorer`, a rule for users: chance, popularity, similarity of texts."""

    answers = False

    model: Literal["scorer"] = setting(meaning="which recommender")
    score_by: Literal["random", "train_posts", "contexts", "similarity"] = setting(
        meaning="chance, train posts, context messages that the user may see, or texts",
        source="EMNLP 2021, Section 4: random, train_posts, similarity",
    )
    data: UserData = UserData()


class PostRuleData(LabelData):
    """What a rule for posts looks at."""

    similar_posts: int = setting(20, "nearest train posts that are counted", ge=1)


class PostRuleSettings(PostSettings):
    """`model: post_rule`, a rule for posts: popularity, own hashtags, nearest posts."""

    answers = False

    model: Literal["post_rule"] = setting(meaning="which recommender")
    rank_by: Literal["popularity", "own", "nearest_text", "nearest_image", "own_nearest"] = setting(
        meaning="train posts, the user's train posts, hashtags of the nearest posts by text or "
        "picture, or the user's and those of the nearest by text added"
    )
    data: PostRuleData = PostRuleData()

    @pydantic.model_validator(mode="after")
    def _pictures_are_encoded(self) -> "PostRuleSettings":
        if self.rank_by == "nearest_image" and self.image_encoder == "none":
            raise pydantic_core.PydanticCustomError(
                "no_pictures",
                "`rank_by` is nearest_image, so that `image_encoder` must name an encoder of "
                "pictures, or be `given`",
            )
        return self
