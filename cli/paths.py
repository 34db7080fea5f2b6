"""Paths as people write them."""

import os
import shlex
from typing import Any

import click
from click.shell_completion import CompletionItem


class UserPath(click.Path):
    """A path in which `~` is the home folder, also where no shell has seen it."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        """The path, checked as `click.Path` does."""
        return super().convert(os.path.expanduser(value), param, ctx)


def command_line(*words: Any) -> str:
    """A command to be typed, with paths as a shell wants them.

    >>> command_line("eval", "my runs/first")
    "tfhashtag eval 'my runs/first'"
    """
    return shlex.join(["tfhashtag", *map(str, words)])


class ConfigPath(UserPath):
    """A shipped configuration, or a file; both are completed."""

    def shell_complete(self, ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
        """The configurations that begin so, then files."""
        import importlib.resources

        folder = importlib.resources.files("tfhashtag.configs")
        names = sorted(path.name[:-5] for path in folder.iterdir() if path.name.endswith(".yaml"))
        found = [CompletionItem(name) for name in names if name.startswith(incomplete)]
        return [*found, CompletionItem(incomplete, type="file")]
