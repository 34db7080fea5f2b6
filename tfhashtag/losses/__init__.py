"""Losses, one a file."""

from tfhashtag.losses.listwise_softmax import ListwiseSoftmax
from tfhashtag.losses.neural_topic_loss import NeuralTopicLoss
from tfhashtag.losses.weighted_binary_crossentropy import WeightedBinaryCrossentropy

__all__ = ["ListwiseSoftmax", "NeuralTopicLoss", "WeightedBinaryCrossentropy"]
