"""Table 1 and Figure 3 of the engagement paper and Table 1 of the thesis, for any corpus."""

import dataclasses
import os
from collections import Counter
from collections.abc import Mapping

import numpy as np

from tfhashtag.corpus.alike_users import ALIKE, alike_users
from tfhashtag.corpus.corpus import Corpus, Split
from tfhashtag.corpus.hashtag import hashtag_key, script_of
from tfhashtag.corpus.languages import languages_of
from tfhashtag.corpus.repeats import repeats_across_splits
from tfhashtag.corpus.rows import sorted_distinct
from tfhashtag.corpus.vocabulary import split_words
from tfhashtag.plots import new_figure, save_figure


@dataclasses.dataclass(frozen=True)
class Statistics:
    """Table 1 of the engagement paper (EMNLP 2021) and of the thesis (2024).

    Attributes:
        tweets, users, hashtags: numbers of distinct ones.
        tweets_per_user: mean.
        hashtags_per_user: mean number of distinct hashtags that a user has in train; this is the
            count that gives the paper's 12 on its data.
        tweets_per_hashtag: mean number of posts that carry a hashtag.
        new_hashtag_rate: share, in percent, of the test split's distinct hashtags that no user
            has in train.
        words: number of distinct words, as `tfhashtag.corpus.vocabulary` splits them.
        hashtags_per_post, words_per_post: means over the posts; repeated words count.
        context_sizes: posts of each hashtag, int64 `[hashtags]`.
        history_sizes: posts of each user, int64 `[users]`.
    """

    tweets: int
    users: int
    hashtags: int
    tweets_per_user: float
    hashtags_per_user: float
    tweets_per_hashtag: float
    new_hashtag_rate: float
    words: int
    hashtags_per_post: float
    words_per_post: float
    context_sizes: np.ndarray
    history_sizes: np.ndarray

    def rows(self) -> list[tuple[str, str]]:
        """The paper's table, label and value."""
        return [
            ("Number of Tweets", f"{self.tweets:,}"),
            ("Number of Users", f"{self.users:,}"),
            ("Number of Hashtags", f"{self.hashtags:,}"),
            ("Average tweet number per user", f"{self.tweets_per_user:.1f}"),
            ("Average hashtag number per user", f"{self.hashtags_per_user:.1f}"),
            ("Average tweet number per hashtag", f"{self.tweets_per_hashtag:.1f}"),
            ("New Hashtag Rate (%)", f"{self.new_hashtag_rate:.1f}"),
        ]

    def post_rows(self) -> list[tuple[str, str]]:
        """The thesis's table, label and value."""
        return [
            ("#Posts", f"{self.tweets:,}"),
            ("#Users", f"{self.users:,}"),
            ("#Hashtags", f"{self.hashtags:,}"),
            ("#Words", f"{self.words:,}"),
            ("#Avg_tag", f"{self.hashtags_per_post:.3f}"),
            ("#Avg_word", f"{self.words_per_post:.3f}"),
        ]


def statistics_of(corpus: Corpus) -> Statistics:
    """Counts a corpus.

    Example:

    >>> from tfhashtag.corpus.synthetic import synthetic_corpus
    >>> statistics_of(synthetic_corpus(posts=100, users=5)).rows()[0]
    ('Number of Tweets', '100')
    """
    posts, hashtags = corpus.taggings()
    split = corpus.split_of_post[posts]
    train = split == Split.TRAIN
    users = corpus.user_of_post[posts[train]].astype(np.int64)
    pairs = sorted_distinct(users * max(len(corpus.hashtags), 1) + hashtags[train])
    test = sorted_distinct(hashtags[split == Split.TEST])
    new = test[~np.isin(test, hashtags[train])]
    words: set[str] = set()
    counts = np.zeros(len(corpus.messages), np.int64)
    for place, message in enumerate(corpus.messages):
        found = split_words(message)
        counts[place] = len(found)
        words.update(found)
    lengths = counts[corpus.message_of_post]
    return Statistics(
        tweets=len(corpus),
        users=len(corpus.users),
        hashtags=len(corpus.hashtags),
        tweets_per_user=len(corpus) / max(len(corpus.users), 1),
        hashtags_per_user=len(pairs) / max(len(corpus.users), 1),
        tweets_per_hashtag=len(hashtags) / max(len(corpus.hashtags), 1),
        new_hashtag_rate=100 * len(new) / max(len(test), 1),
        words=len(words),
        hashtags_per_post=len(hashtags) / max(len(corpus), 1),
        words_per_post=float(lengths.sum()) / max(len(corpus), 1),
        context_sizes=np.bincount(hashtags, minlength=len(corpus.hashtags)),
        history_sizes=np.bincount(corpus.user_of_post, minlength=len(corpus.users)),
    )


def notes_of(corpus: Corpus) -> list[str]:
    """What there is to know of a corpus besides its tables, a line each.

    Example:

    >>> from tfhashtag.corpus.synthetic import synthetic_corpus
    >>> notes_of(synthetic_corpus(posts=100, users=5))[-1]
    'scripts of texts: Latin 100%'
    """
    posts = np.bincount(corpus.split_of_post, minlength=len(Split)).tolist()
    splits = {split.name.lower(): posts[split] for split in Split}
    notes = [
        f"split: {told_shares(splits)}"
        f"; {np.mean(np.bincount(corpus.user_of_post) <= 5):.0%} of users have at most 5 posts"
    ]
    if corpus.timestamps is None:
        notes.append("times: none; the order of the file is that of time")
    elif len(corpus):
        first, last = corpus.timestamps.min(), corpus.timestamps.max()
        days = np.array([first, last]).astype("datetime64[s]").astype("datetime64[D]")
        notes.append(f"times: {days[0]} to {days[1]}")
    for name, values in (corpus.outcomes or {}).items():
        known = values[values >= 0]
        share = f"of {len(known) / len(corpus):.0%} of posts"
        notes.append(f"{name}: {share}, median {np.median(known):,.0f}")
    counts = {
        "posts with a picture": sum(map(bool, corpus.images or [])),
        "posts with several pictures": sum(len(names) > 1 for names in corpus.images or []),
        "posts without hashtags": int(np.sum(np.diff(corpus.hashtag_offsets) == 0)),
        "hashtags that only another spelling keeps apart": len(corpus.hashtags)
        - len({hashtag_key(name) for name in corpus.hashtags}),
        ALIKE: alike_users(corpus.users)[0],
        **repeats_across_splits(corpus),
    }
    notes += [f"{what}: {count:,}" for what, count in counts.items() if count]
    scripts = Counter(script for text in corpus.messages if (script := script_of(text)))
    languages = languages_of(corpus.messages)
    looked = sum(languages.values())
    if looked:
        most = told_shares(dict(languages.most_common()), 6)
        notes.append(f"languages: {most} (of {looked:,} texts of 20 letters or more)")
    return [*notes, f"scripts of texts: {told_shares(dict(scripts.most_common()), 4) or 'none'}"]


def told_shares(counts: Mapping[str, int], shown: int | None = None) -> str:
    """Shares in whole percent that add up to 100: what rounding leaves goes to the largest rests.

    Args:
        counts: by name, in the order in which they are told.
        shown: how many are told by name; the others are told together.

    Example:

    >>> told_shares({"train": 85, "valid": 15, "test": 100}), told_shares({"a": 1, "b": 2}, 1)
    ('train 43%, valid 7%, test 50%', 'a 33%, others 67%')
    """
    total = sum(counts.values())
    if not total:
        return ""
    shares = {name: 100 * count // total for name, count in counts.items()}
    by_rest = sorted(counts, key=lambda name: -(100 * counts[name] % total))
    for name in by_rest[: 100 - sum(shares.values())]:
        shares[name] += 1
    told = list(shares.items())[:shown]
    if others := 100 - sum(share for _, share in told):
        told.append(("others", others))
    return ", ".join(f"{name} {share}%" for name, share in told)


def plot_statistics(statistics: Statistics, path: str | os.PathLike) -> None:
    """Figure 3: how many tweets hashtags and users have, as PNG or SVG by the path's ending.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    figure = new_figure(9, 3.6)
    panels = figure.subplots(1, 2)
    for axes, sizes, title, things, limit, colour in (
        (panels[0], statistics.context_sizes, "(a) Hashtag contexts", "hashtags", 20, "#7b5ea7"),
        (panels[1], statistics.history_sizes, "(b) User histories", "users", 50, "#2a7f9e"),
    ):
        counts = np.bincount(np.minimum(sizes, limit), minlength=limit + 1)[1:]
        share = counts / max(counts.sum(), 1)
        axes.bar(np.arange(1, limit + 1), share, color=colour, width=0.82)
        axes.set_title(title, loc="left", fontsize=11)
        axes.set_xlabel("tweets")
        axes.set_ylabel(f"share of {things}")
        used = sizes[sizes > 0]
        if len(used):
            note = f"{len(used):,} {things}\nmedian {np.median(used):.0f}, mean {used.mean():.1f}"
            axes.set_ylim(0, 1.3 * share.max())
            axes.text(0.97, 0.93, note, transform=axes.transAxes, ha="right", va="top", color="0.3")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        ticks = [1, *range(limit // 5, limit + 1, limit // 5)]
        axes.set_xticks(ticks, [*map(str, ticks[:-1]), f"{limit}+"])
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", alpha=0.25)
        axes.set_axisbelow(True)
    save_figure(figure, path)
