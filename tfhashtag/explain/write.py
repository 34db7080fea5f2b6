"""Explanations as files."""

import dataclasses
import os
import pathlib
from collections.abc import Callable

from tfhashtag.errors import ArtifactError
from tfhashtag.explain.figures import (
    audience_figures,
    check_plots,
    engagement_figures,
    post_figures,
)
from tfhashtag.explain.page import audience_page, engagement_page, post_page
from tfhashtag.files import atomic_writer, write_json
from tfhashtag.recommenders.audience.explanation import AudienceExplanation
from tfhashtag.recommenders.engagement.explanation import EngagementExplanation
from tfhashtag.recommenders.phr.explanation import PostExplanation

_KINDS: dict[type, tuple[Callable[..., dict[str, bytes]], Callable[..., str]]] = {
    PostExplanation: (post_figures, post_page),
    EngagementExplanation: (engagement_figures, engagement_page),
    AudienceExplanation: (audience_figures, audience_page),
}


def write_explanation(
    explanation: PostExplanation | EngagementExplanation | AudienceExplanation,
    folder: str | os.PathLike,
) -> list[pathlib.Path]:
    """Writes `explanation.html`, which needs no other file, `explanation.json` and the figures.

    Args:
        explanation: what to write.
        folder: made where it does not exist; files of these names are replaced.

    Returns:
        The paths, the page first.

    Raises:
        ArtifactError: `folder` is a file, matplotlib is not installed, or the post's picture cannot
            be read.
    """
    folder = pathlib.Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ArtifactError(f"{folder}: is a file; give a folder.")
    check_plots()
    draw, page = _KINDS[type(explanation)]
    figures = draw(explanation)
    html = page(explanation, figures)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_writer(folder / "explanation.html") as file:
        file.write(html)
    write_json(folder / "explanation.json", dataclasses.asdict(explanation))
    for name, content in figures.items():
        with atomic_writer(folder / name, "wb") as file:
            file.write(content)
    names = ["explanation.html", "explanation.json", *figures]
    return [folder / name for name in names]
