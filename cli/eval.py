"""`tfhashtag eval`: rank and measure with a trained run."""

import click


@click.command("eval")
@click.argument("run", type=click.Path())
@click.option(
    "--split",
    type=click.Choice(["valid", "test"]),
    default="test",
    show_default=True,
    help="The part of the time line to predict.",
)
@click.option(
    "--protocol",
    type=click.Choice(["sampled", "full"]),
    default="sampled",
    show_default=True,
    help="100 drawn negatives a positive, or every eligible hashtag.",
)
@click.option(
    "--candidates",
    type=click.Path(),
    metavar="F.jsonl",
    help='Own lists instead: {"user", "hashtag", "label"} a line.',
)
@click.option("--out", type=click.Path(), help="Folder of the results; default the run folder.")
@click.option(
    "--cutoffs", help="The k of P@k and others, e.g. 1,5,10; default 5, of posts 1,3,5,7,9."
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
def command(run, split, protocol, candidates, out, cutoffs, seed):
    """Ranks with the trained RUN; writes metrics.json, run.trec and qrels.trec, prints a table."""
    import pathlib

    import rich.console

    from tfhashtag.evaluation import averages_table, posts_table
    from tfhashtag.recommenders.post_settings import PostSettings
    from tfhashtag.runs.evaluate import evaluate_post_run, evaluate_run
    from tfhashtag.runs.run import Run

    if candidates and protocol != "sampled":
        raise click.UsageError("--candidates replaces the lists of --protocol; give one of them.")
    given = {} if cutoffs is None else {"cutoffs": _numbers(cutoffs)}
    if isinstance(Run.open(run).settings, PostSettings):
        if candidates or protocol != "sampled":
            raise click.UsageError("--protocol and --candidates are for models of users.")
        result = evaluate_post_run(run, split=split, out=out, seed=seed, **given)
        table = posts_table(result, f"{split}, {result['posts']:,} posts")
    else:
        result = evaluate_run(
            run, split=split, protocol=protocol, candidates=candidates, out=out, seed=seed, **given
        )
        title = f"{split}, {result['protocol']}, {result['users']:,} users"
        table = averages_table(result, title)
    rich.console.Console().print(table)
    folder = pathlib.Path(run if out is None else out)
    click.echo(f"{folder / 'metrics.json'}, run.trec and qrels.trec beside it")


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
