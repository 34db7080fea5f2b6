"""Why a user would tag a hashtag: personalised topic attention over its messages."""

import dataclasses
from collections.abc import Sequence
from typing import cast

import numpy as np

from tfhashtag.corpus.vocabulary import split_words
from tfhashtag.errors import DataError
from tfhashtag.explain.lookup import check_model
from tfhashtag.recommenders.engagement.pipeline import context_rows, history_rows
from tfhashtag.recommenders.engagement.scoring import encode_topics, encode_users
from tfhashtag.recommenders.engagement.settings import EngagementSettings
from tfhashtag.runs.run import Run
from tfhashtag.tasks.users.pair import pair_episode


@dataclasses.dataclass(frozen=True)
class Word:
    """A word of a context message.

    Attributes:
        text: the word.
        topic: its likelihood under the hashtag's topics, sum over k of theta_k beta_kw; None for a
            word outside the vocabulary, or without topics.
        likelihood: its likelihood as the topic model reconstructs the hashtag, how frequent the
            word is anyway included; None as above.
    """

    text: str
    topic: float | None
    likelihood: float | None


@dataclasses.dataclass(frozen=True)
class ContextMessage:
    """A context message of the hashtag.

    Attributes:
        text: the message.
        words: its words.
        attention: its weight alpha.
        contribution: its part of the logit.
        without: how much the logit falls when the user does not see the message, its words in the
            topics included. Not additive.
    """

    text: str
    words: list[Word]
    attention: float
    contribution: float
    without: float


@dataclasses.dataclass(frozen=True)
class EngagementExplanation:
    """What `explain_engagement` found.

    Attributes:
        run, model, user, hashtag, split: of the pair.
        tags_ahead: whether the user tags the hashtag in the split.
        logit: the score.
        bias, user_part: parts of the logit besides those of the messages. With them their sum is
            the logit: the hidden units of the head that are at work for this pair are linear.
        messages: by attention, highest first.
        topics: (number, proportion, its likeliest words), the largest first; empty without topics.
        history: the user's messages, oldest first, with their weight where the model has one.
    """

    run: str
    model: str
    user: str
    hashtag: str
    split: str
    tags_ahead: bool
    logit: float
    bias: float
    user_part: float
    messages: list[ContextMessage]
    topics: list[tuple[int, float, list[str]]]
    history: list[tuple[str, float | None]]


def explain_engagement(run, user: str, hashtag: str, split: str = "test") -> EngagementExplanation:
    """Figure 6 of the paper (EMNLP 2021) for a user and a hashtag, and the parts of the score.

    Args:
        run: folder of a complete run of `model: engagement`.
        user: a user of the corpus.
        hashtag: a hashtag of the corpus, with or without `#`.
        split: `"test"` or `"valid"`: the moment of that evaluation, and what can be seen then.

    Raises:
        ConfigError: a run of another kind, or another split.
        DataError: no such user or hashtag, or the user may see no message of the hashtag.
        ArtifactError: the run is not complete.
    """
    opened = Run.open(run)
    check_model(opened, ("engagement",), "attention over a hashtag's messages")
    settings = cast(EngagementSettings, opened.settings)
    episode, at_user, at_hashtag = pair_episode(
        opened.corpus, user, hashtag, split, settings.data.minimum_contexts
    )
    if not episode.visible_context_counts(np.array([at_user]), np.array([at_hashtag]))[0]:
        raise DataError(
            f"`hashtag` {hashtag!r} has no context message that `user` {user!r} may see; name a "
            "hashtag that others use."
        )
    recommender = opened.recommender
    corpus, model = opened.corpus, recommender.model
    rows = context_rows(
        episode,
        np.array([at_hashtag]),
        settings.data.contexts_of_ranked,
        settings.seed,
        users=np.array([at_user]),
    )
    rows = rows[:, rows[0] >= 0]
    history = history_rows(episode, np.array([at_user]), settings.data.history_length)
    logit, bias, user_part, attention, parts = _parts(model, recommender.words, history, rows)
    falls = logit - _without(model, recommender.words, history, rows)
    topics, words = _topics(model, recommender.vocabulary.words, recommender.words, rows)
    messages = [
        ContextMessage(
            corpus.messages[row],
            [words(word) for word in split_words(corpus.messages[row])],
            float(attention[at]),
            float(parts[at]),
            float(falls[at]),
        )
        for at, row in enumerate(rows[0])
    ]
    return EngagementExplanation(
        run=str(opened.folder),
        model=settings.model,
        user=user,
        hashtag=corpus.hashtags[at_hashtag],
        split=split,
        tags_ahead=bool(episode.candidates.labels[0]),
        logit=logit,
        bias=bias,
        user_part=user_part,
        messages=sorted(messages, key=lambda message: -message.attention),
        topics=topics,
        history=_history(model, corpus, history),
    )


def _parts(model, words, history, rows):
    """Logit, bias, part of the user, attention `[M]` and parts of the messages `[M]`."""
    from keras import ops

    user = encode_users(model, history)
    topics = encode_topics(model, rows, words)
    vectors, mask = model.vectors_of(rows[:, None])
    z = None if topics is None else topics[:, None]
    logits, attention = model.score_vectors(user, vectors, mask, z)
    attention = np.asarray(attention, np.float64)[0, 0]
    _, values = model.hashtag_keys(vectors[:, 0], topics)
    values = np.asarray(ops.cast(values, "float32"), np.float64)[0] * attention[:, None]
    dense = model.head.user_dense
    bias = np.asarray(dense.bias, np.float64)
    mine = np.asarray(user, np.float64)[0] @ np.asarray(dense.kernel, np.float64)
    last = model.head.logit_dense
    weight = np.asarray(last.kernel, np.float64)[:, 0]
    weight = weight * (values.sum(axis=0) + mine + bias > 0)  # units that the ReLU leaves
    return (
        float(np.asarray(logits)[0, 0]),
        float(np.asarray(last.bias)[0] + bias @ weight),
        float(mine @ weight),
        attention,
        values @ weight,
    )


def _without(model, words, history, rows) -> np.ndarray:
    """The logit without each message, `[M]`."""
    count = rows.shape[1]
    hidden = np.repeat(rows, count, axis=0)
    hidden[np.arange(count), np.arange(count)] = -1
    topics = encode_topics(model, hidden, words)
    vectors, mask = model.vectors_of(hidden[:, None])
    users = np.repeat(encode_users(model, history), count, axis=0)
    z = None if topics is None else topics[:, None]
    return np.asarray(model.score_vectors(users, vectors, mask, z)[0], np.float64)[:, 0]


def _topics(model, vocabulary: Sequence[str], words, rows):
    """The hashtag's topics, and a function from a word to what they say of it."""
    if model.topic_model is None:
        return [], lambda word: Word(word, None, None)
    from keras import ops

    output = model.topic_model(words.bags(rows))
    theta = np.asarray(ops.cast(output["theta"], "float32"), np.float64)[0]
    logits = ops.cast(output["logits"], "float32")
    likelihood = np.asarray(ops.softmax(logits, axis=-1), np.float64)[0]
    beta = np.asarray(ops.cast(model.topic_model.topic_words(), "float32"), np.float64)
    topic = theta @ beta
    place = {word: at for at, word in enumerate(vocabulary)}

    def about(word: str) -> Word:
        at = place.get(word)
        if at is None:
            return Word(word, None, None)
        return Word(word, float(topic[at]), float(likelihood[at]))

    largest = np.argsort(-theta, kind="stable")[:5]
    found = [
        (
            int(number),
            float(theta[number]),
            [
                vocabulary[at]
                for at in np.argsort(-beta[number], kind="stable")[:8]
                if at < len(vocabulary)
            ],
        )
        for number in largest
    ]
    return found, about


def _history(model, corpus, history) -> list[tuple[str, float | None]]:
    rows = history[0][history[0] >= 0]
    weights: list = [None] * len(rows)
    if len(rows) and model.user_encoder.pooling == "attention":
        vectors, mask = model.vectors_of(rows[None])
        weights = np.asarray(model.user_encoder.attention_of(vectors, mask), np.float64)[0].tolist()
    return [(corpus.messages[row], weight) for row, weight in zip(rows, weights, strict=True)]
