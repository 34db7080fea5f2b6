"""Figures 5, 6, 8 and 10 of the thesis (2024), as sections of the report."""

import base64
import functools
import io
import pathlib
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfhashtag.comparison.figures import cutoffs_chart, images, save_figure
from tfhashtag.comparison.summary import Summary
from tfhashtag.corpus.corpus import Corpus

if TYPE_CHECKING:
    from tfhashtag.comparison.comparison import Comparison

_PICTURE = 360  # pixels of the longer side in the page
_CELL, _GAP = 12, 5  # pixels of Figure 8
_NAMES = {"visual": "picture", "textual": "text", "own": "own posts", "others": "others' posts"}
_SIDES = {"own": "the user's own similar posts", "others": "similar posts by others"}


def cutoffs_section(
    found: "Comparison", lines: Sequence[Summary], families: Sequence[str], dashed: Collection[str]
) -> list[dict[str, Any]]:
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
                "about": found.study.about[f"{family}@k"],
                **images(functools.partial(cutoffs_chart, lines, [family], cutoffs, dashed)),
            }
        )
    title = "Figure 5. The first k hashtags"
    return [{"key": "figure5", "title": title, "kind": "charts", "charts": charts}]


def post_tag(explained: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Figure 6: post-tag attention of one post of each of two users; None without.

    Args:
        explained: explanations of posts, those of a user together.
    """
    users = list(dict.fromkeys(post["user"] for post in explained))[:2]
    firsts = [next(post for post in explained if post["user"] == user) for user in users]
    cases = [
        _heat(post, case)
        for post in firsts
        for case in post["post_tag"]
        if case["hashtags"] and case["posts"][0]["attention"] is not None
    ]
    title = "Figure 6. Post-tag attention"
    return {"key": "figure6", "title": title, "kind": "heat", "cases": cases} if cases else None


def _heat(post: Mapping[str, Any], case: Mapping[str, Any]) -> dict[str, Any]:
    highest = max(row["attention"] for row in case["posts"]) or 1.0
    reach = float(np.abs([row["correlation"] for row in case["posts"]]).max()) or 1.0
    return {
        "side": _SIDES[case["side"]],
        "user": post["user"],
        "text": _short(post["text"], 280),
        "hashtags": case["hashtags"],
        "reach": f"{reach:.2f}",
        "rows": [
            {
                "text": _short(row["text"], 90),
                "user": row["user"],
                "attention": f"{row['attention']:.3f}",
                "width": f"{100 * row['attention'] / highest:.0f}",
                "cells": [(f"{value:+.2f}", value / reach) for value in row["correlation"]],
            }
            for row in case["posts"]
        ],
    }


def co_attention(explained: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Figure 8: co-attention of some users' posts, a map for each pair of sides; None without.

    Args:
        explained: explanations of posts, those of a user together.
    """
    posts = [post for post in explained if post["co_attention"]]
    if not posts:
        return None
    users = [post["user"] for post in posts]
    new = np.array([user != before for user, before in zip(users[1:], users, strict=False)])
    tops = np.arange(len(posts)) * _CELL + _GAP * np.concatenate([[0], np.cumsum(new)])
    proposals = len(posts[0]["co_attention"][0]["weights"])
    width = max(4, min(22, 198 // proposals))
    maps = []
    for number, one in enumerate(posts[0]["co_attention"]):
        weights = np.array([post["co_attention"][number]["weights"] for post in posts])
        low, high = float(weights.min()), float(weights.max())
        shares = (weights - low) / ((high - low) or 1.0)
        first, second = (_NAMES[side] for side in one["sides"])
        maps.append(
            {
                "name": one["name"],
                "about": f"{first} and {second}, equation ({one['equation']})",
                "low": f"{low:.3f}",
                "high": f"{high:.3f}",
                "cells": [
                    (column * width, int(tops[row]), f"{share:.3f}")
                    for (row, column), share in np.ndenumerate(shares)
                ],
            }
        )
    return {
        "key": "figure8",
        "title": "Figure 8. Co-attention",
        "kind": "maps",
        "maps": maps,
        "height": int(tops[-1]) + _CELL,
        "width": width * proposals,
        "cell": (width - 1, _CELL - 1),
        "proposals": proposals,
        "users": {
            user: [_short(post["text"], 70) for post in posts if post["user"] == user]
            for user in dict.fromkeys(users)
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
                "text": _short(corpus.messages[corpus.message_of_post[post]], 400),
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
    title = "Figure 10. Recommended hashtags"
    return {"key": "figure10", "title": title, "kind": "posts", "posts": posts}


def picture(data: pathlib.Path, corpus: Corpus, post: int) -> tuple[str, str]:
    """A post's picture as the `src` of an `<img>`, small; or "" and what stands in its place.

    Args:
        data: corpus folder.
        corpus: the posts.
        post: which.
    """
    from PIL import Image, ImageOps

    name = (corpus.images or [""] * len(corpus))[post]
    if not name:
        return "", "no picture"
    try:
        with Image.open(data / name) as image:
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


def _short(text: str, longest: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"
