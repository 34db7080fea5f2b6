import csv
import io

import pytest
import rich.console

from tfhashtag.comparison.summary import Summary
from tfhashtag.comparison.tables import (
    Table,
    csv_text,
    latex,
    markdown,
    note,
    terminal,
)
from tfhashtag.evaluation.significance import Comparison


def row(name, mean=None, deviation=None, p_value=None, failed=(), missing=""):
    against = {}
    if p_value is not None:
        against = {"F1@9": Comparison(-0.01, -3.0, p_value, -0.02, -0.001, 100)}
    ranked = mean is not None
    return Summary(
        name,
        "about",
        missing,
        (0, 1) if ranked else (),
        tuple(failed),
        {"F1@9": mean} if ranked else {},
        {"F1@9": deviation} if deviation is not None else {},
        {"F1@9": [mean]} if ranked else {},
        against,
    )


@pytest.fixture
def table():
    rows = [
        row("Full_1", 0.21, 0.002),
        row("Much", 0.18, 0.001, 0.004),
        row("Some", 0.2, 0.001, 0.03),
        row("None", 0.209, 0.001, 0.4, failed=[(1, "a | b")]),
        row("Gone", missing="no images"),
        row("Broken", failed=[(0, "50% of {it} & more")]),
    ]
    return Table("table2", "Both & all", rows, ("F1@9",), "Full_1")


def test_markdown(table):
    lines = markdown(table).splitlines()
    assert lines[0] == "**Both & all**"
    assert "| Full_1 | **0.2100 ± 0.0020** |" in lines
    assert "| Much | 0.1800 ± 0.0010\\*\\* |" in lines
    assert "| Some | 0.2000 ± 0.0010\\* |" in lines
    assert "| None | 0.2090 ± 0.0010 (1 of 3 seeds failed: a \\| b) |" in lines
    assert "| Gone | not applicable: no images |" in lines


def test_latex_escapes(table):
    text = latex(table)
    assert r"\caption{Both \& all}" in text
    assert r"Full\_1 & \textbf{0.2100 $\pm$ 0.0020} \\" in text
    assert r"Much & 0.1800 $\pm$ 0.0010$^{**}$ \\" in text
    assert r"\multicolumn{1}{l}{failed: 50\% of \{it\} \& more}" in text
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")


def test_csv_has_every_figure(table):
    rows = list(csv.DictReader(io.StringIO(csv_text([table], ["F1@9"]))))
    assert [found["system"] for found in rows] == [row.name for row in table.rows]
    much = rows[1]
    assert (much["reference"], much["p_value"], much["low"]) == ("Full_1", "0.004", "-0.02")
    assert rows[0]["reference"] == "" and rows[4]["note"] == "not applicable: no images"


def test_terminal_fits_and_marks(table):
    console = rich.console.Console(width=60, record=True, file=io.StringIO())
    console.print(terminal(table))
    text = console.export_text()
    assert "0.1800**" in text and "±0.0010" in text and "p (F1@9)" in text
    assert "–" in text  # what has no figures


def test_names_are_no_markup(table):
    odd = Table("t", "T", [row("[bold]x[/nothing]", 0.5)], ("F1@9",), "Full_1")
    console = rich.console.Console(width=60, record=True, file=io.StringIO())
    console.print(terminal(odd))
    assert "[bold]x[/nothing]" in console.export_text()


def test_note():
    assert note(row("A", 0.5)) == ""
    assert note(row("A", failed=[(0, "x")])) == "failed: x"
