"""Settings of MaCon."""

from typing import Literal

from tfhashtag.recommenders.post_settings import PostNetwork, PostNetworkSettings
from tfhashtag.settings import setting

_CODE = "AAAI 2019, the authors' code"


class MaconNetwork(PostNetwork):
    """Sizes of MaCon."""

    features: int = setting(300, "LSTM units and width of a post", ge=1, source=_CODE)
    attention: int = setting(100, "inner width of the co-attention", ge=1, source=_CODE)
    hashtag_attention: int = setting(
        200, "inner width of the attention over hashtags", ge=1, source=_CODE
    )
    embedding_width: int = setting(300, "of word vectors", ge=1, source=_CODE)
    dropout: float = setting(0.75, "before the output", ge=0, lt=1, source=_CODE)


class MaconSettings(PostNetworkSettings):
    """`model: macon`, MaCon (AAAI 2019)."""

    model: Literal["macon"] = setting(meaning="which recommender")
    network: MaconNetwork = MaconNetwork()
