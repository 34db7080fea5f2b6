"""Tables of a comparison: for the terminal, as CSV, Markdown, LaTeX, for pages and programs."""

import csv
import dataclasses
import io
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import rich.table
import rich.text

from tfhashtag.comparison.summary import Summary
from tfhashtag.files import write_text


@dataclasses.dataclass(frozen=True)
class Cell:
    """One figure of a table.

    Attributes:
        metric: its column.
        mean, deviation: in four figures; the deviation "" below two seeds.
        mark: `*` for p < 0.05, `**` for p < 0.01 against the reference, else "".
        best: whether no other system of the table has a higher mean.
        share: of the highest mean, in percent.
        published: the paper's figure, "" where it has none.
    """

    metric: str
    mean: str
    deviation: str
    mark: str
    best: bool
    share: str
    published: str

    @property
    def text(self) -> str:
        """The mean, and the deviation where there are seeds enough."""
        return f"{self.mean} ± {self.deviation}" if self.deviation else self.mean


@dataclasses.dataclass(frozen=True)
class Table:
    """Systems in rows, metrics in columns.

    Attributes:
        key: for file names and anchors, e.g. `"table2"`.
        title: above the table.
        rows: the systems.
        metrics: the columns.
        reference: name of the system that the others are tested against.
        published: system to metric to the figure of the paper, to stand beside ours.

    Example:

    >>> rows = [
    ...     Summary("A", "", "", (0,), (), {"MAP": 0.5}, {}, {"MAP": [0.5]}, {}),
    ...     Summary("B", "", "no images", (), (), {}, {}, {}, {}),
    ... ]
    >>> print(markdown(Table("t", "Both", rows, ("MAP",), "A")))
    **Both**
    <BLANKLINE>
    | system | MAP |
    |---|---:|
    | A | **0.5000** |
    | B | not applicable: no images |
    <BLANKLINE>
    """

    key: str
    title: str
    rows: Sequence[Summary]
    metrics: tuple[str, ...]
    reference: str
    published: Mapping[str, Mapping[str, float]] = dataclasses.field(default_factory=dict)

    @property
    def published_metrics(self) -> tuple[str, ...]:
        """The columns for which the paper has a figure of one of the systems."""
        figures = [self.published.get(row.name, {}) for row in self.rows]
        return tuple(name for name in self.metrics if any(name in found for found in figures))

    def published_cells(self, row: Summary) -> list[str]:
        """The paper's figures of a row, "" where it has none."""
        figures = self.published.get(row.name, {})
        return [
            f"{figures[name]:.4f}" if name in figures else "" for name in self.published_metrics
        ]

    def cells(self, row: Summary) -> list[Cell]:
        """The figures of a row; none where the system was not ranked."""
        return [self._cell(row, name) for name in self.metrics] if row.means else []

    def _cell(self, row: Summary, name: str) -> Cell:
        mean = row.means[name]
        best = max(other.means[name] for other in self.rows if other.means)
        figures = self.published.get(row.name, {})
        return Cell(
            name,
            f"{mean:.4f}",
            f"{row.deviations[name]:.4f}" if row.deviations else "",
            _mark(row, name),
            round(mean, 4) >= round(best, 4),
            f"{100 * mean / best if best > 0 else 0:.0f}",
            f"{figures[name]:.4f}" if name in figures else "",
        )

    def page_values(self) -> dict[str, Any]:
        """The table as the report shows it, with the test of the last metric."""
        last = self.metrics[-1]
        rows = []
        for row in self.rows:
            tested = row.against.get(last)
            rows.append(
                {
                    "name": row.name,
                    "about": row.about,
                    "reference": row.name == self.reference,
                    "note": note(row),
                    "cells": self.cells(row),
                    "p": p_text(row, last),
                    "difference": f"{tested.difference:+.4f}" if tested else "",
                    "interval": f"{tested.low:+.4f} … {tested.high:+.4f}" if tested else "",
                }
            )
        return {
            "key": self.key,
            "title": self.title,
            "metrics": self.metrics,
            "reference": self.reference,
            "last": last,
            "rows": rows,
            "tested": any(row["p"] for row in rows),
        }


def note(row: Summary) -> str:
    """What stands in place of figures, or beside them: not applicable, failed seeds; or ""."""
    if row.missing:
        return f"not applicable: {row.missing}"
    if not row.failed:
        return ""
    message = row.failed[0][1]
    if row.seeds:
        return f"{len(row.failed)} of {len(row.failed) + len(row.seeds)} seeds failed: {message}"
    return f"failed: {message}"


def legend(reference: str) -> str:
    """What the marks mean, in plain text."""
    return (
        f"mean ± deviation over seeds; * p < 0.05, ** p < 0.01 against {reference} "
        "(two-sided paired t-test per query, values averaged over seeds)"
    )


def p_text(row: Summary, metric: str) -> str:
    """The p-value with two figures, "" where nothing was tested."""
    if metric not in row.against:
        return ""
    value = row.against[metric].p_value
    return "< 0.0001" if value < 0.0001 else f"{value:.2g}"


def sentence(ours: Summary | None, theirs: Summary | None, metric: str) -> str:
    """How the reference stands beside another system, with its test; "" where one is missing."""
    if ours is None or theirs is None or metric not in theirs.against:
        return ""
    tested, p_value = theirs.against[metric], p_text(theirs, metric)
    return (
        f"{ours.name} reaches {metric} {ours.means[metric]:.4f}, {theirs.name} "
        f"{theirs.means[metric]:.4f} (difference {-tested.difference:+.4f}, 95% interval "
        f"{-tested.high:+.4f} to {-tested.low:+.4f}, "
        f"p {p_value if p_value.startswith('<') else f'= {p_value}'})."
    )


def terminal(table: Table) -> rich.table.Table:
    """A table for `rich`; the last column is the p-value of the last metric."""
    shown = rich.table.Table(title=table.title)
    shown.add_column("system", overflow="fold")
    for name in table.metrics:
        shown.add_column(name, justify="right", no_wrap=True)
    if table.published_metrics:
        shown.caption = "in brackets: the paper"
    last = table.metrics[-1]
    tested = any(last in row.against for row in table.rows)
    if tested:
        shown.add_column(f"p ({last})", justify="right", no_wrap=True)
    for row in table.rows:
        cells: list[str | rich.text.Text] = []
        for cell in table.cells(row):
            text = rich.text.Text(cell.mean + cell.mark, style="bold" if cell.best else "")
            if cell.deviation:  # below the mean: four metrics side by side fill a terminal
                text.append(f"\n±{cell.deviation}", style="not bold dim")
            if cell.published:
                text.append(f"\n({cell.published})", style="not bold dim")
            cells.append(text)
        if not cells:  # the note stands below the table, where it has room
            cells = ["–"] * len(table.metrics)
        if tested:
            cells.append(p_text(row, last))
        shown.add_row(rich.text.Text(row.name), *cells)
    return shown


def markdown(table: Table) -> str:
    """A Markdown table under its title."""
    paper = [f"{name}, paper" for name in table.published_metrics]
    lines = [
        f"**{table.title}**",
        "",
        f"| {' | '.join(['system', *table.metrics, *paper])} |",
        f"|---|{'---:|' * (len(table.metrics) + len(paper))}",
    ]
    for row in table.rows:
        cells = [
            (f"**{cell.text}**" if cell.best else cell.text) + cell.mark.replace("*", "\\*")
            for cell in table.cells(row)
        ]
        if cells and note(row):
            cells[-1] += f" ({_one_line(note(row))})"
        if not cells:
            cells = [_one_line(note(row)), *[""] * (len(table.metrics) - 1)]
        cells += table.published_cells(row)
        lines.append(f"| {' | '.join([_one_line(row.name), *cells])} |")
    return "\n".join(lines) + "\n"


def latex(table: Table) -> str:
    """A LaTeX table for the package `booktabs`."""
    columns = len(table.metrics)
    paper = [f"{name} (paper)" for name in table.published_metrics]
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_escaped(table.title)}}}",
        rf"\label{{tab:{table.key}}}",
        rf"\begin{{tabular}}{{l{'r' * (columns + len(paper))}}}",
        r"\toprule",
        " & ".join(["System", *map(_escaped, (*table.metrics, *paper))]) + r" \\",
        r"\midrule",
    ]
    for row in table.rows:
        cells = [
            (rf"\textbf{{{_escaped(cell.text)}}}" if cell.best else _escaped(cell.text))
            + (f"$^{{{cell.mark}}}$" if cell.mark else "")
            for cell in table.cells(row)
        ]
        if not cells:
            cells = [rf"\multicolumn{{{columns}}}{{l}}{{{_escaped(note(row))}}}"]
        cells += table.published_cells(row)
        lines.append(" & ".join([_escaped(row.name), *cells]) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}", r"\end{table}"]
    return "\n".join(lines) + "\n"


_COLUMNS = (
    *("table", "system", "metric", "seeds", "mean", "deviation", "reference"),
    *("difference", "p_value", "low", "high", "published", "note"),
)


def csv_text(tables: Sequence[Table], metrics: Sequence[str]) -> str:
    """All figures, one a line: also of metrics and cut-offs that stand in no table.

    Args:
        tables: a system that stands in several is written in each.
        metrics: those to write.
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, _COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    for table in tables:
        for row in table.rows:
            for name in metrics if row.means else ("",):
                line = {
                    "table": table.key,
                    "system": row.name,
                    "metric": name,
                    "seeds": len(row.seeds),
                    "mean": _figure(row.means.get(name)),
                    "deviation": _figure(row.deviations.get(name)),
                    "published": _figure(table.published.get(row.name, {}).get(name)),
                    "note": note(row),
                }
                if name in row.against:
                    tested = row.against[name]
                    figures = ("difference", "p_value", "low", "high")
                    line |= {figure: _figure(getattr(tested, figure)) for figure in figures}
                    line["reference"] = table.reference
                writer.writerow(line)
    return out.getvalue()


def write_tables(
    folder: pathlib.Path,
    tables: Sequence[Table],
    metrics: Sequence[str],
    reference: str,
    footnote: str = "",
) -> None:
    """Writes tables.csv, tables.md and tables.tex.

    Args:
        folder: where.
        tables: all.
        metrics: those of the CSV file, which holds more than a page can.
        reference: name of the system that the others are tested against.
        footnote: one more sentence under the tables.
    """
    below = ". ".join(filter(None, (legend(reference), footnote)))
    texts = {
        "tables.csv": csv_text(tables, metrics),
        "tables.md": "\n".join([*map(markdown, tables), below.replace("*", "\\*") + "\n"]),
        "tables.tex": f"% {below}\n" + "\n".join(map(latex, tables)),
    }
    for name, text in texts.items():
        write_text(folder / name, text)


def figures_of(row: Summary) -> dict[str, Any]:
    """A summary's figures as JSON values."""
    against = {}
    for name, tested in row.against.items():
        found = dataclasses.asdict(tested)
        del found["statistic"]
        against[name] = {"queries": found.pop("users"), **found}
    return {
        "mean": row.means,
        "deviation": row.deviations,
        "by_seed": row.by_seed,
        "against": against,
    }


def _mark(row: Summary, metric: str) -> str:
    if metric not in row.against:
        return ""
    p_value = row.against[metric].p_value
    return "**" if p_value < 0.01 else "*" if p_value < 0.05 else ""


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "Δ": r"$\Delta$",
} | {character: "\\" + character for character in "&%$#_{}"}


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
