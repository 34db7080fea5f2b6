"""Tables as files: CSV, Markdown, LaTeX, and the same for programs."""

import pathlib
from collections.abc import Sequence
from typing import Any

from tfhashtag.comparison.summary import Summary
from tfhashtag.comparison.tables import Table, csv_text, latex, legend, markdown
from tfhashtag.files import atomic_writer


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
    note = ". ".join(filter(None, (legend(reference), footnote)))
    texts = {
        "tables.csv": csv_text(tables, metrics),
        "tables.md": "\n".join([*map(markdown, tables), note.replace("*", "\\*") + "\n"]),
        "tables.tex": f"% {note}\n" + "\n".join(map(latex, tables)),
    }
    for name, text in texts.items():
        with atomic_writer(folder / name) as file:
            file.write(text)


def figures_of(row: Summary) -> dict[str, Any]:
    """A summary's figures as JSON values."""
    return {
        "mean": row.means,
        "deviation": row.deviations,
        "by_seed": row.by_seed,
        "against": {
            name: {
                "difference": tested.difference,
                "p_value": tested.p_value,
                "low": tested.low,
                "high": tested.high,
                "queries": tested.users,
            }
            for name, tested in row.against.items()
        },
    }


def about(row: Summary) -> dict[str, Any]:
    """What a summary is of, as JSON values."""
    return {
        "about": row.about,
        "not_applicable": row.not_applicable,
        "seeds": list(row.seeds),
        "failed": [{"seed": seed, "message": message} for seed, message in row.failed],
    }
