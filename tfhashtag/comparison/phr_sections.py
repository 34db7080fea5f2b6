"""Figures 5, 6, 8 and 10 of the thesis (2024), as sections of the report."""

import base64
import functools
import io
import pathlib
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfhashtag.comparison.explained import explained, short
from tfhashtag.comparison.figures import cutoffs_chart, images, save_figure
from tfhashtag.comparison.summary import Summary
from tfhashtag.corpus.corpus import Corpus

if TYPE_CHECKING:
    from tfhashtag.comparison.comparison import Comparison

_PICTURE = 360  # pixels of the longer side in the page
_CELL, _GAP = 12, 5  # pixels of Figure 8


def cutoffs_section(
    found: "Comparison", lines: Sequence[Summary], families: Sequence[str], dashed: Collection[str]
) -> dict[str, Any]:
    """Figure 5: metrics over k, also as files.

    Args:
        found: the comparison.
        lines: the systems.
        families: names of metrics before the `@`.
        dashed: systems with a dashed line.
    """
    cutoffs = found.study.cutoffs
    figure = cutoffs_chart(lines, families, cutoffs, dashed)
    save_figure(figure, [found.folder / "figure5.png", found.folder / "figure5.svg"])
    charts = []
    for family in families:
        values = [
            f"{row.name} " + ", ".join(f"{row.means[f'{family}@{k}']:.3f}" for k in cutoffs)
            for row in lines
        ]
        charts.append(
            {
                "alt": f"{family} at k = {', '.join(map(str, cutoffs))}: {'; '.join(values)}",
                "name": f"{family}@k",
                "about": found.study.words[f"{family}@k"],
                **images(functools.partial(cutoffs_chart, lines, [family], cutoffs, dashed)),
            }
        )
    return {"kind": "charts", "charts": charts}


def post_tag(cases: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Figure 6: post-tag attention of one post of each of two users; None without.

    Args:
        cases: explanations of posts as JSON values, those of a user together.
    """
    users = list(dict.fromkeys(case["about"]["user"] for case in cases))[:2]
    firsts = [next(case for case in cases if case["about"]["user"] == user) for user in users]
    shown = [explained(case, ("post_tag_own", "post_tag_others")) for case in firsts]
    return {"kind": "explained", "cases": [case for case in shown if case]} if any(shown) else None


def co_attention(cases: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Figure 8: co-attention of some users' posts, a map for each pair of sides; None without.

    Args:
        cases: explanations of posts as JSON values, those of a user together.
    """
    found = [
        (case["about"]["user"], case["text"], panel)
        for case in cases
        for panel in case["panels"]
        if panel["key"] == "co_attention"
    ]
    if not found:
        return None
    users = [user for user, _, _ in found]
    new = np.array([user != before for user, before in zip(users[1:], users, strict=False)])
    tops = np.arange(len(found)) * _CELL + _GAP * np.concatenate([[0], np.cumsum(new)])
    weights = np.array([panel["values"] for _, _, panel in found])
    width = max(4, min(22, 198 // weights.shape[2]))
    maps = []
    for number, name in enumerate(found[0][2]["rows"]):
        low, high = float(weights[:, number].min()), float(weights[:, number].max())
        shares = (weights[:, number] - low) / ((high - low) or 1.0)
        cells = [
            (column * width, int(tops[row]), f"{share:.3f}")
            for (row, column), share in np.ndenumerate(shares)
        ]
        maps.append({"name": name, "low": f"{low:.3f}", "high": f"{high:.3f}", "cells": cells})
    return {
        "kind": "maps",
        "maps": maps,
        "height": int(tops[-1]) + _CELL,
        "width": width * weights.shape[2],
        "cell": (width - 1, _CELL - 1),
        "users": {
            name: [short(text or "", 70) for user, text, _ in found if user == name]
            for name in dict.fromkeys(users)
        },
    }


def examples(found: "Comparison", cases: Mapping[str, Any]) -> dict[str, Any]:
    """Figure 10: what is recommended for posts that were drawn by lot.

    Args:
        found: the comparison.
        cases: `predicted`, post id to hashtags, best first.
    """
    corpus = found.corpus
    labels = set(next(iter(found.queries.values())).names[1])
    posts = []
    for name, predicted in cases["predicted"].items():
        post = corpus.post_ids.index(name)
        true = [corpus.hashtags[tag] for tag in corpus.hashtags_of_post(post)]
        source, problem = picture(found.data, corpus, post)
        posts.append(
            {
                "picture": source,
                "problem": problem,
                "text": short(corpus.messages[corpus.message_of_post[post]], 400),
                "user": corpus.users[corpus.user_of_post[post]],
                "right": len(set(true) & set(predicted)),
                "tags": {
                    "by the user": [
                        (tag, "hit" if tag in predicted else "" if tag in labels else "unknown")
                        for tag in true
                    ],
                    f"by {found.study.reference}": [
                        (tag, "hit" if tag in true else "") for tag in predicted
                    ],
                },
            }
        )
    return {"kind": "posts", "posts": posts}


def picture(data: pathlib.Path, corpus: Corpus, post: int) -> tuple[str, str]:
    """A post's first picture as the `src` of an `<img>`, small; or "" and what stands in its place.

    Args:
        data: corpus folder.
        corpus: the posts.
        post: which.
    """
    from PIL import Image, ImageOps

    names = (corpus.images or [()] * len(corpus))[post]
    if not names:
        return "", "no picture"
    try:
        with Image.open(data / names[0]) as image:
            image.draft("RGB", (2 * _PICTURE, 2 * _PICTURE))
            small = ImageOps.exif_transpose(image)
            small.thumbnail((_PICTURE, _PICTURE))
            out = io.BytesIO()
            _on_white(small).save(out, "JPEG", quality=82)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return "", "picture cannot be read"
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode("ascii"), ""


def _on_white(image: Any) -> Any:
    from PIL import Image

    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image)
    return white.convert("RGB")
