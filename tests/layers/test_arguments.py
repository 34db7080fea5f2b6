"""What every layer refuses, and what dropout does in each that has it."""

import numpy as np
import pytest

from tfhashtag import layers as L

NAN = float("nan")
# Arguments, the last of which is wrong and named.
WRONG = [
    (L.AggregatedGraphConv, {"units": 0}),
    (L.AggregatedGraphConv, {"units": 2, "hops": 0}),
    *((L.BiLSTM, {"vocabulary_size": 9, name: value}) for name, value in (
        ("proposals", 0), ("features", 1), ("features", 5), ("embedding_width", 0),
        ("pooling", "max"), ("dropout", 1.0), ("vocabulary_size", 1),
    )),
    *((L.CountResidual, {"labels": 3, name: value}) for name, value in (
        ("labels", 0), ("l2", -1.0), ("dropout", 1.0),
    )),
    (L.EngagementHead, {"hidden": 0}),
    (L.EngagementHead, {"dropout": -0.1}),
    (L.HashtagAttention, {"units": 0}),
    *((L.MemoryNetwork, {name: value}) for name, value in (
        ("features", 0), ("slots", 0), ("heads", 2.0), ("strength", NAN),
    )),
    (L.MixtureOfExperts, {"units": 2, "experts": 0}),
    (L.MixtureOfExperts, {"experts": 2, "units": 1.5}),
    (L.MixtureOfExperts, {"experts": 2, "units": 2, "balance": -1.0}),
    (L.NeuralTopicModel, {"vocabulary_size": 0}),
    (L.NeuralTopicModel, {"vocabulary_size": 8, "topics": 1}),
    (L.NeuralTopicModel, {"vocabulary_size": 8, "hidden": 0}),
    (L.ParallelCoAttention, {"units": 0}),
    (L.ParallelCoAttention, {"units": 2.0}),
    (L.PersonalizedTopicAttention, {"units": 0}),
    (L.PersonalizedTopicAttention, {"score": "dot"}),
    (L.PictureTextAgreement, {"temperature": 0}),
    (L.RelationalGraphConv, {"units": 0}),
    (L.RelationalGraphConv, {"units": 2, "relations": 0}),
    *((L.ScorerEnsemble, {name: value}) for name, value in (
        ("members", 0), ("hidden", ()), ("hidden", (0,)), ("dropout", 1.0),
    )),
    (L.Segments, {"proposals": 0}),
    (L.Segments, {"features": 1.5}),
    *((L.SextupletCoAttention, {"pairs": pairs}) for pairs in (
        (), [("visual", "sound")], [("own", "own")], [("own", "visual"), ("visual", "own")],
    )),
    (L.Standardizer, {"clip": 0}),
    (L.UserEncoder, {"hidden": 0}),
    (L.UserEncoder, {"hidden": 2, "layers": 0}),
    (L.UserEncoder, {"hidden": 2, "pooling": "mean", "layers": -1}),
    (L.UserEncoder, {"hidden": 2, "pooling": "max"}),
    (L.UserEncoder, {"hidden": 2, "dropout": 1.0}),
    (L.UserHabit, {"units": 0}),
]  # fmt: skip


@pytest.mark.parametrize("layer, arguments", WRONG)
def test_arguments_are_checked(layer, arguments):
    name = [*arguments][-1]
    with pytest.raises(ValueError, match=f"`{name}`"):
        layer(**arguments)


@pytest.mark.parametrize(
    "layer, shapes, words",
    [
        (L.BiLSTM(9), [(2, 3, 4)], "`tokens`"),
        (L.HashtagAttention(), [(2, 3)], "`hashtags`"),
        (L.MemoryNetwork(4), [(2, 3)], "`proposals`"),
        (L.MemoryNetwork(4), [(None, None, 4)], "`proposals`"),
        (L.MemoryNetwork(4), [(None, 3, None)], "`proposals`"),
        (L.NeuralTopicModel(8), [(2, 9)], "`vocabulary_size` = 8"),
        (L.ParallelCoAttention(), [(2, 3), (2, 3, 4)], "`words`"),
        (L.ParallelCoAttention(), [(2, 3, 4), (2, 3)], "`image`"),
        (L.ParallelCoAttention(), [(2, 3, 4), (2, 3, 5)], "4 and 5"),
        (L.Placeholder(), [(None, None, 4)], "`values`"),
        (L.Placeholder(), [(3,), (3,)], "`values`"),
        (L.PostTagAttention(), [(2, 3), (2, 3, 4)], "`posts`"),
        (L.PostTagAttention(), [(2, 3, 4), (2, 3)], "`hashtags`"),
        (L.PostTagAttention(), [(2, 3, 4), (2, 3, 5)], "4 and 5"),
        (L.Segments(), [(2, 3, 4)], "`vectors`"),
        (L.UserEncoder(2), [(3, 4)], r"\[users, messages, width\]"),
        (L.UserHabit(), [(2, 3), (2, 3), (2, 4, 5)], "`history`"),
        (L.UserHabit(), [(2, 3), (2, 4, 3), (2, 5)], "`hashtags`"),
        (L.UserHabit(), [(2, 9), (2, 4, 3), (2, 4, 5)], "`post`"),
    ],
)
def test_shapes_are_checked(layer, shapes, words):
    with pytest.raises(ValueError, match=words):
        layer.build(*shapes)


RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    "layer, inputs",
    [
        (L.BiLSTM(9, 2, 4, 5, dropout=0.5), [RNG.integers(1, 9, (3, 6))]),
        (L.CountResidual(5, dropout=0.5), [RNG.normal(size=(3, 64)), RNG.normal(size=(3, 64)),
                                           np.zeros((3, 2), int), np.ones((3, 2, 2))]),
        (L.EngagementHead(64, dropout=0.5), [RNG.normal(size=(2, 3, 4)), RNG.normal(size=(2, 5))]),
        (L.ScorerEnsemble(1, (32,), dropout=0.5), [RNG.normal(size=(3, 4))]),
    ],
)  # fmt: skip
def test_dropout_in_training_only(layer, inputs):
    inputs = [x if x.dtype == int else x.astype("float32") for x in inputs]
    layer(*inputs)
    for weight in layer.trainable_variables:  # some start as zeros, which nothing drops
        weight.assign(RNG.normal(size=weight.shape))
    still = np.array(layer(*inputs))
    assert np.array_equal(still, layer(*inputs, training=False))
    assert not np.allclose(still, layer(*inputs, training=True))
