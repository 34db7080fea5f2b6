"""What a model is, what it was trained on and how far it goes: for people and for programs."""

import datetime
import importlib.metadata
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import tfhashtag
from tfhashtag.export.servable import Servable
from tfhashtag.files import write_json, write_text

MODEL_CARD = pathlib.PurePath("assets.extra", "model_card.json")
MODEL_CARD_TEXT = MODEL_CARD.with_suffix(".md")

_LIBRARIES = ("tensorflow", "tensorflow-text", "keras", "keras-hub")


def model_card(about: Mapping[str, Any], name: str, servable: Servable) -> dict[str, Any]:
    """The card of an exported model.

    Args:
        about: what only the training knows: `model`, `settings`, `data` (`corpus`, `sha256`, and
            the numbers of `posts`, `users`, `hashtags`), `trained`, `metrics` (None where it was
            not evaluated) and `libraries` of the training.
        name: the model's name in the server.
        servable: what is exported.
    """
    export = {name: importlib.metadata.version(name) for name in _LIBRARIES}
    return {
        "name": name,
        "model": about["model"],
        "settings": about["settings"],
        "data": about["data"],
        "trained": about["trained"],
        "exported": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "metrics": about["metrics"],
        "signatures": [signature.name for signature in servable.signatures],
        "limits": list(servable.limits),
        "libraries": {
            "training": about["libraries"],
            "export": {"tfhashtag": tfhashtag.__version__, **export},
        },
    }


def write_model_card(folder: str | os.PathLike, card: dict[str, Any]) -> None:
    """Writes the card as JSON and Markdown into a version folder that is not yet in place."""
    folder = pathlib.Path(folder)
    (folder / MODEL_CARD).parent.mkdir(exist_ok=True)
    write_json(folder / MODEL_CARD, card)
    write_text(folder / MODEL_CARD_TEXT, model_card_text(card))


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
        "## Servers",
        "",
        _server_line(card["servers"]),
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


def _server_line(servers: dict[str, Any]) -> str:
    if servers["lowest"] is None:
        return "No release of the stock server that is known has all operations of the model."
    newer = ", ".join(f"`{op}`" for op in servers["newer"])
    return f"Stock server {servers['lowest']} and newer" + (f": {newer}." if newer else ".")


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
