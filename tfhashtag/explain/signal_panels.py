"""The signals of a score as panels: the largest drawn, all of them listed."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfhashtag.explain.explanation import Bars, Column, Items

_DRAWN = 20  # signals in the figure


def signal_panels(
    named: Mapping[str, str],
    values: Mapping[str, Sequence[float | None]],
    parts: np.ndarray,
    errors: np.ndarray,
    note: str = "",
) -> tuple[Bars, Items]:
    """Bars of the largest parts of a logit, and a list of all, largest first.

    Args:
        named: from the technical name of each signal to its words.
        values: what else is listed of the signals, by the head of its column.
        parts, errors: float `[signals]`, of `contributions`.
        note: said of the list besides.
    """
    names, words = list(named), list(named.values())
    order = np.argsort(-np.abs(parts), kind="stable").tolist()
    drawn = order[:_DRAWN]

    def column(head: str, of: Any) -> Column:
        return Column(head, [None if of[at] is None else float(of[at]) for at in order])

    bars = Bars(
        key="signals",
        title="The signals with the largest parts",
        rows=[words[at] for at in drawn],
        series={"part": parts[drawn].tolist()},
        errors=(2 * errors[drawn]).tolist(),
        axis="part of the logit (line: two standard errors)",
    )
    items = Items(
        key="all_signals",
        title="Signals",
        columns=[
            Column("signal", [words[at] for at in order], "text"),
            Column("name", [names[at] for at in order], "name"),
            *(column(head, of) for head, of in values.items()),
            column("part of the logit", parts),
            column("standard error", errors),
        ],
        note="The parts add up to the logit exactly. How they are shared out among the signals is "
        f"an estimate of their Shapley values, with its standard error.{note}",
    )
    return bars, items


def logit_in_words(logit: float, baseline: float) -> str:
    """What the parts of a logit add up from."""
    mean = f"{baseline:.4f} where every signal has its mean"
    return f"Logit {logit:.4f} = {mean}, and the parts below."
