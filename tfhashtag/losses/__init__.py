"""Losses, one a file."""

from tfhashtag.losses.label_crossentropy import LabelCrossentropy
from tfhashtag.losses.listwise_softmax import ListwiseSoftmax
from tfhashtag.losses.neural_topic_loss import NeuralTopicLoss
from tfhashtag.losses.weighted_binary_crossentropy import WeightedBinaryCrossentropy

__all__ = ["LabelCrossentropy", "ListwiseSoftmax", "NeuralTopicLoss", "WeightedBinaryCrossentropy"]
