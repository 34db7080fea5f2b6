"""PHR, its variants and TAGNet from a configuration: which parts, and how large."""

from collections.abc import Sequence
from typing import Any

from tfhashtag.errors import ConfigError
from tfhashtag.layers import SextupletCoAttention
from tfhashtag.layers.sextuplet_co_attention import ALL_SIX, SIDES, TRIPLET
from tfhashtag.recommenders.phr.model import PhrModel
from tfhashtag.recommenders.phr.parts import (
    AggregatedGraph,
    ContentExperts,
    Head,
    LabelVectors,
    MeanSide,
    PostTagSide,
    RelationalGraph,
    ResidualPath,
    SelfTerm,
    TextualSide,
    VisualSide,
)
from tfhashtag.recommenders.phr.parts.mean_side import USED_HASHTAGS
from tfhashtag.recommenders.phr.parts.post_graph import RELATIONS
from tfhashtag.recommenders.phr.settings import PhrNetwork
from tfhashtag.tasks.posts.settings import PostData

PAIRINGS = {"sextuplet": ALL_SIX, "triplet": TRIPLET, "none": ()}


def compose(
    network: PhrNetwork,
    data: PostData,
    labels: int,
    width: int,
    image_width: int | None,
    vocabulary_size: int,
    signals: Sequence[str],
    **kwargs: Any,
) -> PhrModel:
    """The model that a configuration asks for.

    A side that no pair uses is left out, and so is a relation whose side does not take part;
    without any relation there is no graph.

    Args:
        network: which parts, and their sizes.
        data: how many similar posts.
        labels: L.
        width: g, of the text encoder's vectors.
        image_width: a', of the given image proposals; None where there are no images.
        vocabulary_size: that of `WordIds`.
        signals: the sides that the signals of labels speak for.
        **kwargs: of `PhrModel`: `dtype`, `name`.

    Raises:
        ConfigError: no side is left, or none that a pair is of.
        ValueError: a size is out of range.
    """
    pairs, sides = _taking_part(network, image_width)
    policy = kwargs.get("dtype")
    makers = {
        "visual": lambda: _visual(network, image_width, policy),
        "textual": lambda: _textual(network, width, vocabulary_size, policy),
        "own": lambda: _similar("own", network, data, width, policy),
        "others": lambda: _similar("others", network, data, width, policy),
    }
    made = [makers[side]() for side in sides]
    co_attention = None
    if pairs:
        co_attention = SextupletCoAttention(pairs, dtype=policy, name="co_attention")
    graph = _graph(network, sides, image_width, policy)
    residual = None
    if network.residual:
        pictures = image_width if "visual" in sides else None
        residual = ResidualPath(
            labels,
            width,
            pictures,
            sides,
            signals,
            dropout=network.dropout,
            dtype=policy,
            name="residual",
        )
    experts = _experts(network, sides, width, image_width, policy)
    vectors = None
    if network.label_vectors:
        speaking = [side for side in sides if side in ("own", "others")]
        vectors = LabelVectors(labels, width, speaking, dtype=policy, name="vectors")
    sizes = labels, network.hidden, network.dropout
    head = Head(*sizes, residual, experts, vectors, dtype=policy, name="head")
    return PhrModel(made, co_attention, graph, head, **kwargs)


def _taking_part(network: Any, image_width: Any) -> tuple[tuple, list[str]]:
    """Pairs of sides, and the sides, in the order of `SIDES`."""
    asked = network.sides
    sides = [side for side in asked if side != "visual" or image_width]
    if not sides:
        raise ConfigError(
            f"`network.sides` is {asked}, but the corpus has no images; set `image_encoder`, or "
            "name another side."
        )
    pairs = tuple(pair for pair in PAIRINGS[network.pairing] if set(pair) <= set(sides))
    if PAIRINGS[network.pairing] and not pairs:
        raise ConfigError(
            f"`network.sides` {sides} leave no pair for `network.pairing` {network.pairing!r}; "
            "name another side, or set `network.pairing` to none."
        )
    paired = {side for pair in pairs for side in pair} or set(sides)
    return pairs, [side for side in SIDES if side in paired]


def _visual(network: Any, image_width: Any, policy: Any) -> Any:
    return VisualSide(
        network.proposals,
        network.features,
        image_width,
        network.projection,
        network.slots if network.memory else None,
        network.heads,
        network.strength,
        network.picture_weights,
        dtype=policy,
    )


def _experts(network: Any, sides: Any, width: Any, image_width: Any, policy: Any) -> Any:
    if network.experts == 0:
        return None
    if not {"visual", "textual"} <= set(sides):
        raise ConfigError(
            f"`network.experts` is {network.experts}: their gate reads pictures and texts, and the "
            f"sides are {', '.join(sides)}; set it to 0, or name both."
        )
    return ContentExperts(
        network.experts, network.hidden, width, image_width, dtype=policy, name="experts"
    )


def _textual(network: Any, width: Any, vocabulary_size: Any, policy: Any) -> Any:
    return TextualSide(
        network.proposals,
        network.features,
        None if network.text == "encoder" else vocabulary_size,
        None if network.text == "words" else width,
        network.embedding_width,
        network.dropout,
        dtype=policy,
    )


def _similar(side: Any, network: Any, data: Any, width: Any, policy: Any) -> Any:
    sizes = network.proposals, network.features
    if side == "own" and network.own_side == "hashtags":
        return MeanSide(side, *sizes, USED_HASHTAGS, width, dtype=policy)
    if network.post_tag_attention:
        posts = data.own_posts if side == "own" else data.other_posts
        return PostTagSide(side, *sizes, posts, width, dtype=policy)
    with_hashtags = data.similar_vectors == "texts_and_hashtags"
    return MeanSide(side, *sizes, f"{side}_posts", width, with_hashtags, dtype=policy)


def _graph(network: Any, sides: Any, image_width: Any, policy: Any) -> Any:
    relations = network.relations
    if image_width is None and network.graph == "aggregated":
        relations = ["textual"]  # TAGNet, where there are no images
    thresholds = {
        name: getattr(network, f"{name}_threshold")
        for name in RELATIONS
        if name in relations and name in sides
    }
    arguments = {"activation": network.activation, "dtype": policy, "name": "graph"}
    if network.graph == "none" or not thresholds:
        return SelfTerm(network.features, **arguments)
    graph = AggregatedGraph if network.graph == "aggregated" else RelationalGraph
    return graph(network.features, thresholds, **arguments)
