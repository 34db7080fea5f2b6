"""`--engine`, `--master` and `--spark-conf` of the commands that run on Spark, too."""

import functools
from typing import Any

import click

from tfhashtag.cli.options import together

_OPTIONS = together(
    click.option(
        "--engine",
        type=click.Choice(["local", "spark"]),
        default="local",
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


def engine_options(function: Any) -> Any:
    """Adds the options of the engine to a command.

    It takes them as `where`: the keywords that the functions of `tfhashtag.door` have for them.
    """

    @functools.wraps(function)
    def command(engine: str, master: str | None, spark_conf: Any, **options: Any) -> None:
        if engine == "local" and (master or spark_conf):
            raise click.UsageError("--master and --spark-conf are for --engine spark; add it.")
        pairs = [setting.split("=", 1) for setting in spark_conf]
        if odd := [pair[0] for pair in pairs if len(pair) != 2 or not pair[0]]:
            raise click.UsageError(f"--spark-conf {odd[0]}: expected KEY=VALUE.")
        where = {"engine": engine, "master": master, "spark_conf": dict(pairs)}
        function(where=where, **options)

    return _OPTIONS(command)
