"""Charts as files and inside a page; metrics by cut-off, as lines."""

import base64
import io
import os
import pathlib
from collections.abc import Collection, Sequence

from tfhashtag.comparison.summary import Summary
from tfhashtag.errors import ArtifactError
from tfhashtag.files import atomic_writer

# Told apart by colour-blind people too, and by their markers in print without colour.
COLOURS = ("#0b5394", "#d55e00", "#009e73", "#cc79a7", "#7f6000", "#56b4e9", "#555555", "#e69f00")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


def check_plots() -> None:
    """Refuses to begin what would end without its figures.

    Raises:
        ArtifactError: matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ArtifactError(
            "the figures need matplotlib; install it with `pip install 'tfhashtag[report]'`."
        ) from error


def draw_cutoffs(
    paths: Sequence[str | os.PathLike],
    summaries: Sequence[Summary],
    metrics: Sequence[str],
    cutoffs: Sequence[int],
    plain: Collection[str] = (),
) -> None:
    """Draws a panel a metric, with a line a system over the cut-offs k.

    Args:
        paths: files to write, `.png` or `.svg`.
        summaries: systems with figures for every `metric@k`.
        metrics: names before the `@`.
        cutoffs: the k.
        plain: names of systems to draw dashed.
    """
    columns = 2 if len(metrics) > 1 else 1
    rows = -(-len(metrics) // columns)
    figure = new_figure((4.6 * columns, 3.4 * rows + 0.5))
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel, metric in zip(panels, metrics, strict=False):
        _draw(panel, summaries, metric, cutoffs, plain)
    for panel in panels[len(metrics) :]:
        panel.set_visible(False)
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(
        handles, names, loc="outside lower center", ncols=min(4, len(names)), frameon=False
    )
    save_figure(figure, paths)


def cutoffs_image(
    summaries: Sequence[Summary],
    metric: str,
    cutoffs: Sequence[int],
    plain: Collection[str] = (),
) -> str:
    """One panel of `draw_cutoffs` with its legend, as the `src` of an `<img>`: SVG in base64."""
    figure = new_figure((4.6, 3.6 + 0.22 * (len(summaries) + 2) // 3))
    panel = figure.subplots()
    _draw(panel, summaries, metric, cutoffs, plain)
    handles, names = panel.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return embedded(figure)


def save_figure(figure, paths: Sequence[str | os.PathLike]) -> None:
    """Writes a matplotlib `Figure` as `.png` or `.svg` files, the same bytes each time."""
    for path in map(pathlib.Path, paths):
        with atomic_writer(path, "wb") as file, _same_names():
            figure.savefig(file, dpi=160, format=path.suffix[1:].lower(), metadata=_metadata(path))


def embedded(figure) -> str:
    """A matplotlib `Figure` as the `src` of an `<img>`: SVG in base64."""
    out = io.BytesIO()
    with _same_names():
        figure.savefig(out, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(out.getvalue()).decode("ascii")


def new_figure(size: tuple[float, float]):
    """A matplotlib `Figure` of so many inches, apart from pyplot and its windows."""
    from matplotlib.figure import Figure

    return Figure(figsize=size, layout="constrained")


def _draw(panel, summaries, metric, cutoffs, plain) -> None:
    for place, row in enumerate(row for row in summaries if row.means):
        means = [row.means[f"{metric}@{k}"] for k in cutoffs]
        deviations = [row.deviations.get(f"{metric}@{k}", 0.0) for k in cutoffs]
        colour = COLOURS[place % len(COLOURS)]
        panel.errorbar(
            cutoffs,
            means,
            yerr=deviations if row.deviations else None,
            label=row.name,
            color=colour,
            marker=_MARKERS[place % len(_MARKERS)],
            markersize=5,
            linewidth=1.6,
            linestyle="--" if row.name in plain else "-",
            capsize=2.5,
        )
    panel.set_title(f"{metric}@k", loc="left", fontsize=11)
    panel.set_xlabel("k")
    panel.set_xticks(list(cutoffs))
    panel.set_ylim(bottom=0)
    panel.grid(axis="y", alpha=0.25)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)


def _same_names():
    """Elements of an SVG are named by a salt, else by lot."""
    import matplotlib

    return matplotlib.rc_context({"svg.hashsalt": "tfhashtag"})


def _metadata(path: pathlib.Path) -> dict | None:
    return {"Date": None} if path.suffix.lower() == ".svg" else None
