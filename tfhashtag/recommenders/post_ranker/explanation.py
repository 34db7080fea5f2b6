"""Why the recommended model gives a post a hashtag: signals, own posts, similar posts."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfhashtag.corpus.corpus import Split
from tfhashtag.errors import ConfigError, DataError
from tfhashtag.evaluation.post_metrics import rank_labels
from tfhashtag.explain.contributions import Contributions, contributions
from tfhashtag.explain.explanation import Column, Explanation, Items
from tfhashtag.explain.signal_panels import logit_in_words, signal_panels
from tfhashtag.recommenders.post_ranker.posts_at import PostsAt
from tfhashtag.tasks.names import place_of

_POSTS = 10  # similar posts that are shown
_ASIDE = " The run knows it: it was set aside for this; the weights may have learned from it."
_THINGS = {"text": "texts", "picture": "pictures"}
_WORDS = {
    "own_count": "how often the user had it",
    "own_share": "share of the user's posts with it",
    "own_decayed": "how lately and often the user had it",
    "own_last_3": "the user's last three posts had it",
    "own_last_10": "the user's last ten posts had it",
    "own_since": "posts since the user's last with it",
    "together_sum": "users of the user's hashtags have it",
    "together_max": "users of one of the user's hashtags have it",
    "beside_likely": "it stands beside hashtags that the text makes likely",
    "factors": "users of like taste have it",
    "word_sum": "words of the text go with it",
    "word_max": "a word of the text goes with it",
    "named": "the text spells it out",
    "name_cosine": "the text is close to its name",
    "popularity": "how common it is",
    "recent": "how common it is lately",
    "recent_ratio": "whether it rises",
    "users": "how many people have it",
    "history": "how much the user has posted",
    "words": "how long the text is",
    "time_age": "how long ago it was used last",
    "time_day": "how often it was used in a day",
    "time_week": "how often it was used in a week",
    "time_rising_day": "whether it rises from day to day",
    "time_rising_week": "whether it rises from week to week",
    "time_weekday": "whether it is one of this day of the week",
    "time_hour": "whether it is one of this hour of the day",
    "time_own_age": "how long ago the user had it last",
    "time_pause": "how long the user has been silent",
}
_WORDS_OF_KIND = {
    "own_similar": "the user's posts of like {things} have it",
    "own_similar_sum": "the user's posts of like {things} have it, summed",
    "own_closest": "a post of the user's of like {things} has it",
    "others_sharp": "others' closest {things} have it",
    "others_broad": "others' {things} around have it",
    "others_taste": "others of like taste and {things} have it",
    "others_first_20": "of others' 20 closest {things} have it",
    "others_first_100": "of others' 100 closest {things} have it",
    "others_closest": "another's post of like {things} has it",
    "message_cosine": "its {things}, taken together, are close",
    "classifier": "what a classifier of {things} says",
    "classifier_distance": "what a classifier of {things} says, less its best",
    "user_classifier": "what a classifier of {things} and user says",
    "user_classifier_distance": "what a classifier of {things} and user says, less its best",
    "user_cosine": "its {things} are close to the user's",
    "best_own": "how close the user's closest of {things} is",
    "best_other": "how close others' closest of {things} is",
}


def words_of(signal: str) -> str:
    """A signal in words.

    >>> words_of("text_others_sharp_rank")
    "its place in the list by: others' closest texts have it"
    """
    if signal.endswith("_rank"):
        return f"its place in the list by: {words_of(signal.removesuffix('_rank'))}"
    if signal in _WORDS:
        return _WORDS[signal]
    kind, name = signal.split("_", 1)
    return _WORDS_OF_KIND[name].format(things=_THINGS[kind])


def explain_ranked_post(
    recommender: Any, post: str, hashtag: str | None = None, *, k: int = 9, pictures: Any = None
) -> Explanation:
    """The contributions of the signals to the score of a hashtag, and the posts behind them.

    See `contributions`. A signal and its place in the list are set together.

    Args:
        recommender: a trained `post_ranker` recommender.
        post: id of a post. A known one (a train post, or any after an update) is set aside: tables
            and classifiers are made anew without it.
        hashtag: the one to explain, with or without `#`; None: the best one.
        k: how many of the best hashtags are listed.
        pictures: as other recommenders of posts take it; no picture is shown.

    Returns:
        Panels `scores`, `signals` (bars), `all_signals`, `own` and `similar_text` (and
        `similar_picture`); `about` holds `logit` and `baseline`, the logit where every signal has
        its mean over the training's lists.

    Raises:
        ConfigError: `k` below 1.
        DataError: no such post or hashtag, or a hashtag that was no candidate.
    """
    if k < 1:
        raise ConfigError(f"`k` must be at least 1, found {k}.")
    row = place_of(recommender.corpus.post_ids, post, "post", recommender.corpus.name)
    known = recommender.corpus.split_of_post[row] == Split.TRAIN
    if known:
        recommender = recommender.with_post_aside(row)
    corpus, at = recommender.corpus, recommender.present
    posts = np.array([row])
    scores = recommender.score_posts(posts)
    ranked = rank_labels(scores, scores.shape[1], posts=posts)[0]
    label = int(ranked[0])
    keys, signals, found = next(iter(at.blocks(posts)))
    if hashtag is not None:
        tag = place_of(corpus.hashtags, hashtag.removeprefix("#"), "hashtag", corpus.name)
        label = int(np.searchsorted(at.labels.hashtags, tag))
        if label == len(at.labels) or at.labels.hashtags[label] != tag or label not in keys:
            raise DataError(
                f"`hashtag` {hashtag!r} is no candidate for post {post!r}: no source names it. Its "
                f"candidates: {', '.join(f'#{_name(at, key)}' for key in ranked[:k])}, ..."
            )
    names, groups = groups_of(at.signals.signals)
    features = signals[int(np.searchsorted(keys, label))]
    told = parts_of(recommender.model, at.signals.signals, features[None])
    baseline, logit, parts, errors = (value[0].numpy() for value in told)
    values = {"value": features[[group[0] for group in groups]].tolist()}
    sources = [name for name, values in found.items() if name != "all" and label in values]
    user = corpus.users[corpus.user_of_post[row]]
    true = [f"#{corpus.hashtags[tag]}" for tag in corpus.hashtags_of_post(row)]
    about = {"post": post, "user": user, "hashtag": _name(at, label), "sources": sources}
    return Explanation(
        f"#{_name(at, label)} for post {post}",
        [
            f"By {user}. It has {', '.join(true) or 'no hashtag'}." + (_ASIDE if known else ""),
            f"Named by {', '.join(sources)}; {len(keys)} candidates in all.",
            logit_in_words(logit, baseline),
        ],
        [
            _scores(at, ranked[:k], scores[0], true),
            *signal_panels({name: words_of(name) for name in names}, values, parts, errors),
            *_posts(at, row, label),
        ],
        {
            "model": recommender.settings.model,
            **about,
            "logit": float(logit),
            "baseline": float(baseline),
        },
        text=corpus.messages[corpus.message_of_post[row]],
    )


def _name(at: PostsAt, label: int) -> str:
    return at.corpus.hashtags[at.labels.hashtags[label]]


def parts_of(model: Any, signals: Sequence[str], features: Any) -> Contributions:
    """The parts of the logits of candidates, float `[n, S]`, in the order of `groups_of`."""
    _, groups = groups_of(signals)
    start = model.standardizer.mean
    return contributions(lambda rows: model(rows, training=False), start, features, groups)


def groups_of(signals: Sequence[str]) -> tuple[list[str], list[list[int]]]:
    """Signals, each with the column of its place in the list."""
    place = {name: column for column, name in enumerate(signals)}
    names = [name for name in signals if not name.endswith("_rank")]

    return names, [
        [place[name], *([place[f"{name}_rank"]] if f"{name}_rank" in place else [])]
        for name in names
    ]


def _scores(at: PostsAt, labels: np.ndarray, scores: np.ndarray, true: list[str]) -> Items:
    names = [f"#{_name(at, label)}" for label in labels]
    return Items(
        key="scores",
        title="Best hashtags",
        columns=[
            Column("hashtag", names, "name"),
            Column("logit", [float(scores[label]) for label in labels]),
        ],
        marked=[place for place, name in enumerate(names) if name in true],
        note="Those that the post has stand out.",
    )


def _posts(at: PostsAt, row: int, label: int) -> list[Items]:
    """The user's newest posts, and the most similar posts of others; those with it stand out."""
    query = at.query(np.array([row]))
    times = at.moment.time_of_post
    own = at.moment.history[query["users"][0]]
    own = own[(own >= 0) & (times[own] < query["times"][0])][:_POSTS]
    panels = [_items(at, "own", "The user's newest posts", own, label, None)]
    for kind in at.signals.kinds:
        near, similarity = query[f"{kind}_near"][0], query[f"{kind}_similarity"][0]
        shown = np.flatnonzero(near >= 0)[:_POSTS]
        title = f"Others' posts of like {_THINGS[kind]}"
        panels.append(_items(at, f"similar_{kind}", title, near[shown], label, similarity[shown]))
    return [panel for panel in panels if len(panel.columns[0].values)]


def _items(
    at: PostsAt, key: str, title: str, places: np.ndarray, label: int, similarity: Any
) -> Items:
    corpus, posts = at.corpus, at.moment.posts[places]
    columns = [
        Column("post", [corpus.messages[corpus.message_of_post[post]] for post in posts], "text"),
        Column("user", [corpus.users[corpus.user_of_post[post]] for post in posts], "name"),
        Column(
            "hashtags",
            [" ".join(f"#{corpus.hashtags[t]}" for t in corpus.hashtags_of_post(p)) for p in posts],
            "text",
        ),
    ]
    if similarity is not None:
        columns.append(Column("similarity", similarity.astype(float).tolist(), "weight"))
    marked = [n for n, place in enumerate(places) if label in at.moment.labels_of_post[place]]
    return Items(
        key=key, title=title, columns=columns, marked=marked, note="Posts with it stand out."
    )
