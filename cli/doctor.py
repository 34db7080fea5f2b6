"""`tfhashtag doctor`: what this machine and this installation have."""

import click

from tfhashtag.cli.output import emit, fields, json_output, listed, text, thing


@click.command("doctor")
@json_output(
    fields(
        parts=thing("part to facts: program, libraries, extras, devices, encoders, disk, ..."),
        problems=listed(text(), "parts that could not be looked at"),
    )
)
def command() -> None:
    """Tells versions, devices, encoders at hand, disk, memory and Java; for bug reports.

    What fails is told, and the rest goes on. Ends with 1 where something failed.

    \b
    Example:
      tfhashtag doctor --json
    """
    import rich.box
    from rich.console import Console
    from rich.table import Table

    from tfhashtag import door

    found = door.doctor()
    problems = [part for part, facts in found.items() if "problem" in facts]
    table = Table(box=rich.box.SIMPLE, show_header=False, pad_edge=False)
    for ratio in (None, None, 1):
        table.add_column(overflow="fold", ratio=ratio)
    for part, facts in found.items():
        for place, (name, value) in enumerate(facts.items()):
            table.add_row("" if place else part, name, str(value))
        if not facts:
            table.add_row(part, "", "none set")
    console = Console()
    console.print(table, markup=False)
    click.echo(
        f"problems: {', '.join(problems)}" if problems else "nothing is wrong that was looked at"
    )
    emit({"parts": found, "problems": problems})
    if problems:
        raise click.exceptions.Exit(1)
