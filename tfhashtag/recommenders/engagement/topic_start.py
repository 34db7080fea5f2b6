"""Weights of the topic model from which training goes on instead of beginning at random."""

from typing import Any

import numpy as np
import scipy.sparse

from tfhashtag.layers import NeuralTopicModel


def start_from_clusters(
    model: NeuralTopicModel, bags: scipy.sparse.csr_matrix, seed: int = 0, rounds: int = 15
) -> None:
    """Gives every topic the words of one cluster of bags.

    From random weights a hashtag's topics hardly change the words that the decoder expects, the
    divergence of equation 9 outweighs what they explain, and the posterior collapses: every
    hashtag gets the same mixture. From words that do stand together the topics explain something
    from the first step.

    Clusters are of spherical k-means over TF-IDF vectors (Dhillon and Modha, 2001), begun with bags
    that lie apart (Arthur and Vassilvitskii, 2007, k-means++, by one minus the cosine).

    Args:
        model: built; its decoder is set by `NeuralTopicModel.start_from_topics`.
        bags: counts of words, `[hashtags, V]`.
        seed: of the first centres.
        rounds: of k-means.
    """
    unit = _tfidf(bags)
    members = np.argmax(unit @ _first_centres(unit, model.topics, seed).T, axis=1)
    for _ in range(rounds):
        centres = (_indicator(members, model.topics) @ unit).toarray()
        lengths = np.linalg.norm(centres, axis=1, keepdims=True)
        members = np.argmax(unit @ (centres / np.where(lengths > 0, lengths, 1)).T, axis=1)
    model.start_from_topics((_indicator(members, model.topics) @ bags).toarray())


def _first_centres(unit: Any, count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    nearest = np.zeros(unit.shape[0])
    chosen = []
    for _ in range(count):
        distance = np.maximum(1 - nearest, 0) + 1e-12  # there may be fewer bags than topics
        chosen.append(rng.choice(len(distance), p=distance / distance.sum()))
        nearest = np.maximum(nearest, (unit @ unit[chosen[-1]].T).toarray().ravel())
    return unit[chosen].toarray()


def _indicator(members: np.ndarray, count: int) -> scipy.sparse.csr_matrix:
    """One in row `members[i]` of column i."""
    ones = np.ones(len(members))
    return scipy.sparse.csr_matrix(
        (ones, (members, np.arange(len(members)))), (count, len(members))
    )


def _tfidf(bags: Any) -> scipy.sparse.csr_matrix:
    weights = scipy.sparse.csr_matrix(bags, dtype=np.float64, copy=True)
    weights.data = 1 + np.log(weights.data)
    frequency = np.asarray((bags > 0).sum(axis=0)).ravel()
    rarity = np.log((1 + bags.shape[0]) / (1 + frequency))
    weights = scipy.sparse.csr_matrix(weights @ scipy.sparse.diags(rarity))
    lengths = np.sqrt(np.asarray(weights.multiply(weights).sum(axis=1)).ravel())
    scaled = scipy.sparse.diags(1 / np.where(lengths > 0, lengths, 1)) @ weights
    return scipy.sparse.csr_matrix(scaled)
