"""Explanations in a report: their heat maps and lists, from JSON values."""

from collections.abc import Mapping, Sequence
from typing import Any


def explained(explanation: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any] | None:
    """Panels of an explanation as the macro `explained` shows them; None where it has none.

    Args:
        explanation: of `Explanation.to_json`.
        keys: of the panels, in their order.
    """
    panels = {panel["key"]: panel for panel in explanation["panels"]}
    shown = [panels[key] for key in keys if key in panels]
    if not shown:
        return None
    return {
        "title": explanation["title"],
        "text": None if explanation["text"] is None else short(explanation["text"], 280),
        "panels": [_heat(one) if one["kind"] == "HeatMap" else _items(one) for one in shown],
    }


def short(text: str, longest: int) -> str:
    """A text on one line, cut where it is longer."""
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def _heat(panel: Mapping[str, Any]) -> dict[str, Any]:
    name, weights = panel["weights"] or ("", [])
    highest = max(weights, default=0) or 1.0
    reach = max((abs(value) for row in panel["values"] for value in row), default=0) or 1.0
    cells = panel["cells"] or [[f"{value:+.2f}" for value in row] for row in panel["values"]]
    rows = []
    for at, row in enumerate(panel["rows"]):
        rows.append(
            {
                "name": short(row, 110),
                "weight": f"{weights[at]:.3f}" if weights else "",
                "share": weights[at] / highest if weights else 0,
                "cells": [
                    (text, value / reach)
                    for text, value in zip(cells[at], panel["values"][at], strict=True)
                ],
            }
        )
    shown = {"title": panel["title"], "weight": name, "columns": panel["columns"], "rows": rows}
    return {**shown, "reach": f"{reach:.2g}"}


def _items(panel: Mapping[str, Any]) -> dict[str, Any]:
    columns = [list(map(_text, column["values"])) for column in panel["columns"]]
    head = [column["name"] for column in panel["columns"]]
    return {"title": panel["title"], "head": head, "rows": list(zip(*columns, strict=True))}


def _text(value: Any) -> str:
    if isinstance(value, str) or value is None:
        return value or ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)
