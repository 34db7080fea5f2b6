"""Settings of collaborative filtering."""

from typing import Literal

from tfhashtag.settings import RecommenderSettings, Section, setting
from tfhashtag.tasks.users.settings import UserData

_PAPER = "Hu et al., 2008"


class CollaborativeTraining(Section):
    """Factorisation of the users' hashtags, by alternating least squares."""

    factors: int = setting(32, "width of the vectors of users and hashtags", ge=1, source=_PAPER)
    regularization: float = setting(1.0, "lambda, of both", gt=0, source=_PAPER)
    confidence: float = setting(
        20.0, "alpha: what a tagging weighs against none", gt=0, source=_PAPER
    )
    iterations: int = setting(15, "of both sides", ge=1)


class CollaborativeSettings(RecommenderSettings):
    """`model: collaborative`, collaborative filtering on the train taggings alone."""

    answers = False

    model: Literal["collaborative"] = setting(meaning="which recommender")
    data: UserData = UserData()
    training: CollaborativeTraining = CollaborativeTraining()
