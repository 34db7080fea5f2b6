"""`report.html` of a comparison of post models."""

import base64
import io
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfhashtag import __version__
from tfhashtag.comparison.figures import cutoffs_image
from tfhashtag.comparison.post_cases import (
    CoAttentionCase,
    PostCases,
    PostTagCase,
    post_cases,
)
from tfhashtag.comparison.post_systems import REFERENCE, RULES, PostSettingsOf
from tfhashtag.comparison.post_task import PostTask
from tfhashtag.comparison.report import write_report
from tfhashtag.comparison.report_tables import (
    failure_values,
    p_words,
    settings_values,
    table_values,
)
from tfhashtag.comparison.summary import Summary
from tfhashtag.comparison.tables import note, p_text
from tfhashtag.evaluation.post_metrics import CUTOFFS

_PICTURE = 360  # pixels of the longer side in the page
_ABOUT = {
    "HitRate": "share of posts with at least one right hashtag among the first k",
    "Precision": "share of the first k that are right",
    "Recall": "share of a post's hashtags that are among the first k",
    "F1": "2PR / (P + R) of the mean precision and recall",
}
# Shade 0 to 1 between these two, so that dark is much, as in the thesis.
_LIGHT, _DARK = np.array([247, 250, 253]), np.array([8, 48, 107])


def write_post_report(
    path: str | os.PathLike,
    found: Any,
    settings: PostSettingsOf,
    task: PostTask,
    seeds: Sequence[int],
    lines: Sequence[Summary],
) -> None:
    """Writes the page.

    Args:
        path: of the page.
        found: the `Compared`.
        settings: of every trained system.
        task: the posts.
        seeds: that were asked for.
        lines: systems of Figure 5.
    """
    reference = next((row for row in found.summaries if row.name == REFERENCE), None)
    cases = None
    if reference is not None and reference.seeds:
        run = found.folder / "runs" / "phr" / f"seed-{reference.seeds[0]}" / "training"
        cases = post_cases(run, task)
    values = {
        "version": __version__,
        "corpus": _corpus(task, settings, seeds),
        "tables": [table_values(table) for table in found.tables],
        "reference": REFERENCE,
        "headline": _headline(found),
        "failures": failure_values(found.failed),
        "figure5": [
            {
                "src": cutoffs_image(lines, family, CUTOFFS, RULES),
                "alt": _alt(lines, family),
                "about": about,
                "name": f"{family}@k",
            }
            for family, about in _ABOUT.items()
        ]
        if lines
        else [],
        "metrics": _ABOUT,
        "post_tag": [_post_tag(case, task) for case in cases.post_tag] if cases else [],
        "co_attention": _co_attention(cases.co_attention, task)
        if cases and cases.co_attention
        else None,
        "examples": _examples(cases, task) if cases else [],
        "why_no_cases": "" if cases else _why_no_cases(reference),
        "settings": settings_values(settings.phr),
    }
    write_report(path, "post_report.html", values)


def _why_no_cases(reference: Summary | None) -> str:
    if reference is None:
        return f"{REFERENCE} is not among the systems of this comparison."
    return f"{REFERENCE}: {note(reference)}."


def _corpus(task: PostTask, settings: PostSettingsOf, seeds: Sequence[int]) -> list[dict[str, str]]:
    corpus = task.corpus
    pictures = sum(map(bool, corpus.images or ()))
    if not pictures and corpus.proposal_rows is not None:
        pictures = int((corpus.proposal_rows >= 0).sum())
    facts = (
        ("corpus", corpus.name),
        ("posts", f"{len(corpus):,}"),
        ("users", f"{len(corpus.users):,}"),
        ("with a picture", f"{pictures:,}"),
        ("hashtags to choose from", f"{len(task.labels):,}"),
        ("test posts", f"{len(task.posts):,}"),
        ("seeds", str(len(seeds))),
        ("text encoder", settings.phr.text_encoder),
        ("image encoder", settings.phr.image_encoder),
    )
    return [{"name": name, "value": value} for name, value in facts]


def _headline(found: Any) -> str:
    """One sentence: where PHR stands among the systems that are not its variants."""
    table = next((table for table in found.tables if table.key == "table2"), None)
    if table is None:
        return ""
    rows = {row.name: row for row in table.rows if row.means}
    if REFERENCE not in rows or len(rows) < 2:
        return ""
    others = [row for row in rows.values() if row.name != REFERENCE]
    best = max(others, key=lambda row: row.means["F1@9"])
    ours, theirs = rows[REFERENCE].means["F1@9"], best.means["F1@9"]
    tested = best.against.get("F1@9")
    word = "above" if ours > theirs else "below" if ours < theirs else "level with"
    sure = ""
    if tested is not None:
        sure = (
            f" (difference {-tested.difference:+.4f}, 95% interval "
            f"{-tested.high:+.4f} to {-tested.low:+.4f}, p {p_words(p_text(best, 'F1@9'))})"
        )
    return (
        f"{REFERENCE} reaches F1@9 {ours:.4f}, {word} the best other system of Table 2, "
        f"{best.name}, with {theirs:.4f}{sure}."
    )


def _alt(lines: Sequence[Summary], family: str) -> str:
    parts = []
    for row in lines:
        values = ", ".join(f"{row.means[f'{family}@{k}']:.3f}" for k in CUTOFFS)
        parts.append(f"{row.name} {values}")
    return f"{family} at k = {', '.join(map(str, CUTOFFS))}: {'; '.join(parts)}"


def _text(task: PostTask, post: int, longest: int = 280) -> str:
    text = " ".join(task.corpus.messages[task.corpus.message_of_post[post]].split())
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def _user(task: PostTask, post: int) -> str:
    return task.corpus.users[task.corpus.user_of_post[post]]


def _post_tag(case: PostTagCase, task: PostTask) -> dict[str, Any]:
    highest = max(row.attention for row in case.rows) or 1.0
    correlation = np.stack([row.correlation for row in case.rows])
    reach = float(np.abs(correlation).max()) or 1.0
    return {
        "side": "the user's own similar posts" if case.side == "own" else "similar posts by others",
        "post": task.corpus.post_ids[case.post],
        "user": _user(task, case.post),
        "text": _text(task, case.post),
        "hashtags": case.hashtags,
        "reach": f"{reach:.2f}",
        "rows": [
            {
                "text": _text(task, row.post, 90),
                "user": _user(task, row.post),
                "attention": f"{row.attention:.3f}",
                "width": f"{100 * row.attention / highest:.0f}",
                "cells": [
                    {
                        "value": f"{value:+.2f}",
                        "colour": _diverging(float(value) / reach),
                        "light": abs(value) / reach < 0.65,
                    }
                    for value in row.correlation
                ],
            }
            for row in case.rows
        ],
    }


def _co_attention(case: CoAttentionCase, task: PostTask) -> dict[str, Any]:
    cell_height, gap = 12, 5
    tops, users, top = [], [], 0
    for at, user in enumerate(case.users):
        if at and user != case.users[at - 1]:
            top += gap
        tops.append(top)
        users.append(user)
        top += cell_height
    proposals = case.maps[0].weights.shape[1]
    cell_width = max(4, min(22, 198 // proposals))
    maps = []
    for pair in case.maps:
        low, high = float(pair.weights.min()), float(pair.weights.max())
        reach = (high - low) or 1.0
        maps.append(
            {
                "name": pair.name,
                "about": pair.about,
                "low": f"{low:.3f}",
                "high": f"{high:.3f}",
                "cells": [
                    {
                        "x": column * cell_width,
                        "y": tops[row],
                        "colour": _shade((float(weight) - low) / reach),
                    }
                    for row, weights in enumerate(pair.weights)
                    for column, weight in enumerate(weights)
                ],
            }
        )
    return {
        "maps": maps,
        "height": top,
        "width": cell_width * proposals,
        "cell_width": cell_width,
        "cell_height": cell_height,
        "proposals": proposals,
        "users": [
            {
                "name": user,
                "posts": [
                    _text(task, post, 70) or "(no text)"
                    for post, whose in zip(case.posts, users, strict=True)
                    if whose == user
                ],
            }
            for user in dict.fromkeys(users)
        ],
    }


def _shade(share: float) -> str:
    red, green, blue = np.rint(_LIGHT + (_DARK - _LIGHT) * share).astype(int)
    return f"#{red:02x}{green:02x}{blue:02x}"


def _diverging(share: float) -> str:
    """Blue for positive, orange for negative, near white for none."""
    end = _DARK if share >= 0 else np.array([166, 77, 0])
    red, green, blue = np.rint(_LIGHT + (end - _LIGHT) * min(abs(share), 1.0)).astype(int)
    return f"#{red:02x}{green:02x}{blue:02x}"


def _examples(cases: PostCases, task: PostTask) -> list[dict[str, Any]]:
    examples = []
    for case in cases.predictions:
        source, problem = picture(task, case.post)
        right = sum(hit for _, hit in case.predicted)
        examples.append(
            {
                "picture": source,
                "problem": problem,
                "text": _text(task, case.post, 400),
                "user": _user(task, case.post),
                "id": task.corpus.post_ids[case.post],
                "right": right,
                "true": [
                    {"name": name, "hit": hit, "known": known} for name, hit, known in case.true
                ],
                "predicted": [{"name": name, "hit": hit} for name, hit in case.predicted],
            }
        )
    return examples


def picture(task: PostTask, post: int) -> tuple[str, str]:
    """A post's picture as the `src` of an `<img>`, small; or "" and what stands in its place."""
    from PIL import Image, ImageOps

    name = (task.corpus.images or [""] * len(task.corpus))[post]
    if not name:
        return "", "no picture"
    try:
        with Image.open(pathlib.Path(task.data) / name) as image:
            image.draft("RGB", (2 * _PICTURE, 2 * _PICTURE))
            small = ImageOps.exif_transpose(image)
            small.thumbnail((_PICTURE, _PICTURE))
            out = io.BytesIO()
            _on_white(small).save(out, "JPEG", quality=82)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return "", "picture cannot be read"
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode("ascii"), ""


def _on_white(image):
    from PIL import Image

    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image)
    return white.convert("RGB")
