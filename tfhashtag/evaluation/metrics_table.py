"""Metrics as tables."""

from collections.abc import Mapping
from typing import Any

from tfhashtag.records import Records


def metrics_table(
    rows: Mapping[str, Mapping[str, Any]], average: str = "all", title: str = ""
) -> Records:
    """A row a system.

    Args:
        rows: name of the system to the result of `evaluate` (or the content of metrics.json).
        average: `"all"` or `"answerable"`.
        title: above the table.
    """
    return Records(
        [{"system": name, **result["averages"][average]} for name, result in rows.items()], title
    )


def averages_table(result: Mapping[str, Any], title: str = "") -> Records:
    """A row a metric and a column an average.

    Args:
        result: of `evaluate`, or the content of metrics.json.
        title: above the table.
    """
    averages = result["averages"]
    return Records(
        [
            {"metric": name, **{average: averages[average][name] for average in averages}}
            for name in averages["all"]
        ],
        title,
    )


def posts_table(result: Mapping[str, Any], title: str = "") -> Records:
    """A row a metric and a column a cut-off.

    Args:
        result: of `evaluate_posts`, or the content of metrics.json.
        title: above the table.
    """
    rows: dict[str, dict[str, Any]] = {}
    for name, value in result["metrics"].items():
        metric, k = name.split("@")
        rows.setdefault(metric, {"metric": metric})[f"@{k}"] = value
    return Records(list(rows.values()), title)
