"""A run as a SavedModel."""

import json
import os
import pathlib
from typing import Any

from tfhashtag.errors import ArtifactError
from tfhashtag.export.servable import Servable
from tfhashtag.runs.run import Run
from tfhashtag.settings import dump_settings


def export_run(
    folder: str | os.PathLike,
    out: str | os.PathLike,
    *,
    k: int = 50,
    check: bool = True,
    warm_up: str = "all",
) -> pathlib.Path:
    """Writes a run as the next version folder under `out`, whole or not at all.

    Args:
        folder: a complete run.
        out: the model's folder; versions are its numbered subfolders.
        k: hashtags in an answer of `serving_default`.
        check: load it in a bare process, allow only ops that TensorFlow Serving registers, answer
            its warm-up requests there.
        warm_up: `all` or `batchable`, see `export_saved_model`.

    Raises:
        ArtifactError: the run is incomplete, or the written model fails its check.
    """
    from tfhashtag.export.saved_model import export_saved_model

    run = Run.open(folder)
    return export_saved_model(servable_of(run, k), about(run), out, warm_up=warm_up, check=check)


def about(run: Run) -> dict[str, Any]:
    """What the model card of an export says of a run, see `model_card`.

    Raises:
        ArtifactError: `metrics.json` of the run is damaged.
    """
    import yaml

    return {
        "model": run.settings.model,
        "settings": yaml.safe_load(dump_settings(run.settings)),
        "data": {
            "corpus": run.info.get("corpus"),
            "sha256": run.info["data_digest"],
            "posts": len(run.corpus),
            "users": len(run.corpus.users),
            "hashtags": len(run.corpus.hashtags),
        },
        "trained": run.info.get("created"),
        "metrics": _metrics(run.folder / "metrics.json"),
        "libraries": run.info.get("libraries", {}),
    }


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


def servable_of(run: Run, k: int = 50) -> Servable:
    """The trained model of a run behind raw strings.

    Raises:
        ConfigError: its model ranks the lists of evaluations alone.
    """
    return run.load_recommender().servable(k)
