"""`tfhashtag serve`: answers gRPC and REST requests for exported models."""

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator
from typing import Any

import click

from tfhashtag.cli.options import count
from tfhashtag.cli.output import emit, fields, json_output, optional, text, thing
from tfhashtag.cli.paths import UserPath
from tfhashtag.cli.progress import counting

_PORT = click.IntRange(0, 65535)
_SECONDS = click.FloatRange(0, min_open=True)
_FILE = UserPath(dir_okay=False)


class _StockFlags(click.Command):
    """Takes switches as a stock server's are written, too: `--enable_batching=true`."""

    def parse_args(self, context: click.Context, arguments: list[str]) -> list[str]:
        """Writes them as click has them."""
        switches = {
            name
            for option in self.params
            if isinstance(option, click.Option) and option.is_flag
            for name in option.opts
        }
        found = []
        for argument in arguments:
            name, _, value = argument.partition("=")
            if value in ("true", "false") and name.replace("_", "-") in switches:
                found += [name] if value == "true" else []
            else:
                found.append(argument)
        return super().parse_args(context, found)


@click.command(
    "serve",
    cls=_StockFlags,
    # TensorFlow Serving writes its flags with underscores.
    context_settings={"token_normalize_func": lambda token: token.replace("_", "-")},
)
@click.argument("models", type=UserPath(), required=False)
@click.option(
    "--model-config-file",
    type=_FILE,
    help="Instead of MODELS: which models, versions and labels, as TensorFlow Serving's says it.",
)
@click.option(
    "--model-config-file-poll-wait-seconds",
    "config_seconds",
    default=0.0,
    type=click.FloatRange(0),
    help="How often to look whether that file has changed; 0 for never.",
)
@click.option("--model-base-path", type=UserPath(), help="Instead of MODELS: one model's folder.")
@click.option("--model-name", default="default", help="Of the model of that folder.")
@click.option(
    "--file-system-poll-wait-seconds",
    "poll_seconds",
    default=1.0,
    type=click.FloatRange(0),
    help="How often to look for new versions; 0 for never.",
)
@click.option(
    "--allow-version-labels-for-unavailable-models",
    "allow_unavailable_labels",
    is_flag=True,
    help="Labels in the file may name versions that are not yet loaded; at the start none is.",
)
@click.option(
    "--unload-missing",
    is_flag=True,
    help="Unload a model whose folder is gone; without it the model stays, as a folder on a "
    "network may be out of reach for a moment.",
)
@click.option("--host", default="127.0.0.1", help="Address to bind.")
@click.option("--port", default=8500, type=_PORT, help="gRPC; 0 picks one.")
@click.option(
    "--rest-port",
    "--rest-api-port",
    "rest_port",
    default=8501,
    type=_PORT,
    help="REST; 0 picks one.",
)
@click.option(
    "--grpc-socket-path", type=UserPath(), help="A socket where gRPC is answered as well."
)
@click.option(
    "--rest-api-enable-cors-support",
    "rest_cors",
    is_flag=True,
    help="Let pages of any origin ask the REST port.",
)
@click.option(
    "--page/--no-page",
    "rest_page",
    default=True,
    help="A page for people at the REST port's address: write a post, see its hashtags, look at "
    "the models.",
)
@click.option("--rest/--no-rest", default=True, help="Open the REST port.")
@click.option(
    "--enable-batching/--no-batching",
    "batching",
    default=False,
    help="Gather requests of several clients to batches.",
)
@click.option(
    "--batching-parameters-file",
    type=_FILE,
    help="How, as TensorFlow Serving's file says it; implies batching.",
)
@click.option("--ssl-config-file", type=_FILE, help="TLS of both ports, as TensorFlow Serving's.")
@click.option(
    "--monitoring-config-file",
    type=_FILE,
    help="Where the REST port has the metrics, as TensorFlow Serving's; "
    "default: /monitoring/prometheus/metrics.",
)
@click.option(
    "--message-mib", default=64, type=click.IntRange(1, 2047), help="Largest request and answer."
)
@click.option(
    "--workers",
    "--rest-api-num-threads",
    "workers",
    default=None,
    show_default="16; with batching as many as fill its batches",
    type=click.IntRange(1),
    help="Requests at a time on each port.",
)
@count("--max-concurrent", 1024, "Requests that may run or wait; more are refused.")
@click.option(
    "--max-wait",
    default=0.5,
    type=_SECONDS,
    help="Seconds that a request may wait for a thread; more are sent away at once.",
)
@count("--max-rows", 1024, "Rows a request.")
@count("--max-candidates", 4096, "Candidates, or messages, a row.")
@count("--max-k", 1000, "Best k.")
@click.option(
    "--max-image-mib",
    default=16.0,
    type=click.FloatRange(0, min_open=True),
    help="Size of an encoded picture.",
)
@count("--max-json-values", 2**20, "Values in the JSON of a REST request.")
@count("--max-memory-mib", 1024, "Memory that the run of one request may take.")
@count(
    "--memory-mib",
    2048,
    "Memory that the runs of all requests may take at a time, besides the models; more wait.",
)
@click.option(
    "--deadline",
    default=60.0,
    type=_SECONDS,
    help="Seconds of a gRPC request that brings no deadline of its own.",
)
@click.option("--rest-timeout", default=30.0, type=_SECONDS, help="Seconds of a REST request.")
@click.option(
    "--rest-api-timeout-in-ms",
    type=click.IntRange(1),
    help="The same in TensorFlow Serving's unit.",
)
@click.option(
    "--tensorflow-intra-op-parallelism",
    "intra_op",
    default=None,
    show_default="0; with batching 1",
    type=click.IntRange(0),
    help="Threads of one operation; 0: as many as processors.",
)
@click.option(
    "--tensorflow-inter-op-parallelism",
    "inter_op",
    default=0,
    type=click.IntRange(0),
    help="Operations at a time, of all requests together; 0: as many as processors.",
)
@click.option(
    "--log-requests",
    is_flag=True,
    help="Log each request as a line of JSON on stderr, with what users wrote.",
)
@click.option(
    "--grace",
    default=30.0,
    type=click.FloatRange(0),
    help="Seconds that running requests have after SIGTERM or Ctrl-C; a second one ends at once.",
)
@click.option("--quiet", is_flag=True, help="No progress while models are loaded.")
@json_output(
    fields(
        grpc=text("address"),
        rest=optional(text("address, or null without the port")),
        models=thing("name to its versions that are served"),
    )
)
def command(
    models: str | None,
    batching: bool,
    batching_parameters_file: str | None,
    intra_op: int | None,
    inter_op: int,
    log_requests: bool,
    grace: float,
    quiet: bool,
    **options: Any,
) -> None:
    """Serves the newest version of every model under MODELS, as TensorFlow Serving would.

    Prints one line when it is ready. New versions are served when they appear.

    \b
    Example:
      tfhashtag serve models --port 8500 --rest-port 8501 --enable-batching
    """
    sources = (models, options["model_config_file"], options["model_base_path"])
    if sum(source is not None for source in sources) != 1:
        raise click.UsageError("Give either MODELS or --model-config-file or --model-base-path.")
    stopped, reload_asked = stop_on_signals(), _reload_on_signal()
    if log_requests:
        _log_to_stderr()
    parameters = _batching(batching, batching_parameters_file)
    source = _source(models, options)
    if intra_op is None:
        # Batches beside one another keep the processors busier than one that is split.
        intra_op = 0 if parameters is None else 1
    with counting("starting TensorFlow", lines=True, quiet=quiet) as step, _loads_told(step):
        _set_parallelism(intra_op, inter_op)
        server = _server(source, parameters, log_requests, options)
    if stopped.is_set():
        server.stop(0)
        return
    server.start()
    watcher = _config_watcher(server, options)
    emit(
        {
            "grpc": server.address,
            "rest": server.rest_address or None,
            "models": {name: server.store.available(name) for name in server.store.names},
        }
    )
    click.echo(_ready(server))
    # A wait without a limit would keep the signal handlers from running.
    while not stopped.wait(0.5):
        if reload_asked.is_set():
            reload_asked.clear()
            if watcher is None:
                server.store.look()
            else:
                watcher.look(always=True)
    if watcher is not None:
        watcher.stop()
    click.echo("Stopping: running requests are finished first.", err=True)
    server.stop(grace)


def _batching(enabled: bool, file: str | None) -> Any:
    from tfhashtag.serving.batching.parameters import BatchingParameters, read_batching_parameters

    if file is not None:
        return read_batching_parameters(file)
    return BatchingParameters() if enabled else None


def load_server() -> Any:
    """The class of the server.

    Raises:
        ServingError: a package that it needs is missing.
    """
    from tfhashtag.errors import ServingError

    try:
        from tfhashtag.serving.server import ModelServer
    except ModuleNotFoundError as error:
        raise ServingError(
            f"The server needs `{error.name}`: pip install 'tfhashtag[serve]'."
        ) from error
    return ModelServer


def _server(
    source: Any,
    batching: Any,
    log_requests: bool,
    options: dict[str, Any],
) -> Any:
    server_class = load_server()
    from tfhashtag.serving.config.monitoring import Monitoring
    from tfhashtag.serving.config.tls import Tls
    from tfhashtag.serving.config.transport import Transport
    from tfhashtag.serving.config.watching import Watching
    from tfhashtag.serving.runtime.limits import Limits

    tls, monitoring = options["ssl_config_file"], options["monitoring_config_file"]
    tls = None if tls is None else Tls.from_file(tls)
    monitoring = None if monitoring is None else Monitoring.from_file(monitoring)
    milliseconds = options["rest_api_timeout_in_ms"]
    if milliseconds is not None:
        options = {**options, "rest_timeout": milliseconds / 1000}
    return server_class(
        source,
        host=options["host"],
        port=options["port"],
        rest_port=options["rest_port"] if options["rest"] else None,
        grpc_socket_path=options["grpc_socket_path"],
        tls=tls,
        transport=Transport(**_fields(Transport, options)),
        watching=Watching(**_fields(Watching, options)),
        batching=batching,
        limits=Limits(
            rows=options["max_rows"],
            candidates=options["max_candidates"],
            k=options["max_k"],
            image_bytes=int(options["max_image_mib"] * 2**20),
            json_values=options["max_json_values"],
            memory=options["max_memory_mib"] * 2**20,
            seconds=options["deadline"],
        ),
        monitoring=monitoring,
        log_requests=log_requests,
    )


def _fields(kind: Any, options: dict[str, Any]) -> dict[str, Any]:
    """The options that are called as fields of a data class are."""
    names = [field.name for field in dataclasses.fields(kind)]
    return {name: options[name] for name in names if name in options}


def _source(models: str | None, options: dict[str, Any]) -> Any:
    """MODELS, or the configuration that stands for it."""
    from tfhashtag.serving.versions.model_config import (
        config_of_model,
        first_config_of_folder,
        read_model_config,
    )

    if models is not None:
        first_config_of_folder(models, {})  # a mistake in the path is told before all else
        return models
    if options["model_config_file"] is not None:
        return read_model_config(options["model_config_file"])
    return config_of_model(options["model_name"], options["model_base_path"])


def _config_watcher(server: Any, options: dict[str, Any]) -> Any:
    """Follows the configuration file; None where there is none."""
    from tfhashtag.serving.versions.config_file_watcher import ConfigFileWatcher

    if options["model_config_file"] is None:
        return None
    watcher = ConfigFileWatcher(
        options["model_config_file"], server.store, options["config_seconds"]
    )
    watcher.start()
    return watcher


def _set_parallelism(intra_op: int, inter_op: int) -> None:
    import tensorflow as tf

    # Zero is TensorFlow's own choice, and a process that has run something may not choose again.
    if intra_op:
        tf.config.threading.set_intra_op_parallelism_threads(intra_op)
    if inter_op:
        tf.config.threading.set_inter_op_parallelism_threads(inter_op)


def stop_on_signals() -> threading.Event:
    """The event that SIGTERM and Ctrl-C set; a second one ends the process."""
    import os
    import signal

    stopped = threading.Event()

    def stop(number: int, _: Any) -> None:
        if stopped.is_set():
            os._exit(128 + number)
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    return stopped


def _reload_on_signal() -> threading.Event:
    """The event that SIGHUP sets, where the system has it."""
    import signal

    asked = threading.Event()
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, lambda *_: asked.set())
    return asked


def _log_to_stderr() -> None:
    import logging

    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    log = logging.getLogger("tfhashtag.serving.request_log")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False


@contextlib.contextmanager
def _loads_told(step: Callable[[str], None]) -> Iterator[None]:
    """Tells of each version whose loading begins, as the server logs it."""
    import logging

    class Told(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.msg.startswith("loading "):
                step(record.getMessage())

    log, told = logging.getLogger("tfhashtag.serving.versions.model_store"), Told()
    level = log.level
    log.addHandler(told)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(told)
        log.setLevel(level)


def _ready(server: Any) -> str:
    loaded = ", ".join(
        " ".join([name, *map(str, server.store.available(name))]) for name in server.store.names
    )
    rest = f", REST at {server.rest_address}" if server.rest_address else ""
    return f"Ready: gRPC at {server.address}{rest}, models: {loaded}"
