"""PHR: which hashtags does this post need? The thesis's model, put together from its parts."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

from tfhashtag.layers import SextupletCoAttention
from tfhashtag.layers.sextuplet_co_attention import SIDES
from tfhashtag.recommenders.phr.parts.head import Head
from tfhashtag.recommenders.phr.parts.post_graph import HAS, PostGraph
from tfhashtag.recommenders.phr.parts.residual_path import ResidualPath
from tfhashtag.recommenders.phr.parts.self_term import SelfTerm
from tfhashtag.recommenders.phr.parts.side import Side
from tfhashtag.registration import public, serialized_part

_PARTS = ("co_attention", "graph", "head")


@public
class PhrModel(keras.Model):
    r"""The personalised hashtag recommender of the thesis (2024, chapter 3), from its parts.

    Up to four sides of a post, each `[m, f]`: `visual` \(V_i\), `textual` \(T_i\), `own` \(V_u'\)
    and `others` \(V_o'\). The co-attention makes them one vector \(r_i\), a graph mixes it with
    those of similar posts, and the head gives a logit for every label (equation 20). The variants
    of the thesis and TAGNet have other parts; `compose` puts them together from a configuration.

    Inputs, a dictionary (B posts, g width of the encoder's vectors), of which the parts read what
    they say. What a post does not have is zeros with a false mask, and a learned vector takes its
    place:

    - `tokens`: int `[B, W]`, word ids, 0 pads;
    - `text`: float `[B, g]`, the encoder's vector of the text; `has_text`: bool `[B]`;
    - `proposals`: float `[B, P * m, a']`, those of all pictures on one axis; `has_image`: bool
      `[B]`; with several pictures `image_mask`: bool `[B, P]`;
    - `own_posts` `[B, k, g]`, `own_posts_mask` `[B, k]`, `own_hashtags` `[B, gamma, g]`,
      `own_hashtags_mask`; `others_posts` and so on, with mu and nu;
    - `used_hashtags` `[B, gamma, g]`, `used_hashtags_mask`: the user's most used;
    - `user_text` `[B, g]`, the mean vector of the user's other texts, `count_labels` int `[B, N]`,
      -1 pads, and `count_signals` float `[B, N, S]`, for a `ResidualPath`, which reads the text and
      the mean of the image proposals, too;
    - `neighbour_messages` `[B, n, R, units]`, `neighbour_visual` and `neighbour_textual`
      `[B, n, f]`, `neighbour_visual_mask` and `neighbour_textual_mask` `[B, n]`, of the relations
      of the graph: train posts as `catalogue` and `spread` stored them. With them a post's answer
      does not depend on the rest of the batch. Without them the graph is that of the batch, as in
      training;
    - `post` int `[B]` and `seen_posts` int `[B, S]`, -1 pads, for the graph of a batch: an id of
      the post, and the ids of the posts whose hashtags are among its inputs. A post learns nothing
      from a post that has seen it, else its own hashtags would come back to it. Without them all
      posts of the batch are taken for strangers.

    Output: logits, float32 at least, `[B, L]`.

    Args:
        sides: `VisualSide`, `TextualSide`, `PostTagSide` or `MeanSide`, one a name, in the order of
            `SIDES`, all of one shape.
        co_attention: `SextupletCoAttention` over pairs of these sides; None: they are summed.
        graph: `RelationalGraph`, `AggregatedGraph` or `SelfTerm`.
        head: `Head`.
        **kwargs: of `keras.Model`.

    Raises:
        ValueError: sides are missing, twice there, of other shapes or out of order; or a pair or a
            relation needs a side that is not there.

    Example:

    >>> import numpy as np
    >>> from tfhashtag.recommenders.phr.parts import Head, PostTagSide, SelfTerm, TextualSide
    >>> sides = [TextualSide(9, 6, vocabulary_size=9), PostTagSide("own", 9, 6, posts=5, width=4)]
    >>> pairs = SextupletCoAttention([("own", "textual")])
    >>> model = PhrModel(sides, pairs, SelfTerm(6), Head(labels=7))
    >>> post = {"tokens": np.array([[3, 1, 0]]), "has_text": np.array([True])}
    >>> for what in ("posts", "hashtags"):
    ...     post[f"own_{what}"] = np.ones((1, 5, 4), "float32")
    ...     post[f"own_{what}_mask"] = np.ones((1, 5), bool)
    >>> model(post).shape
    TensorShape([1, 7])
    """

    def __init__(
        self,
        sides: Sequence[Side],
        co_attention: SextupletCoAttention | None,
        graph: PostGraph | SelfTerm,
        head: Head,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _check(sides, co_attention, graph)
        self.sides = {side.side: side for side in sides}
        self.co_attention, self.graph, self.head = co_attention, graph, head
        self.proposals, self.features = sides[0].proposals, sides[0].features
        self.build()

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The pairs of sides that the co-attention is over."""
        return () if self.co_attention is None else self.co_attention.pairs

    @property
    def linked(self) -> bool:
        """Whether a graph links posts."""
        return bool(self.graph.relations)

    @property
    def residual(self) -> ResidualPath | None:
        """The residual path of the head."""
        return self.head.residual

    def build(self, input_shape: Any = None) -> None:
        """Makes all weights. `__init__` calls it: all widths are among the parts' arguments."""
        if getattr(self, "built", False):
            return
        for side in self.sides.values():
            side.build()
        if self.co_attention is not None:
            shape = (None, self.proposals, self.features)
            self.co_attention.build(*(shape if name in self.sides else None for name in SIDES))
        self.graph.build((None, self.proposals * self.features))
        self.head.build((None, self.features))
        self.built = True

    def build_from_config(self, config: Any) -> None:
        """Called when a saved model is loaded."""
        self.build()

    def call(self, inputs: Mapping, training: Any = False) -> Any:
        """Logits `[B, L]` of posts."""
        found = self.represent(inputs, training=training)
        node = self.graph(found, inputs, hidden=self._hidden(inputs))
        return self.head(node, inputs, self.guidance(inputs, found), training=training)

    def represent(self, inputs: Mapping, training: Any = False) -> dict:
        """What is known of each post by itself, before the graph.

        Returns:
            `post`: \\(r_i\\), float `[B, m * f]`; `visual` and `textual`: the pooled features of
            the relations, float `[B, f]`; `co_attention` `[B, P, 2, m]`, `own_attention` `[B, k]`,
            `others_attention` `[B, mu]`, where the model has them.
        """
        found, sides = {}, {}
        for name, side in self.sides.items():
            sides[name], attention = side(inputs, training=training)
            if attention is not None:
                found[f"{name}_attention"] = attention
        for relation in self.graph.relations:
            found[relation] = ops.mean(sides[relation], axis=1)
        if self.co_attention is None:
            post = sum(sides.values())
        else:
            mixed = self.co_attention(**{side: sides.get(side) for side in SIDES})
            post, found["co_attention"] = mixed["post"], mixed["attention"]
        found["post"] = ops.reshape(post, (-1, self.proposals * self.features))
        return found

    def catalogue(self, inputs: Mapping) -> dict:
        """What train posts send to their neighbours at inference, before `spread`.

        Returns:
            `messages`: float `[B, R, units]`, R relations or hops; the pooled features of the
            relations, `visual` and `textual`, float `[B, f]`, and beside them `has_image` and
            `has_text`, bool `[B]`.

        Raises:
            ValueError: the model has no graph.
        """
        if not self.linked:
            raise ValueError("`catalogue` needs a graph, and this model has none.")
        found = self.represent(inputs)
        return {
            "messages": self.graph.project(found["post"]),
            **{relation: found[relation] for relation in self.graph.relations},
            **{HAS[relation]: inputs[HAS[relation]] for relation in self.graph.relations},
        }

    def spread(self, catalogue: Mapping, neighbours: Any) -> dict:
        """The catalogue of all train posts as their neighbours leave it, see `PostGraph.spread`."""
        return self.graph.spread(catalogue, neighbours)

    def guidance(self, inputs: Mapping, found: Mapping) -> dict[str, Any]:
        """What guides the `LabelVectors` of the head, by side; empty where it has none.

        Args:
            inputs: of the model.
            found: from `represent`.
        """
        if self.head.vectors is None:
            return {}
        return {
            name: side.guidance(inputs, found[f"{name}_attention"])
            for name, side in self.sides.items()
            if f"{name}_attention" in found
        }

    def _hidden(self, inputs: Any) -> Any:
        """`[i, j]`: what j was made of holds the hashtags of i, so i must not hear of it."""
        reads_hashtags = any(side.reads_hashtags for side in self.sides.values())
        if not self.linked or "seen_posts" not in inputs or not reads_hashtags:
            return None
        return ops.any(inputs["seen_posts"][None] == inputs["post"][:, None, None], axis=-1)

    def get_config(self) -> dict[str, Any]:
        parts = {name: serialized_part(getattr(self, name)) for name in _PARTS}
        sides = [serialized_part(side) for side in self.sides.values()]
        return {**super().get_config(), "sides": sides, **parts}

    @classmethod
    def from_config(cls, config: Any, custom_objects: Any = None) -> Any:
        """A model from `get_config`."""

        def made(part: Any) -> Any:
            return None if part is None else keras.saving.deserialize_keras_object(part)

        parts = {name: made(config[name]) for name in _PARTS}
        return cls(**{**config, "sides": [made(side) for side in config["sides"]], **parts})


def _check(sides: Any, co_attention: Any, graph: Any) -> None:
    names = [side.side for side in sides]
    if not names or names != [name for name in SIDES if name in names]:
        raise ValueError(
            f"`sides` must be some of {', '.join(SIDES)}, in this order, found {names}."
        )
    shapes = {(side.proposals, side.features) for side in sides}
    if len(shapes) > 1:
        raise ValueError(f"`sides` must be of one shape [m, f], found {sorted(shapes)}.")
    needed = {side for pair in co_attention.pairs for side in pair} if co_attention else set()
    if co_attention and needed != set(names):
        raise ValueError(f"`co_attention` must be over the sides {names}, found {sorted(needed)}.")
    if not set(graph.relations) <= set(names):
        raise ValueError(
            f"`graph` links posts by {', '.join(graph.relations)}, but the sides are {names}."
        )
