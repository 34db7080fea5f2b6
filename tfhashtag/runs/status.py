"""A run over time: what came in, how well it was ranked before, whether training would pay."""

import math
import os
import pathlib
from collections.abc import Sequence
from typing import Any

from tfhashtag.errors import ConfigError
from tfhashtag.files import atomic_writer
from tfhashtag.plots import new_figure
from tfhashtag.records import Records
from tfhashtag.runs import states
from tfhashtag.runs.drift import mean_gain
from tfhashtag.runs.retraining import told_of_training

_TOGETHER = 3  # updates that are looked at together, the first and the last
_SIGNS = "▁▂▃▄▅▆▇█"
_BEFORE = " before"  # behind the metric of posts that were ranked before they came in


class Status(Records):
    """The updates of a run as a table, oldest first.

    Args:
        rows: of the table.
        title: above it.
        figures: of the updates that could be measured, with their `state`.
        advice: whether training again would pay, a sentence.
        state: where the run stands.
        kept: the states that can be gone back to.
        training: what training it waits for, or which is queued, with the command; else empty.

    Attributes:
        figures, advice, state, kept, training: as given.
    """

    def __init__(
        self,
        rows: Sequence[dict[str, Any]],
        title: str,
        figures: list[dict[str, Any]],
        advice: str,
        state: int,
        kept: list[int],
        training: str = "",
    ) -> None:
        super().__init__(rows, title)
        self.figures, self.advice, self.training = figures, advice, training
        self.state, self.kept = state, kept

    def __rich__(self) -> Any:
        """The table that `rich` prints, narrow enough for a terminal of 80 columns."""
        return Records([_narrow(row) for row in self.rows], self.title).__rich__()

    def plot(self, path: str | os.PathLike) -> pathlib.Path:
        """Draws model and popularity over the updates as a PNG.

        Raises:
            ConfigError: there is nothing to draw, or matplotlib is not installed.
        """
        if not self.figures:
            raise ConfigError("no update has figures to draw yet; see `tfhashtag update`.")
        figure = new_figure(7, 3.2)
        from matplotlib.ticker import MaxNLocator

        axes = figure.add_subplot()
        numbers = [row["state"] for row in self.figures]
        values = [row["value"] for row in self.figures]
        spread = [1.96 * row["error"] for row in self.figures]
        axes.errorbar(numbers, values, yerr=spread, marker="o", capsize=3, label="model, 95 %")
        axes.plot(numbers, [row["popular"] for row in self.figures], "s--", label="popularity")
        axes.set(xlabel="update", ylabel=self.figures[0]["metric"], ylim=(0, None))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend()
        path = pathlib.Path(path)
        with atomic_writer(path, "wb") as file:
            figure.savefig(file, format="png")
        return path


def status_of(run: Any) -> Status:
    """The status of a run.

    Args:
        run: a `Run`.
    """
    lines = states.read_log(run)
    updates = [line for line in lines if line["event"] == "update"]
    led = led_to(run.state, lines)
    figures = [
        {"state": update["state"], **update["figures"]}
        for update in updates
        if update["figures"] and update["state"] in led
    ]
    highest = max((row["value"] for row in figures), default=0.0) or 1.0
    rows = []
    for line in lines:
        row: dict[str, Any] = {"when": line["when"], "event": line["event"], "state": line["state"]}
        if line["event"] == "update":
            row |= {"posts": line["posts"], "new users": line["users"]}
            row |= {"new hashtags": line["hashtags"]}
        if found := line.get("figures"):
            step = min(len(_SIGNS) - 1, int(found["value"] / highest * (len(_SIGNS) - 1) + 0.5))
            spread = f"{found['value']:.4f} ± {1.96 * found['error']:.4f}"
            row |= {
                f"{found['metric']}{_BEFORE}": spread,
                "": _SIGNS[step],
                "popularity": f"{found['popular']:.4f}",
                "queries": found["queries"],
            }
        rows.append(row)
    title = f"{run.folder}: {run.settings.model}, state {run.state}, {len(run.corpus):,} posts"
    kept = states.kept_states(run)
    advice, waits = advice_of(figures), told_of_training(run)
    return Status(rows, title, figures, advice, run.state, kept, waits)


def _narrow(row: dict[str, Any]) -> dict[str, Any]:
    """A row of few and short columns: the day, what happened, what is new, the figures."""
    shown = {"when": row["when"][:10], "event": f"{row['event']} {row['state']}"}
    for name, short in (("posts", "posts"), ("new users", "users"), ("new hashtags", "tags")):
        shown[short] = f"{row[name]:,}" if name in row else ""
    for name, value in row.items():
        if name.endswith(_BEFORE):
            mean, spread = value.split(" ± ")
            shown[name.removesuffix(_BEFORE)] = f"{mean} {row['']} ±{float(spread):.3f}"
            shown["popular"] = row["popularity"]
    return shown


def led_to(state: int, lines: Sequence[dict[str, Any]]) -> set[int]:
    """States that the present one was made from, and itself; what was rolled back is none."""
    made_from = {line["state"]: line["from"] for line in lines if line["event"] == "update"}
    found = {state}
    while state in made_from:
        state = made_from[state]
        found.add(state)
    return found


def advice_of(figures: Sequence[dict[str, Any]]) -> str:
    """Whether the gain over popularity has fallen by more than chance would have it.

    The first three updates stand for the model as it was trained, the last three for now; the
    difference of their mean gains is compared with twice its standard error.

    Example:

    >>> then = {"queries": 100, "gain": 0.20, "gain_error": 0.01}
    >>> now = {"queries": 100, "gain": 0.10, "gain_error": 0.01}
    >>> advice_of([then] * 3 + [now] * 3)
    'training again would likely pay: the gain over popularity fell from 0.2000 to 0.1000'
    """
    if len(figures) < 2 * _TOGETHER:
        return (
            f"whether training again would pay is said after {2 * _TOGETHER} updates with figures, "
            f"there are {len(figures)}"
        )
    (first, first_error), (last, last_error) = (
        mean_gain(part) for part in (figures[:_TOGETHER], figures[-_TOGETHER:])
    )
    went = "fell" if last < first else "rose"
    told = f"the gain over popularity {went} from {first:.4f} to {last:.4f}"
    if first - last > 2 * math.hypot(first_error, last_error):
        return f"training again would likely pay: {told}"
    return f"no sign that training again would pay: {told}{', within chance' * (last < first)}"
