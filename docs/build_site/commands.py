"""A page a command, from the click commands themselves."""

import inspect
import re

import click


def pages() -> dict[str, str]:
    """Name and text of each page."""
    from tfhashtag.cli.main import tfhashtag

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
        "Exit codes: 0 done, 1 failed (one or two lines on stderr say why), 2 wrong usage, 130 "
        "interrupted. `tfhashtag --debug COMMAND` shows the traceback of an expected failure.",
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
    return [*lines, ""]


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
    """The help, with click's marks for unwrapped paragraphs taken out."""
    return _cell(inspect.cleandoc(command.help or "").replace("\b\n", "")).replace("\\|", "|")


def _first(command):
    return _cell(command.get_short_help_str(limit=200))
