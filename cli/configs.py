"""`tfhashtag configs`: the shipped configurations, and every setting with its meaning."""

from typing import Any

import click

from tfhashtag.cli.paths import UserPath


@click.group("configs")
def command() -> None:
    """What can be trained, and what its settings mean."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
def list_(as_json: Any) -> None:
    """The shipped configurations: names for `tfhashtag train` and `tfhashtag compare`."""
    from tfhashtag.settings import headline, read_values, shipped

    found = [
        {"name": name, "model": read_values(name)[1]["model"], "about": headline(name)}
        for name in shipped()
    ]
    if as_json:
        _echo(found)
        return
    _show(
        "Shipped configurations",
        tuple(found[0]),
        [tuple(row.values()) for row in found],
        (None, None, 1),
    )


@command.command("describe")
@click.argument("config", metavar="NAME", type=UserPath())
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a setting.")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of a table.")
def describe_(config: Any, overrides: Any, as_json: Any) -> None:
    """Every setting of NAME (a shipped configuration or a YAML file).

    Its value there, its default, what it may be, what it means and where it comes from.
    """
    import dataclasses

    from tfhashtag.recommenders.configuration import load_settings
    from tfhashtag.settings import as_yaml, describe

    found = describe(load_settings(config, overrides))
    if as_json:
        _echo([dataclasses.asdict(row) for row in found])
        return
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


def _echo(rows: Any) -> None:
    import json

    click.echo(json.dumps(rows, ensure_ascii=False, indent=2))


def _show(title: Any, columns: Any, rows: Any, ratios: Any) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", show_lines=True, expand=True)
    for name, ratio in zip(columns, ratios, strict=True):
        table.add_column(name, no_wrap=ratio is None, overflow="fold", ratio=ratio)
    for row in rows:
        table.add_row(*row)
    Console().print(table, markup=False)
