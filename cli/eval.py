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
@click.option("--cutoffs", default="5", show_default=True, help="The k of P@k and others: 1,5,10.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0))
def command(run, split, protocol, candidates, out, cutoffs, seed):
    """Ranks with the trained RUN; writes metrics.json, run.trec and qrels.trec, prints a table."""
    import pathlib

    import rich.console

    from tfhashtag.evaluation import averages_table
    from tfhashtag.evaluation.run_evaluation import evaluate_run

    try:
        ks = tuple(dict.fromkeys(int(k) for k in cutoffs.split(",")))
    except ValueError:
        ks = ()
    if not ks or min(ks) < 1:
        raise click.BadParameter(
            f"expected whole numbers of at least 1 with commas between, found {cutoffs!r}.",
            param_hint="--cutoffs",
        )
    metrics = evaluate_run(
        run, split=split, protocol=protocol, candidates=candidates, out=out, cutoffs=ks, seed=seed
    )
    title = f"{metrics['split']}, {metrics['protocol']}, {metrics['users']:,} users"
    rich.console.Console().print(averages_table(metrics, title))
    folder = pathlib.Path(run if out is None else out)
    click.echo(f"{folder / 'metrics.json'}, run.trec and qrels.trec beside it")
