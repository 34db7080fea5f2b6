"""Figures 4 to 7 of the engagement paper (EMNLP 2021, Sections 5.2 to 5.4)."""

import functools
import json
import pathlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfhashtag.comparison.explained import explained
from tfhashtag.comparison.figures import bars_chart, images, save_figure, steps_chart
from tfhashtag.evaluation.significance import bootstrap_interval
from tfhashtag.metrics import rank
from tfhashtag.tasks.users.episode import Episode

if TYPE_CHECKING:
    from tfhashtag.comparison.comparison import Comparison

K = 5
_MOST = 3  # systems side by side in a bar chart
HISTORY_BINS = ((1, 7), (8, 14), (15, 21), (22, 28), (29, 36))
CONTEXT_BINS = ((0, 5), (6, 10), (11, 15), (16, 20), (21, 25), (26, 30))
_EDGES = np.linspace(-0.2, 1.0, 25)


def by_history(episode: Episode, values: np.ndarray) -> list[dict[str, Any]]:
    """Figure 4: P@5 of users by the number of their known posts, average `all`.

    A last bin holds users with more posts than the paper's have.

    Args:
        episode: the test moment.
        values: P@5 of each user, float `[users]`, averaged over seeds.

    Returns:
        Bars: `label`, `value`, the mean; its 95% bootstrap interval over users `low` to `high`;
        `count`, users in the bin; `right`, those of them with a hashtag to find.
    """
    users = episode.candidates.users
    lengths, positives = episode.history.lengths[users], episode.candidates.positives
    named = [(low, high, f"{low}-{high}") for low, high in HISTORY_BINS]
    longest, last = int(lengths.max(initial=0)), HISTORY_BINS[-1][1]
    if longest > last:
        named.append((last + 1, longest, f"{last + 1}+"))
    found = []
    for low, high, label in named:
        inside = (lengths >= low) & (lengths <= high)
        count, right = int(inside.sum()), int((positives[inside] > 0).sum())
        interval = bootstrap_interval(values[inside]) if count else None
        value = float(values[inside].mean()) if count else None
        found.append(_bar(label, value, interval, count, right))
    return found


def by_contexts(episode: Episode, scores: Mapping[int, np.ndarray]) -> list[dict[str, Any]]:
    """Figure 5: of the first five hashtags of every user, those with so many context messages.

    The paper does not say how a precision at 5 is one of hashtags. Here a bin holds the places
    among the first five at which a hashtag with that many context messages stands, messages that
    the user may see; its value is the share of them that are right. The places of all bins
    together are those that P@5 counts. More context messages than the last bin fall into it.

    Args:
        episode: the test moment with its lists.
        scores: seed to the scores of the lists; places are pooled over seeds.

    Returns:
        Bars as of `by_history`; `count` places, `right` of them.
    """
    lists = episode.candidates
    users, last = len(lists), len(CONTEXT_BINS) - 1
    counts = episode.visible_context_counts(lists.user_of_value, lists.hashtags.values)
    places, right = np.zeros((2, len(CONTEXT_BINS), users))
    for seed, values in scores.items():
        ranking = rank(lists, values, seed)
        first = ranking.rank <= K
        order, row, hit = ranking.order[first], ranking.row[first], ranking.labels[first] > 0
        for number, (low, high) in enumerate(CONTEXT_BINS):
            inside = (counts[order] >= low) & ((counts[order] <= high) | (number == last))
            places[number] += np.bincount(row[inside], minlength=users)
            right[number] += np.bincount(row[inside & hit], minlength=users)
    found = []
    for number, (low, high) in enumerate(CONTEXT_BINS):
        label = f"{low}-{high}" if number < last else f"{low}+"
        total, hits = int(places[number].sum()), int(right[number].sum())
        interval = _ratio_interval(right[number], places[number]) if total else None
        found.append(_bar(label, hits / total if total else None, interval, total, hits))
    return found


def by_similarity(
    episode: Episode,
    scores: Mapping[int, np.ndarray],
    attended: Mapping[int, Mapping[str, np.ndarray]],
) -> dict[str, Any]:
    """Figure 7: how like the most attended message is the post that the user went on to write.

    Counted are test posts whose hashtag stood among the user's first five.

    Args:
        episode: the test moment with its lists.
        scores: seed to the scores of the lists.
        attended: seed to what `attended_messages` gave.

    Returns:
        `looks_at`, `"history"` of the user or `"contexts"` of the hashtag; `posts`, in each bin
        of similarity between `edges`, mean over seeds; `predicted`, their number; `mean`
        similarity of the most attended message and the post, and `chance`, of any message that
        the model could look at, None without posts.
    """
    lists = episode.candidates
    width = max(len(episode.corpus.hashtags), 1)
    key = lists.user_of_value.astype(np.int64) * width + lists.hashtags.values
    found, chance = [], []
    for seed, values in scores.items():
        ranking = rank(lists, values, seed)
        right = key[ranking.order[(ranking.rank <= K) & (ranking.labels > 0)]]
        rows = attended[seed]
        pairs = rows["user"].astype(np.int64) * width + rows["hashtag"]
        kept = np.isin(pairs, right) & np.isfinite(rows["similarity"])
        found.append(rows["similarity"][kept])
        chance.append(rows["chance"][kept])
    together, by_chance = np.concatenate(found), np.concatenate(chance)
    counts, _ = np.histogram(np.clip(together, _EDGES[0], _EDGES[-1]), _EDGES)
    history = any(bool(rows["history"]) for rows in attended.values())
    return {
        "looks_at": "history" if history else "contexts",
        "edges": _EDGES.round(4).tolist(),
        "posts": (counts / len(scores)).tolist(),
        "predicted": len(together) / len(scores),
        "mean": float(together.mean()) if len(together) else None,
        "chance": float(by_chance.mean()) if len(together) else None,
    }


def _bar(
    label: str, value: float | None, interval: tuple | None, count: int, right: int
) -> dict[str, Any]:
    low, high = interval or (None, None)
    return {
        "label": label, "value": value, "low": low, "high": high, "count": count, "right": right
    }  # fmt: skip


def _ratio_interval(right: np.ndarray, places: np.ndarray) -> tuple[float, float]:
    """95% bootstrap interval over users of a share whose denominator differs from user to user."""
    some = np.flatnonzero(places)
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(some), (1000, len(some)))
    shares = right[some][drawn].sum(axis=1) / places[some][drawn].sum(axis=1)
    low, high = np.quantile(shares, [0.025, 0.975])
    return float(low), float(high)


def figure_data(
    found: "Comparison", shown: Sequence[str], attentive: Sequence[str]
) -> dict[str, Any]:
    """The data of Figures 4 to 7 from what every run has left, as JSON values.

    Args:
        found: the comparison.
        shown: systems of Figures 4 and 5; where none was ranked, the last ones that were. The
            first is that of Figure 6.
        attentive: systems of Figure 7.

    Returns:
        `history`, `contexts` and `similarity`, each by system, and `cases`.
    """
    names = [name for name in shown if name in found.ranked] or list(found.ranked)[-_MOST:]
    episode = found.queries["sampled"].episode  # type: ignore[attr-defined]
    data: dict[str, Any] = {"history": {}, "contexts": {}, "similarity": {}, "cases": []}
    for name in names:
        scores = {seed: np.load(path) for seed, path in found.files_of(name, "scores.npy").items()}
        values = [o.values["sampled/P@5"] for o in found.outcomes if o.system == name and o.values]
        data["history"][name] = by_history(episode, np.mean(values, axis=0))
        data["contexts"][name] = by_contexts(episode, scores)
        attended = found.files_of(name, "attended.npz")
        if name in attentive and len(attended) == len(scores):
            weights = {seed: _arrays(path) for seed, path in attended.items()}
            data["similarity"][name] = by_similarity(episode, scores, weights)
    for path in list(found.files_of(shown[0], "cases.json").values())[:1]:
        data["cases"] = json.loads(path.read_text("utf-8"))
        for drawn in path.parent.glob("figure6-*"):
            shutil.copyfile(drawn, found.folder / drawn.name)
    return data


def figure_sections(found: "Comparison", reference: str) -> list[dict[str, Any]]:
    """Figures 4 to 7 as sections of the report, and Figures 4, 5 and 7 as files.

    Args:
        found: the comparison.
        reference: the system of Figure 6.
    """
    data, sections = found.figures, []
    for key, name in (("figure4", "history"), ("figure5", "contexts")):
        if any(data[name].values()):
            sections.append(_bars(found, key, data[name]))
    cases = [explained(case, ("attention", "topics", "history")) for case in data["cases"]]
    section = {"key": "figure6", "kind": "explained", **found.study.captions["figure6"]}
    if not cases:
        section["about"] = f"Not drawn. {found.why_not(reference)}"
    return [*sections, {**section, "cases": cases}, _similarities(found, data["similarity"])]


def _bars(
    found: "Comparison", key: str, bins: Mapping[str, Sequence[Mapping[str, Any]]]
) -> dict[str, Any]:
    xlabel, ylabel = found.study.captions[key]["axes"]
    rows = []
    for name, row in bins.items():
        shown = [f"{one['label']}: {one['value']:.3f}" for one in row if one["value"] is not None]
        rows.append(f"{name}: {', '.join(shown)}")
    what = f"{' '.join(ylabel.split())} by {xlabel}"
    draw = functools.partial(bars_chart, bins, xlabel, ylabel)
    return _chart(found, key, draw, f"{what}. {'; '.join(rows)}.")


def _similarities(found: "Comparison", parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    if not any(part["predicted"] for part in parts.values()):
        about = (
            "Not drawn: no rightly predicted post of the full model or LSTM-ATT is among the "
            "systems of this comparison."
        )
        return {"key": "figure7", "title": "Figure 7", "kind": "words", "about": about}
    rows = [
        (
            name,
            "the hashtag’s contexts" if part["looks_at"] == "contexts" else "the history",
            f"{part['predicted']:,.1f}",
            *("–" if part[key] is None else f"{part[key]:.3f}" for key in ("mean", "chance")),
        )
        for name, part in parts.items()
    ]
    words = [f"{name}: {posts} posts, mean cosine {mean}." for name, _, posts, mean, _ in rows]
    draw = functools.partial(steps_chart, parts, *found.study.captions["figure7"]["axes"])
    alt = f"Rightly predicted posts by similarity. {' '.join(words)}"
    return {**_chart(found, "figure7", draw, alt), "rows": rows}


def _chart(found: "Comparison", key: str, draw: Callable[[bool], Any], alt: str) -> dict[str, Any]:
    save_figure(draw(False), [found.folder / f"{key}.png", found.folder / f"{key}.svg"])
    caption = found.study.captions[key]
    chart = {"alt": alt, "about": caption["about"], **images(draw)}
    return {"key": key, "kind": "charts", "charts": [chart], **caption}


def _arrays(path: pathlib.Path) -> dict[str, np.ndarray]:
    with np.load(path) as found:
        return dict(found)
