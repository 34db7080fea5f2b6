"""Starting weights with which the published model ranks by the closeness of user and messages."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from tfhashtag.recommenders.engagement.model import EngagementModel
from tfhashtag.recommenders.engagement.scoring import encode_users

_OPEN, _CLOSED = 3.0, -3.0
_COUNTERS = 8  # units of the first layer that count the steps
_LONGEST = 64  # steps up to which they count well
_FOCUS = 14.0  # slope of the starting attention in the cosine of user and message
_APART = 1.5  # what |x - y| counts against |x + y|; chosen on valid


def start_from_similarity(
    model: EngagementModel,
    history: np.ndarray,
    batch: tuple[Mapping, np.ndarray],
    *,
    ridge: float = 1e-2,
    seed: int = 0,
) -> None:
    r"""Sets weights so that an untrained model prefers hashtags whose messages are like the user's.

    Equations 5 to 7 join user and hashtag by a sum inside a ReLU. From random weights such a
    network must first find out what closeness is, and a few thousand pairs do not tell it. A ReLU
    layer can express closeness, though: \(|x + y| - c |x - y|\) of two numbers needs four units and
    grows when \(x\) and \(y\) agree. So

    - the first LSTM starts by passing on what it reads, and by counting the steps; the second keeps
      the running mean: at step \(t\) it forgets \(1/t\) of its state and takes in as much. Where
      \(r_u\) is a mean of states (LSTM-ATT, evenly weighed at the start), both pass on;
    - a ridge regression over `history` says how the mean message \(\bar r_u\) is read from
      \(r_u\); no label takes part;
    - the head starts as \(\sum_i |a_i^T (\bar r_u + r_u^h)| - c |a_i^T (\bar r_u - r_u^h)|\) over
      orthonormal \(a_i\), one for each four of its units;
    - the attention, if there is any, starts with a preference for messages near \(\bar r_u\);
    - a scale and an offset of the logits are fitted to one batch, by the loss of training. Else
      the first hundreds of steps move every weight just to find the base rate.

    The equations are the paper's, which says nothing of how weights start; all of them are trained
    as ever.

    Args:
        model: with `message_vectors` set; of components of unit root mean square.
        history: int `[U, H]`, message rows of users, -1 pads at the end.
        batch: inputs and labels `[B, C]`, as `fit` takes them, of the train split.
        ridge: of the regression, relative to the mean square of \(r_u\), > 0.
        seed: of the directions \(a_i\).

    Raises:
        ValueError: the head has fewer than 4 units, or `ridge` is not positive.
    """
    if model.head.hidden < 4:
        raise ValueError(
            f"`model` must have a head of at least 4 hidden units, found {model.head.hidden}."
        )
    if ridge <= 0:
        raise ValueError(f"`ridge` must be positive, found {ridge!r}.")
    rng = np.random.default_rng(seed)
    _average_messages(model, rng)
    decoder, means = _decoder(model, history, ridge)
    if model.topic_attention.score == "topic_bilinear":
        _attend_to_near_messages(model, rng, decoder, means)
    _compare_in_head(model, rng, decoder)
    _fit_logits(model, batch)


def _decoder(model: Any, history: Any, ridge: Any) -> tuple[np.ndarray, np.ndarray]:
    """How mean messages are read from users' embeddings, `[user_width, d]`, and the means."""
    vectors = np.asarray(model.message_vectors)
    real = history >= 0
    history, real = history[real.any(1)], real[real.any(1)]
    means = np.stack([vectors[row[mask]].mean(0) for row, mask in zip(history, real, strict=True)])
    users = encode_users(model, history)
    square = users.T @ users / len(users)
    square[np.diag_indices_from(square)] += ridge * np.mean(users**2)
    return np.linalg.solve(square, users.T @ means / len(users)), means


def _attend_to_near_messages(model: Any, rng: Any, decoder: Any, means: Any) -> None:
    """\\((W_q r_u)^T tanh(W_k r_m)\\) becomes about slope * cosine."""
    attention, vectors = model.topic_attention, np.asarray(model.message_vectors)
    width = vectors.shape[1]
    basis = _orthonormal(rng, width, min(width, attention.units))
    small = 0.3
    norms = np.linalg.norm(means, axis=1).mean() * np.linalg.norm(vectors, axis=1).mean()
    _set_part(attention.message_dense.kernel, small * basis)
    # No query: the other units wait, and what the topics say is added to none.
    query = np.zeros(attention.query_dense.kernel.shape, "float32")
    query[:, : basis.shape[1]] = _FOCUS / (small * norms) * decoder @ basis
    attention.query_dense.kernel.assign(query)
    if model.topic_model is not None:
        topics = np.asarray(attention.topic_dense.kernel).copy()
        topics[:, : basis.shape[1]] = 0
        attention.topic_dense.kernel.assign(topics)


def _compare_in_head(model: Any, rng: Any, decoder: Any) -> None:
    """Four units of the head a direction."""
    width = model.message_width
    directions = min(model.head.hidden // 4, width)
    axes = _orthonormal(rng, width, directions)
    head = model.head
    of_messages = np.concatenate([axes, -axes, -axes, axes], axis=1)
    beside = head.hashtag_dense.kernel.shape[0] - width  # topics, which say nothing yet
    _set_part(head.hashtag_dense.kernel, np.pad(of_messages, [(0, beside), (0, 0)]))
    read = decoder @ axes
    _set_part(head.user_dense.kernel, np.concatenate([read, -read, read, -read], axis=1))
    output = np.concatenate([np.ones(2 * directions), np.full(2 * directions, -_APART)])
    head.logit_dense.kernel.assign(np.zeros(head.logit_dense.kernel.shape, "float32"))
    _set_part(head.logit_dense.kernel, output[:, None] / np.sqrt(width * directions))


def _fit_logits(model: Any, batch: Any) -> None:
    """Scale and offset of the logits, by the loss of training."""
    inputs, labels = batch
    logits = np.asarray(model(inputs)["logits"], "float64")
    real = np.asarray(inputs.get("candidate_mask", np.ones(logits.shape, bool)))
    slope, offset = _platt(
        logits[real], np.asarray(labels)[real], model.engagement_loss.positive_weight
    )
    head = model.head
    head.logit_dense.kernel.assign(slope * head.logit_dense.kernel)
    head.logit_dense.bias.assign([offset])


def _average_messages(model: EngagementModel, rng: np.random.Generator) -> None:
    """First layer: a step's own message, and counters. Second: the running mean of the steps.

    Where states are averaged afterwards, the second layer is as the first, without counters.
    """
    encoder, units = model.user_encoder, model.user_encoder.hidden
    if encoder.pooling == "attention":
        encoder.attention_vector.assign(np.zeros(encoder.attention_vector.shape, "float32"))
    counters = min(_COUNTERS, units // 4) if encoder.pooling == "last" else 0
    rates = np.geomspace(0.02, 1.0, counters)
    for index, layer in enumerate(encoder.recurrent):
        averages = index > 0 and encoder.pooling == "last"
        for side, first in ((layer.forward_layer, 0), (layer.backward_layer, units)):
            cell = side.cell
            kernel = 0.1 * np.asarray(cell.kernel).reshape(-1, 4, units)  # gates i, f, c, o
            recurrent = 0.1 * np.asarray(cell.recurrent_kernel).reshape(-1, 4, units)
            bias = np.repeat([[_OPEN], [_CLOSED], [0.0], [_OPEN]], units, axis=1)
            into = len(kernel)
            part = _orthonormal(rng, into, min(into, units))
            kernel[:, 2] = 0
            kernel[:, 2, : part.shape[1]] = part if index else 0.3 * part
            recurrent[:, 2] = 0
            if index == 0 and counters:  # the last units add their rate at each step
                kernel[:, :, -counters:] = 0
                recurrent[:, :, -counters:] = 0
                sure = np.full(counters, 8.0)
                bias[:, -counters:] = [_logit(np.minimum(rates, 0.999)), sure, sure, sure]
            if averages and counters:
                weights, offset = _logarithm_of_steps(rates)
                seen = slice(first + units - counters, first + units)
                kernel[:, :2] = 0
                recurrent[:, :2] = 0
                kernel[seen, 2] = 0
                kernel[seen, 0], kernel[seen, 1] = -weights[:, None], weights[:, None]
                bias[0], bias[1] = -offset, offset
            cell.kernel.assign(kernel.reshape(into, -1).astype("float32"))
            cell.recurrent_kernel.assign(recurrent.reshape(units, -1).astype("float32"))
            cell.bias.assign(bias.reshape(-1).astype("float32"))


def _logarithm_of_steps(rates: np.ndarray) -> tuple[np.ndarray, float]:
    """How counters tell log(t - 1): the gates sigmoid(-+ that) are 1/t and 1 - 1/t."""
    steps = np.arange(1, _LONGEST + 1)
    wanted = np.log(np.maximum(steps - 1, 0.02))
    counted = np.tanh(rates * steps[:, None])
    design = np.concatenate([counted, np.ones((_LONGEST, 1))], axis=1)
    ridge = 1e-4 * np.eye(len(rates) + 1)
    found = np.linalg.solve(design.T @ design + ridge, design.T @ wanted)
    return found[:-1], float(found[-1])


def _logit(x: np.ndarray) -> np.ndarray:
    return np.log(x / (1 - x))


def _platt(logits: np.ndarray, labels: np.ndarray, positive_weight: float) -> tuple[float, float]:
    """Slope >= 0 and offset that fit best by equation 8, by Newton's method."""
    spread = max(logits.std(), 1e-9)
    features = np.stack([(logits - logits.mean()) / spread, np.ones_like(logits)], axis=1)
    weights = np.where(labels > 0, positive_weight, 1.0)
    found = np.zeros(2)
    for _ in range(30):
        chances = 1 / (1 + np.exp(-features @ found))
        gradient = features.T @ (weights * (chances - labels))
        curvature = (features * (weights * chances * (1 - chances))[:, None]).T @ features
        found -= np.linalg.solve(curvature + 1e-6 * np.eye(2), gradient)
    slope = max(found[0], 0.1) / spread
    return slope, found[1] - slope * logits.mean()


def _orthonormal(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    return np.linalg.qr(rng.normal(size=(rows, columns)))[0].astype("float32")


def _set_part(weight: keras.Variable, values: np.ndarray) -> None:
    """Sets the first columns (or rows, of a column) of a weight; the rest keeps its start."""
    full = np.asarray(weight).copy()
    full[: values.shape[0], : values.shape[1]] = values
    weight.assign(full)
