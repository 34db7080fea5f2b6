"""Why a user would tag a hashtag: personalised topic attention over its messages."""

from typing import Any

import keras
import numpy as np

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.corpus.vocabulary import MessageWords, split_words
from tfhashtag.errors import DataError
from tfhashtag.explain.explanation import Column, Explanation, HeatMap, Items, Panel
from tfhashtag.recommenders.engagement.model import EngagementModel
from tfhashtag.recommenders.engagement.pipeline import context_rows, history_rows
from tfhashtag.recommenders.engagement.scoring import encode_topics, encode_users
from tfhashtag.tasks.users.pair import pair_episode, pair_facts

_TOPICS, _TOPIC_WORDS = 5, 8  # that are shown


def explain_engagement(
    recommender: Any, user: str, hashtag: str | None, split: str = "test"
) -> Explanation:
    """Figure 6 of the paper (EMNLP 2021) for a user and a hashtag, and the parts of the score.

    The hidden units of the head that are at work for this pair are linear, so parts of the messages
    and of the user add up to the logit. The likelihood of a word under the hashtag's topics is
    sum over k of theta_k beta_kw.

    Args:
        recommender: a trained `engagement` recommender.
        user: a user of the corpus.
        hashtag: a hashtag of the corpus, with or without `#`.
        split: `"test"` or `"valid"`: the moment of that evaluation, and what can be seen then;
            `"now"`: all is known.

    Returns:
        Panels `attention` (a heat map), `messages`, `history` and, with topics, `topics`; `about`
        holds `logit`, `bias` and `user_part`.

    Raises:
        ConfigError: another split, or no hashtag.
        DataError: no such user or hashtag, or the user may see no message of the hashtag.
    """
    settings, corpus, model = recommender.settings, recommender.corpus, recommender.model
    pair = pair_episode(corpus, user, hashtag, split, settings.data.minimum_contexts)
    episode, (at_user, at_hashtag) = pair[0], (np.array([at]) for at in pair[1:])
    if not episode.visible_context_counts(at_user, at_hashtag)[0]:
        raise DataError(
            f"`hashtag` {hashtag!r} has no context message that `user` {user!r} may see; name a "
            "hashtag that others use."
        )
    rows = context_rows(
        episode, at_hashtag, settings.data.contexts_of_ranked, settings.seed, users=at_user
    )
    rows = rows[:, rows[0] >= 0]
    history = history_rows(episode, at_user, settings.data.history_length)
    logit, bias, user_part, attention, parts = _parts(model, recommender.words, history, rows)
    falls = logit - _without(model, recommender.words, history, rows)
    likelihood, topics = _topics(model, recommender.vocabulary.words, recommender.words, rows)
    order = np.argsort(-attention, kind="stable")
    texts = [corpus.messages[row] for row in rows[0, order]]
    words = [[(word, likelihood.get(word)) for word in split_words(text)] for text in texts]
    facts, about = pair_facts(*pair, split)
    title = f"#{about['hashtag']} as {user} sees it"
    return Explanation(
        f"#{about['hashtag']} for {user}",
        [
            *facts,
            f"Logit {logit:.4f} = bias {bias:+.4f}, user {user_part:+.4f}, messages "
            f"{parts.sum():+.4f}.",
        ],
        [
            *_messages(title, texts, words, attention[order], parts[order], falls[order]),
            *topics,
            _history(model, corpus, history),
        ],
        {
            "model": settings.model,
            **about,
            "logit": logit,
            "bias": bias,
            "user_part": user_part,
        },
    )


def _messages(
    title: str,
    texts: list[str],
    words: list[list[tuple[str, float | None]]],
    attention: np.ndarray,
    parts: np.ndarray,
    falls: np.ndarray,
) -> list[Panel]:
    """The messages of the hashtag, by attention: as a figure and as a list."""
    return [
        HeatMap(
            key="attention",
            title=title,
            rows=texts,
            values=[[number or 0.0 for _, number in row] for row in words],
            cells=[[word for word, _ in row] for row in words],
            weights=("attention", attention.tolist()),
            note="Left the attention of the user, right the likelihood of words under the "
            "hashtag's topics.",
        ),
        Items(
            key="messages",
            title="Messages of the hashtag",
            columns=[
                Column("message", words, "words"),
                Column("attention", attention.tolist(), "weight"),
                Column("part of the logit", parts.tolist()),
                Column("fall without it", falls.tolist()),
            ],
            note="The redder a word, the likelier under the hashtag's topics. Parts add up; "
            "falls do not: without a message attention and topics shift to the others.",
        ),
    ]


def _parts(
    model: EngagementModel, words: MessageWords, history: np.ndarray, rows: np.ndarray
) -> tuple[float, float, float, np.ndarray, np.ndarray]:
    """Logit, bias, part of the user, attention `[M]` and parts of the messages `[M]`."""
    user = encode_users(model, history)
    topics = encode_topics(model, rows, words)
    vectors, mask = model.vectors_of(rows[:, None])
    z = None if topics is None else topics[:, None]
    logits, attention = model.score_vectors(user, vectors, mask, z)
    attention = np.asarray(attention, np.float64)[0, 0]
    _, values = model.hashtag_keys(vectors[:, 0], topics)
    values = _numbers(values)[0] * attention[:, None]
    dense, last = model.head.user_dense, model.head.logit_dense
    bias = np.asarray(dense.bias, np.float64)
    mine = np.asarray(user, np.float64)[0] @ np.asarray(dense.kernel, np.float64)
    weight = np.asarray(last.kernel, np.float64)[:, 0]
    weight = weight * (values.sum(axis=0) + mine + bias > 0)  # units that the ReLU leaves
    return (
        float(np.asarray(logits)[0, 0]),
        float(np.asarray(last.bias)[0] + bias @ weight),
        float(mine @ weight),
        attention,
        values @ weight,
    )


def _without(
    model: EngagementModel, words: MessageWords, history: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    """The logit without each message, `[M]`."""
    count = rows.shape[1]
    hidden = np.repeat(rows, count, axis=0)
    hidden[np.arange(count), np.arange(count)] = -1
    topics = encode_topics(model, hidden, words)
    vectors, mask = model.vectors_of(hidden[:, None])
    users = np.repeat(encode_users(model, history), count, axis=0)
    z = None if topics is None else topics[:, None]
    return np.asarray(model.score_vectors(users, vectors, mask, z)[0], np.float64)[:, 0]


def _topics(
    model: EngagementModel, vocabulary: list[str], words: MessageWords, rows: np.ndarray
) -> tuple[dict[str, float], list[Items]]:
    """The likelihood of words under the hashtag's topics, and the largest of these."""
    if model.topic_model is None:
        return {}, []
    theta = _numbers(model.topic_model(words.bags(rows))["theta"])[0]
    beta = _numbers(model.topic_model.topic_words())
    largest = np.argsort(-theta, kind="stable")[:_TOPICS]
    likeliest = np.argsort(-beta[largest], axis=1, kind="stable")[:, :_TOPIC_WORDS]
    names = [", ".join(vocabulary[at] for at in row if at < len(vocabulary)) for row in likeliest]
    topics = Items(
        key="topics",
        title="Topics of the hashtag",
        columns=[
            Column("topic", largest.tolist(), "rank"),
            Column("share", theta[largest].tolist()),
            Column("likeliest words", names, "text"),
        ],
    )
    return dict(zip(vocabulary, (theta @ beta).tolist(), strict=False)), [topics]


def _history(model: EngagementModel, corpus: Corpus, history: np.ndarray) -> Items:
    rows = history[0][history[0] >= 0]
    columns = [Column("message", [corpus.messages[row] for row in rows], "text")]
    if len(rows) and model.user_encoder.pooling == "attention":
        weights = model.user_encoder.attention_of(*model.vectors_of(rows[None]))
        columns.append(Column("weight", np.asarray(weights, np.float64)[0].tolist(), "weight"))
    return Items(key="history", title="The user's messages", columns=columns)


def _numbers(tensor: Any) -> np.ndarray:
    return np.asarray(keras.ops.cast(tensor, "float32"), np.float64)
