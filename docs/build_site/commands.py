"""A page a command, from the click commands themselves."""

import inspect
import re
import textwrap

import click


def pages() -> dict[str, str]:
    """Name and text of each page."""
    from tfhashtag.cli.main import EXIT_CODES, tfhashtag

    context = click.Context(tfhashtag, info_name="tfhashtag")
    names = tfhashtag.list_commands(context)
    commands = {name: tfhashtag.get_command(context, name) for name in names}
    rows = [f"| [`{name}`]({name}.md) | {_first(command)} |" for name, command in commands.items()]
    start = [
        "# Commands",
        "",
        _text(tfhashtag),
        "",
        "| command | what it does |",
        "|---|---|",
        *rows,
        "",
        "## Exit codes",
        "",
        "| code | meaning |",
        "|---|---|",
        *(f"| {code} | {_cell(meaning)} |" for code, meaning in EXIT_CODES.items()),
        "",
        "`tfhashtag --debug COMMAND` shows the traceback of an expected failure.",
        "",
        "## JSON",
        "",
        "With `--json` a command prints one JSON value on stdout and nothing else; errors and "
        "progress stay on stderr, exit codes are the same. Its fields stand on the command's page; "
        "more may come, none of them goes.",
    ]
    folder = "reference/commands"
    return {
        f"{folder}/index.md": "\n".join(start) + "\n",
        **{
            f"{folder}/{name}.md": "\n".join(_page(command, f"tfhashtag {name}", 1)) + "\n"
            for name, command in commands.items()
        },
    }


def _page(command, path, level):
    context = click.Context(command, info_name=path)
    pieces = " ".join(command.collect_usage_pieces(context))
    lines = [f"{'#' * level} {path}", "", _text(command), ""]
    lines += ["```", f"{path} {pieces}", "```", ""]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            lines += _page(command.get_command(context, name), f"{path} {name}", level + 1)
        return lines
    options = [option for option in command.params if isinstance(option, click.Option)]
    if options:
        lines += ["| option | value | default | meaning |", "|---|---|---|---|"]
        lines += [_row(option, context) for option in options]
    return [*lines, "", *_json(command)]


def _json(command):
    """What `--json` prints, field by field."""
    from tfhashtag.cli.output import schema_of

    schema = schema_of(command)
    if schema is None:
        return []
    lines = ["With `--json`:", ""]
    for kind in schema.get("anyOf", [schema]):
        rows = list(_fields(kind, ""))
        about = kind.get("description", "")
        lines += [f"{'or ' if lines[-1:] == [''] and len(lines) > 2 else ''}{_kind(kind)}"
                  f"{': ' + about if about else ''}", ""]  # fmt: skip
        if rows:
            lines += ["| field | value | meaning |", "|---|---|---|"]
            lines += [f"| `{name}` | {kind} | {_cell(about)} |" for name, kind, about in rows]
            lines.append("")
    return lines


def _fields(schema, head):
    """Dotted name, kind and meaning of each field of a schema."""
    if "items" in schema:
        yield from _fields(schema["items"], f"{head}[]")
    for name, about in schema.get("properties", {}).items():
        path = f"{head}.{name}" if head else name
        yield path, _kind(about), about.get("description", "")
        yield from _fields(about, path)


def _kind(schema):
    kinds = schema.get("type", "any")
    return " or ".join([kinds] if isinstance(kinds, str) else kinds)


def _row(option, context):
    names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
    default = option.to_info_dict().get("default")
    if option.required:
        default = "required"
    elif option.is_flag or not isinstance(default, str | int | float):
        default = ""
    else:
        default = f"`{default}`"
    repeat = " May be given again." if option.multiple else ""
    cells = (names, _value(option, context), default, (option.help or "") + repeat)
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _value(option, context):
    """What an option takes, in words where click has only a type."""
    kind = option.type
    if option.is_flag:
        return ""
    if isinstance(kind, click.Choice):
        return " or ".join(f"`{choice}`" for choice in kind.choices)
    if option.metavar is None and isinstance(kind, click.IntRange | click.FloatRange):
        name = "whole number" if isinstance(kind, click.IntRange) else "number"
        least = "" if kind.min is None else f" from {kind.min}"
        return name + least + ("" if kind.max is None else f" to {kind.max}")
    return f"`{option.make_metavar(context)}`"


def _cell(text):
    """Text of a cell: outside of code a `|` would end it, and `<...>` would be a tag."""
    marks = {"<": "&lt;", ">": "&gt;", "|": "\\|"}
    return re.sub(r"(`[^`]*`)|[<>|]", lambda found: found[1] or marks[found[0]], text)


def _text(command):
    """The help, without click's mark of what is not wrapped; the examples at its end as a block."""
    told, _, examples = inspect.cleandoc(command.help or "").partition("\b\nExample")
    text = _cell(told).replace("\\|", "|").rstrip()
    if not examples:
        return text
    lines = textwrap.dedent("\n".join(examples.splitlines()[1:]))
    return f"{text}\n\n```bash\n{lines}\n```"


def _first(command):
    return _cell(command.get_short_help_str(limit=200))
