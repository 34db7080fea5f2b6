"""An explanation as one HTML page with everything inside it, as JSON and as figures."""

import base64
import os
import pathlib
from collections.abc import Mapping
from html import escape

from tfhashtag.explain.explanation import Column, Explanation, Items
from tfhashtag.explain.figures import check_plots, draw, png
from tfhashtag.files import atomic_writer, check_new_folder, write_json, write_text

_STYLE = """
.explanation { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 62rem;
  padding: 1rem; color: #1c1c1c; background: #fff; overflow-wrap: anywhere; color-scheme: light; }
.explanation h1 { font-size: 1.5rem; line-height: 1.25; }
.explanation h2 { font-size: 1.2rem; margin-top: 2.2rem; }
.explanation figure { margin: 1rem 0; } .explanation .note { color: #555; font-size: .9rem; }
.explanation img { width: 100%; min-width: 40rem; height: auto; }
.explanation blockquote { margin: 1rem 0; padding: .5rem 1rem; border-left: 4px solid #0b5394;
  background: #f4f6f9; white-space: pre-wrap; }
.explanation .wide { overflow-x: auto; }
.explanation table { border-collapse: collapse; font-size: .9rem; }
.explanation th, .explanation td { padding: .3rem .6rem; border-bottom: 1px solid #ddd;
  text-align: left; vertical-align: top; overflow-wrap: normal; }
.explanation td.text { min-width: 14rem; overflow-wrap: anywhere; }
.explanation td.number { text-align: right; font-variant-numeric: tabular-nums; }
.explanation tr.marked td { background: #eaf6ee; }
.explanation .word { padding: 0 .15em; border-radius: .2em; display: inline-block; }
"""


def figures_of(explanation: Explanation) -> dict[str, bytes]:
    """PNG by the key of its panel, of every panel that is drawn."""
    check_plots()
    drawn = {panel.key: draw(panel) for panel in explanation.panels}
    return {key: png(figure) for key, figure in drawn.items() if figure is not None}


def write(explanation: Explanation, folder: str | os.PathLike) -> list[pathlib.Path]:
    """See `Explanation.write`."""
    check_new_folder(folder := pathlib.Path(folder))
    figures = figures_of(explanation)
    page = (
        "<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
        "<meta name=viewport content='width=device-width, initial-scale=1'>\n"
        f"<title>{escape(explanation.title)}</title>\n</head>\n<body>\n"
        f"{content(explanation, figures)}\n</body>\n</html>\n"
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "explanation.html", page)
    write_json(folder / "explanation.json", explanation.to_json())
    for name, picture in figures.items():
        with atomic_writer(folder / f"{name}.png", "wb") as file:
            file.write(picture)
    names = ["explanation.html", "explanation.json", *(f"{name}.png" for name in figures)]
    return [folder / name for name in names]


def content(explanation: Explanation, figures: Mapping[str, bytes]) -> str:
    """HTML of an explanation, everything that users wrote escaped.

    Args:
        explanation: what to show.
        figures: PNG by the key of its panel; each is put into the page.
    """
    parts = [f"<h1>{escape(explanation.title)}</h1>"]
    if explanation.text is not None:
        parts.append(f"<blockquote>{escape(explanation.text) or '(no text)'}</blockquote>")
    parts += [f"<p>{escape(fact)}</p>" for fact in explanation.facts]
    for panel in explanation.panels:
        if panel.title:
            parts.append(f"<h2>{escape(panel.title)}</h2>")
        if panel.key in figures:
            about = escape(panel.note or panel.title, quote=True)
            image = base64.b64encode(figures[panel.key]).decode("ascii")
            parts.append(
                "<figure><div class=wide>"
                f"<img alt='{about}' src='data:image/png;base64,{image}'></div></figure>"
            )
        if isinstance(panel, Items) and panel.columns[0].values:
            parts.append(_table(panel))
        if panel.note:
            parts.append(f"<p class=note>{escape(panel.note)}</p>")
    body = "\n".join(parts)
    return f"<div class=explanation>\n<style>{_STYLE}</style>\n{body}\n</div>"


def _table(panel: Items) -> str:
    head = "".join(f"<th>{escape(column.name)}</th>" for column in panel.columns)
    columns = [_cells(column) for column in panel.columns]
    rows = [
        f"<tr{' class=marked' if at in panel.marked else ''}>{''.join(cells)}</tr>"
        for at, cells in enumerate(zip(*columns, strict=True))
    ]
    table = f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody>"
    return f"<div class=wide><table>{table}</table></div>"


def _cells(column: Column) -> list[str]:
    if column.kind == "words":
        return _words(column)
    if column.kind in ("text", "name"):
        return [f"<td class={column.kind}>{escape(value or '')}</td>" for value in column.values]
    cells = []
    for value in column.values:
        if value is None:
            cells.append("<td></td>")
            continue
        style = ""
        if column.kind == "weight":
            depth = 0.7 * min(max(value, 0), 1)
            style = f" style='background: rgba(106, 81, 163, {depth:.3f})'"
        text = f"{value:.0f}" if column.kind == "rank" else f"{value:.3f}"
        text = text.removeprefix("-") if float(text) == 0 else text
        cells.append(f"<td class=number{style}>{text}</td>")
    return cells


def _words(column: Column) -> list[str]:
    """Each word coloured by its number, the highest of all rows the strongest."""
    highest = max((number or 0 for row in column.values for _, number in row), default=0) or 1
    cells = []
    for row in column.values:
        spans = []
        for word, number in row:
            style = f"background: rgba(205, 38, 38, {0.75 * (number or 0) / highest:.3f})"
            about = "" if number is None else f" title='{number:.2e}'"
            spans.append(f"<span class=word style='{style}'{about}>{escape(word)}</span>")
        cells.append(f"<td class=text>{' '.join(spans) or '(no word)'}</td>")
    return cells
