"""Charts as files and inside a page, on a light and on a dark ground."""

import base64
import io
import os
import pathlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from tfhashtag.comparison.summary import Summary
from tfhashtag.files import atomic_writer
from tfhashtag.plots import new_figure

# Told apart by colour-blind people too, and by their markers in print without colour.
_COLOURS = ("#0b5394", "#d55e00", "#009e73", "#cc79a7", "#7f6000", "#56b4e9", "#555555", "#e69f00")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_HATCHES = ("", "///", "...")
_DARK: dict[Any, Any] = {
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
# These are too dark on a dark ground.
_ON_DARK = {"#0b5394": "#6aa9e9", "#7f6000": "#c9a227", "#555555": "#a8b3bf"}
# Elements of an SVG are named by it, else by lot.
_SALT: dict[Any, Any] = {"svg.hashsalt": "tfhashtag"}


def save_figure(figure: Any, paths: Sequence[str | os.PathLike]) -> None:
    """Writes a matplotlib `Figure` as `.png` or `.svg` files, the same bytes each time."""
    import matplotlib

    for path in map(pathlib.Path, paths):
        ending = path.suffix[1:].lower()
        metadata: dict | None = {"Date": None} if ending == "svg" else None
        with atomic_writer(path, "wb") as file, matplotlib.rc_context(_SALT):
            figure.savefig(file, dpi=160, format=ending, metadata=metadata)


def images(draw: Callable[[bool], Any]) -> dict[str, str]:
    """A chart as the `src` of an `<img>`, SVG in base64, on a `light` and on a `dark` page.

    Args:
        draw: gets whether the page is dark, gives a matplotlib `Figure`.
    """
    import matplotlib

    found = {}
    for name, style in (("light", _SALT), ("dark", _SALT | _DARK)):
        out = io.BytesIO()
        with matplotlib.rc_context(style):
            draw(name == "dark").savefig(out, format="svg", metadata={"Date": None})
        content = base64.b64encode(out.getvalue()).decode("ascii")
        found[name] = f"data:image/svg+xml;base64,{content}"
    return found


def cutoffs_chart(
    rows: Sequence[Summary],
    metrics: Sequence[str],
    cutoffs: Sequence[int],
    dashed: Collection[str] = (),
    dark: bool = False,
) -> Any:
    """A panel a metric, with a line a system over the cut-offs k.

    Args:
        rows: systems with figures for every `metric@k`.
        metrics: names before the `@`.
        cutoffs: the k.
        dashed: names of systems to draw dashed.
        dark: whether for a dark ground.
    """
    columns = 2 if len(metrics) > 1 else 1
    lines = -(-len(metrics) // columns)
    below = 0.22 * (len(rows) + 2) // 3 if columns == 1 else 0.3
    figure = new_figure(4.6 * columns, 3.4 * lines + 0.2 + below)
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for panel, metric in zip(panels, metrics, strict=False):
        for place, row in enumerate(rows):
            panel.errorbar(
                cutoffs,
                [row.means[f"{metric}@{k}"] for k in cutoffs],
                yerr=[row.deviations.get(f"{metric}@{k}", 0.0) for k in cutoffs]
                if row.deviations
                else None,
                label=row.name,
                color=_colour(place, dark),
                marker=_MARKERS[place % len(_MARKERS)],
                markersize=5,
                linewidth=1.6,
                linestyle="--" if row.name in dashed else "-",
                capsize=2.5,
            )
        panel.set_title(f"{metric}@k", loc="left", fontsize=11)
        panel.set_xticks(list(cutoffs))
        _finish(panel, "k")
    for panel in panels[len(metrics) :]:
        panel.set_visible(False)
    _legend(figure, panels[0], "outside lower center", 4 if columns > 1 else 3)
    return figure


def bars_chart(
    bins: Mapping[str, Sequence[Mapping[str, Any]]], xlabel: str, ylabel: str, dark: bool = False
) -> Any:
    """Bars of systems side by side with the intervals of their values.

    Args:
        bins: system to bars, each `label`, `value`, `low`, `high`; a value None is not drawn.
        xlabel, ylabel: of the axes.
        dark: whether for a dark ground.
    """
    figure = new_figure(4.9, 3.5)
    panel = figure.subplots()
    labels = [one["label"] for one in next(iter(bins.values()))]
    width = 0.8 / len(bins)
    for place, (name, row) in enumerate(bins.items()):
        drawn = [(at, one) for at, one in enumerate(row) if one["value"] is not None]
        value, low, high = (
            np.array([one[part] for _, one in drawn]) for part in ("value", "low", "high")
        )
        panel.bar(
            np.array([at for at, _ in drawn]) + (place - (len(bins) - 1) / 2) * width,
            value,
            width * 0.92,
            label=name,
            color=_colour(place, dark),
            hatch=_HATCHES[place % len(_HATCHES)],
            edgecolor=(1, 1, 1, 0.6),
            linewidth=0,
            yerr=np.maximum([value - low, high - value], 0),
            error_kw={"elinewidth": 1, "capsize": 2, "ecolor": "#93a1b0" if dark else "#3c4854"},
        )
    panel.set_xticks(range(len(labels)), labels)
    panel.set_xlim(-0.5, len(labels) - 0.5)
    _finish(panel, xlabel, ylabel)
    _legend(figure, panel, "outside upper center", 3)
    return figure


def steps_chart(
    parts: Mapping[str, Mapping[str, Any]], xlabel: str, ylabel: str, dark: bool = False
) -> Any:
    """Histograms of systems over one another, with upright lines at their means.

    Args:
        parts: system to `edges`, `posts` in each bin, and `mean` or None.
        xlabel, ylabel: of the axes.
        dark: whether for a dark ground.
    """
    figure = new_figure(4.9, 3.5)
    panel = figure.subplots()
    for place, (name, part) in enumerate(parts.items()):
        colour = _colour(place, dark)
        panel.stairs(part["posts"], part["edges"], fill=True, alpha=0.28, color=colour)
        panel.stairs(part["posts"], part["edges"], color=colour, linewidth=1.8, label=name)
        if part["mean"] is not None:
            panel.axvline(part["mean"], color=colour, linestyle=("--", ":")[place % 2], lw=1.3)
    edges = np.array(next(iter(parts.values()))["edges"])
    filled = edges[:-1][np.sum([part["posts"] for part in parts.values()], axis=0) > 0]
    step = edges[1] - edges[0]
    panel.set_xlim(filled.min() - step, min(filled.max() + 2 * step, edges[-1]))
    _finish(panel, xlabel, ylabel)
    _legend(figure, panel, "outside upper center", 3)
    return figure


def _colour(place: int, dark: bool) -> str:
    colour = _COLOURS[place % len(_COLOURS)]
    return _ON_DARK.get(colour, colour) if dark else colour


def _finish(panel: Any, xlabel: str, ylabel: str = "") -> None:
    panel.set_xlabel(xlabel)
    panel.set_ylabel(ylabel)
    panel.set_ylim(bottom=0)
    panel.grid(axis="y", alpha=0.25)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)


def _legend(figure: Any, panel: Any, place: str, columns: int) -> None:
    handles, names = panel.get_legend_handles_labels()
    columns = min(columns, len(names))
    figure.legend(handles, names, loc=place, ncols=columns, frameon=False, fontsize=9)
