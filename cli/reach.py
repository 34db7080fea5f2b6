"""`tfhashtag reach`: fit against expected reach."""

from typing import Any

import click

from tfhashtag.cli.options import count
from tfhashtag.cli.output import emit, fields, json_output, listed, number, text, thing, whole
from tfhashtag.cli.paths import UserPath
from tfhashtag.cli.progress import counting


@click.command("reach")
@click.argument("run", type=UserPath())
@click.option(
    "--split", type=click.Choice(["valid", "test"]), default="test",
    help="The posts that it is told of.",
)  # fmt: skip
@click.option("--weights", metavar="W,W,...", help="Of reach; default 0,0.1,... to 1.")
@click.option(
    "--clip", default=20.0, type=click.FloatRange(0, min_open=True),
    help="Largest weight of one choice in the estimate.",
)  # fmt: skip
@count("--k", 10, "Hashtags shown.")
@click.option("--out", type=UserPath(), help="Folder of reach.json; default the run folder.")
@click.option("--plot", type=UserPath(), metavar="FILE", help="Draw both, as PNG or SVG.")
@click.option("--seed", default=0, type=click.IntRange(0))
@json_output(
    fields(
        metric=text("of fit"),
        queries=whole(),
        posts=whole("with outcomes"),
        weights=listed(thing("a row a weight: value, expected, estimate with low and high; logs")),
        calibration=thing("slope, error and bins of expected and seen"),
        hashtags=listed(thing("effect with low and high, mean of its posts; logs")),
        spread=number("of a post about what is expected, log"),
    )
)
def command(
    run: Any, split: Any, weights: Any, clip: Any, k: Any, out: Any, plot: Any, seed: Any
) -> None:
    """What hashtags add to reach, and what `recommend --reach` gives and takes.

    RUN's posts must carry outcomes (likes, shares, replies or views). Prints fit and reach over
    weights, whether what was expected came true, and the hashtags that most surely add to reach;
    writes reach.json.

    \b
    Examples:
      tfhashtag reach run --plot reach.png
      tfhashtag recommend run --user ann --reach 0.3
    """
    from rich.console import Console

    from tfhashtag import door

    options = {} if weights is None else {"weights": _weights(weights)}
    with counting(f"working out reach of {run}"):
        found = door.load(run).reach(split=split, clip=clip, out=out, seed=seed, **options)
    emit(found.result)
    console = Console()
    console.print(found)
    click.echo(found.told)
    console.print(found.hashtags[:k])
    if plot:
        click.echo(str(found.plot(plot)))


def _weights(given: str) -> list[float]:
    try:
        found = [float(part) for part in given.split(",")]
    except ValueError:
        found = []
    if not found or not all(0 <= weight <= 1 for weight in found):
        raise click.BadParameter(
            f"expected numbers from 0 to 1 with commas between, found {given!r}.",
            param_hint="--weights",
        )
    return found
