"""`tfhashtag prepare`: works out what a training learns from, before it."""

from typing import Any

import click

from tfhashtag.cli.engine import engine_options
from tfhashtag.cli.options import encoded_data, overriding
from tfhashtag.cli.output import emit, fields, json_output, text, thing
from tfhashtag.cli.paths import ConfigPath, UserPath
from tfhashtag.cli.progress import bars


@click.command("prepare")
@click.argument("config", type=ConfigPath())
@encoded_data
@click.option("--out", type=UserPath(), required=True, help="Folder to make.")
@overriding
@click.option("--quiet", is_flag=True, help="No progress bar.")
@engine_options
@json_output(
    fields(folder=text("that --out named"), parts=thing("part to number of lists, `valid` last"))
)
def command(config: Any, data: Any, out: Any, overrides: Any, quiet: Any, where: Any) -> None:
    """Works out the candidates and signals that a training of CONFIG learns from.

    CONFIG is `engagement`, `posts` or a file like them: those of each imitated future, out of the
    tables of what was known then, and of the valid split. `tfhashtag train CONFIG --prepared DIR`
    with the same --data and --set learns from them.

    \b
    Example:
      tfhashtag prepare posts --data corpus --out lists --engine spark --master spark://host:7077
    """
    from tfhashtag import door

    with bars(quiet=quiet) as moved:
        parts = door.prepare(
            config, data, out, overrides=overrides, progress=not quiet, moved=moved, **where
        )
    emit({"folder": str(out), "parts": parts})
    click.echo(f"{out}: " + ", ".join(f"{part} {count:,}" for part, count in parts.items()))
