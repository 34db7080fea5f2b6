"""`tfhashtag client`: requests to a model server, answers as JSON."""

import click


def _common(function):
    for option in (
        click.argument("address", metavar="HOST:PORT"),
        click.option("--model", required=True, help="Name of the model."),
        click.option("--version", type=click.IntRange(0), help="Default: the newest."),
        click.option(
            "--timeout",
            default=10.0,
            show_default=True,
            type=click.FloatRange(0, min_open=True),
            help="Seconds to wait for the answer.",
        ),
    )[::-1]:
        function = option(function)
    return function


def _print(value):
    import json

    click.echo(json.dumps(value, ensure_ascii=False))


@click.group("client")
def command():
    """Sends requests to `tfhashtag serve` or to any TensorFlow Serving."""


@command.command("predict")
@_common
@click.option("--signature", default="serving_default", show_default=True)
@click.option(
    "--input",
    "inputs",
    multiple=True,
    required=True,
    metavar="NAME=JSON",
    help='e.g. history=\'["a", "b"]\'; a list one level short is a batch of one. Repeat for more.',
)
@click.option("--output", "outputs", multiple=True, help="Only these outputs. Repeat for more.")
def predict(address, model, version, timeout, signature, inputs, outputs):
    """Runs a signature and prints its outputs as one JSON object."""
    from tfhashtag.serving.client import ServingClient, parse_input

    values = dict(parse_input(text) for text in inputs)
    with ServingClient(address, timeout) as client:
        answer = client.predict(model, values, signature, version, outputs)
    _print({name: _plain(array.tolist()) for name, array in sorted(answer.items())})


@command.command("status")
@_common
def status(address, model, version, timeout):
    """Prints the states of a model's versions, newest first."""
    from tfhashtag.serving.client import ServingClient

    with ServingClient(address, timeout) as client:
        _print(client.status(model, version))


@command.command("metadata")
@_common
def metadata(address, model, version, timeout):
    """Prints the signatures of a model with their types and shapes."""
    from tfhashtag.serving.client import ServingClient

    with ServingClient(address, timeout) as client:
        _print(client.metadata(model, version))


def _plain(value):
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value
