"""The figures of explanations, as PNG."""

import functools
import io
import textwrap

import numpy as np

from tfhashtag.errors import ArtifactError
from tfhashtag.recommenders.audience.explanation import AudienceExplanation
from tfhashtag.recommenders.engagement.explanation import EngagementExplanation
from tfhashtag.recommenders.phr.explanation import PostExplanation, PostTagMap

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
_MOST_WORDS = 14  # of a message in a figure


def check_plots() -> None:
    """Refuses to begin what would end without its figures.

    Raises:
        ArtifactError: matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ArtifactError(
            "the figures need matplotlib; install it with `pip install 'tfhashtag[plots]'`."
        ) from error


def post_figures(explanation: PostExplanation) -> dict[str, bytes]:
    """PNG files of a post's explanation by name, those for which there is anything to show."""
    figures = {}
    for case in explanation.post_tag:
        if case.hashtags and case.posts[0].attention is not None:
            figures[f"post_tag_{case.side}.png"] = _post_tag(case)
    if explanation.co_attention:
        figures["co_attention.png"] = _co_attention(explanation)
        if explanation.grid and not explanation.picture_note.startswith("The post"):
            figures["regions.png"] = _regions(explanation)
    if explanation.neighbours and explanation.relations:
        figures["graph.png"] = _graph(explanation)
    figures["parts.png"] = _parts(explanation)
    return figures


def engagement_figures(explanation: EngagementExplanation) -> dict[str, bytes]:
    """PNG file of Figure 6 of the engagement paper, by name."""
    return {"attention.png": _png(attention_figure(explanation))}


def attention_figure(explanation: EngagementExplanation):
    """Figure 6 of the engagement paper, as a matplotlib `Figure`."""
    messages = explanation.messages
    with_topics = any(word.topic is not None for row in messages for word in row.words)
    figure = _figure((13 if with_topics else 8, 0.36 * len(messages) + 1.4))
    widths = [4, 9] if with_topics else [1]
    panels = figure.subplots(1, len(widths), width_ratios=widths, squeeze=False)[0]
    weights = np.array([[message.attention] for message in messages])
    panels[0].imshow(weights, cmap="Purples", aspect="auto", vmin=0)
    labels = [_drawable(message.text, 44) for message in messages]
    panels[0].set_yticks(range(len(messages)), labels, fontsize=8)
    panels[0].set_xticks([])
    for row, weight in enumerate(weights[:, 0]):
        _number(panels[0], 0, row, weight, weights.max())
    panels[0].set_title("attention of the user", fontsize=9)
    if with_topics:
        _word_grid(panels[1], messages)
    figure.suptitle(
        f"#{_drawable(explanation.hashtag, 40)} as {_drawable(explanation.user, 40)} sees it",
        fontsize=11,
    )
    return figure


def audience_figures(explanation: AudienceExplanation) -> dict[str, bytes]:
    """PNG file of the contributions of signals, by name."""
    parts = explanation.signals[:20][::-1]
    figure = _figure((8, 0.3 * len(parts) + 1.3))
    panel = figure.subplots()
    values = [part.contribution for part in parts]
    colours = [_COLOURS[0] if value >= 0 else _COLOURS[1] for value in values]
    errors = [2 * part.error for part in parts]
    panel.barh(range(len(parts)), values, xerr=errors, color=colours, error_kw={"lw": 0.8})
    panel.set_yticks(range(len(parts)), [part.signal for part in parts], fontsize=8)
    panel.axvline(0, color="#444444", lw=0.8)
    panel.set_xlabel("part of the logit (line: two standard errors)")
    name, user = _drawable(explanation.hashtag, 40), _drawable(explanation.user, 40)
    panel.set_title(f"#{name} for {user}: logit {explanation.logit:.3f}", fontsize=11)
    return {"signals.png": _png(figure)}


def _post_tag(case: PostTagMap) -> bytes:
    rows, columns = len(case.posts), len(case.hashtags)
    figure = _figure((4.6 + 0.55 * (columns + 1), 1.9 + 0.42 * rows))
    left, right = figure.subplots(1, 2, width_ratios=[1, max(columns, 3)])
    weights = np.array([[post.attention] for post in case.posts])
    left.imshow(weights, cmap="Purples", aspect="auto", vmin=0)
    for row, weight in enumerate(weights[:, 0]):
        _number(left, 0, row, weight, weights.max())
    left.set_xticks([0], [r"$\pi$"])
    labels = [f"{_drawable(post.user, 12)}: {_drawable(post.text, 32)}" for post in case.posts]
    left.set_yticks(range(rows), labels, fontsize=8)
    values = np.array([post.correlation for post in case.posts])
    limit = max(float(np.abs(values).max()), 1e-6)
    image = right.imshow(values, cmap="RdBu_r", aspect="auto", vmin=-limit, vmax=limit)
    for row, column in np.ndindex(values.shape):
        _number(right, column, row, values[row, column], limit)
    names = [f"#{_drawable(name, 18)}" for name in case.hashtags]
    right.set_xticks(range(columns), names, rotation=45, ha="right", fontsize=8)
    right.set_yticks([])
    figure.colorbar(image, ax=right, label="Q", shrink=0.8)
    whose = "the user's similar posts" if case.side == "own" else "similar posts by others"
    figure.suptitle(f"Post-tag attention, equation (14): {whose}", fontsize=11)
    return _png(figure)


def _co_attention(explanation: PostExplanation) -> bytes:
    maps = explanation.co_attention
    weights = np.array([row.weights for row in maps])
    columns = weights.shape[1]
    figure = _figure((2.6 + 0.5 * min(columns, 24), 1.5 + 0.34 * len(maps)))
    panel = figure.subplots()
    image = panel.imshow(weights, cmap="Purples", aspect="auto", vmin=0)
    if columns <= 16:
        for row in range(len(maps)):
            for column in range(columns):
                value = weights[row, column]
                _number(panel, column, row, value, weights.max())
    names = [rf"$\pi^{{{row.name}}}$  ({row.equation})" for row in maps]
    panel.set_yticks(range(len(maps)), names)
    panel.set_xticks(range(columns), [str(place + 1) for place in range(columns)], fontsize=8)
    panel.set_xlabel("proposal")
    figure.colorbar(image, ax=panel, shrink=0.8)
    panel.set_title("Co-attention, equations (15) and (16)", fontsize=11)
    return _png(figure)


def _regions(explanation: PostExplanation) -> bytes:
    """Weights of the pairs with a picture, and falls of the best logit, over the picture."""
    side = explanation.grid
    shown = [
        (rf"$\pi^{{{row.name}}}$", np.array(row.weights), "Purples", False)
        for row in explanation.co_attention
        if "visual" in row.sides
    ]
    for parts in explanation.hashtags[:2]:
        if parts.regions:
            name = f"fall of #{_drawable(parts.hashtag, 16)}"
            shown.append((name, np.array(parts.regions), "RdBu_r", True))
    pixels = None if explanation.picture is None else _pixels(explanation.picture)
    count = len(shown) + (pixels is not None)
    columns = min(4, count)
    rows = -(-count // columns)
    figure = _figure((2.9 * columns, 3.0 * rows + 0.4))
    panels = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for panel in panels:
        panel.set_axis_off()
    extent = (0, side, side, 0)
    grey = None
    if pixels is not None:
        panel = panels.pop(0)
        panel.imshow(pixels, extent=extent)
        panel.set_title("the picture", fontsize=9)
        grey = pixels.mean(axis=-1)
    for panel, (title, values, colours, signed) in zip(panels, shown, strict=False):
        limit = max(float(np.abs(values).max()), 1e-9)
        if grey is not None:
            panel.imshow(grey, cmap="gray", vmin=0, vmax=255, extent=extent)
        panel.imshow(
            values.reshape(side, side),
            cmap=colours,
            vmin=-limit if signed else 0,
            vmax=limit,
            alpha=1.0 if grey is None else 0.5,
            extent=extent,
        )
        for place, value in enumerate(values):
            panel.text(
                place % side + 0.5,
                place // side + 0.5,
                f"{value:+.2g}" if signed else f"{value:.2f}",
                ha="center",
                va="center",
                fontsize=9,
                bbox={"facecolor": "white", "alpha": 0.75, "lw": 0, "pad": 1.5},
            )
        panel.set_title(title, fontsize=9)
    figure.suptitle("Regions of the picture", fontsize=11)
    return _png(figure)


def _graph(explanation: PostExplanation) -> bytes:
    neighbours = explanation.neighbours[::-1]
    figure = _figure((8, 0.36 * len(neighbours) + 1.5))
    panel = figure.subplots()
    height = 0.8 / len(explanation.relations)
    for at, relation in enumerate(explanation.relations):
        places = np.arange(len(neighbours)) + (at - (len(explanation.relations) - 1) / 2) * height
        weights = [neighbour.weights[relation] for neighbour in neighbours]
        panel.barh(places, weights, height, color=_COLOURS[at + 1], label=relation)
    labels = [f"{_drawable(n.user, 12)}: {_drawable(n.text, 32)}" for n in neighbours]
    panel.set_yticks(range(len(neighbours)), labels, fontsize=8)
    panel.set_xlim(left=min(0, panel.get_xlim()[0]), right=1.02)
    panel.set_xlabel("weight of the edge, 0: not linked")
    panel.set_title("Neighbours in the graph", fontsize=11)
    figure.legend(loc="outside lower center", ncols=len(explanation.relations), fontsize=8)
    return _png(figure)


def _parts(explanation: PostExplanation) -> bytes:
    hashtags = explanation.hashtags[::-1]
    names = list(hashtags[0].parts)
    figure = _figure((9, 0.42 * len(hashtags) + 2.0))
    panel = figure.subplots()
    above, below = np.zeros(len(hashtags)), np.zeros(len(hashtags))
    for at, name in enumerate(names):
        values = np.array([row.parts[name] for row in hashtags])
        starts = np.where(values >= 0, above, below)
        hatch = "//" if at >= len(_COLOURS) else None
        colour = _COLOURS[at % len(_COLOURS)]
        panel.barh(range(len(hashtags)), values, left=starts, color=colour, label=name, hatch=hatch)
        above, below = above + np.maximum(values, 0), below + np.minimum(values, 0)
    logits = [row.logit for row in hashtags]
    panel.plot(logits, range(len(hashtags)), "kD", ms=5, label="logit")
    labels = [
        f"{'✓ ' if row.true else ''}#{_drawable(row.hashtag, 24)}  {row.rank}" for row in hashtags
    ]
    panel.set_yticks(range(len(hashtags)), labels, fontsize=9)
    panel.axvline(0, color="#444444", lw=0.8)
    panel.use_sticky_edges = False
    panel.margins(x=0.03)
    panel.autoscale(axis="x")
    panel.set_xlabel("parts of the logit")
    panel.set_title("Parts of the scores (✓: the post has the hashtag; rank)", fontsize=11)
    figure.legend(
        *panel.get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=8
    )
    return _png(figure)


def _word_grid(panel, messages) -> None:
    """Each word as a cell, the redder the likelier under the topics."""
    highest = max((w.topic for m in messages for w in m.words if w.topic is not None), default=0)
    longest = max(1, min(_MOST_WORDS, max(len(message.words) for message in messages)))
    shown = np.zeros((len(messages), longest))
    for row, message in enumerate(messages):
        for column, word in enumerate(message.words[:longest]):
            shown[row, column] = word.topic or 0
    panel.imshow(shown, cmap="Reds", aspect="auto", vmin=0, vmax=max(highest, 1e-12))
    for row, message in enumerate(messages):
        for column, word in enumerate(message.words[:longest]):
            dark = highest > 0 and shown[row, column] > 0.6 * highest
            panel.text(
                column, row, _drawable(word.text, 10), ha="center", va="center", fontsize=7,
                color="white" if dark else "black",
            )  # fmt: skip
    panel.set_xticks([])
    panel.set_yticks([])
    panel.set_title("topic likelihood of words", fontsize=9)


def _number(panel, x, y, value, highest) -> None:
    colour = "white" if highest > 0 and abs(value) > 0.6 * highest else "black"
    panel.text(x, y, f"{value:.2f}", ha="center", va="center", fontsize=8, color=colour)


def _pixels(path: str) -> np.ndarray:
    import PIL.Image
    import PIL.ImageOps

    try:
        with PIL.Image.open(path) as picture:
            picture.thumbnail((512, 512))
            return np.asarray(PIL.ImageOps.exif_transpose(picture).convert("RGB"))
    except OSError as error:
        raise ArtifactError(f"{path}: not readable as a picture: {error}.") from error


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


def _figure(size):
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"font.family": _characters()[0]}):
        return Figure(figsize=size, layout="constrained")


def _png(figure) -> bytes:
    import matplotlib

    out = io.BytesIO()
    with matplotlib.rc_context({"font.family": _characters()[0]}):
        figure.savefig(out, dpi=130, format="png", metadata={"Software": None})
    return out.getvalue()
