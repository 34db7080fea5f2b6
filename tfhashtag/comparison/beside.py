"""What lists of a comparison are beside right, and for whom: sections of the report."""

import json
import pathlib
from typing import TYPE_CHECKING, Any

import numpy as np

from tfhashtag.comparison.job import place_of
from tfhashtag.evaluation.beyond import DEFINITIONS

if TYPE_CHECKING:
    from tfhashtag.comparison.comparison import Comparison

_ABOUT = (
    "Means over seeds of the lists of the first protocol. New users have fewer than five known "
    "posts; the tail are the least used hashtags that together have a fifth of all uses; new "
    "hashtags are in no known post. A slice counts the {query} that have a true hashtag in it."
)


def beside_accuracy(found: "Comparison") -> dict[str, dict[str, dict[str, float]]]:
    """System to figures: `beyond`, and each slice with its size and the tested metrics.

    A comparison that an earlier version began has none for what that version finished.
    """
    protocol, query = found.study.task.protocols[0], f"{found.study.task.query}s"
    place, _ = place_of(found.study, pathlib.Path(), protocol)
    systems = {}
    for name in found.ranked:
        paths = found.files_of(name, str(place / "metrics.json")).values()
        results = [json.loads(path.read_text("utf-8")) for path in paths]
        results = [each for each in results if "beyond" in each]
        if not results:
            continue
        figures = {"beyond": _mean([_beyond(each) for each in results])}
        for slice_name in results[0]["slices"]:
            parts = [each["slices"][slice_name] for each in results]
            if parts[0][query]:
                means = _mean([part["metrics"] for part in parts])
                figures[slice_name] = {query: parts[0][query]} | {
                    metric: means[metric] for metric in found.study.tested if metric in means
                }
        systems[name] = figures
    return systems


def beside_section(found: "Comparison") -> dict[str, Any] | None:
    """The section with both tables; None where no system has such figures."""
    systems = found.beside
    if not systems:
        return None
    first = next(iter(systems.values()))
    query = f"{found.study.task.query}s"
    tables = [
        {
            "title": "Beyond accuracy",
            "head": ["system", *first["beyond"]],
            "rows": [
                [name, *(_shown(figures["beyond"].get(each)) for each in first["beyond"])]
                for name, figures in systems.items()
            ],
        }
    ]
    for slice_name in [name for name in first if name != "beyond"]:
        metrics = [name for name in first[slice_name] if name != query]
        rows = [
            [name, *(_shown(figures[slice_name].get(each)) for each in metrics)]
            for name, figures in systems.items()
            if slice_name in figures
        ]
        size = int(first[slice_name][query])
        title = f"{slice_name.capitalize()} ({size:,} {query})"
        tables.append({"title": title, "head": ["system", *metrics], "rows": rows})
    return {
        "key": "beside",
        "title": "Beyond accuracy, and where little is known",
        "kind": "tables",
        "about": _ABOUT.format(query=query),
        "tables": tables,
        "words": {name: f"{meaning} ({source})" for name, (meaning, source) in DEFINITIONS.items()},
    }


def _beyond(result: dict[str, Any]) -> dict[str, float]:
    figures = dict(result["beyond"])
    if "calibration" in result:
        figures["ECE"] = result["calibration"]["expected_error"]
    return figures


def _mean(results: list[dict[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([each[name] for each in results])) for name in results[0]}


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
