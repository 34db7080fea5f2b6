"""PHR: which hashtags does this post need? The thesis's model, its variants and TAGNet."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from tfhashtag.layers import (
    AggregatedGraphConv,
    BiLSTM,
    CountResidual,
    MemoryNetwork,
    Placeholder,
    PostTagAttention,
    RelationalGraphConv,
    Segments,
    SextupletCoAttention,
    neighbour_edges,
    similarity_edges,
)
from tfhashtag.layers.sextuplet_co_attention import ALL_SIX, SIDES, TRIPLET
from tfhashtag.registration import public

RELATIONS = ("visual", "textual")
TEXTS = ("words", "encoder", "both")
PAIRINGS = {"sextuplet": ALL_SIX, "triplet": TRIPLET, "none": ()}
GRAPHS = ("relational", "aggregated", "none")
OWN_SIDES = ("posts", "hashtags")
HAS = {"visual": "has_image", "textual": "has_text"}
_BLOCK = 1024  # train posts at a time in `spread`


@public
class PhrModel(keras.Model):
    r"""The personalised hashtag recommender of the thesis (2024, chapter 3), with all its switches.

    Four sides of a post, each `[m, f]`: `visual` \(V_i\), image proposals through a
    `MemoryNetwork`; `textual` \(T_i\), words through a `BiLSTM`; `own` \(V_u'\) and `others`
    \(V_o'\), `PostTagAttention` over the similar posts of the user and of others, through
    `Segments`. `SextupletCoAttention` makes them one vector \(r_i\), a graph convolution mixes it
    with those of similar posts, and an MLP gives a logit for every label (equation 20).

    Inputs, a dictionary (B posts, g width of the encoder's vectors). What a post does not have is
    zeros with a false mask, and a learned vector takes its place:

    - `tokens`: int `[B, W]`, word ids, 0 pads;
    - `text`: float `[B, g]`, the encoder's vector of the text; `has_text`: bool `[B]`;
    - `proposals`: float `[B, m, a']`; `has_image`: bool `[B]`;
    - `own_posts` `[B, k, g]`, `own_posts_mask` `[B, k]`, `own_hashtags` `[B, gamma, g]`,
      `own_hashtags_mask`; `others_posts` and so on, with mu and nu;
    - `used_hashtags` `[B, gamma, g]`, `used_hashtags_mask`: the user's most used, for
      `own_side="hashtags"`;
    - `user_text` `[B, g]`, the mean vector of the user's other texts, `count_labels` int `[B, N]`,
      -1 pads, and `count_signals` float `[B, N, S]`, for `residual`, which reads the text and the
      mean of the image proposals, too; of a side that takes no part it reads nothing;
    - `neighbour_messages` `[B, n, R, units]`, `neighbour_visual` and `neighbour_textual`
      `[B, n, f]`, `neighbour_visual_mask` and `neighbour_textual_mask` `[B, n]`, of the relations
      that the model has: train posts as `catalogue` and `spread` stored them. With them a post's
      answer does not depend on the rest of the batch. Without them the graph is that of the batch,
      as in training;
    - `post` int `[B]` and `seen_posts` int `[B, S]`, -1 pads, for the graph of a batch: an id of
      the post, and the ids of the posts whose hashtags are among its inputs. A post learns nothing
      from a post that has seen it, else its own hashtags would come back to it. Without them all
      posts of the batch are taken for strangers.

    Output: logits, float32 at least, `[B, L]`.

    Args:
        labels: int >= 1, L.
        width: int >= 1, g.
        image_width: int >= 1, a', width of the given image proposals.
        vocabulary_size: int >= 2, that of `WordIds`.
        own_posts, other_posts: int >= 1, k and mu.
        proposals: int >= 1, m.
        features: even int >= 2, f.
        projection: int >= 1, a, to which image proposals are projected first.
        slots, heads, strength: of `MemoryNetwork`: s, nr, c.
        embedding_width: int >= 1, of word vectors.
        text: `"words"`, the BiLSTM of the thesis; `"encoder"`, the vector of the text encoder
            through `Segments`; or `"both"`, their sum.
        sides: those of `visual`, `textual`, `own`, `others` that take part; one that no pair of
            `pairing` uses is left out.
        memory: false: image proposals are projected by one dense layer (PHR-MN).
        post_tag_attention: false: similar posts count alike (PHR-PTA).
        pairing: `"sextuplet"`; `"triplet"` (TAGNet); `"none"`: the sides are summed (PHR-SCA).
        own_side: `"posts"`; `"hashtags"`: the mean of the user's most used hashtags (TAGNet).
        graph: `"relational"`; `"aggregated"` (TAGNet), one graph of the strongest links; `"none"`:
            the self term alone.
        relations: those of `visual`, `textual` that link posts; one whose side does not take part
            is left out, and without any there is no graph.
        visual_threshold, textual_threshold: theta and lambda.
        activation: of the graph convolution.
        hidden: int >= 1, of the MLP.
        dropout: float in [0, 1), in the MLP and of word vectors.
        residual: whether the counts around a post add to its logits.
        signals: the sides that the S signals speak for, at least one, with `residual`.
        cudnn: of `BiLSTM`.
        **kwargs: of `keras.Model`.

    Raises:
        ValueError: an argument is out of range, or the switches leave no pair of sides.

    Example:

    >>> import numpy as np
    >>> model = PhrModel(7, 4, vocabulary_size=9, sides=("textual", "own", "others"), features=6)
    >>> post = {
    ...     "tokens": np.array([[3, 1, 0]]), "text": np.ones((1, 4)), "has_text": np.array([True]),
    ... }
    >>> for side, count in (("own", 5), ("others", 10)):
    ...     for what in ("posts", "hashtags"):
    ...         post[f"{side}_{what}"] = np.ones((1, count, 4), "float32")
    ...         post[f"{side}_{what}_mask"] = np.ones((1, count), bool)
    >>> model(post).shape
    TensorShape([1, 7])
    """

    def __init__(
        self,
        labels: int,
        width: int,
        image_width: int = 2048,
        vocabulary_size: int = 20_000,
        *,
        own_posts: int = 5,
        other_posts: int = 10,
        proposals: int = 9,
        features: int = 300,
        projection: int = 512,
        slots: int = 16,
        heads: int = 4,
        strength: float = 1.0,
        embedding_width: int = 300,
        text: str = "words",
        sides: tuple[str, ...] = SIDES,
        memory: bool = True,
        post_tag_attention: bool = True,
        pairing: str = "sextuplet",
        own_side: str = "posts",
        graph: str = "relational",
        relations: tuple[str, ...] = RELATIONS,
        visual_threshold: float = 0.6,
        textual_threshold: float = 0.95,
        activation: str = "sigmoid",
        hidden: int = 512,
        dropout: float = 0.0,
        residual: bool = False,
        signals: tuple[str, ...] = ("own",),
        cudnn: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self._config: dict[str, Any] = {
            "labels": labels,
            "width": width,
            "image_width": image_width,
            "vocabulary_size": vocabulary_size,
            "own_posts": own_posts,
            "other_posts": other_posts,
            "proposals": proposals,
            "features": features,
            "projection": projection,
            "slots": slots,
            "heads": heads,
            "strength": strength,
            "embedding_width": embedding_width,
            "text": text,
            "sides": list(sides),
            "memory": memory,
            "post_tag_attention": post_tag_attention,
            "pairing": pairing,
            "own_side": own_side,
            "graph": graph,
            "relations": list(relations),
            "visual_threshold": visual_threshold,
            "textual_threshold": textual_threshold,
            "activation": activation,
            "hidden": hidden,
            "dropout": dropout,
            "residual": residual,
            "signals": list(signals),
            "cudnn": cudnn,
        }
        _check(self._config)
        policy = self.dtype_policy
        self.pairs = tuple(pair for pair in PAIRINGS[pairing] if set(pair) <= set(sides))
        paired = {side for pair in self.pairs for side in pair}
        self.sides = tuple(s for s in SIDES if s in (paired if self.pairs else sides))
        self.relations = tuple(
            name for name in RELATIONS if name in relations and name in self.sides
        )
        self.thresholds = (visual_threshold, textual_threshold)
        self.width, self.image_width, self.features = width, image_width, features
        self.proposals, self.text, self.own_side = proposals, text, own_side

        self._make_sides(policy)
        self.co_attention = None
        if self.pairs:
            self.co_attention = SextupletCoAttention(self.pairs, dtype=policy, name="co_attention")
        self.linked = graph != "none" and bool(self.relations)
        self.graph = self._make_graph(policy)
        self.hidden_dense = keras.layers.Dense(
            hidden, activation="relu", dtype=policy, name="hidden"
        )
        self.drop = keras.layers.Dropout(dropout, dtype=policy, name="drop")
        # Beside a residual path the MLP starts by adding nothing.
        start = "zeros" if residual else "glorot_uniform"
        self.logits_dense = keras.layers.Dense(
            labels, kernel_initializer=start, dtype=policy, name="logits"
        )
        self.residual = None
        if residual:
            self.residual = CountResidual(
                labels, dropout=dropout, l2=1e-5, dtype=policy, name="residual"
            )
        self.build()

    def _make_sides(self, policy):
        config = self._config
        proposals, features = self.proposals, self.features
        if "visual" in self.sides:
            self.projection = keras.layers.Dense(
                config["projection"], dtype=policy, name="projection"
            )
            if config["memory"]:
                sizes = [config[name] for name in ("slots", "heads", "strength")]
                self.visual = MemoryNetwork(features, *sizes, dtype=policy, name="memory")
            else:
                self.visual = keras.layers.Dense(features, dtype=policy, name="visual_dense")
            self.no_image = Placeholder(dtype=policy, name="no_image")
        if "textual" in self.sides:
            self._make_text(policy)
        for side in ("own", "others"):
            if side not in self.sides:
                continue
            segments = Segments(proposals, features, dtype=policy, name=f"{side}_segments")
            setattr(self, f"{side}_segments", segments)
            if config["post_tag_attention"] and not (side == "own" and self.own_side == "hashtags"):
                layer = PostTagAttention(dtype=policy, name=f"{side}_attention")
                setattr(self, f"{side}_attention", layer)
            else:
                layer = Placeholder(dtype=policy, name=f"no_{side}")
                setattr(self, f"no_{side}", layer)

    def _make_text(self, policy):
        config = self._config
        self.words = None
        if self.text != "encoder":
            self.words = BiLSTM(
                config["vocabulary_size"],
                self.proposals,
                self.features,
                config["embedding_width"],
                dropout=config["dropout"],
                cudnn=config["cudnn"],
                dtype=policy,
                name="words",
            )
        self.text_segments = None
        if self.text != "words":
            self.text_segments = Segments(self.proposals, self.features, dtype=policy, name="text")
        self.no_text = Placeholder(dtype=policy, name="no_text")

    def _make_graph(self, policy):
        config = self._config
        activation = config["activation"]
        if not self.linked:
            return keras.layers.Dense(
                self.features, activation=activation, use_bias=False, dtype=policy, name="graph"
            )
        if config["graph"] == "aggregated":
            return AggregatedGraphConv(
                self.features, activation=activation, dtype=policy, name="graph"
            )
        return RelationalGraphConv(
            self.features, len(self.relations), activation, dtype=policy, name="graph"
        )

    def build(self, input_shape=None):
        """Makes all weights. `__init__` calls it: all widths are among its arguments."""
        if getattr(self, "built", False):
            return
        config = self._config
        side = (None, self.proposals, self.features)
        self._build_sides(side)
        if self.co_attention is not None:
            self.co_attention.build(*(side if name in self.sides else None for name in SIDES))
        node = (None, self.proposals * self.features)
        if isinstance(self.graph, RelationalGraphConv):
            self.graph.build(node, (None, None, len(self.relations)))
        elif isinstance(self.graph, AggregatedGraphConv):
            self.graph.build(node, (None, None))
        else:
            self.graph.build(node)
        self.hidden_dense.build((None, self.features))
        self.drop.build((None, config["hidden"]))
        self.logits_dense.build((None, config["hidden"]))
        if self.residual is not None:
            vectors = (None, self.width)
            visual = (None, self.image_width) if "visual" in self.sides else None
            signals = (None, None, len(config["signals"]))
            self.residual.build(vectors, vectors, (None, None), signals, visual)
        self.built = True

    def _build_sides(self, side):
        config = self._config
        if "visual" in self.sides:
            self.projection.build((None, self.proposals, self.image_width))
            self.visual.build((None, self.proposals, config["projection"]))
            self.no_image.build(side, (None,))
        if "textual" in self.sides:
            if self.words is not None:
                self.words.build((None, None))
            if self.text_segments is not None:
                self.text_segments.build((None, self.width))
            self.no_text.build(side, (None,))
        for name, count in (("own", config["own_posts"]), ("others", config["other_posts"])):
            if name not in self.sides:
                continue
            getattr(self, f"{name}_segments").build((None, self.width))
            if hasattr(self, f"{name}_attention"):
                getattr(self, f"{name}_attention").build(
                    (None, count, self.width), (None, None, self.width)
                )
            else:
                getattr(self, f"no_{name}").build((None, self.width), (None,))

    def build_from_config(self, config):
        """Called when a saved model is loaded."""
        self.build()

    def call(self, inputs: Mapping, training=False):
        """Logits `[B, L]` of posts."""
        found = self.represent(inputs, training=training)
        return self.logits_of(found, inputs, training=training)

    def represent(self, inputs: Mapping, training=False) -> dict:
        """What is known of each post by itself, before the graph.

        Returns:
            `post`: \\(r_i\\), float `[B, m * f]`; `visual` and `textual`: the pooled features of
            the relations, float `[B, f]`; `co_attention` `[B, P, 2, m]`, `own_attention` `[B, k]`,
            `others_attention` `[B, mu]`, where the model has them.
        """
        found, sides = {}, {}
        if "visual" in self.sides:
            projected = self.projection(inputs["proposals"])
            sides["visual"] = self.no_image(self.visual(projected), inputs["has_image"])
        if "textual" in self.sides:
            sides["textual"] = self.no_text(self._text(inputs, training), inputs["has_text"])
        for side in ("own", "others"):
            if side in self.sides:
                vector, attention = self._similar(side, inputs)
                sides[side] = getattr(self, f"{side}_segments")(vector)
                if attention is not None:
                    found[f"{side}_attention"] = attention
        for relation in self.relations:
            found[relation] = ops.mean(sides[relation], axis=1)
        if self.co_attention is None:
            post = sum(sides[side] for side in self.sides)
        else:
            mixed = self.co_attention(**{side: sides.get(side) for side in SIDES})
            post, found["co_attention"] = mixed["post"], mixed["attention"]
        found["post"] = ops.reshape(post, (-1, self.proposals * self.features))
        return found

    def logits_of(self, found: Mapping, inputs: Mapping, training=False):
        """Logits from what `represent` gave: the graph, the MLP, the residual path."""
        if not self.linked:
            node = self.graph(found["post"])
        elif "neighbour_messages" in inputs:
            node = self._from_neighbours(found, inputs)
        else:
            node = self._from_batch(found, inputs)
        logits = self.logits_dense(self.drop(self.hidden_dense(node), training=training))
        if self.residual is not None:
            read = self.residual_inputs(inputs)
            logits = logits + self.residual(**read, training=training)
        if keras.backend.standardize_dtype(logits.dtype) in ("float16", "bfloat16"):
            logits = ops.cast(logits, "float32")
        return logits

    def residual_inputs(self, inputs: Mapping) -> dict:
        """What the residual path reads of posts: nothing of a side that takes no part.

        Returns:
            The arguments of `CountResidual`: `text` and `user`, float `[B, g]`, `labels`, int
            `[B, N]`, `signals`, float `[B, N, S]`; in a model with a visual side `visual`, float
            `[B, a']`, the mean proposal, zeros where there is no picture.
        """

        def of_side(side, values):
            return values if side in self.sides else ops.zeros_like(values)

        taken = np.array([side in self.sides for side in self._config["signals"]], "float32")
        signals = inputs["count_signals"]
        found = {
            "text": of_side("textual", inputs["text"]),
            "user": of_side("own", inputs["user_text"]),
            "labels": inputs["count_labels"],
            "signals": signals * ops.convert_to_tensor(taken, signals.dtype),
        }
        if "visual" in self.sides:
            mean = ops.mean(ops.cast(inputs["proposals"], self.compute_dtype), axis=1)
            there = ops.cast(inputs["has_image"], "bool")[:, None]
            found["visual"] = ops.where(there, mean, ops.zeros_like(mean))
        return found

    def catalogue(self, inputs: Mapping) -> dict:
        """What train posts send to their neighbours at inference.

        With `graph="aggregated"` this is what a post sends of its own; `spread` adds what reaches
        it from others, once all train posts are there.

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
            **{relation: found[relation] for relation in self.relations},
            **{HAS[relation]: inputs[HAS[relation]] for relation in self.relations},
        }

    def spread(self, catalogue: Mapping, neighbours) -> dict:
        """The catalogue of all train posts as their neighbours leave it; call it once.

        With `graph="aggregated"` a post passes on what it received itself (see
        `AggregatedGraphConv`); with `graph="relational"` nothing changes.

        Args:
            catalogue: of `catalogue`, its parts put together: a row a train post.
            neighbours: int `[N, n]`, the rows that each train post is linked to where they are
                similar enough; -1 pads.

        Returns:
            The catalogue with the `messages` that `neighbour_messages` are taken from.
        """
        catalogue = dict(catalogue)
        if not isinstance(self.graph, AggregatedGraphConv):
            return catalogue
        neighbours = np.asarray(neighbours)
        blocks = []
        for start in range(0, len(neighbours), _BLOCK):  # [N, n, f] at once would be large
            rows = slice(start, start + _BLOCK)
            inputs = {}
            for relation in self.relations:
                has = np.asarray(catalogue[HAS[relation]])
                inputs[HAS[relation]] = has[rows]
                inputs[f"neighbour_{relation}"] = np.asarray(catalogue[relation])[neighbours[rows]]
                inputs[f"neighbour_{relation}_mask"] = (neighbours[rows] >= 0) & has[
                    neighbours[rows]
                ]
            found = {relation: catalogue[relation][rows] for relation in self.relations}
            blocks.append(np.asarray(self._merged(self._neighbour_edges(found, inputs))))
        weights = np.concatenate([np.zeros((0, neighbours.shape[1]), np.float32), *blocks])
        messages = self.graph.spread(catalogue["messages"], neighbours, weights)
        return {**catalogue, "messages": np.asarray(messages)}

    def neighbour_weights(self, found: Mapping, inputs: Mapping):
        """Weights of the edges from posts to their neighbours, 0 where there is none.

        Args:
            found: of `represent`.
            inputs: with the parts that begin with `neighbour_`.

        Returns:
            Float `[B, n, R]`; R is 1 with `graph="aggregated"`, which has one graph.
        """
        edges = self._neighbour_edges(found, inputs)
        if isinstance(self.graph, AggregatedGraphConv):
            return self._merged(edges)[..., None]
        return edges

    def _text(self, inputs, training):
        parts = []
        if self.words is not None:
            parts.append(self.words(inputs["tokens"], training=training))
        if self.text_segments is not None:
            parts.append(self.text_segments(inputs["text"]))
        return sum(parts)

    def _similar(self, side, inputs):
        """The vector `[B, g]` of similar posts (or of used hashtags), and the weights of posts."""
        if side == "own" and self.own_side == "hashtags":
            values, mask = inputs["used_hashtags"], inputs["used_hashtags_mask"]
        else:
            values, mask = inputs[f"{side}_posts"], inputs[f"{side}_posts_mask"]
        attention = getattr(self, f"{side}_attention", None)
        if attention is not None:
            result = attention(
                values,
                inputs[f"{side}_hashtags"],
                posts_mask=mask,
                hashtags_mask=inputs[f"{side}_hashtags_mask"],
            )
            return result["vector"], result["attention"]
        values = ops.cast(values, self.compute_dtype)
        values = ops.where(ops.cast(mask, "bool")[..., None], values, ops.zeros_like(values))
        weights = ops.cast(mask, values.dtype)
        weights = weights / ops.maximum(ops.sum(weights, axis=1, keepdims=True), 1)
        mean = ops.einsum("bk,bkg->bg", weights, values)
        return getattr(self, f"no_{side}")(mean, ops.any(mask, axis=1)), None

    def _from_batch(self, found, inputs):
        edges = similarity_edges(
            found.get("visual"),
            found.get("textual"),
            *self.thresholds,
            visual_mask=inputs.get("has_image"),
            textual_mask=inputs.get("has_text"),
        )
        hidden = None
        reads_hashtags = self.own_side == "hashtags" or any(
            hasattr(self, f"{side}_attention") for side in ("own", "others")
        )
        if "seen_posts" in inputs and reads_hashtags:
            # [i, j]: what j was made of holds the hashtags of i, so i must not hear of it.
            seen, posts = inputs["seen_posts"], inputs["post"]
            hidden = ops.any(seen[None] == posts[:, None, None], axis=-1)
        if isinstance(self.graph, AggregatedGraphConv):
            return self.graph(found["post"], self._merged(edges), hidden=hidden)
        if hidden is not None:
            edges = ops.where(hidden[..., None], ops.zeros_like(edges), edges)
        return self.graph(found["post"], edges)

    def _from_neighbours(self, found, inputs):
        edges = self._neighbour_edges(found, inputs)
        if isinstance(self.graph, AggregatedGraphConv):
            edges = self._merged(edges)
        return self.graph.combine(found["post"], inputs["neighbour_messages"], edges)

    def _neighbour_edges(self, found, inputs):
        masks = {}
        for relation in self.relations:
            has = ops.cast(inputs[HAS[relation]], "bool")[:, None]
            mask = ops.cast(inputs[f"neighbour_{relation}_mask"], "bool")
            masks[f"neighbour_{relation}_mask"] = ops.logical_and(mask, has)
        return neighbour_edges(
            found.get("visual"),
            found.get("textual"),
            inputs["neighbour_visual"] if "visual" in self.relations else None,
            inputs["neighbour_textual"] if "textual" in self.relations else None,
            *self.thresholds,
            **masks,
        )

    @staticmethod
    def _merged(edges):
        """One graph of all relations: the strongest link of two posts, none below 0."""
        return ops.maximum(ops.max(edges, axis=-1), 0)

    def get_config(self):
        """The arguments of `__init__`."""
        return {**super().get_config(), **self._config}


def _check(config: Mapping) -> None:
    """Names and sizes that no layer checks."""
    for name, known in (
        ("text", TEXTS),
        ("pairing", tuple(PAIRINGS)),
        ("own_side", OWN_SIDES),
        ("graph", GRAPHS),
    ):
        if config[name] not in known:
            raise ValueError(f"`{name}` must be one of {', '.join(known)}, found {config[name]!r}.")
    for name, known in (("sides", SIDES), ("signals", SIDES), ("relations", RELATIONS)):
        for value in config[name]:
            if value not in known:
                raise ValueError(f"`{name}` must be out of {', '.join(known)}, found {value!r}.")
    for name in ("labels", "width", "image_width", "hidden", "projection"):
        if not isinstance(config[name], int) or config[name] < 1:
            raise ValueError(f"`{name}` must be an integer of at least 1, found {config[name]!r}.")
    pairs = PAIRINGS[config["pairing"]]
    for name in ("sides", "signals"):
        if not config[name]:
            raise ValueError(f"`{name}` must name at least one side, found none.")
    if pairs and not any(set(pair) <= set(config["sides"]) for pair in pairs):
        raise ValueError(
            f"`sides` {list(config['sides'])} leave no pair for `pairing` {config['pairing']!r}; "
            "name another side, or set `pairing` to 'none'."
        )
