"""`report.html` of a comparison of engagement models."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from tfhashtag import __version__
from tfhashtag.comparison.compared import Compared
from tfhashtag.comparison.engagement_analysis import Bin, Similarity
from tfhashtag.comparison.engagement_figures import FigureData, chart_images
from tfhashtag.comparison.engagement_systems import (
    ATTENTIVE,
    FOOTNOTE,
    RECOMMENDED,
    REFERENCE,
    SYSTEMS,
    EngagementSettingsOf,
)
from tfhashtag.comparison.engagement_task import EngagementTask
from tfhashtag.comparison.report import write_report
from tfhashtag.comparison.report_tables import (
    failure_values,
    p_words,
    settings_values,
    table_values,
)
from tfhashtag.comparison.summary import Summary
from tfhashtag.comparison.tables import note, p_text

_ABOUT = {
    "MAP": "mean over a user’s right hashtags of the precision down to each, over the whole list",
    "P@5": "share of the first five that are right",
    "nDCG@5": "gain of the first five, discounted by rank, over the best that is possible",
}


def write_engagement_report(
    path: str | os.PathLike,
    found: Compared,
    settings: EngagementSettingsOf,
    task: EngagementTask,
    seeds: Sequence[int],
    figures: FigureData,
    times: Mapping[str, Mapping[str, float]],
) -> None:
    """Writes the page.

    Args:
        path: of the page.
        found: the comparison.
        settings: of every system.
        task: users and lists.
        seeds: that were asked for.
        figures: data of Figures 4 to 7.
        times: system to step to seconds of a seed.
    """
    by_name = {row.name: row for row in found.summaries}
    values = {
        "version": __version__,
        "corpus": _corpus(task, settings, seeds),
        "headline": " ".join(filter(None, map(_headline(by_name), (ATTENTIVE, RECOMMENDED)))),
        "failures": failure_values(found.failed),
        "groups": _groups(found),
        "reference": REFERENCE,
        "footnote": FOOTNOTE,
        "charts": _charts(figures),
        "cases": [_case(case) for case in figures.cases],
        "why_no_cases": "" if figures.cases else _why_no_cases(by_name.get(REFERENCE)),
        "similarity": [_similarity(name, part) for name, part in figures.similarity.items()],
        "times": _times(times),
        "metrics": _ABOUT,
        "systems": [
            {
                "name": name,
                "config": SYSTEMS[name].config,
                "drawn": SYSTEMS[name].drawn,
                "settings": settings_values(settings[name]),
            }
            for name in by_name
        ],
    }
    write_report(path, "engagement_report.html", values)


def _corpus(
    task: EngagementTask, settings: EngagementSettingsOf, seeds: Sequence[int]
) -> list[dict[str, str]]:
    corpus = task.corpus
    lists = {name: task.episode(name).candidates for name in ("sampled", "full")}
    users = max(len(task.users), 1)
    facts = (
        ("corpus", corpus.name),
        ("posts", f"{len(corpus):,}"),
        ("hashtags", f"{len(corpus.hashtags):,}"),
        ("test users", f"{len(task.users):,}"),
        ("with a hashtag to find", f"{int((lists['sampled'].positives > 0).sum()):,}"),
        ("in a list, sampled", f"{len(lists['sampled'].labels) / users:,.1f}"),
        ("in a list, full", f"{len(lists['full'].labels) / users:,.1f}"),
        ("seeds", str(len(seeds))),
        ("text encoder", settings.text_encoder),
    )
    return [{"name": name, "value": value} for name, value in facts]


def _headline(by_name: Mapping[str, Summary]):
    """One sentence about the full model beside another system; "" where one is missing."""

    def sentence(other: str) -> str:
        ours, theirs = by_name.get(REFERENCE), by_name.get(other)
        if ours is None or theirs is None or not ours.means or not theirs.means:
            return ""
        tested = theirs.against["MAP"]
        return (
            f"{REFERENCE} reaches MAP {ours.means['MAP']:.4f}, {other} "
            f"{theirs.means['MAP']:.4f} (difference {-tested.difference:+.4f}, 95% interval "
            f"{-tested.high:+.4f} to {-tested.low:+.4f}, p {p_words(p_text(theirs, 'MAP'))})."
        )

    return sentence


def _groups(found: Compared) -> list[dict[str, Any]]:
    """Tables by their number, each with its protocols and averages."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for table in found.tables:
        groups.setdefault(table.key.partition("-")[0], []).append(table_values(table))
    titles = {
        "table2": "Table 2. Who finds the hashtags that users take up",
        "table3": "Table 3. What the parts of the full model do",
    }
    return [
        {"key": key, "short": titles[key].partition(".")[0], "title": titles[key], "tables": tables}
        for key, tables in groups.items()
    ]


def _charts(figures: FigureData) -> list[dict[str, str]]:
    texts = {
        "figure4": (
            "Figure 4. Users with short and long histories",
            "P@5 by the number of posts in the user’s history; lists of the protocol sampled, all "
            "users of a bin. Lines: 95% bootstrap interval over users.",
            _bins_alt("P@5 by posts in the history", figures.history),
        ),
        "figure5": (
            "Figure 5. Hashtags with few and many context messages",
            "Of the first five hashtags of every user: the share that is right, by the number of "
            "context messages of the hashtag that the user may see; places of all seeds together. "
            "The paper does not say how its precision of hashtags is taken. Lines: 95% bootstrap "
            "interval over users.",
            _bins_alt("Share that is right by context messages", figures.contexts),
        ),
        "figure7": (
            "Figure 7. What was looked at, and what was written then",
            "Test posts whose hashtag stood among the user’s first five, by the cosine of the post "
            "and the message with the highest attention weight. Upright lines: means.",
            "Rightly predicted posts by similarity. "
            + " ".join(f"{name}: {_words(part)}" for name, part in figures.similarity.items()),
        ),
    }
    images = chart_images(figures)
    return [
        {
            "key": key,
            "short": texts[key][0].partition(".")[0],
            "title": texts[key][0],
            "about": texts[key][1],
            "alt": texts[key][2],
            "light": light,
            "dark": dark,
        }
        for key, (light, dark) in images.items()
    ]


def _bins_alt(what: str, bins: Mapping[str, Sequence[Bin]]) -> str:
    rows = []
    for name, row in bins.items():
        shown = [f"{one.label}: {one.value:.3f}" for one in row if one.value is not None]
        rows.append(f"{name}: {', '.join(shown)}")
    return f"{what}. {'; '.join(rows)}."


def _words(part: Similarity) -> str:
    if part.mean is None:
        return "no post."
    return f"{part.predicted:.0f} posts, mean cosine {part.mean:.3f}."


def _similarity(name: str, part: Similarity) -> dict[str, str]:
    return {
        "name": name,
        "looks_at": "the hashtag’s contexts" if part.looks_at == "contexts" else "the history",
        "predicted": f"{part.predicted:,.1f}",
        "mean": "–" if part.mean is None else f"{part.mean:.3f}",
        "chance": "–" if part.chance is None else f"{part.chance:.3f}",
    }


def _case(case: Mapping[str, Any]) -> dict[str, Any]:
    words = [word["topic"] or 0 for message in case["messages"] for word in message["words"]]
    highest = max(words, default=0) or 1.0
    most = max(message["attention"] for message in case["messages"]) or 1.0
    return {
        "user": case["user"],
        "hashtag": case["hashtag"],
        "history": [text for text, _ in case["history"]][::-1][:5],
        "messages": [
            {
                "attention": f"{message['attention']:.3f}",
                "depth": f"{message['attention'] / most:.2f}",
                "words": [
                    {
                        "text": word["text"],
                        "depth": f"{(word['topic'] or 0) / highest:.2f}",
                        "title": "not in the vocabulary"
                        if word["topic"] is None
                        else f"likelihood {word['topic']:.2g}",
                    }
                    for word in message["words"]
                ],
                "text": message["text"],
            }
            for message in case["messages"]
        ],
        "topics": [
            {"share": f"{share:.2f}", "words": ", ".join(names)}
            for _, share, names in case["topics"][:3]
        ],
    }


def _why_no_cases(reference: Summary | None) -> str:
    if reference is None:
        return f"{REFERENCE} is not among the systems of this comparison."
    if reference.failed:
        return f"{REFERENCE}: {note(reference)}."
    return f"{REFERENCE} got no pair right."


def _times(times: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    steps = list(dict.fromkeys(step for parts in times.values() for step in parts))
    rows = [
        {
            "name": name,
            "seconds": [f"{parts.get(step, 0):.0f}" for step in steps],
            "total": f"{sum(parts.values()):.0f}",
        }
        for name, parts in times.items()
    ]
    total = sum(sum(parts.values()) for parts in times.values())
    return {"steps": steps, "rows": rows, "minutes": f"{total / 60:.0f}"}
