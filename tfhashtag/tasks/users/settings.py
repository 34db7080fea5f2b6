"""What every recommender of users must know of a hashtag before it ranks it."""

from tfhashtag.settings import Section, setting


class UserData(Section):
    """Which hashtags are ranked."""

    minimum_contexts: int = setting(5, "hashtags with fewer context messages are not ranked", ge=1)
