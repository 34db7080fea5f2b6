"""Paths as people write them."""

import os
from typing import Any

import click
from click.shell_completion import CompletionItem


class UserPath(click.Path):
    """A path in which `~` is the home folder, also where no shell has seen it."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The path, checked as `click.Path` does."""
        return super().convert(os.path.expanduser(value), param, ctx)


class ConfigPath(UserPath):
    """A shipped configuration, or a file; both are completed."""

    def shell_complete(self, ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
        """The configurations that begin so, then files."""
        import importlib.resources

        folder = importlib.resources.files("tfhashtag.configs")
        names = sorted(path.name[:-5] for path in folder.iterdir() if path.name.endswith(".yaml"))
        found = [CompletionItem(name) for name in names if name.startswith(incomplete)]
        return [*found, CompletionItem(incomplete, type="file")]
