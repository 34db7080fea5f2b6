"""`tfhashtag tune`: settings chosen by trials on the valid split."""

import re
from typing import Any

import click

from tfhashtag.cli.options import count, encoded_data, track_option
from tfhashtag.cli.output import (
    emit,
    fields,
    json_output,
    listed,
    number,
    optional,
    text,
    thing,
    whole,
)
from tfhashtag.cli.paths import ConfigPath, UserPath, command_line

_SECONDS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


class Duration(click.ParamType):
    """Seconds, or a number with a unit."""

    name = "duration"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """Seconds."""
        if isinstance(value, int | float):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?) ?(s|min|m|h|d|)", value.strip())
        if not found or float(found[1]) <= 0:
            self.fail(f"expected a time such as 90s, 30m or 2h, found {value!r}.", param, ctx)
        return float(found[1]) * _SECONDS[found[2]]


@click.command("tune")
@click.argument("config", type=ConfigPath())
@encoded_data
@click.option("--out", type=UserPath(), required=True, help="Folder of all results.")
@count("--trials", 20, "How many in all; finished ones in --out count.")
@click.option(
    "--timeout",
    type=Duration(),
    metavar="T",
    help="End then, such as 30m or 2h; what is at work goes on next time.",
)
@count("--workers", 1, "Trials at once, each in a process of its own.")
@click.option(
    "--against",
    type=click.Choice(["latency", "size"]),
    help="The Pareto front of quality against it, in place of the best quality alone.",
)
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Set what is not tried."
)
@track_option
@json_output(
    fields(
        folder=text(),
        config=text("file of the best configuration"),
        model=text(),
        figure=text("by which trials are compared"),
        best=whole("number of the best trial"),
        front=listed(whole(), "numbers of the Pareto front"),
        importances=thing("setting to its share"),
        trials=listed(
            fields(
                trial=whole(),
                state=text("complete, pruned, failed or stopped"),
                figures=thing("name to value"),
                settings=thing("dotted key to value"),
                seconds=optional(number()),
            )
        ),
    )
)
@click.option("--quiet", is_flag=True, help="No line a trial.")
def command(quiet: Any, **arguments: Any) -> None:
    """Tries settings of CONFIG (a name such as `engagement`, or a YAML file) on a corpus.

    What is tried stands in the configuration's section `tune`. Trials are compared on the valid
    split; the test split is not looked at. Writes best.yaml, which `train` takes, report.html and
    tuning.json. Stopped or killed, it goes on when the same command is given again.

    \b
    Examples:
      tfhashtag tune engagement --data corpus --out tuning --trials 30 --timeout 2h
      tfhashtag train tuning/best.yaml --data corpus --out run
    """
    import rich.console

    from tfhashtag import door

    lines = rich.console.Console(stderr=True, quiet=quiet)
    config, data, out = (arguments.pop(name) for name in ("config", "data", "out"))
    found = door.tune(
        config, data, out, say=lambda line: lines.print(line, markup=False, soft_wrap=True),
        **arguments,
    )  # fmt: skip
    emit({"folder": str(found.folder), "config": str(found.config), **found.as_json()})
    rich.console.Console().print(found)
    click.echo(f"{found.folder / 'report.html'}, best.yaml and tuning.json beside it")
    click.echo(f"Next: {command_line('train', found.config, '--data', data, '--out', 'RUN')}")
