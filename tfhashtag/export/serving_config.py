"""The files that a stock server is started with, beside the models."""

import os
import pathlib
from typing import Any

from tfhashtag.errors import ArtifactError
from tfhashtag.export.warmup import ALLOWED_BATCH_SIZES
from tfhashtag.files import exclusive_lock, write_text

CONFIG_FOLDER = "serving-config"

_BATCHING = "\n".join(
    (
        "# --enable_batching --batching_parameters_file=THIS FILE",
        "# --tensorflow_intra_op_parallelism=1: batches, not operations, share the processors.",
        "# Requests that shall share a batch have equal widths: clients pad with empty strings.",
        "# The server's own padding repeats the first element and would change answers.",
        f"max_batch_size {{ value: {ALLOWED_BATCH_SIZES[-1]} }}",
        "batch_timeout_micros { value: 2000 }",
        "max_enqueued_batches { value: 100 }",
        "num_batch_threads { value: 4 }",
        *(f"allowed_batch_sizes: {size}" for size in ALLOWED_BATCH_SIZES),
        "pad_variable_length_inputs: false",
        "",
    )
)
_MONITORING = """\
# --monitoring_config_file=THIS FILE
prometheus_config {
  enable: true
  path: "/monitoring/prometheus/metrics"
}
"""
_SSL = r"""# --ssl_config_file=A COPY OF THIS FILE, named ssl.config, with your own PEM contents.
# Line ends inside the quotes are written \n. Keep the copy readable for the server alone.
server_key: "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n"
server_cert: "-----BEGIN CERTIFICATE-----\n...\n-----END CERTIFICATE-----\n"
# For clients that must show a certificate: who signs theirs, and client_verify true.
custom_ca: ""
client_verify: false
"""
_MODELS = """\
# --model_config_file=THIS FILE
# `tfhashtag export` adds models that are not yet named and changes nothing else: edit freely.
model_config_list {
}
"""


def write_serving_config(model: str | os.PathLike) -> pathlib.Path:
    """Makes or completes `serving-config/` beside a model's folder.

    A file that exists stays as it is, but for `models.config`: a model that it does not name is
    added at the end of its list.

    Args:
        model: the model's folder, `MODELS/NAME`.

    Returns:
        The folder of the files, `MODELS/serving-config`.

    Raises:
        ArtifactError: `models.config` is no list of models, or another export writes to it.

    Example:

    >>> import pathlib, tempfile
    >>> folder = write_serving_config(pathlib.Path(tempfile.mkdtemp()) / "football")
    >>> sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    ['batching.config', 'models.config', 'monitoring.config', 'ssl.config.example']
    """
    model = pathlib.Path(model).absolute()
    folder = model.parent / CONFIG_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(folder, f"`{folder}`: another export is writing here. Wait for its end."):
        for name, text in {
            "batching.config": _BATCHING,
            "monitoring.config": _MONITORING,
            "ssl.config.example": _SSL,
        }.items():
            if not (folder / name).exists():
                write_text(folder / name, text)
        path = folder / "models.config"
        old = path.read_text(encoding="utf-8") if path.exists() else _MODELS
        new = with_model(old, model.name, model, path)
        if new != old or not path.exists():
            write_text(path, new)
    return folder


def check_serving_config(model: str | os.PathLike) -> None:
    """Raises what `write_serving_config` would, before the long work of an export."""
    path = pathlib.Path(model).absolute().parent / CONFIG_FOLDER / "models.config"
    if path.exists():
        _parse(path.read_text(encoding="utf-8"), path)


def with_model(text: str, name: str, folder: pathlib.Path, path: pathlib.Path) -> str:
    """A `models.config` with an entry for a model, the same text where it has one.

    Comments and everything else of the text stay.

    Args:
        text: a ModelServerConfig in protobuf's text format.
        name: the model.
        folder: its absolute folder.
        path: the file, for messages.

    Raises:
        ArtifactError: the text is not a list of models, or an entry cannot be added to it.
    """
    from google.protobuf import text_format

    config = _parse(text, path)
    if any(entry.name == name for entry in config.model_config_list.config):
        return text
    config.model_config_list.config.add(
        name=name, base_path=str(folder), model_platform="tensorflow"
    )
    quoted = text_format.MessageToString(config.model_config_list.config[-1], as_utf8=True)
    entry = "".join(f"    {line}\n" for line in quoted.splitlines())
    for place in (at for at in reversed(range(len(text))) if text[at] == "}"):
        before = text[:place].rstrip(" ")
        new_line = "" if before.endswith("\n") else "\n"
        changed = f"{before}{new_line}  config {{\n{entry}  }}\n{text[place:]}"
        try:
            if _parse(changed, path) == config:
                return changed
        except ArtifactError:
            continue  # this brace stands in a comment, a string or an entry
    raise ArtifactError(
        f"`{path}`: found no place for model `{name}`. Add by hand: "
        f"config {{ {' '.join(quoted.split())} }}."
    )


def _parse(text: str, path: pathlib.Path) -> Any:
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    try:
        config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    except text_format.ParseError as error:
        raise ArtifactError(
            f"`{path}`: {error}; expected a ModelServerConfig. Mend it or move it away."
        ) from error
    if config.WhichOneof("config") == "custom_model_config":
        raise ArtifactError(
            f"`{path}` holds `custom_model_config`; expected `model_config_list`. Move it away."
        )
    return config
