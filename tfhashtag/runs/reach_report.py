"""The trade-off of a run: fit against reach over weights, with what people's choices say of it."""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tfhashtag.corpus.corpus import Split
from tfhashtag.errors import ConfigError, DataError
from tfhashtag.files import write_json
from tfhashtag.plots import new_figure, save_figure
from tfhashtag.reach.blend import Blend, check_weight
from tfhashtag.reach.calibration import calibration_of
from tfhashtag.reach.counterfactual import (
    CLIP,
    Choices,
    Estimate,
    Habits,
    weighted_value,
)
from tfhashtag.reach.model import ReachModel, reach_of_posts
from tfhashtag.records import Records
from tfhashtag.runs.drift import followed
from tfhashtag.runs.evaluation import judged_split, results_folder
from tfhashtag.runs.reach import Moment, Pools, blend_of

FILE = "reach.json"
WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_QUERIES = 2000
_FIRST = 5


class ReachReport(Records):
    """Fit and reach over weights, as a table.

    Args:
        result: the content of `reach.json`.

    Attributes:
        result: as given.
    """

    def __init__(self, result: dict[str, Any]) -> None:
        rows = [
            {
                "weight": f"{row['weight']:g}",
                result["metric"]: row["value"],
                "reach": f"× {np.exp(row['expected']):.3f}",
                **_from_choices(row),
            }
            for row in result["weights"]
        ]
        super().__init__(rows, f"Fit and reach: {result['split']}, {result['queries']:,} queries")
        self.result = result

    @property
    def hashtags(self) -> Records:
        """What hashtags add, that which most surely adds first; beside the mean of their posts."""
        rows = [
            {
                "hashtag": row["hashtag"],
                "posts": row["posts"],
                "mean of its posts": f"× {np.exp(row['mean']):.3f}" if row["posts"] else "-",
                "adds": f"× {np.exp(row['effect']):.3f}",
                "95 %": f"{np.exp(row['low']):.3f}–{np.exp(row['high']):.3f}",
            }
            for row in self.result["hashtags"]
        ]
        return Records(rows, "What hashtags add to reach", {"hashtag": "#"})

    @property
    def told(self) -> str:
        """How far what was expected came true, in a sentence."""
        found = self.result["calibration"]
        return (
            f"expected and seen reach of {self.result['posts']:,} posts: slope "
            f"{found['slope']:.2f} ± {1.96 * found['slope_error']:.2f} (1 is right), mean distance "
            f"{found['error']:.3f} in logs over {len(found['bins'])} bins"
        )

    def plot(self, path: str | os.PathLike) -> pathlib.Path:
        """Draws the trade-off and the calibration, as PNG or SVG by the path's ending.

        Raises:
            ConfigError: another ending.
            ConfigError: matplotlib is not installed.
        """
        path = pathlib.Path(path)
        if path.suffix.lower() not in (".png", ".svg"):
            raise ConfigError(f"{path}: expected a name that ends with .png or .svg.")
        figure = new_figure(9.5, 3.8)
        curve, came_true = figure.subplots(1, 2)
        rows = self.result["weights"]
        value = np.array([row["value"] for row in rows])
        estimate, low, high = (
            np.exp(np.array([row[name] for row in rows], float))
            for name in ("estimate", "low", "high")
        )
        curve.errorbar(
            estimate, value, xerr=[estimate - low, high - estimate],
            fmt="o", ms=4, color="#7b5ea7", ecolor="0.75", capsize=2, label="from choices, 95 %",
        )  # fmt: skip
        expected = np.exp([row["expected"] for row in rows])
        curve.plot(expected, value, "s-", ms=4, color="#2a7f9e", label=f"model, first {_FIRST}")
        for place in sorted({0, len(rows) // 2, len(rows) - 1}):
            curve.annotate(
                f"{rows[place]['weight']:g}", (expected[place], value[place]),
                textcoords="offset points", xytext=(6, 5), fontsize=9,
            )  # fmt: skip
        curve.axvline(1, color="0.8", lw=0.8, zorder=0)
        curve.set(xlabel="reach, times the author's usual", ylabel=self.result["metric"])
        curve.set_ylim(0, 1.15 * max(value.max(), 1e-9))
        curve.legend(frameon=False, fontsize=9)
        bins = self.result["calibration"]["bins"]
        x, y = ([row[name] for row in bins] for name in ("expected", "seen"))
        came_true.errorbar(
            x, y, yerr=[1.96 * row["error"] for row in bins], fmt="o", ms=4, color="#2a7f9e",
            capsize=2,
        )  # fmt: skip
        came_true.plot([min(x), max(x)], [min(x), max(x)], "--", color="0.6", lw=1)
        came_true.set(xlabel="expected beyond the usual, log", ylabel="seen, log")
        for axes, title in ((curve, "(a) Fit and reach by weight"), (came_true, "(b) Calibration")):
            axes.set_title(title, loc="left", fontsize=11)
            axes.spines[["top", "right"]].set_visible(False)
        save_figure(figure, path)
        return path


def _from_choices(row: dict[str, Any]) -> dict[str, Any]:
    if row["estimate"] is None:  # nobody chose what this weight would
        return {"from choices": "-", "95 %": "-", "choices": 0}
    return {
        "from choices": f"× {np.exp(row['estimate']):.3f}",
        "95 %": f"{np.exp(row['low']):.3f}–{np.exp(row['high']):.3f}",
        "choices": round(row["effective"]),
    }


def reach_report(
    run: Any,
    *,
    split: str = "test",
    weights: Sequence[float] = WEIGHTS,
    clip: float = CLIP,
    out: str | os.PathLike | None = None,
    seed: int = 0,
) -> ReachReport:
    """Ranks with each weight of reach; writes reach.json.

    The model of reach is learned from train posts and chosen on valid ones; everything that is told
    is of the split. Fit is the followed metric of the task over at most 2,000 queries, of users
    over every hashtag that they may take up. Reach is that of one of the first five, each as
    likely, and is told twice: as the model expects it, and as posts of the split say it. What each
    post reached beyond its author's usual, its hour and its other hashtags is weighed by how likely
    its hashtag was to be chosen so and by its author (`tfhashtag.reach.counterfactual`).

    Args:
        run: a complete `Run`.
        split: `"valid"` or `"test"`.
        weights: each in [0, 1].
        clip: largest weight of a choice.
        out: folder of `reach.json`; default the run folder.
        seed: of what is drawn, and of ties.

    Raises:
        ConfigError: a number out of range, or an unknown split.
        DataError: the posts carry no outcomes, or too few; or a file stands at `out`.
        ArtifactError: the run is not complete.
    """
    which = judged_split(split)
    _check(weights, clip)
    run.check_complete()
    moment = Moment.of(run)
    model = moment.learned()
    reach = reach_of_posts(moment.corpus, moment.split(Split.TRAIN))
    posts = np.flatnonzero(moment.split(which) & np.isfinite(reach))
    if len(posts) < 10:
        raise DataError(
            f"{run.folder}: {len(posts)} posts of the {split} split carry outcomes; expected at "
            "least 10. Take another `--split`, or import with outcomes."
        )
    folder = results_folder(run.folder if out is None else out)
    valid = Pools.ranked(run, moment, Split.VALID, _QUERIES, seed)
    blend = blend_of(valid, model.effects)
    pools = Pools.ranked(run, moment, which, _QUERIES, seed)
    choices, weighed = _weighing(run, moment, model, blend, (valid, pools), posts)
    rows = []
    for weight in weights:
        shares = blend.distribution(pools.scores, pools.effects(model.effects), weight)
        values = followed(run.task, pools.queries, pools.reordered(shares))
        if values is None:
            raise DataError(f"{run.folder}: nobody of the {split} split has anything to be found.")
        picked = _first(shares)
        found = dataclasses.asdict(weighed(picked, clip, seed))
        expected = (picked * pools.effects(model.effects)).sum(axis=1).mean()
        row = {"weight": weight, "value": float(values.mean()), "expected": float(expected)}
        rows.append({**row, "estimate": found.pop("value"), **found})
    seen = reach[posts] - model.usual[moment.corpus.user_of_post[posts]]
    result = {
        "split": split,
        "seed": seed,
        "metric": run.task.followed,
        "queries": len(pools.queries),
        "posts": len(posts),
        "clip": clip,
        "chosen": {**model.chosen, **dataclasses.asdict(blend), **dataclasses.asdict(choices)},
        "slope": model.slope,
        "spread": model.spread,
        "hours": model.hours.tolist(),
        "weekdays": model.weekdays.tolist(),
        "weights": rows,
        "calibration": calibration_of(model.beyond_usual(moment.corpus, posts), seen),
        "hashtags": _hashtags(moment, model, reach),
    }
    write_json(folder / FILE, result)
    return ReachReport(result)


def _check(weights: Sequence[float], clip: float) -> None:
    if not weights:
        raise ConfigError("`weights` is empty; expected numbers between 0 and 1.")
    for weight in weights:
        check_weight(weight)
    if not clip > 0:
        raise ConfigError(f"`clip` must be above 0, found {clip}.")


@dataclasses.dataclass(frozen=True)
class _Logged:
    """What people chose out of the pools.

    Attributes:
        post, tag: int `[n]`, a post and one of its hashtags.
        row, column: int `[n]`, the query and the place of the hashtag in its pool.
    """

    post: np.ndarray
    tag: np.ndarray
    row: np.ndarray
    column: np.ndarray

    @classmethod
    def of(cls, run: Any, pools: Pools, posts: np.ndarray) -> "_Logged":
        """Of some posts; those whose hashtags no pool holds are left out."""
        corpus, asked = pools.queries.corpus, pools.ranking.lists.users
        of_posts = run.task.query == "post"
        row_of = np.full(len(corpus) if of_posts else len(corpus.users), -1)
        row_of[asked] = np.arange(len(asked))
        post, tag = corpus.taggings()
        row = row_of[post if of_posts else corpus.user_of_post[post]]
        wanted = np.isin(post, posts) & (row >= 0)
        post, tag, row = post[wanted], tag[wanted], row[wanted]
        hit = pools.hashtags[row] == tag[:, None]
        inside = hit.any(axis=1)
        if not inside.any():
            raise DataError(
                f"{run.folder}: no post that was looked at has a hashtag that the run would "
                "consider; there is nothing to weigh. Import more posts."
            )
        return cls(post[inside], tag[inside], row[inside], hit[inside].argmax(axis=1))


def _weighing(
    run: Any,
    moment: Moment,
    model: ReachModel,
    blend: Blend,
    pools: tuple[Pools, Pools],
    posts: np.ndarray,
) -> tuple[Choices, Callable[[np.ndarray, float, int], Estimate]]:
    """How people choose, learned on valid pools, and what makes an estimate of another choice.

    Args:
        run, moment, model, blend: what is known.
        pools: of the valid split, and of the one that is asked about.
        posts: of that one, with outcomes.
    """
    corpus, valid = moment.corpus, moment.split(Split.VALID)
    habits = Habits.of(corpus, moment.split(Split.TRAIN), valid)

    def seen(some: Pools) -> tuple[np.ndarray, np.ndarray]:
        scores = np.where(some.place >= 0, some.scores, 0.0)
        return habits.chances(some.queries.askers, some.hashtags), blend.logits(scores)

    before = _Logged.of(run, pools[0], np.flatnonzero(valid))
    own, logits = seen(pools[0])
    choices = Choices.of(own[before.row], logits[before.row], before.column)
    logged = _Logged.of(run, pools[1], posts)
    place = logged.row, logged.column
    chances = choices.chances(*seen(pools[1]))[place]
    authors = corpus.user_of_post[logged.post]
    beyond = model.beyond_usual(corpus, logged.post) - model.effects[logged.tag]
    reach = reach_of_posts(corpus, moment.split(Split.TRAIN))
    rewards = reach[logged.post] - model.usual[authors] - beyond
    shares = 1 / np.bincount(logged.post)[logged.post]

    def weighed(picked: np.ndarray, clip: float, seed: int) -> Estimate:
        return weighted_value(
            rewards, picked[place], chances, authors, shares=shares, clip=clip, seed=seed
        )

    return choices, weighed


def _first(shares: np.ndarray) -> np.ndarray:
    """The choice of one of the first five, as a distribution over each pool."""
    order = np.argsort(-shares, axis=1, kind="stable")[:, :_FIRST]
    picked = np.zeros_like(shares)
    np.put_along_axis(picked, order, 1.0, axis=1)
    picked[shares == 0] = 0
    return np.asarray(picked / np.maximum(picked.sum(axis=1, keepdims=True), 1))


def _hashtags(moment: Moment, model: ReachModel, reach: np.ndarray) -> list[dict[str, Any]]:
    """A row a hashtag, that which most surely adds first."""
    corpus = moment.corpus
    posts, tags = corpus.taggings()
    known = np.isfinite(reach[posts]) & moment.split(Split.TRAIN)[posts]
    count = np.bincount(tags[known], minlength=len(corpus.hashtags))
    total = np.bincount(tags[known], reach[posts[known]], len(corpus.hashtags))
    low = model.effects - 1.96 * model.errors
    return [
        {
            "hashtag": corpus.hashtags[tag],
            "posts": int(count[tag]),
            "mean": float(total[tag] / max(count[tag], 1)),
            "effect": float(model.effects[tag]),
            "low": float(low[tag]),
            "high": float(model.effects[tag] + 1.96 * model.errors[tag]),
        }
        for tag in np.argsort(-low, kind="stable")
    ]
