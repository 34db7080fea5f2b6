"""A page of settings for each recommender, from its settings class, and one of configurations."""

import re
import types
import typing

import annotated_types
import pydantic
import yaml

FOLDER = "reference/settings"
_BOUNDS = {
    annotated_types.Ge: ("ge", "≥"),
    annotated_types.Gt: ("gt", ">"),
    annotated_types.Le: ("le", "≤"),
    annotated_types.Lt: ("lt", "<"),
}
_WORDS = {int: "whole number", float: "number", bool: "`true` or `false`", str: "text"}


def pages() -> dict[str, str]:
    """Name and text of each page."""
    classes = _classes()
    configurations = _configurations()
    return {
        f"{FOLDER}/index.md": _index(classes, configurations),
        **{
            f"{FOLDER}/{model}.md": _model_page(model, schema, configurations)
            for model, schema in classes.items()
        },
    }


def _classes() -> dict[str, type[pydantic.BaseModel]]:
    """Settings class of each recommender, under the name that stands behind `model:`."""
    from tfhashtag import settings

    return dict(zip(settings._model_names(), settings._models(), strict=True))


def _configurations() -> dict[str, tuple[str, dict]]:
    """First comment and values of each shipped configuration."""
    import importlib.resources

    found = {}
    folder = importlib.resources.files("tfhashtag.configs")
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        if path.name.endswith(".yaml"):
            text = path.read_text(encoding="utf-8")
            comment = []
            for line in text.splitlines():
                if not line.startswith("#"):
                    break
                comment.append(line.lstrip("# ").rstrip())
            found[path.name[:-5]] = (" ".join(comment), yaml.safe_load(text))
    return found


def _index(classes, configurations):
    lines = [
        "# Settings",
        "",
        "A configuration is a YAML file: `model` names a recommender, the rest are its settings. "
        "`tfhashtag train NAME` takes a shipped configuration or the path of a file of yours, and "
        "`--set KEY=VALUE` changes one setting (in Python `th.train(..., **{\"key\": value})`). "
        "Unknown keys, wrong types and values out of range are refused before anything is loaded.",
        "",
        "## Configurations",
        "",
        "| configuration | recommender | what it is |",
        "|---|---|---|",
    ]
    for name, (comment, values) in configurations.items():
        model = values["model"]
        lines.append(f"| `{name}` | [`{model}`]({model}.md) | {_cell(comment)} |")
    lines += ["", "## Recommenders", "", "| `model` | |", "|---|---|"]
    lines += [f"| [`{name}`]({name}.md) | {_first(schema)} |" for name, schema in classes.items()]
    return "\n".join(lines) + "\n"


def _model_page(model, schema, configurations):
    lines = [f"# model: {model}", "", schema.__doc__ or "", ""]
    used = [name for name, (_, values) in configurations.items() if values["model"] == model]
    if used:
        lines += ["Configurations: " + ", ".join(f"`{name}`" for name in used) + ".", ""]
    lines += _table(schema, "")
    return "\n".join(lines) + "\n"


def _table(schema, prefix):
    """Tables of a class and of the sections in it."""
    lines = ["| key | value | default | meaning |", "|---|---|---|---|"]
    inner = []
    for name, field in schema.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, pydantic.BaseModel):
            inner.append((f"{prefix}{name}", field.annotation))
            continue
        kind = _kind(field.annotation, field.metadata)
        default = "required" if field.is_required() else f"`{_plain(field.get_default())}`"
        meaning = field.description or ""
        lines.append(f"| `{prefix}{name}` | {kind} | {default} | {_cell(meaning)} |")
    if len(lines) == 2:
        lines = []
    for name, section in inner:
        lines += ["", f"## {name}", "", section.__doc__ or "", "", *_table(section, f"{name}.")]
    return lines


def _kind(annotation, metadata):
    """A type in words, with its range."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        inner, *more = typing.get_args(annotation)
        field = [m for item in more for m in getattr(item, "metadata", [item])]
        return _kind(inner, field + list(metadata))
    if origin is typing.Literal:
        return " or ".join(f"`{_plain(value)}`" for value in typing.get_args(annotation))
    if origin in (typing.Union, types.UnionType):
        kinds = [
            "`null`" if kind is type(None) else _kind(kind, metadata)
            for kind in typing.get_args(annotation)
        ]
        return ", or ".join(kinds)
    if origin in (list, tuple):
        return f"list, each {_kind(typing.get_args(annotation)[0], [])}"
    name = _WORDS.get(annotation, f"`{annotation}`")
    return " ".join([name, " and ".join(_bounds(metadata))]).strip()


def _bounds(metadata):
    for item in metadata:
        for kind, (name, sign) in _BOUNDS.items():
            if isinstance(item, kind):
                yield f"{sign} {getattr(item, name)}"


def _plain(value):
    """A value as YAML has it."""
    return yaml.safe_dump(value, default_flow_style=True).removesuffix("\n...\n").strip()


def _first(schema):
    return _cell((schema.__doc__ or "").strip().splitlines()[0])


def _cell(text):
    return re.sub(r"(`[^`]*`)|[<|]", lambda m: m[1] or {"<": "&lt;", "|": "\\|"}[m[0]], text)
