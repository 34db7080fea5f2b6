"""Figures of matplotlib, apart from pyplot and its windows."""

import os
import pathlib
from typing import Any

from tfhashtag.errors import ConfigError, required
from tfhashtag.files import atomic_writer


def new_figure(width: float, height: float) -> Any:
    """An empty `Figure`, in inches.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    figures = required("matplotlib.figure", "the plot needs matplotlib", "plots", ConfigError)
    return figures.Figure(figsize=(width, height), layout="constrained")


def save_figure(figure: Any, path: str | os.PathLike) -> None:
    """Writes a figure as PNG or SVG by the path's ending, whole or not at all."""
    path = pathlib.Path(path)
    with atomic_writer(path, "wb") as file:
        figure.savefig(file, dpi=150, format=path.suffix.lstrip(".").lower() or "png")
