"""Settings of PHR; TAGNet and the variants of the thesis are values of them."""

from typing import Literal

from tfhashtag.recommenders.post_settings import PostNetwork, PostNetworkSettings, PostTraining
from tfhashtag.settings import setting

_TABLE = "thesis 2024, Table 6"


class PhrNetwork(PostNetwork):
    """Sizes and switches of PHR; the variants of the thesis are settings of it."""

    features: int = setting(300, "f, width of a side; even", ge=2, multiple_of=2, source=_TABLE)
    projection: int = setting(512, "a, width of a picture's proposals", ge=1, source=_TABLE)
    slots: int = setting(16, "s, of a memory", ge=1, source="not given")
    heads: int = setting(4, "nr, read heads of a memory", ge=1, source="not given")
    strength: float = setting(1.0, "c, of the write weights", gt=0, source="not given; equation 6")
    picture_weights: bool = setting(
        False,
        "learn which of a post's pictures count; false: all alike",
        source="not in the thesis",
    )
    embedding_width: int = setting(300, "of word vectors", ge=1, source="not given")
    text: Literal["words", "encoder", "both"] = setting(
        "words",
        "BiLSTM over words, vector of the encoder, or their sum",
        source="thesis 2024, equation 12: words",
    )
    sides: list[Literal["visual", "textual", "own", "others"]] = setting(
        ["visual", "textual", "own", "others"],
        "that take part; leave one out for PHR-V, -T, -U, -O",
        min_length=1,
    )
    memory: bool = setting(
        True, "memory network; false: PHR-MN", source="thesis 2024, equations 2 to 11"
    )
    post_tag_attention: bool = setting(
        True, "over hashtags of similar posts; false: PHR-PTA", source="thesis 2024, equation 14"
    )
    pairing: Literal["sextuplet", "triplet", "none"] = setting(
        "sextuplet",
        "co-attentions of the sides; triplet: TAGNet; none: PHR-SCA",
        source="thesis 2024, equations 15 and 16",
    )
    own_side: Literal["posts", "hashtags"] = setting(
        "posts", "similar posts, or the user's most used hashtags (TAGNet)"
    )
    graph: Literal["relational", "aggregated", "none"] = setting(
        "relational",
        "R-GCN; aggregated: sum of A^k H W_k for k = 0, 1, 2 (TAGNet); none: no links",
        source="thesis 2024, equation 19",
    )
    relations: list[Literal["visual", "textual"]] = setting(
        ["visual", "textual"], "that link posts; leave one out for PHR-VR, -TR"
    )
    visual_threshold: float = setting(
        0.6, "theta, least visual similarity of linked posts", ge=-1, le=1, source=_TABLE
    )
    textual_threshold: float = setting(
        0.95, "lambda, least textual similarity of linked posts", ge=-1, le=1, source=_TABLE
    )
    activation: Literal["sigmoid", "relu"] = setting(
        "sigmoid", "of the graph convolution, or of the node without", source=_TABLE
    )
    hidden: int = setting(512, "of the MLP", ge=1, source="not given")
    experts: int = setting(
        0,
        "in place of the MLP's hidden layer, behind a gate by kind of content; 0: one layer",
        ge=0,
        source="thesis 2024, chapter 5, leaves it open",
    )
    label_vectors: bool = setting(
        False,
        "the hashtags around a post, and the post, also speak for a hashtag through its vector",
        source="not in the thesis",
    )
    dropout: float = setting(0.0, "before the MLP", ge=0, lt=1, source="none in the thesis")
    residual: bool = setting(
        False,
        "add the counts of hashtags around a post to its logits",
        source="not in the thesis",
    )


class PhrTraining(PostTraining):
    """Optimisation of PHR."""

    labels: int = setting(
        0,
        "that compete in a step: those of its posts and a sample of the others; 0: all, and so by "
        "XLA, over several devices and in float16",
        ge=0,
        source="Bengio and Senecal, 2008; all in the thesis",
    )


class PhrSettings(PostNetworkSettings):
    """`model: phr`, the recommender of posts (thesis, 2024), its variants, and TAGNet."""

    model: Literal["phr"] = setting(meaning="which recommender")
    network: PhrNetwork = PhrNetwork()
    training: PhrTraining = PhrTraining()
