"""Why the recommended engagement model gives a user a hashtag: signals, messages, authors."""

import dataclasses
from typing import cast

import numpy as np

from tfhashtag.errors import DataError
from tfhashtag.explain.lookup import check_model
from tfhashtag.recommenders.audience.scoring import candidate_features, user_inputs
from tfhashtag.recommenders.audience.settings import AudienceSettings
from tfhashtag.recommenders.audience.signals import SIGNALS, USER_SIGNALS, AudienceSignals
from tfhashtag.runs.run import Run
from tfhashtag.tasks.users.pair import pair_episode

_ORDERS = 64  # of the signals, each with its reverse


@dataclasses.dataclass(frozen=True)
class SignalPart:
    """What one signal adds to the score.

    Attributes:
        signal: its name, one of `SIGNALS` or `USER_SIGNALS`.
        value: of this pair.
        z: the same against the user's catalogue; None for a signal of the user alone.
        contribution: its part of the logit, an estimate of its Shapley value.
        error: standard error of the estimate.
    """

    signal: str
    value: float
    z: float | None
    contribution: float
    error: float


@dataclasses.dataclass(frozen=True)
class CloseMessage:
    """A context message that is close to the user.

    Attributes:
        text, author: of the message.
        cosine: with the mean of the user's messages.
        weight: of the message in the softened sum `text_sum`; they sum to 1.
    """

    text: str
    author: str
    cosine: float
    weight: float


@dataclasses.dataclass(frozen=True)
class CloseAuthor:
    """An author of the hashtag who is close to the user.

    Attributes:
        user: who.
        closeness: mean of the next four.
        text, taste, tags, names: cosines by texts, by taste, by hashtags, by their names.
    """

    user: str
    closeness: float
    text: float
    taste: float
    tags: float
    names: float


@dataclasses.dataclass(frozen=True)
class AudienceExplanation:
    """What `explain_audience` found.

    Attributes:
        run, model, user, hashtag, split: of the pair.
        tags_ahead: whether the user tags the hashtag in the split.
        logit: the score.
        baseline: the logit where every signal has its mean over the training's lists. With it the
            contributions sum to the logit, up to rounding.
        signals: largest contribution, of either sign, first.
        messages: closest first.
        authors: closest first.
    """

    run: str
    model: str
    user: str
    hashtag: str
    split: str
    tags_ahead: bool
    logit: float
    baseline: float
    signals: list[SignalPart]
    messages: list[CloseMessage]
    authors: list[CloseAuthor]


def explain_audience(
    run, user: str, hashtag: str, split: str = "test", count: int = 10
) -> AudienceExplanation:
    """The contributions of the signals to a score, and the messages and authors behind them.

    A signal and its z-score are set together from their means to their values, one signal after the
    other, in 64 orders and their reverses; a signal's contribution is its mean effect. In each
    order the effects add up to the logit less the baseline, so the contributions do so exactly;
    how they are shared out among the signals is an estimate, with its standard error.

    Args:
        run: folder of a complete run of `model: audience`.
        user: a user of the corpus.
        hashtag: a hashtag of the corpus, with or without `#`.
        split: `"test"` or `"valid"`: the moment of that evaluation.
        count: messages and authors to give.

    Raises:
        ConfigError: a run of another kind, or another split.
        DataError: no such user or hashtag, or one that cannot be ranked then.
        ArtifactError: the run is not complete.
    """
    opened = Run.open(run)
    check_model(opened, ("audience",), "the signals of a score")
    settings, corpus = cast(AudienceSettings, opened.settings), opened.corpus
    episode, at_user, at_hashtag = pair_episode(
        corpus, user, hashtag, split, settings.data.minimum_contexts
    )
    if at_hashtag not in episode.catalogue:
        raise DataError(
            f"`hashtag` {hashtag!r} is not ranked in the {split} split: it has fewer than "
            f"{settings.data.minimum_contexts} context messages there, or no post."
        )
    recommender = opened.recommender
    audience = recommender.audience(episode)
    length = settings.data.history_length
    found = candidate_features(episode, audience, recommender.vectors, history_length=length)
    baseline, logit, parts, errors = _contributions(recommender.model, found.features[0])
    signals = []
    for at, name in enumerate((*SIGNALS, *USER_SIGNALS)):
        of_user = at >= len(SIGNALS)
        place = at + len(SIGNALS) if of_user else at
        z = None if of_user else float(found.features[0, len(SIGNALS) + at])
        value = float(found.features[0, place])
        signals.append(SignalPart(name, value, z, float(parts[at]), float(errors[at])))
    messages, authors = _closest(recommender, episode, audience, at_user, at_hashtag, length, count)
    return AudienceExplanation(
        run=str(opened.folder),
        model=settings.model,
        user=user,
        hashtag=corpus.hashtags[at_hashtag],
        split=split,
        tags_ahead=bool(episode.candidates.labels[0]),
        logit=logit,
        baseline=baseline,
        signals=sorted(signals, key=lambda part: -abs(part.contribution)),
        messages=messages,
        authors=authors,
    )


def _contributions(model, features):
    """Logit at the means, logit, contributions and their errors, `[signals]`."""
    count = len(SIGNALS)
    groups = [[at, count + at] for at in range(count)]
    groups += [[2 * count + at] for at in range(len(USER_SIGNALS))]
    start = np.asarray(model.standardizer.mean, np.float32)
    rng = np.random.default_rng(0)
    effects = np.zeros((_ORDERS, len(groups)))
    ends = []
    for row in range(_ORDERS):
        order = rng.permutation(len(groups))
        for way in (order, order[::-1]):
            steps = np.repeat(start[None], len(groups) + 1, axis=0)
            for at, group in enumerate(way, 1):
                steps[at:, groups[group]] = features[groups[group]]
            logits = np.asarray(model(steps, training=False), np.float64)
            effects[row, way] += np.diff(logits) / 2
            ends.append((logits[0], logits[-1]))
    errors = effects.std(axis=0, ddof=1) / np.sqrt(_ORDERS)
    baseline, logit = ends[0]
    return float(baseline), float(logit), effects.mean(axis=0), errors


def _closest(recommender, episode, audience, user, hashtag, length, count):
    corpus, vectors = episode.corpus, recommender.vectors
    signals = AudienceSignals(audience)
    rows, mask, tags = user_inputs(episode, np.array([user]), length)
    history = np.asarray(vectors[np.maximum(rows, 0)], np.float32)
    state = {
        name: np.asarray(value) for name, value in signals.user_state(history, mask, tags).items()
    }
    posts = episode.visible_contexts(user, hashtag)
    messages = []
    if len(posts):
        texts = np.asarray(vectors[corpus.message_of_post[posts]], np.float32)
        shown = np.ones((1, 1, len(posts)), bool)
        weights = np.asarray(signals.context_signals(state, texts[None, None], shown)[1])[0, 0]
        unit = texts / np.maximum(np.linalg.norm(texts, axis=1, keepdims=True), 1e-9)
        cosines = unit @ state["text"][0]
        messages = [
            CloseMessage(
                corpus.messages[corpus.message_of_post[posts[at]]],
                corpus.users[corpus.user_of_post[posts[at]]],
                float(cosines[at]),
                float(weights[at]),
            )
            for at in np.argsort(-cosines, kind="stable")[:count]
        ]
    users = np.unique(corpus.user_of_post[episode.contexts.take(audience.hashtags).values])
    place = int(np.searchsorted(audience.hashtags, hashtag))
    pairs = np.flatnonzero(audience.pair_hashtag == place)
    hidden = audience.hidden_pairs[audience.hidden_pairs[:, 0] == user, 1]
    who = audience.pair_author[np.setdiff1d(pairs, hidden)]
    kinds = np.stack(
        [
            audience.author_text[who] @ state["centred"][0],
            audience.author_taste[who] @ state["taste"][0],
            np.asarray(audience.author_tags[who] @ state["tags"][0]),
            audience.author_names[who] @ state["names"][0],
        ],
        axis=1,
    ).astype(np.float64)
    closeness = kinds.mean(axis=1)
    authors = [
        CloseAuthor(corpus.users[users[who[at]]], float(closeness[at]), *kinds[at].tolist())
        for at in np.argsort(-closeness, kind="stable")[:count]
    ]
    return messages, authors
