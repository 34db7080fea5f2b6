"""Tables 2 to 5 and the figures of the thesis (2024), and the plain rules to beat."""

import dataclasses
import json
import pathlib
import types
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfhashtag.comparison.f1_of_posts import with_f1
from tfhashtag.comparison.phr_sections import co_attention, cutoffs_section, examples, post_tag
from tfhashtag.comparison.study import Study, TableOf, View
from tfhashtag.comparison.system import System
from tfhashtag.comparison.tables import note, sentence
from tfhashtag.corpus.corpus import Corpus
from tfhashtag.evaluation.post_metrics import CUTOFFS
from tfhashtag.files import write_json
from tfhashtag.tasks import POSTS, Ranking

if TYPE_CHECKING:
    from tfhashtag.comparison.comparison import Comparison

REFERENCE = "PHR"
_FAMILIES = ("HitRate", "Precision", "Recall", "F1")
_WITHOUT = "PHR is configured without it"
_NO_IMAGES = "no images, `image_encoder` is none"
_EXAMPLES, _USERS, _POSTS_A_USER = 12, 3, 5


def _variant(
    name: str, about: str, key: str, value: Any, *sides: str, visual: bool = False
) -> System:
    """PHR with one switch turned, or one value taken out of a list.

    Args:
        name, about: as in `System`.
        key, value: the setting, and what it is set to or what is taken out of it.
        sides: one of which PHR must have for the switch to mean anything.
        visual: whether it differs from PHR by something visual, so that it needs images.
    """

    def changes(reference: Mapping[str, Any]) -> list[str]:
        found = reference[key]
        left = [other for other in found if other != value] if isinstance(found, list) else value
        return [f"{key}={json.dumps(left)}"]

    def missing(reference: Mapping[str, Any]) -> str:
        if visual and reference["image_encoder"] == "none":
            return _NO_IMAGES
        found = reference[key]
        there = value in found if isinstance(found, list) else found != value
        linked = key != "network.relations" or reference["network.graph"] != "none"
        has_side = not sides or set(sides) & set(reference["network.sides"])
        return "" if there and linked and has_side else _WITHOUT

    return System(name, "phr", about, changes=changes, missing=missing)


def _without_images(reference: Mapping[str, Any]) -> str:
    return _NO_IMAGES if reference["image_encoder"] == "none" else ""


def _tagnet(reference: Mapping[str, Any]) -> list[str]:
    """TAGNet reads what PHR reads."""
    shared = [f"network.text={reference['network.text']}"]
    if reference["image_encoder"] == "none":
        shared += ["network.relations=[textual]", "data.visual_share=0.0"]
    return shared


_RULES = (
    System("Popularity", "post_popularity", "train posts with the hashtag"),
    System("Own hashtags", "post_own", "the user's own most frequent hashtags"),
    System("Nearest by text", "post_nearest", "hashtags of the 20 posts with the nearest text"),
    System(
        "Nearest by image",
        "post_nearest_image",
        "hashtags of the 20 posts with the nearest image",
        missing=_without_images,
    ),
    System(
        "Own + nearest",
        "post_own_nearest",
        "own counts plus the cosines of the 20 nearest posts by text",
    ),
)
_COMPONENTS = (
    _variant(
        *("PHR-MN", "without the memory network", "network.memory", False, "visual"), visual=True
    ),
    _variant(
        "PHR-PTA",
        "without post-tag attention: similar posts count alike",
        *("network.post_tag_attention", False, "own", "others"),
    ),
    _variant(
        "PHR-SCA",
        "without sextuplet co-attention: sides are summed",
        *("network.pairing", "none"),
    ),
    _variant(
        "PHR-CR",
        "without the residual path of counts (not in the thesis)",
        *("network.residual", False),
    ),
)
_SIDES = (
    _variant("PHR-V", "without visual features", "network.sides", "visual", visual=True),
    _variant("PHR-T", "without textual features", "network.sides", "textual"),
    _variant("PHR-U", "without the user's similar posts", "network.sides", "own"),
    _variant("PHR-O", "without similar posts by others", "network.sides", "others"),
)
_RELATIONS = (
    _variant("PHR-TR", "without textual relations", "network.relations", "textual", "textual"),
    _variant(
        *("PHR-VR", "without visual relations", "network.relations", "visual", "visual"),
        visual=True,
    ),
)


def _table(key: str, title: str, *systems: System | str) -> TableOf:
    names = (system if isinstance(system, str) else system.name for system in systems)
    return TableOf(key, title, (*names, REFERENCE))


class PhrStudy(Study):
    """Which hashtags does this post need: PHR, its variants, MaCon, TAGNet and plain rules."""

    name = "phr"
    task = POSTS
    title = "PHR compared"
    question = "which hashtags does this post need?"
    reference = REFERENCE
    systems = (
        System(REFERENCE, "phr", "the whole model"),
        System(
            "MaCon",
            "macon",
            "parallel co-attention over the post and the user's latest posts (AAAI 2019)",
        ),
        System(
            "TAGNet",
            "tagnet",
            "triplet attention and aggregated graph convolution (TCSVT 2022), parts inferred",
            changes=_tagnet,
        ),
        *_COMPONENTS,
        *_SIDES,
        *_RELATIONS,
        *_RULES,
    )
    tables = (
        _table("table2", "Table 2. Top 9 hashtags", *_RULES, "MaCon", "TAGNet"),
        _table("table3", "Table 3. Variants without a component", *_COMPONENTS),
        _table("table4", "Table 4. Variants without a type of features", *_SIDES),
        _table("table5", "Table 5. Variants without a relation of the graph", *_RELATIONS),
    )
    views = (View(POSTS.protocols[0]),)
    cutoffs = CUTOFFS
    tested = tuple(f"{family}@9" for family in _FAMILIES)
    metrics = tuple(f"{family}@{k}" for k in CUTOFFS for family in _FAMILIES)
    about = types.MappingProxyType(
        {
            "HitRate@k": "share of posts with at least one right hashtag among the first k.",
            "Precision@k": "share of the first k that are right.",
            "Recall@k": "share of a post's hashtags that are among the first k.",
            "F1@k": "2PR / (P + R) of the mean precision and recall.",
        }
    )
    shared = ("text_encoder", "image_encoder", "network.proposals", "data.minimum_posts")
    switches = (
        "network.memory",
        "network.post_tag_attention",
        "network.pairing",
        "network.sides",
        "network.own_side",
        "network.graph",
        "network.relations",
        "network.activation",
        "network.residual",
    )
    least = "data.minimum_posts"
    notes = (
        "Means over the test posts with at least one hashtag of the label space: hashtags with "
        "enough train posts. F1 is that of the means, so posts enter its test by their "
        "first-order part in it.",
        "A variant is PHR with one switch turned. Where PHR has a residual path of counts of "
        "similar posts’ and the user’s hashtags, the others keep it; PHR-CR is without it.",
        "TAGNet’s code and full text are not public: parts of it are inferred, as its "
        "configuration says line by line.",
    )

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
            "explained": [
                dataclasses.asdict(recommender.explain(corpus.post_ids[post])) for post in shown
            ],
        }
        write_json(folder / "cases.json", cases)

    def counts(self, found: "Comparison") -> dict[str, Any]:
        """Posts and labels."""
        queries = found.queries[self.views[0].protocol]
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
        rows = {row.name: row for row in found.summaries if row.means}
        others = [rows[name] for name in self.tables[0].names if name in rows]
        others = [row for row in others if row.name != REFERENCE]
        if not others:
            return ""
        best = max(others, key=lambda row: row.means["F1@9"])
        said = sentence(rows.get(REFERENCE), best, "F1@9")
        return f"{said} No other system of Table 2 has more than {best.name}." if said else ""

    def sections(self, found: "Comparison") -> list[dict[str, Any]]:
        """Figures 5, 6, 8 and 10."""
        rows = {row.name: row for row in found.summaries if row.means}
        lines = [rows[name] for name in reversed(self.tables[0].names) if name in rows]
        dashed = [system.name for system in _RULES]
        sections = cutoffs_section(found, lines, _FAMILIES, dashed) if lines else []
        reference = next((row for row in found.summaries if row.name == REFERENCE), None)
        for seed in reference.seeds if reference else ():
            path = found.folder_of(REFERENCE, seed) / "cases.json"
            if path.is_file():
                cases = json.loads(path.read_text("utf-8"))
                explained = cases["explained"]
                drawn = (post_tag(explained), co_attention(explained), examples(found, cases))
                return [*sections, *filter(None, drawn)]
        why = f"{REFERENCE} is not among the systems of this comparison."
        if reference is not None:
            why = f"{REFERENCE}: {note(reference)}."
        title = "Figures 6, 8 and 10"
        about = f"Not drawn. {why}"
        return [*sections, {"key": "figure6", "title": title, "kind": "words", "about": about}]
