"""`--engine`, `--master` and `--spark-conf` of the commands that run on Spark, too."""

from typing import Any

import click


def engine_options(function: Any) -> Any:
    """Adds the options of the engine to a command; it takes them as `engine_of` gives them."""
    options = (
        click.option(
            "--engine",
            type=click.Choice(["local", "spark"]),
            default="local",
            show_default=True,
            help="Where it runs: here, or on the executors of Apache Spark, with the same result.",
        ),
        click.option(
            "--master",
            metavar="URL",
            help="Of Spark: spark://HOST:7077, k8s://https://HOST:6443, yarn or local[4]; not "
            "needed under spark-submit.",
        ),
        click.option(
            "--spark-conf",
            multiple=True,
            metavar="KEY=VALUE",
            help="Setting of Spark, such as spark.executor.memory=4g. Repeat for more.",
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def engine_of(engine: str, master: str | None, spark_conf: Any) -> dict[str, Any]:
    """The engine as the functions of `tfhashtag.door` take it."""
    if engine == "local" and (master or spark_conf):
        raise click.UsageError("--master and --spark-conf are for --engine spark; add it.")
    pairs = [setting.split("=", 1) for setting in spark_conf]
    if odd := [pair[0] for pair in pairs if len(pair) != 2 or not pair[0]]:
        raise click.UsageError(f"--spark-conf {odd[0]}: expected KEY=VALUE.")
    return {"engine": engine, "master": master, "spark_conf": dict(pairs)}
