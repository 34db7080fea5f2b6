"""Figures 4 to 7 of a comparison of engagement models, as files and inside the page."""

import contextlib
import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfhashtag.comparison.engagement_analysis import (
    Bin,
    Similarity,
    by_contexts,
    by_history,
    by_similarity,
)
from tfhashtag.comparison.engagement_systems import ATTENTIVE, RECOMMENDED, REFERENCE, folder_of
from tfhashtag.comparison.engagement_task import EngagementTask
from tfhashtag.comparison.figures import COLOURS, embedded, new_figure, save_figure
from tfhashtag.comparison.outcome import Outcome
from tfhashtag.comparison.system import System

_SHOWN = (REFERENCE, ATTENTIVE, RECOMMENDED)
_MOST = 3  # systems side by side in a bar chart
_HATCHES = ("", "///", "...")
# Beside the bars of a page that is dark.
DARK: dict[Any, Any] = {
    "figure.facecolor": "#17202b",
    "axes.facecolor": "#17202b",
    "savefig.facecolor": "#17202b",
    "text.color": "#e4eaf1",
    "axes.labelcolor": "#e4eaf1",
    "axes.edgecolor": "#8c9bab",
    "xtick.color": "#c3ced9",
    "ytick.color": "#c3ced9",
    "grid.color": "#8c9bab",
}
# The first colour is too dark on a dark ground.
_ON_DARK: dict[Any, Any] = {COLOURS[0]: "#6aa9e9"}


@dataclasses.dataclass(frozen=True)
class FigureData:
    """What Figures 4 to 7 are drawn from.

    Attributes:
        history: system to the bins of Figure 4.
        contexts: system to the bins of Figure 5.
        cases: of `explained_cases`.
        similarity: system to its part of Figure 7.
    """

    history: dict[str, list[Bin]]
    contexts: dict[str, list[Bin]]
    cases: list[dict[str, Any]]
    similarity: dict[str, Similarity]


def figure_data(
    task: EngagementTask,
    systems: Sequence[System],
    outcomes: Sequence[Outcome],
    runs: pathlib.Path,
) -> FigureData:
    """Works out the data of Figures 4 to 7 from what every run has left.

    Shown are the full model, LSTM-ATT and our own model; where none of them was ranked, the last
    ones of the systems that were.

    Args:
        task: users and lists.
        systems: all.
        outcomes: of all.
        runs: folder of all results.
    """
    ranked: dict[str, list[Outcome]] = {system.name: [] for system in systems}
    for outcome in outcomes:
        if outcome.ranked is not None:
            ranked[outcome.system].append(outcome)
    there = [name for name, found in ranked.items() if found]
    shown = [name for name in _SHOWN if name in there] or there[-_MOST:]
    episode = task.episode("sampled")
    history, contexts, similarity = {}, {}, {}
    for name in shown:
        values = [o.ranked.values["sampled/P@5"] for o in ranked[name]]  # type: ignore[union-attr]
        folders = {o.seed: folder_of(runs, name, o.seed) for o in ranked[name]}
        scores = {seed: np.load(path / "scores-sampled.npy") for seed, path in folders.items()}
        history[name] = by_history(episode, np.mean(values, axis=0))
        contexts[name] = by_contexts(episode, scores)
        if name in (REFERENCE, ATTENTIVE):
            attended = {seed: _arrays(path / "attended.npz") for seed, path in folders.items()}
            similarity[name] = by_similarity(episode, scores, attended)
    cases: list[dict[str, Any]] = []
    if ranked.get(REFERENCE):
        path = folder_of(runs, REFERENCE, ranked[REFERENCE][0].seed) / "cases.json"
        cases = json.loads(path.read_text("utf-8")) if path.is_file() else []
    return FigureData(history, contexts, cases, similarity)


def draw_figures(folder: pathlib.Path, data: FigureData) -> None:
    """Writes figure4 to figure7 as PNG and SVG, those that there is something to draw of."""
    from tfhashtag.comparison.engagement_cases import attention_of
    from tfhashtag.explain.figures import draw

    for name, figure in charts(data).items():
        save_figure(figure, [folder / f"{name}.png", folder / f"{name}.svg"])
    for number, case in enumerate(data.cases, 1):
        figure = draw(attention_of(case))
        paths = [folder / f"figure6-{number}.{ending}" for ending in ("png", "svg")]
        save_figure(figure, paths)


def charts(data: FigureData, dark: bool = False) -> dict[str, Any]:
    """Figures 4, 5 and 7 by name, as matplotlib `Figure`; only those with something to show."""
    with _style(dark):
        found = {}
        if any(data.history.values()):
            found["figure4"] = _bars(data.history, "posts in the user's history", "P@5", dark)
        if any(data.contexts.values()):
            label = "share of the first five\nthat is right"
            found["figure5"] = _bars(data.contexts, "context messages of the hashtag", label, dark)
        if any(part.predicted for part in data.similarity.values()):
            found["figure7"] = _similarities(data.similarity, dark)
        return found


def chart_images(data: FigureData) -> dict[str, tuple[str, str]]:
    """Figures 4, 5 and 7 as the `src` of an `<img>`, on a light and on a dark page."""
    light = {name: embedded(figure) for name, figure in charts(data).items()}
    with _style(True):
        dark = {name: embedded(figure) for name, figure in charts(data, True).items()}
    return {name: (light[name], dark[name]) for name in light}


def _style(dark: bool):
    import matplotlib

    return matplotlib.rc_context(DARK) if dark else contextlib.nullcontext()


def _bars(bins: Mapping[str, Sequence[Bin]], xlabel: str, ylabel: str, dark: bool):
    figure = new_figure((4.9, 3.5))
    panel = figure.subplots()
    labels = [one.label for one in next(iter(bins.values()))]
    width = 0.8 / len(bins)
    for place, (name, row) in enumerate(bins.items()):
        x = np.arange(len(labels)) + (place - (len(bins) - 1) / 2) * width
        drawn = [(at, one) for at, one in zip(x, row, strict=True) if one.value is not None]
        panel.bar(
            [at for at, _ in drawn],
            [one.value for _, one in drawn],
            width * 0.92,
            label=name,
            color=_colour(place, dark),
            hatch=_HATCHES[place % len(_HATCHES)],
            edgecolor=(1, 1, 1, 0.6),
            linewidth=0,
            yerr=[
                [max(one.value - one.low, 0) for _, one in drawn],  # type: ignore[operator]
                [max(one.high - one.value, 0) for _, one in drawn],  # type: ignore[operator]
            ],
            error_kw={"elinewidth": 1, "capsize": 2, "ecolor": "#93a1b0" if dark else "#3c4854"},
        )
    panel.set_xticks(range(len(labels)), labels)
    panel.set_xlabel(xlabel)
    panel.set_ylabel(ylabel)
    _finish(panel)
    _legend(figure, panel)
    return figure


def _similarities(parts: Mapping[str, Similarity], dark: bool):
    figure = new_figure((4.9, 3.5))
    panel = figure.subplots()
    for place, (name, part) in enumerate(parts.items()):
        colour = _colour(place, dark)
        panel.stairs(part.posts, part.edges, fill=True, alpha=0.28, color=colour)
        panel.stairs(part.posts, part.edges, color=colour, linewidth=1.8, label=name)
        if part.mean is not None:
            style = ("--", ":")[place % 2]
            panel.axvline(part.mean, color=colour, linestyle=style, linewidth=1.3)
    filled = [
        edge
        for part in parts.values()
        for edge, count in zip(part.edges, part.posts, strict=False)
        if count
    ]
    edges = next(iter(parts.values())).edges
    step = edges[1] - edges[0]
    panel.set_xlim(min(filled) - step, min(max(filled) + 2 * step, edges[-1]))
    panel.set_xlabel("cosine of most attended message and later post")
    panel.set_ylabel("rightly predicted posts")
    _finish(panel)
    _legend(figure, panel)
    return figure


def _colour(place: int, dark: bool) -> str:
    colour = COLOURS[place % len(COLOURS)]
    return _ON_DARK.get(colour, colour) if dark else colour


def _finish(panel) -> None:
    panel.set_ylim(bottom=0)
    panel.grid(axis="y", alpha=0.25)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)


def _legend(figure, panel) -> None:
    handles, names = panel.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=3, frameon=False, fontsize=9)


def _arrays(path: pathlib.Path) -> dict[str, np.ndarray]:
    with np.load(path) as found:
        return dict(found)
