"""`tfhashtag eval`: rank and measure with a trained run."""

from typing import Any

import click

from tfhashtag.cli.options import track_option
from tfhashtag.cli.output import emit, fields, json_output, listed, text, thing, whole
from tfhashtag.cli.paths import UserPath
from tfhashtag.cli.progress import counting


@click.command("eval")
@click.argument("run", type=UserPath())
@click.option(
    "--split",
    type=click.Choice(["valid", "test"]),
    default="test",
    help="The part of the time line to predict.",
)
@click.option(
    "--protocol",
    type=click.Choice(["sampled", "full", "time"]),
    help="Of users: 100 drawn negatives a positive (default), or every eligible hashtag; time: "
    "what was there before a moment is known, windows after it are ranked.",
)
@click.option(
    "--candidates",
    type=UserPath(),
    metavar="F.jsonl",
    help='Of users, own lists instead: {"user", "hashtag", "label"} a line.',
)
@click.option("--out", type=UserPath(), help="Folder of the results; default the run folder.")
@click.option(
    "--cutoffs", help="The k of P@k and others, e.g. 1,5,10; default 5, of posts 1,3,5,7,9."
)
@click.option(
    "--per-query",
    type=UserPath(),
    metavar="FILE",
    help="Also the figures of each user or post: .jsonl, .csv or .parquet.",
)
@click.option("--windows", type=click.IntRange(1), help="Of --protocol time; default 4.")
@click.option(
    "--start",
    metavar="DATE",
    help="The moment of --protocol time; default after nine tenths of all posts.",
)
@click.option(
    "--retrieval",
    is_flag=True,
    help="How much of the truth each candidate source names, instead of the ranking; writes "
    "retrieval.json.",
)
@track_option
@click.option("--seed", default=0, type=click.IntRange(0))
@json_output(
    {
        "anyOf": [
            fields(
                folder=text("of metrics.json, run.trec and qrels.trec"),
                split=text("valid or test"),
                seed=whole("of negatives and ties"),
            ),
            fields(split=text(), sources=listed(thing(), "with --retrieval, a row a source")),
        ]
    }
)
def command(
    run: Any, protocol: Any, candidates: Any, cutoffs: Any, retrieval: bool, **options: Any
) -> None:
    """Ranks with the trained RUN; writes metrics.json, run.trec and qrels.trec, prints a table.

    With --protocol time it writes over_time.json, the figures of each window.

    With --json what metrics.json holds, and the folder.

    \b
    Examples:
      tfhashtag eval run
      tfhashtag eval run --split valid --per-query users.parquet --json
    """
    import rich.console

    from tfhashtag import door

    if candidates and protocol not in (None, "sampled"):
        raise click.UsageError("--candidates replaces the lists of --protocol; give one of them.")
    if retrieval:
        others = [options.pop(name) for name in ("per_query", "track", "windows", "start")]
        if candidates or cutoffs or any(others) or protocol == "time":
            raise click.UsageError(
                "--retrieval takes neither --candidates, --cutoffs, --per-query, --track, "
                "--windows, --start nor --protocol time."
            )
        with counting(f"asking the candidate sources of {run}"):
            sources = door.load(run).retrieval(protocol=protocol, **options)
        emit({"split": options["split"], "sources": list(sources)})
        rich.console.Console().print(sources)
        return
    chosen = None if cutoffs is None else _numbers(cutoffs)
    with counting(f"ranking with {run}"):
        found = door.load(run).evaluate(
            protocol=protocol, candidates=candidates, cutoffs=chosen, **options
        )
    emit({"folder": str(found.folder), **found.result})
    console = rich.console.Console()
    console.print(found)
    if protocol == "time":
        if found.result["learned_after"] is None:
            click.echo("which posts the weights learned from is not told of a run that was updated")
        elif found.result["learned_after"]:
            click.echo(
                f"the weights learned from {found.result['learned_after']:,} posts after "
                f"{found.result['start']}; for none: `data import --split global-time`"
            )
        click.echo(f"{found.folder / 'over_time.json'}")
        return
    console.print(found.beyond)
    if len(found.slices):
        console.print(found.slices)
    click.echo(f"{found.folder / 'metrics.json'}, run.trec and qrels.trec beside it")


def _numbers(cutoffs: str) -> tuple[int, ...]:
    try:
        found = tuple(dict.fromkeys(int(k) for k in cutoffs.split(",")))
    except ValueError:
        found = ()
    if not found or min(found) < 1:
        raise click.BadParameter(
            f"expected whole numbers of at least 1 with commas between, found {cutoffs!r}.",
            param_hint="--cutoffs",
        )
    return found
