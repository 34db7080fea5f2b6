"""Settings of LambdaMART over features of words."""

from typing import Literal

from tfhashtag.settings import Future, RecommenderSettings, Section, setting
from tfhashtag.tasks.users.settings import UserData


class LambdaMartData(UserData):
    """Which words LambdaMART's features are made of."""

    features: Literal["lda", "tfidf"] = setting(
        meaning="topics or weighted words of user and hashtag", source="EMNLP 2021, Section 4"
    )
    history_length: int = setting(50, "newest messages of a user", ge=1)
    vocabulary_size: int = setting(10_000, "most frequent words", ge=1)
    topics: int = setting(100, "K, of lda", ge=2)
    topic_passes: int = setting(10, "over the documents, of lda", ge=1)


class LambdaMartTraining(Section):
    """Training of the trees on imitated futures."""

    futures: list[Future] = setting(
        [[0.6, 0.85], [0.7, 1.0], [0.8, 1.0]],
        "cut and end of each imitated future, as fractions of a user's train posts",
        min_length=1,
    )
    jitter: float = setting(0.05, "how far each user's cut moves, at most", ge=0, lt=1)
    trees: int = setting(300, "at most", ge=1)
    leaves: int = setting(15, "of a tree", ge=2)
    leaf_pairs: int = setting(50, "pairs of user and hashtag a leaf, at least", ge=1)
    learning_rate: float = setting(0.05, "what a tree weighs", gt=0)
    patience: int = setting(30, "trees without a better valid MAP", ge=1)


class LambdaMartSettings(RecommenderSettings):
    """`model: lambdamart`, boosted trees over features of words (LDA or TF-IDF)."""

    answers = False

    model: Literal["lambdamart"] = setting(meaning="which recommender")
    data: LambdaMartData
    training: LambdaMartTraining = LambdaMartTraining()
