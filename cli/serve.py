"""`tfhashtag serve`: answers gRPC requests for exported models."""

import click


@click.command("serve")
@click.argument("models", type=click.Path())
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to bind.")
@click.option(
    "--port", default=8500, show_default=True, type=click.IntRange(0, 65535), help="0 picks one."
)
@click.option(
    "--message-mib",
    default=64,
    show_default=True,
    type=click.IntRange(1, 2047),
    help="Largest request and answer.",
)
@click.option(
    "--workers", default=16, show_default=True, type=click.IntRange(1), help="Requests at a time."
)
@click.option(
    "--grace",
    default=30.0,
    show_default=True,
    type=click.FloatRange(0),
    help="Seconds that running requests have after SIGTERM or Ctrl-C.",
)
def command(models, host, port, message_mib, workers, grace):
    """Serves the newest version of every model under MODELS, as TensorFlow Serving would.

    Prints one line when it is ready.
    """
    import signal
    import threading

    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())

    from tfhashtag.serving.server import ModelServer

    server = ModelServer(models, host, port, message_mib, workers)
    server.start()
    loaded = ", ".join(f"{name} {server.store.available(name)[0]}" for name in server.store.names)
    click.echo(f"Ready: gRPC at {server.address}, models: {loaded}")
    # A wait without a limit would keep the signal handlers from running.
    while not stopped.wait(0.5):
        pass
    click.echo("Stopping: running requests are finished first.", err=True)
    server.stop(grace)
