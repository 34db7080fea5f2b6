"""`tfhashtag configs`: the shipped configurations, and every setting with its meaning."""

from typing import Any

import click

from tfhashtag.cli.options import NamingGroup, overriding
from tfhashtag.cli.output import emit, fields, flag, json_output, listed, text
from tfhashtag.cli.paths import ConfigPath


@click.group("configs", cls=NamingGroup)
def command() -> None:
    """What can be trained, and what its settings mean."""


@command.command("list")
@json_output(listed(fields(name=text(), model=text("its recommender"), about=text())))
def list_() -> None:
    """The shipped configurations: names for `tfhashtag train` and `tfhashtag compare`.

    \b
    Example:
      tfhashtag configs list
    """
    from tfhashtag.settings import headline, read_values, shipped

    found = [
        {"name": name, "model": read_values(name)[1]["model"], "about": headline(name)}
        for name in shipped()
    ]
    emit(found)
    _show(
        "Shipped configurations",
        tuple(found[0]),
        [tuple(row.values()) for row in found],
        (None, None, 1),
    )


@command.command("describe")
@click.argument("config", metavar="NAME", type=ConfigPath())
@overriding
@json_output(
    listed(
        fields(
            key=text("dotted"),
            value={"description": "in the configuration"},
            required=flag("whether it must stand there"),
            default={"description": "where a configuration is silent"},
            range=text("what it may be"),
            meaning=text(),
            source=text("paper and place, or an empty string"),
        )
    )
)
def describe_(config: Any, overrides: Any) -> None:
    """Every setting of NAME (a shipped configuration or a YAML file).

    Its value there, its default, what it may be, what it means and where it comes from.

    \b
    Example:
      tfhashtag configs describe engagement --set seed=7
    """
    import dataclasses

    from tfhashtag.recommenders.configuration import load_settings
    from tfhashtag.settings import as_yaml, describe

    found = describe(load_settings(config, overrides))
    emit([dataclasses.asdict(row) for row in found])
    rows = [
        (
            row.key,
            as_yaml(row.value),
            "required" if row.required else as_yaml(row.default),
            "\n".join(filter(None, (row.meaning, row.range, row.source and f"({row.source})"))),
        )
        for row in found
    ]
    columns = ("setting", "value", "default", "meaning, range, source")
    _show(f"Settings of {config}", columns, rows, (None, 2, 2, 5))


def _show(title: Any, columns: Any, rows: Any, ratios: Any) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", show_lines=True, expand=True)
    for name, ratio in zip(columns, ratios, strict=True):
        table.add_column(name, no_wrap=ratio is None, overflow="fold", ratio=ratio)
    for row in rows:
        table.add_row(*row)
    Console().print(table, markup=False)
