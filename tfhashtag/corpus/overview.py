"""Four plots that people look for first: time, frequencies, new hashtags, languages."""

import os

import numpy as np

from tfhashtag.corpus.corpus import Corpus
from tfhashtag.corpus.languages import languages_of
from tfhashtag.plots import new_figure, save_figure

_PARTS = 24


def new_hashtag_shares(corpus: Corpus, parts: int = _PARTS) -> np.ndarray:
    """Share of the taggings whose hashtag no earlier post has, float64 `[parts]`.

    The posts are cut into `parts` of equal number, in their order; a part without taggings is NaN.

    Example:

    >>> from tfhashtag.corpus.synthetic import synthetic_corpus
    >>> shares = new_hashtag_shares(synthetic_corpus(posts=400, users=20), parts=4)
    >>> shares.shape, bool(shares[0] > shares[-1])
    ((4,), True)
    """
    posts, tags = corpus.taggings()
    new = np.zeros(len(tags), bool)
    new[np.unique(tags, return_index=True)[1]] = True
    part = posts.astype(np.int64) * parts // max(len(corpus), 1)
    totals = np.bincount(part, minlength=parts)
    news = np.bincount(part, weights=new, minlength=parts)
    return np.divide(news, totals, out=np.full(parts, np.nan), where=totals > 0)


def plot_overview(corpus: Corpus, path: str | os.PathLike) -> None:
    """Draws posts over time, frequencies, the share of new hashtags and languages, PNG or SVG.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    figure = new_figure(9, 6.4)
    (time, frequency), (new, languages) = figure.subplots(2, 2)
    if corpus.timestamps is None:
        time.text(0.5, 0.5, "no times", ha="center", transform=time.transAxes, color="0.4")
    else:
        time.hist(corpus.timestamps.astype("datetime64[s]"), bins=_PARTS, color="#2a7f9e")
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

        ticks = AutoDateLocator(maxticks=7)
        time.xaxis.set_major_locator(ticks)
        time.xaxis.set_major_formatter(ConciseDateFormatter(ticks))
    time.set_ylabel("posts")
    for values, count, name, colour in (
        (corpus.user_of_post, len(corpus.users), "users", "#2a7f9e"),
        (corpus.hashtag_values, len(corpus.hashtags), "hashtags", "#7b5ea7"),
    ):
        sizes = np.sort(np.bincount(values, minlength=count))[::-1]
        frequency.loglog(np.arange(1, len(sizes) + 1), np.maximum(sizes, 1), label=name, c=colour)
    frequency.set_xlabel("rank")
    frequency.set_ylabel("posts")
    frequency.legend(frameon=False)
    shares = new_hashtag_shares(corpus)
    new.plot((np.arange(_PARTS) + 0.5) / _PARTS, shares, color="#7b5ea7")
    new.set_ylim(0, 1)
    new.set_xlabel("posts, in order of time")
    new.set_ylabel("share of taggings")
    counts = languages_of(corpus.messages).most_common(8)
    languages.barh([code for code, _ in counts], [n for _, n in counts], 0.6, color="#2a7f9e")
    languages.set_ylim(max(len(counts), 5) - 0.5, -0.5)
    languages.set_xlabel("texts of 20 letters or more, at most 2,000")
    titles = ("(a) Posts over time", "(b) Frequencies", "(c) New hashtags", "(d) Languages")
    for axes, title in zip((time, frequency, new, languages), titles, strict=True):
        axes.set_title(title, loc="left", fontsize=11)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_axisbelow(True)
    save_figure(figure, path)
