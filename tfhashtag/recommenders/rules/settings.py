"""Settings of the rules: systems with nothing to train."""

from typing import Literal

from tfhashtag.recommenders.post_settings import PostSettings
from tfhashtag.settings import RecommenderSettings, setting
from tfhashtag.tasks.posts.settings import LabelData
from tfhashtag.tasks.users.settings import UserData


class ScorerSettings(RecommenderSettings):
    """`model: scorer`, a rule for users: chance, popularity, similarity of texts."""

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

    model: Literal["post_rule"] = setting(meaning="which recommender")
    rank_by: Literal[
        "random", "popularity", "own", "nearest_text", "nearest_image", "own_nearest"
    ] = setting(
        meaning="chance, train posts, the user's train posts, hashtags of the nearest posts by "
        "text or picture, or those of own and nearest posts added"
    )
    data: PostRuleData = PostRuleData()
