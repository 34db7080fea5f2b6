"""What a recommender of posts sees of a post and of the posts around it."""

from typing import Literal

from tfhashtag.settings import Section, setting


class LabelData(Section):
    """Which hashtags are ranked."""

    minimum_posts: int = setting(
        5, "train posts that make a hashtag a label", ge=1, source="the papers take all hashtags"
    )


class SearchData(LabelData):
    """How similar posts are searched for."""

    index: Literal["auto", "exact", "inverted"] = setting(
        "auto",
        "search for similar posts: exact, by an inverted file, or exact up to 50,000 train posts",
        source="not in the thesis",
    )
    index_recall: float = setting(
        0.95,
        "share of the 10 most similar posts that an inverted file must find",
        gt=0,
        le=1,
        source="not in the thesis",
    )
    index_vectors: Literal["float32", "float16", "int8"] = setting(
        "float16", "vectors in an inverted file", source="not in the thesis"
    )
    index_builder: Literal["numpy", "faiss"] = setting(
        "numpy", "what finds its cells; faiss needs `tfhashtag[ann]`", source="not in the thesis"
    )


class PostData(SearchData):
    """What a network over posts sees of a post and of the posts around it."""

    own_posts: int = setting(
        5, "k, similar posts by the same user", ge=1, source="thesis 2024, Table 6"
    )
    other_posts: int = setting(
        10, "mu, similar posts by others", ge=1, source="thesis 2024, Table 6"
    )
    own_hashtags: int = setting(
        10,
        "gamma, most used in the user's similar posts",
        ge=1,
        source="thesis 2024, Table 6",
    )
    other_hashtags: int = setting(
        10, "nu, most used in similar posts by others", ge=1, source="thesis 2024, Table 6"
    )
    visual_share: float = setting(
        0.5,
        "omega, share of pictures in the similarity of posts",
        ge=0,
        le=1,
        source="thesis 2024, equation 13; value not given",
    )
    similar_vectors: Literal["texts", "texts_and_hashtags"] = setting(
        "texts",
        "F, similar posts' texts, or their hashtags added",
        source="thesis 2024, equation 14",
    )
    words: int = setting(40, "words of a text that are read", ge=1, source="not given")
    vocabulary_size: int = setting(20_000, "most frequent words", ge=1, source="not given")
    oov_buckets: int = setting(1000, "for words outside the vocabulary", ge=1)
    history_posts: int = setting(2, "latest posts of the user, of MaCon", ge=1, source="AAAI 2019")
