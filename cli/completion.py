"""`tfhashtag completion`: a script that completes commands, options and configurations."""

import click

from tfhashtag.cli.output import emit, fields, json_output, text


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@json_output(fields(shell=text(), script=text("for the shell to read")))
def command(shell: str) -> None:
    """Prints the script with which SHELL completes commands, options and configurations.

    \b
    Examples:
      tfhashtag completion bash > ~/.local/share/bash-completion/completions/tfhashtag
      tfhashtag completion zsh > ~/.zfunc/_tfhashtag   # a folder of $fpath
      tfhashtag completion fish > ~/.config/fish/completions/tfhashtag.fish
    """
    from click.shell_completion import get_completion_class

    from tfhashtag.cli.main import tfhashtag

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"this version of click has no completion for {shell}.")
    complete = kind(tfhashtag, {}, "tfhashtag", "_TFHASHTAG_COMPLETE")
    script = complete.source_template % complete.source_vars()
    click.echo(script)
    emit({"shell": shell, "script": script})
