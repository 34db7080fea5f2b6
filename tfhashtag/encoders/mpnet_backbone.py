"""MPNet (Song et al., 2020), a transformer that KerasHub does not have."""

import math
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

_FIRST = 2  # position of a message's first token; those before belong to padding
_FAR = 128  # tokens from which on all distances are one


def mpnet_backbone(config: Mapping[str, Any], weights: Mapping[str, np.ndarray]) -> keras.Model:
    """The network of a Hugging Face checkpoint of MPNet.

    Args:
        config: its `config.json`.
        weights: its arrays by their names, as they were trained; more than are needed may be there.

    Returns:
        From `token_ids` and `padding_mask`, int32 `[batch, tokens]`, to float32
        `[batch, tokens, width]`; `max_sequence_length` says how many tokens it takes.

    Raises:
        KeyError: a size or an array is missing.
    """
    width, heads = config["hidden_size"], config["num_attention_heads"]
    epsilon, positions = config["layer_norm_eps"], config["max_position_embeddings"]
    ids, mask = (keras.Input((None,), dtype="int32", name=n) for n in ("token_ids", "padding_mask"))
    embedding = _Embedding(config["vocab_size"], positions, width, epsilon, name="embedding")
    bias = _PositionBias(config["relative_attention_num_buckets"], heads, name="bias")
    layers = [
        _Layer(heads, config["intermediate_size"], epsilon, name=f"layer_{number}")
        for number in range(config["num_hidden_layers"])
    ]
    hidden, between = embedding(ids), bias(mask)
    for layer in layers:
        hidden = layer(hidden, between)
    found = keras.Model({"token_ids": ids, "padding_mask": mask}, hidden, name="mpnet")
    found.max_sequence_length = positions - _FIRST

    for name, (variable, turned) in _places(found).items():
        variable.assign(weights[name].T if turned else weights[name])
    return found


def mpnet_weights(backbone: keras.Model) -> dict[str, np.ndarray]:
    """The arrays of an `mpnet_backbone` as they are now, by their names in a checkpoint."""
    return {
        name: np.ascontiguousarray(np.asarray(variable).T if turned else np.asarray(variable))
        for name, (variable, turned) in _places(backbone).items()
    }


def _places(backbone: keras.Model) -> dict[str, tuple[Any, bool]]:
    """The variable of each array of a checkpoint, and whether it is the array turned."""
    embedding, bias = (backbone.get_layer(name) for name in ("embedding", "bias"))
    found: dict[str, tuple[Any, bool]] = {
        "embeddings.word_embeddings.weight": (embedding.tokens, False),
        "embeddings.position_embeddings.weight": (embedding.places, False),
        "encoder.relative_attention_bias.weight": (bias.table, False),
    }

    def norm(layer: Any, name: str) -> None:
        found[f"{name}.LayerNorm.weight"] = layer.gamma, False
        found[f"{name}.LayerNorm.bias"] = layer.beta, False

    def projection(layer: Any, name: str) -> None:
        found[f"{name}.weight"] = layer.kernel, True
        found[f"{name}.bias"] = layer.bias, False

    norm(embedding.norm, "embeddings")
    layers = [layer for layer in backbone.layers if isinstance(layer, _Layer)]
    for number, layer in enumerate(layers):
        name = f"encoder.layer.{number}"
        for part in ("query", "key", "value"):
            projection(getattr(layer, part), f"{name}.attention.attn.{part[0]}")
        projection(layer.read, f"{name}.attention.attn.o")
        norm(layer.attention_norm, f"{name}.attention")
        projection(layer.up, f"{name}.intermediate.dense")
        projection(layer.down, f"{name}.output.dense")
        norm(layer.norm, f"{name}.output")
    return found


class _Embedding(keras.layers.Layer):
    """Vectors of tokens and of their positions, summed and normalised.

    Input: int `[batch, tokens]`. Output: float `[batch, tokens, width]`.

    Args:
        vocabulary_size, positions, width: of the tables; `positions` less two is the most tokens.
        epsilon: of the norm.
        **kwargs: of `keras.layers.Layer`.
    """

    def __init__(
        self, vocabulary_size: int, positions: int, width: int, epsilon: float, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.vocabulary_size, self.positions = vocabulary_size, positions
        self.width, self.epsilon = width, epsilon

    def build(self, inputs_shape: Any) -> None:
        self.tokens = self.add_weight((self.vocabulary_size, self.width), name="tokens")
        self.places = self.add_weight((self.positions, self.width), name="places")
        self.norm = _norm(self, self.width, "norm")

    def call(self, inputs: Any) -> Any:
        count = ops.shape(inputs)[1]
        return self.norm(ops.take(self.tokens, inputs, 0) + self.places[_FIRST : _FIRST + count])


class _PositionBias(keras.layers.Layer):
    r"""What every attention adds to the product of two tokens, by how far apart they stand.

    Half of the buckets are of tokens before, half of tokens after; of each half one half holds a
    distance each, the other ever longer stretches of distances up to 128. Padding gets -1e9.

    Input: bool or int `[batch, tokens]`, 1 for a token. Output: float `[batch, heads, query, key]`.

    Args:
        buckets: int, a multiple of 4.
        heads: int.
        **kwargs: of `keras.layers.Layer`.
    """

    def __init__(self, buckets: int, heads: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.buckets, self.heads = buckets, heads

    def build(self, mask_shape: Any) -> None:
        self.table = self.add_weight((self.buckets, self.heads), name="table")

    def call(self, mask: Any) -> Any:
        place = ops.arange(ops.shape(mask)[1])
        after = place[None] - place[:, None]
        distance, half = ops.abs(after), self.buckets // 2
        exact = half // 2
        ratio = ops.cast(ops.maximum(distance, 1), "float32") / exact
        longer = exact + ops.cast(ops.log(ratio) / math.log(_FAR / exact) * (half - exact), "int32")
        bucket = ops.where(distance < exact, distance, ops.minimum(longer, half - 1))
        bucket = bucket + ops.where(after > 0, half, 0)
        bias = ops.transpose(ops.take(self.table, bucket, axis=0), (2, 0, 1))[None]
        unseen = ops.where(ops.cast(mask, "bool"), 0.0, -1e9)[:, None, None]
        return bias + ops.cast(unseen, bias.dtype)


class _Layer(keras.layers.Layer):
    """Attention with a bias of positions and a feed-forward network, each summed and normalised.

    Inputs: hidden float `[batch, tokens, width]`, bias as of `_PositionBias`. Output: like
    hidden.

    Args:
        heads, inner: int, heads and width of the feed-forward network.
        epsilon: of the norms.
        **kwargs: of `keras.layers.Layer`.
    """

    def __init__(self, heads: int, inner: int, epsilon: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.heads, self.inner, self.epsilon = heads, inner, epsilon

    def build(self, hidden_shape: Any, bias_shape: Any) -> None:
        width = hidden_shape[-1]
        self.query, self.key, self.value, self.read = (
            _dense(self, width, width, name) for name in ("query", "key", "value", "read")
        )
        self.attention_norm = _norm(self, width, "attention_norm")
        self.up = _dense(self, width, self.inner, "up", activation="gelu")
        self.down = _dense(self, self.inner, width, "down")
        self.norm = _norm(self, width, "norm")

    def call(self, hidden: Any, bias: Any) -> Any:
        shape = ops.shape(hidden)
        width = self.read.units // self.heads

        def of_heads(layer: Any) -> Any:
            vectors = ops.reshape(layer(hidden), (shape[0], shape[1], self.heads, width))
            return ops.transpose(vectors, (0, 2, 1, 3))

        keys = ops.transpose(of_heads(self.key), (0, 1, 3, 2))
        scores = ops.matmul(of_heads(self.query) * width**-0.5, keys) + bias
        read = ops.matmul(ops.softmax(scores), of_heads(self.value))
        hidden = self.attention_norm(
            hidden + self.read(ops.reshape(ops.transpose(read, (0, 2, 1, 3)), shape))
        )
        return self.norm(hidden + self.down(self.up(hidden)))


def _dense(layer: Any, width: int, units: int, name: str, **how: Any) -> keras.layers.Dense:
    found = keras.layers.Dense(units, dtype=layer.dtype_policy, name=name, **how)
    found.build((None, width))
    return found


def _norm(layer: Any, width: int, name: str) -> keras.layers.LayerNormalization:
    found = keras.layers.LayerNormalization(
        epsilon=layer.epsilon, dtype=layer.dtype_policy, name=name
    )
    found.build((None, width))
    return found
