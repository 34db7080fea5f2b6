"""Tables 2 and 3 and Figures 4 to 7 of the engagement paper (EMNLP 2021), and our own model."""

import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfhashtag.comparison.engagement_figures import K, figure_data, figure_sections
from tfhashtag.comparison.figures import save_figure
from tfhashtag.comparison.study import Study
from tfhashtag.comparison.tables import sentence
from tfhashtag.files import atomic_writer, write_json
from tfhashtag.metrics import default_metrics
from tfhashtag.tasks import USERS, Ranking

if TYPE_CHECKING:
    from tfhashtag.comparison.comparison import Comparison

REFERENCE, ATTENTIVE, RECOMMENDED = "FULL MODEL", "LSTM-ATT", "RECOMMENDED"
_SHOWN = "sampled"  # whose lists the figures are of
_PAIRS = 3
_MOST_CONTEXTS = 10


class EngagementStudy(Study):
    """Who will tag what: the paper's baselines, its full model with two variants, and ours."""

    name = "engagement"
    task = USERS
    metrics = tuple(metric.name for metric in default_metrics((1, 5, 10)))

    def look(
        self,
        system: str,
        recommender: Any,
        queries: Any,
        ranking: Ranking,
        folder: pathlib.Path,
        first: bool,
    ) -> None:
        """Keeps the scores of the sampled lists, what was attended to, and three explanations."""
        with atomic_writer(folder / "scores.npy", "wb") as file:
            np.save(file, ranking.scores)
        if system not in (REFERENCE, ATTENTIVE):
            return
        from tfhashtag.explain.explanation import HeatMap
        from tfhashtag.explain.figures import draw
        from tfhashtag.recommenders.engagement.attended import attended_messages

        attended = attended_messages(recommender, queries.episode)
        if attended is not None:
            with atomic_writer(folder / "attended.npz", "wb") as file:
                np.savez(file, **attended)  # type: ignore[arg-type]
        if system == REFERENCE and first:
            cases = [recommender.explain(*pair) for pair in _right_pairs(queries, ranking)]
            write_json(folder / "cases.json", [case.to_json() for case in cases])
            for number, case in enumerate(cases, 1):
                paths = [folder / f"figure6-{number}.{ending}" for ending in ("png", "svg")]
                save_figure(draw(case.panel("attention", HeatMap)), paths)

    def counts(self, found: "Comparison") -> dict[str, Any]:
        """Users, and those with a hashtag to find."""
        positives = found.queries[_SHOWN].truth.positives
        return {"users": {"all": len(positives), "answerable": int((positives > 0).sum())}}

    def facts(self, found: "Comparison") -> Sequence[tuple[str, str]]:
        """The corpus and the lists."""
        counts = self.counts(found)["users"]
        users = max(counts["all"], 1)
        sizes = {name: len(asked.truth.labels) / users for name, asked in found.queries.items()}
        return [
            ("posts", f"{len(found.corpus):,}"),
            ("hashtags", f"{len(found.corpus.hashtags):,}"),
            ("test users", f"{counts['all']:,}"),
            ("with a hashtag to find", f"{counts['answerable']:,}"),
            *((f"in a list, {name}", f"{size:,.1f}") for name, size in sizes.items()),
            ("seeds", str(len(found.seeds))),
            ("text encoder", found.settings.reference.text_encoder),
        ]

    def headline(self, found: "Comparison") -> str:
        """The full model beside the best of the paper's rivals, and beside ours.

        Another system that the rest are tested against: beside the best of them.
        """
        rows = found.ranked
        others = [ATTENTIVE, RECOMMENDED]
        if self.against != REFERENCE:
            rest = [name for name in rows if name != self.against]
            others = sorted(rest, key=lambda name: rows[name].means["MAP"])[-1:]
        said = (sentence(rows.get(self.against), rows.get(other), "MAP") for other in others)
        return " ".join(filter(None, said))

    def figures(self, found: "Comparison") -> dict[str, Any]:
        """The data of Figures 4 to 7; shown are at most three systems."""
        return figure_data(found, (REFERENCE, ATTENTIVE, RECOMMENDED), (REFERENCE, ATTENTIVE))

    def sections(self, found: "Comparison") -> list[dict[str, Any]]:
        """Figures 4 to 7."""
        return figure_sections(found, REFERENCE)


def _right_pairs(queries: Any, ranking: Ranking) -> list[tuple[str, str]]:
    """Pairs of user and hashtag for Figure 6, by lot among those that stood among the first five.

    Preferred are hashtags with few messages, so that the figure can be read.
    """
    episode, lists, order = queries.episode, queries.truth, ranking.order
    right = np.sort(order.order[(order.rank <= K) & (order.labels > 0)])
    users, hashtags = lists.user_of_value[right], lists.hashtags.values[right]
    few = episode.visible_context_counts(users, hashtags) <= _MOST_CONTEXTS
    chosen = np.flatnonzero(few) if few.any() else np.arange(len(right))
    lots = np.sort(np.random.default_rng(0).permutation(chosen)[:_PAIRS])
    names, tags = queries.names
    return [(names[users[at]], tags[hashtags[at]]) for at in lots]
