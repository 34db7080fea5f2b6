"""Tokens without padding against KerasHub's own backbones, which pad."""

import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from tfhashtag.encoders.backbone_text_encoder import BackboneTextEncoder
from tfhashtag.encoders.packed_transformer import PackedTransformer

SIZES = {
    "vocabulary_size": 50,
    "num_layers": 2,
    "num_heads": 3,
    "hidden_dim": 12,
    "intermediate_dim": 20,
    "max_sequence_length": 32,
}
LENGTHS = [5, 1, 9, 4, 4]


def unlike_its_start(backbone):
    """Weights for which every bias and norm counts."""
    random = np.random.default_rng(0)
    backbone.set_weights([random.normal(0, 0.5, w.shape) for w in backbone.get_weights()])
    return backbone


@pytest.fixture(params=["bert", "roberta"])
def backbone(request):
    kinds = {
        "bert": keras_hub.models.BertBackbone,
        "roberta": keras_hub.models.RobertaBackbone,
    }
    return unlike_its_start(kinds[request.param](**SIZES))


def inputs_of(backbone, lengths, longest=None):
    longest = max(lengths) if longest is None else longest
    ids = np.random.default_rng(1).integers(4, 50, (len(lengths), longest)).astype(np.int32)
    mask = (np.arange(longest) < np.array(lengths)[:, None]).astype(np.int32)
    inputs = {"token_ids": ids, "padding_mask": mask, "segment_ids": np.zeros_like(ids)}
    return {tensor.name: tf.constant(inputs[tensor.name]) for tensor in backbone.inputs}


def padded(backbone, inputs):
    found = backbone(inputs, training=False)
    hidden = found["sequence_output"] if isinstance(found, dict) else found
    return hidden.numpy()[inputs["padding_mask"].numpy() == 1]


@pytest.mark.parametrize("lengths", [LENGTHS, [7], [1, 1], [0, 3, 0]])
def test_tokens_are_those_of_the_padded_backbone(backbone, lengths):
    inputs = inputs_of(backbone, lengths)
    found = PackedTransformer(backbone)(inputs, tf.constant(lengths))
    assert found.shape == (sum(lengths), 12)
    np.testing.assert_allclose(found, padded(backbone, inputs), atol=1e-4)


def test_norms_may_come_first(backbone):
    for layer in backbone.transformer_layers:
        layer.normalize_first = True
    inputs = inputs_of(backbone, LENGTHS)
    after = PackedTransformer(backbone)(inputs, tf.constant(LENGTHS)).numpy()
    # The functional model runs its layers anew, with what they are told now.
    np.testing.assert_allclose(after, padded(backbone, inputs), atol=1e-4)
    for layer in backbone.transformer_layers:
        layer.normalize_first = False
    before = PackedTransformer(backbone)(inputs, tf.constant(LENGTHS)).numpy()
    assert not np.allclose(before, after, atol=1e-2)


def test_messages_do_not_see_one_another_nor_their_padding(backbone):
    packed = PackedTransformer(backbone)
    inputs = inputs_of(backbone, LENGTHS, longest=12)
    together = packed(inputs, tf.constant(LENGTHS)).numpy()
    ends = np.cumsum(LENGTHS)
    for row, (length, end) in enumerate(zip(LENGTHS, ends, strict=True)):
        alone = packed(
            {name: values[row : row + 1, :length] for name, values in inputs.items()},
            tf.constant([length]),
        )
        np.testing.assert_allclose(together[end - length : end], alone, atol=1e-4)


def encoder_of(backbone, pooling="mean", normalize=False, special_ids=(0, 1, 2)):
    words = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(tf.constant(["a", "b", "c"]), tf.constant([7, 8, 9])), 3
    )

    def tokenizer(strings):
        return tf.ragged.map_flat_values(words.lookup, tf.strings.split(strings))

    return BackboneTextEncoder(
        backbone,
        tokenizer,
        name="tiny",
        special_ids=special_ids,
        vocabulary=["a", "b", "c"],
        max_length=16,
        pooling=pooling,
        normalize=normalize,
    )


@pytest.mark.parametrize("pooling, normalize", [("mean", True), ("cls", False)])
def test_an_encoder_pools_as_it_does_with_padding(backbone, pooling, normalize):
    encoder = encoder_of(backbone, pooling, normalize)
    assert encoder.skips_padding
    messages = ["a b c a b", "", "c", "b b"]
    np.testing.assert_allclose(encoder(tf.constant(messages)), encoder.encode(messages), atol=1e-4)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_messages_without_a_token_are_zeros(backbone, pooling):
    encoder = encoder_of(backbone, pooling, special_ids=(None, None, 2))
    for messages in ([], [""], ["", ""], ["", "a b"], ["a b", ""]):
        found = encoder(tf.constant(messages, tf.string)).numpy()
        assert found.shape == (len(messages), 12)
        for message, vector in zip(messages, found, strict=True):
            assert np.any(vector != 0) == bool(message), messages


@pytest.mark.parametrize(
    "other",
    [
        keras_hub.models.DebertaV3Backbone(**SIZES),
        keras_hub.models.BertBackbone(**SIZES, dtype="mixed_bfloat16"),
    ],
    ids=["layers of its own", "half precision"],
)
def test_other_backbones_are_run_as_they_are(other):
    assert not PackedTransformer.can_pack(other)
    encoder = encoder_of(other)
    assert not encoder.skips_padding
    found = encoder(tf.constant(["a b", ""]))
    assert found.shape == (2, 12) and found.dtype == tf.float32
