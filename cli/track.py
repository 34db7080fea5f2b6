"""The option `--track`, the same for all commands that have it."""

from typing import Any

import click

track_option: Any = click.option(
    "--track",
    multiple=True,
    metavar="PLACE",
    help="Tell mlflow, mlflow:URI, mlflow:FOLDER, tensorboard or tensorboard:FOLDER of it; without "
    "it nothing is sent anywhere.",
)
