"""Metrics on the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

import rich.table


def metrics_table(
    rows: Mapping[str, Mapping[str, Any]],
    average: str = "all",
    title: str | None = None,
    metrics: Sequence[str] | None = None,
) -> rich.table.Table:
    """A table with a row a system.

    Args:
        rows: name of the system to the result of `evaluate` (or the content of metrics.json).
        average: `"all"` or `"answerable"`.
        title: above the table.
        metrics: columns; default all of the first row.

    Returns:
        A table that `rich.console.Console().print` shows.
    """
    table = rich.table.Table(title=title)
    names = list(metrics or next(iter(rows.values()))["averages"][average])
    table.add_column("system", overflow="fold")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for system, result in rows.items():
        values = result["averages"][average]
        table.add_row(system, *(f"{values[name]:.4f}" for name in names))
    return table


def averages_table(result: Mapping[str, Any], title: str | None = None) -> rich.table.Table:
    """A table of one evaluation with a row a metric and a column an average.

    Args:
        result: of `evaluate`, or the content of metrics.json.
        title: above the table.
    """
    table = rich.table.Table(title=title)
    table.add_column("metric")
    for average in result["averages"]:
        table.add_column(average, justify="right")
    for name in result["averages"]["all"]:
        values = (f"{values[name]:.4f}" for values in result["averages"].values())
        table.add_row(name, *values)
    return table


def posts_table(result: Mapping[str, Any], title: str | None = None) -> rich.table.Table:
    """A table of one evaluation of posts with a row a metric and a column a cut-off.

    Args:
        result: of `evaluate_posts`, or the content of metrics.json.
        title: above the table.
    """
    table = rich.table.Table(title=title)
    table.add_column("metric")
    names = [name.split("@") for name in result["metrics"]]
    cutoffs = list(dict.fromkeys(k for _, k in names))
    for k in cutoffs:
        table.add_column(f"@{k}", justify="right")
    for metric in dict.fromkeys(metric for metric, _ in names):
        table.add_row(metric, *(f"{result['metrics'][f'{metric}@{k}']:.4f}" for k in cutoffs))
    return table
