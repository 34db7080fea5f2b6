"""The figures of explanations, as PNG."""

import functools
import io
import textwrap
from typing import Any

import numpy as np

from tfhashtag.errors import ArtifactError, required
from tfhashtag.explain.explanation import Bars, HeatMap, Panel, Regions
from tfhashtag.plots import new_figure

# Beside the first, which comes with matplotlib, whichever of them the machine has.
_FONTS = (
    "DejaVu Sans",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "Noto Emoji",
    "Symbola",
)
_COLOURS = (
    "#0b5394", "#d55e00", "#009e73", "#cc79a7", "#7f6000", "#56b4e9", "#e69f00", "#555555",
    "#882255", "#44aa99",
)  # fmt: skip
_MOST_CELLS = 14  # with a text of their own in a row
_NUMBERED = 16  # columns of a heat map that are wide enough for numbers


def check_plots() -> None:
    """Refuses to begin what would end without its figures.

    Raises:
        ArtifactError: matplotlib is not installed.
    """
    required("matplotlib", "the figures need matplotlib", "plots")


def draw(panel: Panel) -> Any:
    """A panel as a matplotlib `Figure`; None for one that is no figure or has nothing to show.

    Raises:
        ArtifactError: a picture cannot be read.
    """
    figure = None
    if isinstance(panel, Bars) and panel.rows:
        figure = _bars(panel)
    elif isinstance(panel, HeatMap) and panel.rows:
        figure = _heat_map(panel)
    elif isinstance(panel, Regions) and panel.maps:
        figure = _regions(panel)
    if figure is not None:
        figure.suptitle(_drawable(panel.title, 90), fontsize=11)
    return figure


def png(figure: Any) -> bytes:
    """A figure as the content of a PNG file."""
    import matplotlib

    out = io.BytesIO()
    with matplotlib.rc_context({"font.family": _characters()[0]}):
        figure.savefig(out, dpi=130, format="png", metadata={"Software": None})
    return out.getvalue()


def _bars(panel: Bars) -> Any:
    rows = np.arange(len(panel.rows))[::-1]  # the first on top
    several = len(panel.series) > 1
    figure = _figure((10, (0.42 if several else 0.3) * len(rows) + (2.0 if several else 1.3)))
    axes = figure.subplots()
    above, below = np.zeros(len(rows)), np.zeros(len(rows))
    height = 0.8 if panel.stacked else 0.8 / len(panel.series)
    for at, (name, numbers) in enumerate(panel.series.items()):
        values = np.asarray(numbers, np.float64)
        look: dict[str, Any] = {"color": _COLOURS[at % len(_COLOURS)], "label": _drawable(name, 60)}
        if at >= len(_COLOURS):
            look["hatch"] = "//"
        if not several:
            look["color"] = [_COLOURS[0] if value >= 0 else _COLOURS[1] for value in values]
            if panel.errors is not None:
                look |= {"xerr": panel.errors, "error_kw": {"lw": 0.8}}
        if panel.stacked:
            axes.barh(rows, values, height, left=np.where(values >= 0, above, below), **look)
            above, below = above + np.maximum(values, 0), below + np.minimum(values, 0)
        else:
            places = rows - (at - (len(panel.series) - 1) / 2) * height
            axes.barh(places, values, height, **look)
    if panel.marks is not None:
        axes.plot(panel.marks[1], rows, "kD", ms=5, label=_drawable(panel.marks[0], 40))
    axes.set_yticks(rows, [_drawable(row, 72) for row in panel.rows], fontsize=8)
    axes.axvline(0, color="#444444", lw=0.8)
    axes.use_sticky_edges = False
    axes.margins(x=0.03)
    axes.set_xlabel(panel.axis)
    if several:
        handles = axes.get_legend_handles_labels()
        figure.legend(*handles, loc="outside lower center", ncols=3, fontsize=8)
    return figure


def _heat_map(panel: HeatMap) -> Any:
    longest = max(1, *(len(row) for row in panel.values))
    shown = min(longest, _MOST_CELLS) if panel.cells is not None else longest
    values = np.zeros((len(panel.rows), shown))
    for at, row in enumerate(panel.values):
        values[at, : len(row)] = row[:shown]
    wide = 0.65 if panel.cells is not None else 0.55 if shown <= _NUMBERED else 0.3
    left = 4.6 if panel.weights is not None else 2.8
    figure = _figure((left + wide * shown, 1.9 + 0.38 * len(panel.rows)))
    widths = [1, max(shown * (1.4 if panel.cells is not None else 1), 3)]
    if panel.weights is None:
        axes = figure.subplots()
        first = axes
    else:
        first, axes = figure.subplots(1, 2, width_ratios=widths)
        weights = np.asarray([[weight] for weight in panel.weights[1]])
        first.imshow(weights, cmap="Purples", aspect="auto", vmin=0)
        _numbers(first, weights, weights.max())
        first.set_xticks([0], [_drawable(panel.weights[0], 24)])
        axes.set_yticks([])
    first.set_yticks(range(len(panel.rows)), [_drawable(row, 48) for row in panel.rows], fontsize=8)
    limit = max(float(np.abs(values).max()), 1e-9)
    colours = "RdBu_r" if panel.signed else "Purples" if panel.cells is None else "Reds"
    image = axes.imshow(
        values, cmap=colours, aspect="auto", vmin=-limit if panel.signed else 0, vmax=limit
    )
    if panel.cells is not None:
        for (row, column), value in np.ndenumerate(values):
            if column < len(panel.cells[row]):
                text = _drawable(panel.cells[row][column], 10)
                _write(axes, column, row, text, bool(value > 0.6 * limit))
    elif shown <= _NUMBERED:
        _numbers(axes, values, limit)
    names = [_drawable(name, 18) for name in panel.columns[:shown]]
    slant: dict[str, Any] = (
        {"rotation": 45, "ha": "right"} if max(map(len, names), default=0) > 3 else {}
    )
    axes.set_xticks(range(len(names)), names, fontsize=8, **slant)
    axes.set_xlabel(panel.axis)
    if panel.cells is None:
        figure.colorbar(image, ax=axes, shrink=0.8)
    return figure


def _regions(panel: Regions) -> Any:
    """Numbers over the picture, grey beneath them."""
    side, extent = panel.side, (0, panel.side, panel.side, 0)
    pixels = None if panel.picture is None else _pixels(panel.picture)
    count = len(panel.maps) + (pixels is not None)
    columns = min(4, count)
    rows = -(-count // columns)
    figure = _figure((2.9 * columns, 3.0 * rows + 0.4))
    places = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for axes in places:
        axes.set_axis_off()
    if pixels is not None:
        axes = places.pop(0)
        axes.imshow(pixels, extent=extent)
        axes.set_title("the picture", fontsize=9)
    for axes, (title, numbers, signed) in zip(places, panel.maps, strict=False):
        values = np.asarray(numbers)
        limit = max(float(np.abs(values).max()), 1e-9)
        if pixels is not None:
            axes.imshow(pixels.mean(axis=-1), cmap="gray", vmin=0, vmax=255, extent=extent)
        axes.imshow(
            values.reshape(side, side),
            cmap="RdBu_r" if signed else "Purples",
            vmin=-limit if signed else 0,
            vmax=limit,
            alpha=1.0 if pixels is None else 0.5,
            extent=extent,
        )
        box = {"facecolor": "white", "alpha": 0.75, "lw": 0, "pad": 1.5}
        for place, value in enumerate(values):
            text = f"{value:+.2g}" if signed else f"{value:.2f}"
            x, y = place % side + 0.5, place // side + 0.5
            axes.text(x, y, text, ha="center", va="center", fontsize=9, bbox=box)
        axes.set_title(_drawable(title, 40), fontsize=9)
    return figure


def _numbers(axes: Any, values: np.ndarray, highest: float) -> None:
    for (row, column), value in np.ndenumerate(values):
        _write(axes, column, row, f"{value:.2f}", highest > 0 and abs(value) > 0.6 * highest)


def _write(axes: Any, x: int, y: int, text: str, dark: bool) -> None:
    colour = "white" if dark else "black"
    axes.text(x, y, text, ha="center", va="center", fontsize=8, color=colour)


def _pixels(content: bytes) -> np.ndarray:
    import PIL.Image
    import PIL.ImageOps

    try:
        with PIL.Image.open(io.BytesIO(content)) as picture:
            picture.thumbnail((512, 512))
            return np.asarray(PIL.ImageOps.exif_transpose(picture).convert("RGB"))
    except OSError as error:
        raise ArtifactError(f"the post's picture is not readable as one: {error}.") from error


@functools.cache
def _characters() -> tuple[list[str], frozenset[int]]:
    """Families to draw with, and the characters that they have."""
    from matplotlib import font_manager

    there = {font.name: font.fname for font in font_manager.fontManager.ttflist}
    families = [name for name in _FONTS if name in there]
    known = frozenset(
        code for name in families for code in font_manager.get_font(there[name]).get_charmap()
    )
    return families, known


def _drawable(text: str, width: int) -> str:
    """One short line that the fonts can draw, no part of it taken for a formula."""
    text = textwrap.shorten(" ".join(text.split()), 10 * width, placeholder="…")
    text = text if len(text) <= width else text[: width - 1] + "…"
    known = _characters()[1]
    # What no font has becomes one square, not a warning for each.
    text = "".join(char if ord(char) in known else "□" for char in text if char.isprintable())
    return text.replace("$", r"\$")


def _figure(size: tuple[float, float]) -> Any:
    import matplotlib

    with matplotlib.rc_context({"font.family": _characters()[0]}):
        return new_figure(*size)
