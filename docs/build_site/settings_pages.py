"""A page of settings for each recommender, from the settings, and one of configurations."""

import inspect
import re
import typing

FOLDER = "reference/settings"


def pages() -> dict[str, str]:
    """Name and text of each page."""
    from tfhashtag.recommenders.configuration import load_settings
    from tfhashtag.recommenders.registry import model_names
    from tfhashtag.settings import shipped

    loaded = {name: load_settings(name) for name in shipped()}
    used = {
        model: {name: found for name, found in loaded.items() if found.model == model}
        for model in model_names()
    }
    return {
        f"{FOLDER}/index.md": _index(used),
        **{f"{FOLDER}/{model}.md": _page(model, found) for model, found in used.items()},
    }


def _index(used):
    from tfhashtag.settings import headline

    lines = [
        "# Settings",
        "",
        "A configuration is a YAML file: `model` names a recommender, the rest are its settings, "
        "and what a file does not say has its default. `tfhashtag train NAME` takes a shipped "
        "configuration or the path of a file of yours, and `--set KEY=VALUE` changes one setting; "
        'in Python `th.train(NAME, corpus, **{"training.epochs": 2})`. Unknown keys, wrong types '
        "and values out of range are refused before anything is loaded. `tfhashtag configs list` "
        "and `tfhashtag configs describe NAME` print what stands here.",
        "",
        "## Configurations",
        "",
        "| configuration | recommender | what it is |",
        "|---|---|---|",
    ]
    models = {name: model for model, found in used.items() for name in found}
    lines += [
        f"| `{name}` | [`{models[name]}`]({models[name]}.md) | {_cell(headline(name))} |"
        for name in sorted(models)
    ]
    lines += ["", "## Recommenders", "", "| `model` | what it is |", "|---|---|"]
    lines += [f"| [`{model}`]({model}.md) | {_cell(_about(model))} |" for model in used]
    return "\n".join(lines) + "\n"


def _page(model, configurations):
    from tfhashtag.settings import as_yaml, describe

    lines = [f"# model: {model}", "", _about(model), ""]
    if configurations:
        names = ", ".join(f"`{name}`" for name in configurations)
        lines += [f"Configurations: {names}.", ""]
        example = next(iter(configurations.values()))
    else:
        example = _example(model)
    section = None
    for row in describe(example):
        name = row.key.rpartition(".")[0]
        if name != section:
            if name:
                lines += ["", f"## {name}", "", inspect.getdoc(_section(example, name)) or ""]
            lines += ["", "| setting | default | meaning |", "|---|---|---|"]
            section = name
        default = "required" if row.required else f"`{as_yaml(row.default)}`"
        source = f"; source: {row.source}" if row.source else ""
        small = _cell(row.range + source).replace("≥ ", "≥\u00a0").replace("≤ ", "≤\u00a0")
        meaning = f"{_cell(row.meaning)}<br><small>{small}</small>"
        lines.append(f"| `{row.key}` | {default} | {meaning} |")
    if configurations:
        lines += ["", "## What the configurations change", ""]
    for name, settings in configurations.items():
        changed = [
            f"`{row.key}: {as_yaml(row.value)}`"
            for row in describe(settings)
            if row.key != "model" and (row.required or row.value != row.default)
        ]
        lines.append(f"- **{name}**: {', '.join(changed) or 'nothing'}")
    return "\n".join(lines) + "\n"


def _example(model):
    """Settings of a recommender that no configuration is shipped for: of each choice the first."""
    from tfhashtag.recommenders.registry import settings_class

    schema = settings_class(model)
    required = [name for name, field in schema.model_fields.items() if field.is_required()]
    return schema(
        **{name: typing.get_args(schema.model_fields[name].annotation)[0] for name in required}
    )


def _section(settings, dotted):
    for name in dotted.split("."):
        settings = getattr(settings, name)
    return type(settings)


def _about(model):
    from tfhashtag.recommenders.registry import settings_class

    return inspect.getdoc(settings_class(model)) or ""


def _cell(text):
    """Text of a cell: outside of code a `|` would end it, and `<` begin a tag."""
    marks = {"<": "&lt;", "|": "\\|", "\n": " "}
    return re.sub(r"(`[^`]*`)|[<|\n]", lambda found: found[1] or marks[found[0]], text)
