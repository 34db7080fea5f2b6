"""What an export says of the run that it comes from, and what it must not hold of it."""

import json
import pathlib
from collections.abc import Sequence
from typing import Any

from tfhashtag.corpus.clips import FRAMES
from tfhashtag.corpus.corpus import Corpus
from tfhashtag.corpus.hashtag import hashtag_key
from tfhashtag.corpus.store import source_of
from tfhashtag.errors import ArtifactError

_FEWEST = 3  # letters; less stands in any word


def about(run: Any) -> dict[str, Any]:
    """Settings, data, metrics and libraries of a run, JSON values.

    Args:
        run: a complete `Run`.

    Raises:
        ArtifactError: `metrics.json` of the run is damaged.
    """
    return {
        "model": run.settings.model,
        "settings": run.settings.model_dump(mode="json"),
        "data": {
            "corpus": _shown_name(run),
            "sha256": run.info["data_digest"],
            "posts": len(run.corpus),
            "users": len(run.corpus.users),
            "hashtags": len(run.corpus.hashtags),
            "frames": source_of(run.place / "data").get("frames", FRAMES),
        },
        "trained": run.info.get("created"),
        "metrics": _metrics(run.folder / "metrics.json"),
        "libraries": run.info.get("libraries", {}),
    }


def personal_of(corpus: Corpus) -> tuple[set[str], Sequence[str]]:
    """What an export of a corpus must not hold: names of users that are no hashtags, and texts."""
    hashtags = {hashtag_key(name) for name in corpus.hashtags}
    names = {name for name in corpus.users if hashtag_key(name) not in hashtags}
    return names, corpus.messages


def _shown_name(run: Any) -> str | None:
    """The name of the corpus, unless it is called after a user, as archives of platforms are."""
    name = run.info.get("corpus")
    plain = (name or "").lower()
    users, _ = personal_of(run.corpus)
    called = any(len(user) >= _FEWEST and user.lower() in plain for user in users)
    return "called after a user" if called else name


def _metrics(path: pathlib.Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ArtifactError(
            f"`{path}` is not readable as JSON: {error}. Run `tfhashtag eval` again."
        ) from error
    if not isinstance(found, dict) or "split" not in found:
        raise ArtifactError(f"`{path}` holds no metrics of a run. Run `tfhashtag eval` again.")
    return found
