"""Why the recommended model gives a user a hashtag: signals, messages, authors."""

from typing import Any

import numpy as np

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.errors import DataError
from tfhashtag.explain.contributions import Contributions, contributions
from tfhashtag.explain.explanation import Column, Explanation, Items
from tfhashtag.explain.signal_panels import logit_in_words, signal_panels
from tfhashtag.recommenders.audience.audience import Audience
from tfhashtag.recommenders.audience.model import AudienceModel
from tfhashtag.recommenders.audience.scoring import user_inputs
from tfhashtag.recommenders.audience.signals import SIGNALS, USER_SIGNALS, AudienceSignals
from tfhashtag.tasks.users.episode import Episode
from tfhashtag.tasks.users.pair import pair_episode, pair_facts
from tfhashtag.vector_codes import unit_rows

_Z_SCORES = " A z-score compares a hashtag with a fixed sample of those that the user has not used."
_KINDS = {
    "text": "texts of people who use it are close to yours",
    "taste": "tastes of people who use it are close to yours",
    "tags": "hashtags of people who use it are close to yours",
    "names": "names of the hashtags of people who use it are close to yours",
    "all": "people who use it are close to you in all of this",
    "recent": "people who used it lately, or last, are close to you in all of this",
}
_REDUCTIONS = {"mean": "on average", "max": "the closest", "sum": "the closer ones together"}
WORDS = {
    "text_cosine": "its messages, taken together, are close to yours",
    "text_max": "its closest message is close to yours",
    "text_sum": "several of its messages are close to yours",
    "centred_max": "its closest message is close to what sets yours apart",
    "centred_sum": "several of its messages are close to what sets yours apart",
    **{
        f"authors_{kind}_{reduction}": f"{words}: {which}"
        for kind, words in _KINDS.items()
        for reduction, which in _REDUCTIONS.items()
    },
    "authors_shared_tags": "people who use it share hashtags with you",
    "authors_whitened_total": "people who use it are like you in what few share: all together",
    "authors_whitened_mean": "people who use it are like you in what few share: on average",
    "authors_whitened_cosine": "who uses it, taken together, is like you in what few share",
    "authors_whitened_level": "how likely you are to be one of those who use it",
    "name_history": "its name is close to your messages",
    "name_tags": "its name is close to the names of your hashtags",
    "name_max": "its name is close to the name of one of your hashtags",
    "contexts": "how many messages have it",
    "recent_contexts": "how many messages had it lately, at least one",
    "recent_share": "which share of its messages is recent",
    "authors": "how many people use it",
    "other_tags": "how many other hashtags stand beside it",
    "untagged_share": "how often it stands alone",
    "users_of_tag": "how many people have used it, ever",
    "history_length": "how much you have written",
    "tags": "how many hashtags you have used",
    "tags_per_message": "how many hashtags you use in a message",
    "coherence": "how much alike your messages are",
    "tag_popularity": "how popular the hashtags are that you use",
}


def explain_audience(
    recommender: Any, user: str, hashtag: str | None, split: str = "test", count: int = 10
) -> Explanation:
    """The contributions of the signals to a score, and the messages and authors behind them.

    See `contributions`. A signal and its z-score are set together, from their means to their
    values.

    Args:
        recommender: a trained `audience` recommender.
        user: a user of the corpus.
        hashtag: a hashtag of the corpus, with or without `#`.
        split: `"test"` or `"valid"`: the moment of that evaluation; `"now"`: all is known.
        count: messages and authors to give.

    Returns:
        Panels `messages`, `authors`, `signals` (bars) and `all_signals`; `about` holds `logit` and
        `baseline`, the logit where every signal has its mean over the training's lists.

    Raises:
        ConfigError: another split, or no hashtag.
        DataError: no such user or hashtag, or one that cannot be ranked then.
    """
    data = recommender.settings.data
    pair = pair_episode(recommender.corpus, user, hashtag, split, data.minimum_contexts)
    episode, at_user, at_hashtag = pair
    if at_hashtag not in episode.catalogue:
        raise DataError(
            f"`hashtag` {hashtag!r} is not ranked at the moment `{split}`: it has fewer than "
            f"{data.minimum_contexts} context messages then, or no post that lies ahead."
        )
    audience, length = recommender.audience(episode), data.history_length
    features = next(recommender.scoring.blocks(episode, audience))[1]["all"][0]
    found = parts_of(recommender.model, features[None])
    baseline, logit, parts, errors = (value[0].numpy() for value in found)
    facts, about = pair_facts(*pair, split)
    signals = len(SIGNALS)
    scores = [*features[signals : 2 * signals], *[None] * len(USER_SIGNALS)]  # they have none
    values = {"value": [*features[:signals], *features[2 * signals :]], "z-score": scores}
    named = {name: WORDS[name] for name in (*SIGNALS, *USER_SIGNALS)}
    bars, every = signal_panels(named, values, parts, errors, _Z_SCORES)
    return Explanation(
        f"#{about['hashtag']} for {user}",
        [
            *facts,
            logit_in_words(logit, baseline),
        ],
        [
            bars,
            *_closest(recommender.vectors, episode, audience, (at_user, at_hashtag), length, count),
            every,
        ],
        {
            "model": recommender.settings.model,
            **about,
            "logit": float(logit),
            "baseline": float(baseline),
        },
    )


def parts_of(model: AudienceModel, features: Any) -> Contributions:
    """The parts of the logits of pairs: of each signal with its z-score, then of the user alone.

    Args:
        model: a trained one.
        features: float `[n, FEATURES]`.
    """
    count = len(SIGNALS)
    groups = [[at, count + at] for at in range(count)]
    groups += [[2 * count + at] for at in range(len(USER_SIGNALS))]
    start = model.standardizer.mean
    return contributions(lambda rows: model(rows, training=False), start, features, groups)


def _closest(
    vectors: np.ndarray,
    episode: Episode,
    audience: Audience,
    pair: tuple[int, int],
    length: int,
    count: int,
) -> list[Items]:
    """The closest messages and authors of a hashtag, of those that stand in its row."""
    user, hashtag = pair
    signals = AudienceSignals(audience)
    rows, mask, tags = user_inputs(episode, np.array([user]), length)
    history = np.asarray(vectors[np.maximum(rows, 0)], np.float32)
    state = {
        name: np.asarray(value) for name, value in signals.user_state(history, mask, tags).items()
    }
    place = int(np.searchsorted(audience.hashtags, hashtag))
    shown = audience.shown(np.array([user]), np.array([[place]]))
    posts = audience.posts[place][shown.messages[0, 0]]
    people = audience.authors[place][shown.authors[0, 0]]
    return [
        _messages(vectors, episode.corpus, signals, state, posts, count),
        _authors(episode.corpus, audience, state, people, count),
    ]


def _messages(
    vectors: np.ndarray,
    corpus: Corpus,
    signals: AudienceSignals,
    state: dict[str, np.ndarray],
    posts: np.ndarray,
    count: int,
) -> Items:
    cosines = weights = np.zeros(0)
    if len(posts):
        texts = np.asarray(vectors[corpus.message_of_post[posts]], np.float32)
        shown = np.ones((1, 1, len(posts)), bool)
        weights = np.asarray(signals.context_signals(state, texts[None, None], shown)[1])[0, 0]
        cosines = unit_rows(texts) @ state["text"][0]
    best = np.argsort(-cosines, kind="stable")[:count]
    chosen = posts[best]
    return Items(
        key="messages",
        title="Closest messages",
        columns=[
            Column("message", [corpus.messages[m] for m in corpus.message_of_post[chosen]], "text"),
            Column("author", [corpus.users[u] for u in corpus.user_of_post[chosen]], "name"),
            Column("cosine", cosines[best].astype(float).tolist()),
            Column("weight", weights[best].astype(float).tolist(), "weight"),
        ],
        note="Of the newest messages. Cosine: with the mean of your messages. Weight: of the "
        "message among several that are close.",
    )


def _authors(
    corpus: Corpus,
    audience: Audience,
    state: dict[str, np.ndarray],
    who: np.ndarray,
    count: int,
) -> Items:
    mine = np.zeros(audience.author_tags.shape[1])
    real = np.isin(state["known"], np.arange(len(mine)))
    mine[state["known"][real]] = state["tags"][0][real]
    kinds = {
        "text": audience.author_text[who] @ state["centred"][0],
        "taste": audience.author_taste[who] @ state["taste"][0],
        "tags": audience.author_tags[who] @ mine,
        "names": audience.author_names[who] @ state["names"][0],
    }
    closeness = np.stack(list(kinds.values()), axis=1).astype(np.float64).mean(axis=1)
    best = np.argsort(-closeness, kind="stable")[:count]
    return Items(
        key="authors",
        title="Closest people who use it",
        columns=[
            Column("author", [corpus.users[audience.users[who[at]]] for at in best], "name"),
            Column("closeness", closeness[best].tolist()),
            *(Column(name, values[best].astype(float).tolist()) for name, values in kinds.items()),
        ],
        note="Of the people who used it last. Closeness is the mean of four cosines with you: of "
        "texts, of taste, of hashtags and of the names of these.",
    )
