"""The `tfhashtag` command: a group whose commands load only when they are called."""

import errno
import importlib
import os
import re
import sys
from typing import Any

import click

from tfhashtag import __version__
from tfhashtag.cli.options import NamingGroup
from tfhashtag.errors import ConfigError, TfHashtagError

COMMANDS = {
    "data": "Import, download, make and describe corpora.",
    "encode": "Embed every distinct message once.",
    "finetune": "Train a text encoder on, on a corpus.",
    "prepare": "Work out what a training learns from, before it.",
    "configs": "Shipped configurations, and what their settings mean.",
    "train": "Train a model from a configuration.",
    "tune": "Find settings by trials on the valid split.",
    "eval": "Rank and measure: metrics, TREC run and qrels.",
    "compare": "Train and rank every system of a table, with statistics and a report.",
    "update": "Take new posts into a run, without training.",
    "status": "What came into a run, and whether training again would pay.",
    "rollback": "Go back to an earlier state of a run.",
    "forget": "Take a user, a post or old posts out of a corpus or a run.",
    "recommend": "Print hashtags for a user.",
    "trending": "Hashtags that rise, with the evidence.",
    "reach": "What hashtags add to reach, and fit against it.",
    "explain": "Why a post, or a user, is given a hashtag: figures and a page.",
    "topics": "Top words, coherence and diversity of a run's topics, beside LDA.",
    "export": "Write a SavedModel version for serving.",
    "serve": "Answer gRPC requests for exported models.",
    "doctor": "What this machine and this installation have, for bug reports.",
    "completion": "Complete commands and configurations in a shell.",
    "client": "Send requests to a model server.",
    "demo": "The whole path on a small made corpus.",
}


_NO_ROOM = "Make room and run the command again; what stood there before is as it was."
_NO_RIGHT = "Check its rights, or give another path."
ADVICE = {
    errno.ENOSPC: _NO_ROOM,
    errno.EDQUOT: _NO_ROOM,
    errno.EACCES: _NO_RIGHT,
    errno.EPERM: _NO_RIGHT,
    errno.EROFS: _NO_RIGHT,
    errno.ENOENT: "Check the path.",
    errno.ENOTDIR: "Check the path: a file stands where a folder is expected.",
    errno.EEXIST: "Give another path, or move away what stands there.",
    errno.EISDIR: "Give the path of a file.",
}


class LazyGroup(NamingGroup):
    """Imports the module of a command when the command is used; `--help` imports none."""

    def list_commands(self, ctx: Any) -> Any:
        """Names in the order of a first session."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: Any) -> Any:
        """The click command of that name, from `tfhashtag.cli.<name>`."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"tfhashtag.cli.{cmd_name}")
        return module.command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Lists the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "show_default": True}
)
@click.version_option(__version__, prog_name="tfhashtag")
@click.option("--debug", is_flag=True, help="Show the traceback of an expected failure.")
@click.pass_context
def tfhashtag(ctx: Any, debug: Any) -> None:
    """Personalised hashtags: train, rank, export and serve with TensorFlow."""
    ctx.ensure_object(dict)["debug"] = debug


EXIT_CODES = {
    0: "done",
    1: "failed: one or two lines on stderr say where, what was found and what to do; a traceback "
    "is a fault of ours; without a word where whoever read the output went away, as in `| head`",
    2: "wrong usage: an unknown command or option, or values that do not go together",
    130: "interrupted by Ctrl-C; where a command can go on, it says how",
}


def main(args: Any = None) -> None:
    """Runs the command line; the console script. It ends with one of `EXIT_CODES`."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # its failures come as errors, told once
    arguments = list(sys.argv[1:] if args is None else args)
    try:
        code = tfhashtag.main(args=arguments, prog_name="tfhashtag", standalone_mode=False)
        if isinstance(code, int) and code:  # what `click.exceptions.Exit` carries
            sys.exit(code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(130)
    except TfHashtagError as error:
        if "--debug" in arguments:
            raise
        told = _as_typed(str(error), arguments) if isinstance(error, ConfigError) else error
        click.echo(f"Error: {told}", err=True)
        sys.exit(1)
    except OSError as error:
        if "--debug" in arguments:
            raise
        where = f" `{error.filename}`" if error.filename else ""
        advice = f" {ADVICE[error.errno]}" if error.errno in ADVICE else ""
        click.echo(f"Error: {error.strerror or error}{where}.{advice}", err=True)
        sys.exit(1)


def _as_typed(message: str, arguments: list[str]) -> str:
    """A message with options as they are typed: Python's `hash_users` is `--hash-users` here."""
    command: click.Command = tfhashtag
    for word in arguments:
        if isinstance(command, click.Group):
            command = command.get_command(click.Context(command), word) or command
    typed = {
        option.name: max(option.opts, key=len)
        for option in command.params
        if isinstance(option, click.Option)
    }
    return re.sub(r"`([a-z_]+)`", lambda name: f"`{typed.get(name[1], name[1])}`", message)


if __name__ == "__main__":
    main()
