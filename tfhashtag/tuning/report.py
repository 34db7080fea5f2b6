"""The page of a tuning: what it won, how it went, which settings matter."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tfhashtag.comparison.figures import images
from tfhashtag.comparison.report import render_page
from tfhashtag.plots import new_figure
from tfhashtag.settings import describe
from tfhashtag.tuning.job import UNITS
from tfhashtag.tuning.tuning import Tuning

_INK, _BEST, _FAINT = ("#0b5394", "#6aa9e9"), ("#d55e00", "#e89a4f"), ("#8b99a9", "#75838f")


def write_report(path: str | os.PathLike, found: Tuning) -> None:
    """Writes the page; every value is escaped, and nothing is loaded from anywhere.

    Args:
        path: of the page; appears whole or not at all.
        found: the tuning, with at least one trial that came to its end.
    """
    best, own = found.best, found.as_configured
    lead = f"Best {found.watched}: {best.values[0]:.4f}, in trial {best.number}"
    if own is not None and own.number != best.number:
        won = best.values[0] - own.values[0]
        lead += f"; {won:+.4f} against the configuration as it stands ({own.values[0]:.4f})"
    states = [row["state"] for row in found]
    kinds = ("complete", "pruned", "failed", "stopped")
    facts = [(kind, str(states.count(kind))) for kind in kinds if kind in states]
    seconds = sum(trial.user_attrs.get("seconds", 0) for trial in found.trials)
    about = {row.key: row.meaning for row in describe(found.space.settings)}
    values = {
        "model": found.space.settings.model,
        "corpus": found.corpus,
        "figure": found.watched,
        "lead": lead + ".",
        "facts": [*facts, ("minutes of training", f"{seconds / 60:.1f}")],
        "charts": _charts(found),
        "space": [
            [one.key, one.text(), str(found.values_of(best)[one.key]), about[one.key]]
            for one in found.space.dimensions
        ],
        "head": found.columns,
        "rows": [[found._shown(row, name) for name in found.columns] for row in found],
        "against": found.against,
        "front": [trial.number for trial in found.front],
        "errors": [
            (trial.number, trial.user_attrs["error"])
            for trial in found.trials
            if "error" in trial.user_attrs
        ],
    }
    render_page(path, "tfhashtag.tuning", values)


def _charts(found: Tuning) -> list[dict[str, str]]:
    drawn: list[tuple[str, str, Callable[[bool], Any]]] = [
        (
            "How it went",
            f"{found.watched} of each trial that came to its end, and the best so far.",
            lambda dark: _history(found, dark),
        )
    ]
    if any(len(trial.intermediate_values) > 1 for trial in found.trials):
        about = "The best trial is thick; broken lines were ended early."
        drawn.append(("Epochs", about, lambda dark: _curves(found, dark)))
    if found.importances:
        about = "Shares of what sets the best quarter of the trials apart (PED-ANOVA)."
        drawn.append(("Which settings matter", about, lambda dark: _bars(found, dark)))
    if found.against is not None:
        about = f"The Pareto front of {found.watched} against {found.against}, joined."
        drawn.append(("Pareto", about, lambda dark: _front(found, dark)))
    for one in found.space.dimensions:
        about = f"{found.watched} by `{one.key}`; the best trial is marked."
        drawn.append((one.key, about, lambda dark, one=one: _slice(found, one, dark)))  # type: ignore[misc]
    return [
        {"name": name, "about": about, "alt": f"{name}. {about}", **images(draw)}
        for name, about, draw in drawn
    ]


def _panel(xlabel: str, ylabel: str) -> tuple[Any, Any]:
    figure = new_figure(4.9, 3.4)
    panel = figure.subplots()
    panel.set_xlabel(xlabel)
    panel.set_ylabel(ylabel)
    panel.grid(axis="y", alpha=0.25)
    panel.set_axisbelow(True)
    panel.spines[["top", "right"]].set_visible(False)
    return figure, panel


def _history(found: Tuning, dark: bool) -> Any:
    figure, panel = _panel("trial", found.watched)
    done = sorted(found.complete, key=lambda trial: trial.number)
    numbers, values = _points(done, lambda trial: trial.number, lambda trial: trial.values[0])
    so_far = [max(values[: place + 1]) for place in range(len(values))]
    panel.step(numbers, so_far, where="post", color=_BEST[dark], label="best so far")
    panel.plot(numbers, values, "o", color=_INK[dark], markersize=5)
    panel.legend(frameon=False, fontsize=9)
    panel.xaxis.get_major_locator().set_params(integer=True)
    return figure


def _curves(found: Tuning, dark: bool) -> Any:
    figure, panel = _panel("epoch", found.watched)
    for trial in found.trials:
        steps = sorted(trial.intermediate_values)
        best, pruned = trial.number == found.best.number, trial.state.name == "PRUNED"
        panel.plot(
            [step + 1 for step in steps],
            [trial.intermediate_values[step] for step in steps],
            color=_BEST[dark] if best else _FAINT[dark] if pruned else _INK[dark],
            linestyle="--" if pruned else "-",
            linewidth=2.4 if best else 1.1,
            marker=".",
            zorder=3 if best else 2,
        )
    panel.xaxis.get_major_locator().set_params(integer=True)
    return figure


def _bars(found: Tuning, dark: bool) -> Any:
    figure, panel = _panel("share", "")
    names = list(found.importances)[::-1]
    panel.barh(names, [found.importances[name] for name in names], color=_INK[dark], height=0.6)
    return figure


def _front(found: Tuning, dark: bool) -> Any:
    against = str(found.against)
    figure, panel = _panel(f"{against}, {UNITS[against]}", found.watched)
    kinds: Sequence[tuple[Sequence[Any], Mapping[str, Any]]] = (
        (found.complete, {"linestyle": "", "color": _INK[dark], "markersize": 5}),
        (found.front, {"color": _BEST[dark], "markersize": 7}),
    )
    for trials, style in kinds:
        x, y = _points(trials, lambda trial: trial.values[1], lambda trial: trial.values[0])
        panel.plot(x, y, marker="o", **style)
    return figure


def _slice(found: Tuning, one: Any, dark: bool) -> Any:
    figure, panel = _panel(one.key, found.watched)
    for trials, colour, size in ((found.complete, _INK, 5), ([found.best], _BEST, 8)):
        x, y = _points(trials, lambda trial: trial.params[one.key], lambda trial: trial.values[0])
        panel.plot(x, y, "o", color=colour[dark], markersize=size)
    if one.log:
        panel.set_xscale("log")
    return figure


def _points(
    trials: Sequence[Any], x: Callable[[Any], Any], y: Callable[[Any], Any]
) -> tuple[list[Any], list[Any]]:
    return [x(trial) for trial in trials], [y(trial) for trial in trials]
