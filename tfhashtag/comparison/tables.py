"""Tables of a comparison: for the terminal, as CSV, Markdown and LaTeX."""

import csv
import dataclasses
import io
from collections.abc import Mapping, Sequence

import rich.table
import rich.text

from tfhashtag.comparison.summary import Summary


@dataclasses.dataclass(frozen=True)
class Cell:
    """One figure of a table.

    Attributes:
        text: the mean, and the deviation where there are seeds enough.
        mark: `*` for p < 0.05, `**` for p < 0.01 against the reference, else "".
        best: whether no other system of the table has a higher mean.
    """

    text: str
    mark: str
    best: bool


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
    ...     Summary("A", "", "", (0,), (), {"MAP": 0.5}, {}, {"MAP": [0.5]}, {}, 1.0),
    ...     Summary("B", "", "no images", (), (), {}, {}, {}, {}, 0.0),
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
        return tuple(
            name
            for name in self.metrics
            if any(name in self.published.get(row.name, {}) for row in self.rows)
        )

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
        text = f"{mean:.4f}"
        if row.deviations:
            text += f" ± {row.deviations[name]:.4f}"
        best = max(other.means[name] for other in self.rows if other.means)
        return Cell(text, mark(row, name), round(mean, 4) >= round(best, 4))


def mark(row: Summary, metric: str) -> str:
    """`*` for p < 0.05, `**` for p < 0.01 against the reference."""
    if metric not in row.against:
        return ""
    p_value = row.against[metric].p_value
    return "**" if p_value < 0.01 else "*" if p_value < 0.05 else ""


def note(row: Summary) -> str:
    """What stands in place of figures, or beside them: not applicable, failed seeds; or ""."""
    if row.not_applicable:
        return f"not applicable: {row.not_applicable}"
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
        published = table.published.get(row.name, {})
        for name, cell in zip(table.metrics, table.cells(row), strict=False):
            mean, plus_minus, deviation = cell.text.partition(" ± ")
            text = rich.text.Text(mean + cell.mark, style="bold" if cell.best else "")
            if plus_minus:  # below the mean: four metrics side by side fill a terminal
                text.append(f"\n±{deviation}", style="not bold dim")
            if name in published:
                text.append(f"\n({published[name]:.4f})", style="not bold dim")
            cells.append(text)
        if not cells:  # the note stands below the table, where it has room
            cells = ["–"] * len(table.metrics)
        if tested:
            cells.append(p_text(row, last))
        shown.add_row(rich.text.Text(row.name), *cells)
    return shown


def p_text(row: Summary, metric: str) -> str:
    """The p-value with two figures, "" where nothing was tested."""
    if metric not in row.against:
        return ""
    value = row.against[metric].p_value
    return "< 0.0001" if value < 0.0001 else f"{value:.2g}"


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
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for table in tables:
        for row in table.rows:
            for name in metrics if row.means else ("",):
                against = row.against.get(name)
                tested: tuple[str, ...] = ("", "", "", "", "")
                if against is not None:
                    figures = (against.difference, against.p_value, against.low, against.high)
                    tested = (table.reference, *map(_figure, figures))
                writer.writerow(
                    (
                        table.key,
                        row.name,
                        name,
                        len(row.seeds),
                        _figure(row.means.get(name)),
                        _figure(row.deviations.get(name)),
                        *tested,
                        _figure(table.published.get(row.name, {}).get(name)),
                        note(row),
                    )
                )
    return out.getvalue()


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
