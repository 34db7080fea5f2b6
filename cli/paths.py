"""Paths as people write them."""

import os
from typing import Any

import click


class UserPath(click.Path):
    """A path in which `~` is the home folder, also where no shell has seen it."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The path, checked as `click.Path` does."""
        return super().convert(os.path.expanduser(value), param, ctx)
