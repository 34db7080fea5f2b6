"""What a model is, what it was trained on and how far it goes: for people and for programs."""

import datetime
import importlib.metadata
import json
import os
import pathlib
from collections.abc import Sequence
from typing import Any

import tfhashtag
from tfhashtag.errors import ArtifactError
from tfhashtag.files import atomic_writer, write_json
from tfhashtag.runs.run import Run
from tfhashtag.settings import dump_settings

MODEL_CARD = pathlib.PurePath("assets.extra", "model_card.json")
MODEL_CARD_TEXT = MODEL_CARD.with_suffix(".md")

_LIBRARIES = ("tensorflow", "tensorflow-text", "keras", "keras-hub")


def model_card(run: Run, name: str, signatures: Sequence[str], limits: Sequence[str]) -> dict:
    """The card of an exported run.

    Args:
        run: what is exported.
        name: the model's name in the server.
        signatures: names of what it answers.
        limits: one sentence each: what answers mean where input is missing, unknown or broken.

    Raises:
        ArtifactError: `metrics.json` of the run is damaged.
    """
    import yaml

    return {
        "name": name,
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
        "exported": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "metrics": _metrics(run.folder / "metrics.json"),
        "signatures": list(signatures),
        "limits": list(limits),
        "libraries": {
            "training": run.info.get("libraries", {}),
            "export": {
                "tfhashtag": tfhashtag.__version__,
                **{name: importlib.metadata.version(name) for name in _LIBRARIES},
            },
        },
    }


def write_model_card(folder: str | os.PathLike, card: dict[str, Any]) -> None:
    """Writes the card as JSON and Markdown into a version folder that is not yet in place."""
    folder = pathlib.Path(folder)
    (folder / MODEL_CARD).parent.mkdir(exist_ok=True)
    write_json(folder / MODEL_CARD, card)
    with atomic_writer(folder / MODEL_CARD_TEXT) as file:
        file.write(model_card_text(card))


def model_card_text(card: dict[str, Any]) -> str:
    """The card as Markdown."""
    import yaml

    data = card["data"]
    lines = [
        f"# {card['name']}",
        "",
        f"Model `{card['model']}`, trained {card['trained']}, exported {card['exported']}.",
        f"Signatures: {', '.join(f'`{name}`' for name in card['signatures'])}; inputs and outputs "
        "are described in `signatures.json`.",
        "",
        "## Data",
        "",
        f"Corpus `{data['corpus']}`: {data['posts']} posts, {data['users']} users, "
        f"{data['hashtags']} hashtags. Digest `{data['sha256']}`.",
        "",
        "## Metrics",
        "",
        *_metric_lines(card["metrics"]),
        "",
        "## Limits",
        "",
        *(f"- {limit}" for limit in card["limits"]),
        "",
        "## Settings",
        "",
        "```yaml",
        yaml.safe_dump(card["settings"], sort_keys=False, allow_unicode=True).rstrip(),
        "```",
        "",
        "## Libraries",
        "",
        "| library | training | export |",
        "|---|---|---|",
    ]
    training, export = card["libraries"]["training"], card["libraries"]["export"]
    lines += [
        f"| {name} | {training.get(name, '')} | {export.get(name, '')} |"
        for name in dict.fromkeys([*training, *export])
    ]
    return "\n".join(lines) + "\n"


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


def _metric_lines(metrics: dict[str, Any] | None) -> list[str]:
    if metrics is None:
        return ["None: the run was not evaluated before its export (`tfhashtag eval`)."]
    tables = metrics.get("averages") or {"all": metrics.get("metrics", {})}
    said = {key: value for key, value in metrics.items() if key not in ("averages", "metrics")}
    names = list(dict.fromkeys(name for table in tables.values() for name in table))
    return [
        ", ".join(f"{key} {value}" for key, value in said.items()) + ".",
        "",
        f"| metric | {' | '.join(tables)} |",
        f"|---|{'---|' * len(tables)}",
        *(
            f"| {name} | {' | '.join(_number(table.get(name)) for table in tables.values())} |"
            for name in names
        ),
    ]


def _number(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else "" if value is None else str(value)
