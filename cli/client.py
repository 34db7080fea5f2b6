"""`tfhashtag client`: requests to a model server, answers as JSON."""

from typing import Any

import click

from tfhashtag.cli.options import NamingGroup, together
from tfhashtag.cli.output import emit, fields, json_output, listed, text, thing, whole

_common = together(
    click.argument("address", metavar="HOST:PORT"),
    click.option("--model", required=True, help="Name of the model."),
    click.option("--version", type=click.IntRange(0), help="Default: the newest."),
    click.option("--label", help="Label of the version, instead of its number."),
    click.option(
        "--timeout",
        default=10.0,
        type=click.FloatRange(0, min_open=True),
        help="Seconds to wait for the answer.",
    ),
    click.option(
        "--attempts",
        default=4,
        type=click.IntRange(1, 5),
        help="How often a request is sent that no server takes.",
    ),
    click.option("--tls", is_flag=True, help="The server has TLS; trust the system's list."),
    click.option("--ca", metavar="PEM", help="TLS, and trust these certificates instead."),
    click.option("--cert", metavar="PEM", help="TLS, and who this client is."),
    click.option("--key", metavar="PEM", help="Key of `--cert`."),
    click.option("--server-name", help="TLS, and the name in the server's certificate."),
)


def _connect(
    address: str,
    timeout: float,
    attempts: int,
    tls: bool,
    ca: str | None,
    cert: str | None,
    key: str | None,
    server_name: str | None,
) -> Any:
    from tfhashtag.serving.client import ServingClient
    from tfhashtag.serving.config.client_tls import ClientTls

    secured = tls or any((ca, cert, key, server_name))
    return ServingClient(
        address,
        timeout,
        attempts=attempts,
        tls=ClientTls(ca, cert, key, server_name) if secured else None,
    )


def _print(value: Any) -> None:
    import json

    emit(value)
    click.echo(json.dumps(value, ensure_ascii=False))


@click.group("client", cls=NamingGroup)
def command() -> None:
    """Sends requests to `tfhashtag serve` or to any TensorFlow Serving."""


@command.command("predict")
@_common
@click.option("--signature", default="serving_default")
@click.option(
    "--input",
    "inputs",
    multiple=True,
    required=True,
    metavar="NAME=JSON",
    help='e.g. history=\'["a", "b"]\'; a list one level short is a batch of one. Repeat for more.',
)
@click.option("--output", "outputs", multiple=True, help="Only these outputs. Repeat for more.")
@json_output(thing("output to nested lists; the same without --json"))
def predict(
    model: str,
    version: int | None,
    label: str | None,
    signature: str,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    **connection: Any,
) -> None:
    """Runs a signature and prints its outputs as one JSON object.

    \b
    Example:
      tfhashtag client predict 127.0.0.1:8500 --model engagement --input history='["library day"]'
    """
    from tfhashtag.serving.client import parse_input

    values = dict(parse_input(text) for text in inputs)
    with _connect(**connection) as client:
        answer = client.predict(model, values, signature, version, outputs, label)
    _print({name: _plain(array.tolist()) for name, array in sorted(answer.items())})


@command.command("status")
@_common
@json_output(
    listed(
        fields(version=whole(), state=text("as TensorFlow Serving has it"), error=text()),
        "the same without --json",
    )
)
def status(model: str, version: int | None, label: str | None, **connection: Any) -> None:
    """Prints the states of a model's versions, newest first.

    \b
    Example:
      tfhashtag client status 127.0.0.1:8500 --model engagement
    """
    with _connect(**connection) as client:
        _print(client.status(model, version, label))


@command.command("metadata")
@_common
@json_output(
    fields(version=whole(), signatures=thing("name to inputs and outputs, the same without --json"))
)
def metadata(model: str, version: int | None, label: str | None, **connection: Any) -> None:
    """Prints the signatures of a model with their types and shapes.

    \b
    Example:
      tfhashtag client metadata 127.0.0.1:8500 --model engagement
    """
    with _connect(**connection) as client:
        _print(client.metadata(model, version, label))


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value
