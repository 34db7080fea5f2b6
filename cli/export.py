"""`tfhashtag export`: a trained model as the next version of a SavedModel, or a check of one."""

from typing import Any

import click

from tfhashtag.cli.options import count
from tfhashtag.cli.output import emit, fields, json_output, listed, optional, text, whole
from tfhashtag.cli.paths import UserPath
from tfhashtag.cli.progress import counting


@click.command("export")
@click.argument("run", required=False, type=UserPath())
@click.option("--out", type=UserPath(), help="Model folder, e.g. MODELS/NAME.")
@count("--k", 50, "Hashtags in an answer.")
@click.option(
    "--warm-up",
    type=click.Choice(["all", "batchable"]),
    default="all",
    help="Warm-up requests for all signatures; or not for those with a scalar input, which a stock "
    "server with --enable_batching refuses.",
)
@click.option("--no-check", is_flag=True, help="Do not load and run it in a bare process.")
@click.option(
    "--target",
    metavar="VERSION",
    help="The stock server that it shall run on, such as 2.19: newer operations are avoided where "
    "there is another way, and else refused.",
)
@click.option(
    "--check",
    "checked",
    metavar="DIR",
    type=UserPath(),
    help="Export nothing; check MODELS/NAME/<version>, or the newest version of MODELS/NAME.",
)
@click.option(
    "--serving-version",
    metavar="VERSION",
    help="With --check: the stock server that shall know every operation, such as 2.19.1.",
)
@click.option("--quiet", is_flag=True, help="No progress.")
@json_output(
    {
        "anyOf": [
            fields(version=text("folder that was written")),
            fields(
                checked=text("folder"),
                signatures=listed(text()),
                ops=whole("kinds of operations"),
                lowest=optional(text("oldest stock server that knows them")),
                answered=whole("warm-up requests"),
                problems=listed(text()),
            ),
        ]
    }
)
def command(
    run: Any,
    out: Any,
    k: Any,
    warm_up: Any,
    no_check: Any,
    target: Any,
    checked: Any,
    serving_version: Any,
    quiet: Any,
) -> None:
    """Writes RUN as the next free version folder under --out, whole or not at all.

    The version's assets.extra/ holds warm-up requests, signatures.json and the model card. Beside
    the model, MODELS/serving-config/ holds models.config, batching.config, monitoring.config and
    ssl.config.example for the stock server. A file that is there stays as it is; a model that
    models.config does not name is added to it. A model that holds names of users or texts of posts
    of RUN is not written.

    With --check DIR: whether an exported model holds only ops of the stock server, loads without
    Keras and without this package, and answers its warm-up requests with finite numbers; with RUN
    also whether it holds names of users or texts of posts of RUN.

    \b
    Examples:
      tfhashtag export run --out models/engagement
      tfhashtag export --check models/engagement --serving-version 2.19.1
    """
    if checked is not None:
        if out is not None or no_check or target is not None:
            raise click.UsageError("--check DIR stands without --out, --no-check and --target.")
        with counting(f"looking at {checked}", lines=True, quiet=quiet) as step:
            report = _checked(checked, serving_version, run, step)
        _tell(report)
        return
    if serving_version is not None:
        raise click.UsageError("--serving-version needs --check DIR; an export takes --target.")
    if run is None or out is None:
        raise click.UsageError("Give RUN and --out MODELS/NAME, or --check DIR.")
    from tfhashtag import door

    how = {"check": not no_check, "warm_up": warm_up, "target": target}
    with counting(f"opening {run}", lines=True, quiet=quiet) as step:
        done = door.load(run).export(out, k=k, step=step, **how)
    emit({"version": str(done)})
    click.echo(str(done))


def _checked(folder: Any, serving_version: Any, run: Any, step: Any) -> Any:
    from tfhashtag import door
    from tfhashtag.export.checks import check_export
    from tfhashtag.runs.model_card import personal_of

    personal = None if run is None else personal_of(door.load(run).corpus)
    step(f"looking at {folder}, in a process of its own")
    return check_export(folder, serving_version=serving_version, personal=personal)


def _tell(report: Any) -> None:
    import rich.box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(str(report.folder)), box=rich.box.SIMPLE, show_header=False)
    table.add_row("signatures", escape(", ".join(report.signatures)))
    table.add_row("ops", str(report.ops))
    servers = "none that is known" if report.lowest is None else f"{report.lowest} and newer"
    table.add_row("stock servers", servers)
    table.add_row("warm-up requests answered", str(report.answered))
    table.add_row("problems", str(len(report.problems) or "none"))
    console = Console()
    console.print(table)
    for problem in report.problems:
        console.print(f"- {escape(problem)}", soft_wrap=True)
    emit(
        {
            "checked": str(report.folder),
            "signatures": list(report.signatures),
            "ops": report.ops,
            "lowest": report.lowest,
            "answered": report.answered,
            "problems": list(report.problems),
        }
    )
    if report.problems:
        raise click.exceptions.Exit(1)
