"""Tables 2 and 3 and Figures 4 to 7 of the engagement paper (EMNLP 2021), and our own model."""

import dataclasses
import pathlib
import types
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfhashtag.comparison.engagement_figures import figure_data, figure_sections
from tfhashtag.comparison.figures import save_figure
from tfhashtag.comparison.study import Study, TableOf, View
from tfhashtag.comparison.system import System
from tfhashtag.comparison.tables import sentence
from tfhashtag.files import atomic_writer, write_json
from tfhashtag.metrics import default_metrics
from tfhashtag.tasks import USERS, Ranking

if TYPE_CHECKING:
    from tfhashtag.comparison.comparison import Comparison

REFERENCE = "FULL MODEL"
ATTENTIVE = "LSTM-ATT"
RECOMMENDED = "RECOMMENDED"

_SHOWN = "sampled"  # whose lists the figures are of
_PAIRS = 3
_MOST_CONTEXTS = 10
_TIES = "nothing is drawn but the order of equal scores"
_TREES = "trees, imitated futures"
_WEIGHTS = "weights, examples, dropout"
_TESTED = ("MAP", "P@5", "nDCG@5")
# In the order of rows: name, configuration, about, what is drawn, and the figures of the paper.
_SYSTEMS = (
    ("RANDOM", "random", "by lot", "scores", (0.0741, 0.0200, 0.0467)),
    ("POPULAR", "popular", "train posts", _TIES, (0.0814, 0.0233, 0.0564)),
    ("POPULAR (contexts)", "popular_contexts", "context messages", _TIES, ()),
    ("BERT-SIM", "bert_sim", "cosine of the mean history and the mean context", _TIES,
     (0.2264, 0.0800, 0.2251)),
    ("LDA", "lda", "LDA features, LambdaMART", f"topics, {_TREES}", (0.1107, 0.0360, 0.0882)),
    ("TF-IDF", "tfidf", "TF-IDF features, LambdaMART", _TREES, (0.1555, 0.0560, 0.1424)),
    ("CF", "cf", "collaborative filtering on train taggings", "starting factors",
     (0.1085, 0.0424, 0.1009)),
    ("MLP", "mlp", "mean history, mean context", _WEIGHTS, (0.2624, 0.0994, 0.2677)),
    ("LSTM", "lstm", "Bi-LSTM over the history", _WEIGHTS, (0.2659, 0.1004, 0.2763)),
    (ATTENTIVE, "lstm_att", "attention over the history (Zeng et al. 2020)", _WEIGHTS,
     (0.2765, 0.1043, 0.2873)),
    ("+ TOPICS", "topics", "LSTM-ATT with the topic vector, no personalised attention", _WEIGHTS,
     (0.2912, 0.1063, 0.2993)),
    ("W/O JOINT", "without_joint", "the full model, topics frozen after their own training",
     _WEIGHTS, (0.2947, 0.1092, 0.3067)),
    (REFERENCE, "full", "personalised topic attention", _WEIGHTS, (0.3114, 0.1148, 0.3257)),
    (RECOMMENDED, "engagement", "ours: who writes of a hashtag, and of what",
     "weights, imitated futures", ()),
)  # fmt: skip
_VARIANTS = ("+ TOPICS", "W/O JOINT")
_UNDRAWN = ", ".join(name for name, _, _, drawn, _ in _SYSTEMS if drawn == _TIES)


class EngagementStudy(Study):
    """Who will tag what: the paper's baselines, its full model with two variants, and ours."""

    name = "engagement"
    task = USERS
    title = "Engagement models compared"
    question = "who will tag what?"
    reference = REFERENCE
    tested = _TESTED
    cutoffs = (1, 5, 10)
    metrics = tuple(metric.name for metric in default_metrics(cutoffs))
    views = (
        View("sampled", "all", "sampled, all users"),
        View("sampled", "answerable", "sampled, users with a hashtag to find"),
        View("full", "all", "full, all users"),
        View("full", "answerable", "full, users with a hashtag to find"),
    )
    shared = ("text_encoder", "data.minimum_contexts")
    switches = ("model", "score_by", "data.features", "network.user", "network.attention")
    least = "data.minimum_contexts"
    parts = (
        "network.topics",
        "training.epochs.topics",
        "training.epochs.warmup",
        "training.epochs.joint",
    )
    about = types.MappingProxyType(
        {
            "MAP": "mean over a user’s right hashtags of the precision down to each, over the "
            "whole list.",
            "P@5": "share of the first five that are right.",
            "nDCG@5": "gain of the first five, discounted by rank, over the best that is possible.",
            "sampled": "the hashtags that a user takes up in the test split, never used before, "
            "among 100 draws each of the split’s other hashtags. Only hashtags with enough context "
            "messages stand in a list. The lists are the same for every system and every seed.",
            "full": "the same among all hashtags of the split.",
            "All users": "one without a hashtag to find counts 0, as in the paper.",
        }
    )
    systems = tuple(
        System(
            name, config, about, drawn, dict(zip(_TESTED, published, strict=False)), folder=config
        )
        for name, config, about, drawn, published in _SYSTEMS
    )
    tables = (
        TableOf(
            "table2",
            "Table 2. Who finds the hashtags that users take up",
            tuple(name for name, *_ in _SYSTEMS if name not in _VARIANTS),
        ),
        TableOf(
            "table3",
            "Table 3. What the parts of the full model do",
            (ATTENTIVE, *_VARIANTS, REFERENCE),
        ),
    )
    footnote = f"{_UNDRAWN}: {_TIES}, their deviation is of that alone"

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
        from tfhashtag.explain.figures import attention_figure
        from tfhashtag.recommenders.engagement.attended import attended_messages

        attended = attended_messages(recommender, queries.episode)
        if attended is not None:
            with atomic_writer(folder / "attended.npz", "wb") as file:
                np.savez(file, **attended)  # type: ignore[arg-type]
        if system == REFERENCE and first:
            cases = [recommender.explain(*pair) for pair in _right_pairs(queries, ranking)]
            write_json(folder / "cases.json", [dataclasses.asdict(case) for case in cases])
            for number, case in enumerate(cases, 1):
                name = f"figure6-{number}"
                save_figure(
                    attention_figure(case), [folder / f"{name}.png", folder / f"{name}.svg"]
                )

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
        """The full model beside the best of the paper's rivals, and beside ours."""
        by_name = {row.name: row for row in found.summaries}
        ours = by_name.get(REFERENCE)
        others = (by_name.get(ATTENTIVE), by_name.get(RECOMMENDED))
        return " ".join(filter(None, (sentence(ours, other, "MAP") for other in others)))

    def figures(self, found: "Comparison") -> dict[str, Any]:
        """The data of Figures 4 to 7; shown are at most three systems."""
        return figure_data(found, (REFERENCE, ATTENTIVE, RECOMMENDED), (REFERENCE, ATTENTIVE))

    def sections(self, found: "Comparison") -> list[dict[str, Any]]:
        """Figures 4 to 7."""
        return figure_sections(found, REFERENCE)


def _right_pairs(queries: Any, ranking: Ranking, k: int = 5) -> list[tuple[str, str]]:
    """Pairs of user and hashtag for Figure 6, by lot among those that stood among the first `k`.

    Preferred are hashtags with few messages, so that the figure can be read.
    """
    episode, lists, order = queries.episode, queries.truth, ranking.order
    right = np.sort(order.order[(order.rank <= k) & (order.labels > 0)])
    users, hashtags = lists.user_of_value[right], lists.hashtags.values[right]
    few = episode.visible_context_counts(users, hashtags) <= _MOST_CONTEXTS
    chosen = np.flatnonzero(few) if few.any() else np.arange(len(right))
    lots = np.sort(np.random.default_rng(0).permutation(chosen)[:_PAIRS])
    names, tags = queries.names
    return [(names[users[at]], tags[hashtags[at]]) for at in lots]
