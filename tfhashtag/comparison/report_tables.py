"""What reports show alike: tables, failures, settings, as values for templates."""

from collections.abc import Sequence
from typing import Any

from tfhashtag.comparison.outcome import flat
from tfhashtag.comparison.tables import Table, note, p_text


def table_values(table: Table) -> dict[str, Any]:
    """A table as the macro `results` of parts.html shows it."""
    last = table.metrics[-1]
    rows = []
    for row in table.rows:
        tested = row.against.get(last)
        paper = table.published_cells(row)
        published = dict(zip(table.published_metrics, paper, strict=True))
        rows.append(
            {
                "name": row.name,
                "about": row.about,
                "reference": row.name == table.reference,
                "note": note(row),
                "cells": [
                    {
                        "metric": metric,
                        "mean": cell.text.partition(" ± ")[0],
                        "deviation": cell.text.partition(" ± ")[2],
                        "mark": cell.mark,
                        "best": cell.best,
                        "published": published.get(metric, ""),
                        "share": _share(table, metric, row.means[metric]),
                    }
                    for metric, cell in zip(table.metrics, table.cells(row), strict=False)
                ],
                "p": p_text(row, last),
                "difference": f"{tested.difference:+.4f}" if tested else "",
                "interval": f"{tested.low:+.4f} … {tested.high:+.4f}" if tested else "",
            }
        )
    tested_any = any(row["p"] for row in rows)
    return {
        "key": table.key,
        "title": table.title,
        "metrics": table.metrics,
        "reference": table.reference,
        "last": last,
        "rows": rows,
        "tested": tested_any,
    }


def _share(table: Table, metric: str, value: float) -> str:
    highest = max(row.means[metric] for row in table.rows if row.means)
    return f"{100 * value / highest if highest > 0 else 0:.0f}"


def p_words(text: str) -> str:
    """A p-value after the letter.

    >>> p_words("< 0.0001"), p_words("0.02")
    ('< 0.0001', '= 0.02')
    """
    return text if text.startswith("<") else f"= {text}"


def failure_values(failed: Sequence[tuple[str, int, str]]) -> list[dict[str, Any]]:
    """Failures of a comparison by their parts."""
    return [{"name": name, "seed": seed, "message": message} for name, seed, message in failed]


def settings_values(settings) -> list[dict[str, str]]:
    """Settings by dotted names, as text."""
    return [
        {"name": key, "value": _setting(value)}
        for key, value in flat(settings.model_dump()).items()
    ]


def _setting(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value).lower()
