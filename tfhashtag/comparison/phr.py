"""Tables 2 to 5 and the figures of the thesis (2024), and the plain rules to beat."""

import json
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfhashtag.comparison.f1_of_posts import with_f1
from tfhashtag.comparison.phr_sections import co_attention, cutoffs_section, examples, post_tag
from tfhashtag.comparison.study import Study
from tfhashtag.comparison.tables import sentence
from tfhashtag.corpus.corpus import Corpus
from tfhashtag.files import write_json
from tfhashtag.tasks import POSTS, Ranking

if TYPE_CHECKING:
    from tfhashtag.comparison.comparison import Comparison

REFERENCE = "PHR"
_FAMILIES = ("HitRate", "Precision", "Recall", "F1")
_EXAMPLES, _USERS, _POSTS_A_USER = 12, 3, 5


class PhrStudy(Study):
    """Which hashtags does this post need: PHR, its variants, MaCon, TAGNet and plain rules."""

    name = "phr"
    task = POSTS
    metrics = tuple(f"{family}@{k}" for k in POSTS.cutoffs for family in _FAMILIES)

    def forced(self, corpus: Corpus) -> Sequence[str]:
        """No images where the corpus has none."""
        rows = corpus.proposal_rows
        given = rows is not None and bool(np.any(rows >= 0))
        return () if given or any(corpus.images or ()) else ("image_encoder=none",)

    def per_query(self, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """F1 post by post."""
        return with_f1(values)

    def look(
        self,
        system: str,
        recommender: Any,
        queries: Any,
        ranking: Ranking,
        folder: pathlib.Path,
        first: bool,
    ) -> None:
        """Keeps examples of what PHR recommends, and explanations of posts.

        Examples are drawn by lot among the test posts, not chosen for their success; explained
        are posts of the users with most test posts, who have something to show.
        """
        if system != REFERENCE or not first:
            return
        corpus, posts = queries.corpus, queries.posts
        user = corpus.user_of_post[posts]
        users, sizes = np.unique(user, return_counts=True)
        busy = users[np.argsort(-sizes, kind="stable")][:_USERS]
        shown = np.concatenate([posts[user == name][-_POSTS_A_USER:] for name in busy])
        count = min(_EXAMPLES, len(posts))
        drawn = np.sort(np.random.default_rng(0).choice(posts, count, replace=False))
        best = ranking.best(9)
        cases = {
            "predicted": {
                corpus.post_ids[post]: [name for name, _ in best[corpus.post_ids[post]]]
                for post in drawn
            },
            "explained": [recommender.explain(corpus.post_ids[post]).to_json() for post in shown],
        }
        write_json(folder / "cases.json", cases)

    def counts(self, found: "Comparison") -> dict[str, Any]:
        """Posts and labels."""
        queries: Any = found.queries[self.views[0].protocol]
        return {"posts": len(queries), "labels": len(queries.labels)}

    def facts(self, found: "Comparison") -> Sequence[tuple[str, str]]:
        """The corpus, what is asked, and what is read."""
        corpus, counts, settings = found.corpus, self.counts(found), found.settings.reference
        pictures = sum(map(bool, corpus.images or ()))
        if not pictures and corpus.proposal_rows is not None:
            pictures = int((corpus.proposal_rows >= 0).sum())
        return [
            ("posts", f"{len(corpus):,}"),
            ("users", f"{len(corpus.users):,}"),
            ("with a picture", f"{pictures:,}"),
            ("hashtags to choose from", f"{counts['labels']:,}"),
            ("test posts", f"{counts['posts']:,}"),
            ("seeds", str(len(found.seeds))),
            ("text encoder", settings.text_encoder),
            ("image encoder", settings.image_encoder),
        ]

    def headline(self, found: "Comparison") -> str:
        """PHR beside the best of the systems that are not its variants."""
        rows = found.ranked
        others = [name for name in self.tables[0].systems if name in rows and name != self.against]
        if not others:
            return ""
        best = rows[max(others, key=lambda name: rows[name].means["F1@9"])]
        said = sentence(rows.get(self.against), best, "F1@9")
        return f"{said} No other system of Table 2 has more than {best.name}." if said else ""

    def sections(self, found: "Comparison") -> list[dict[str, Any]]:
        """Figures 5, 6, 8 and 10."""
        names = [name for name in reversed(self.tables[0].systems) if name in found.ranked]
        lines = [found.ranked[name] for name in names]
        dashed = [system.name for system in self.systems if not system.drawn]
        drawn = {"figure5": cutoffs_section(found, lines, _FAMILIES, dashed) if lines else None}
        paths = list(found.files_of(REFERENCE, "cases.json").values())
        if paths:
            cases = json.loads(paths[0].read_text("utf-8"))
            drawn["figure6"] = post_tag(cases["explained"])
            drawn["figure8"] = co_attention(cases["explained"])
            drawn["figure10"] = examples(found, cases)
        sections = [
            {"key": key, **self.captions[key], **shown} for key, shown in drawn.items() if shown
        ]
        if not paths:
            about = f"Not drawn. {found.why_not(REFERENCE)}"
            title = "Figures 6, 8 and 10"
            sections.append({"key": "figure6", "title": title, "kind": "words", "about": about})
        return sections
