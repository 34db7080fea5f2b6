"""Which models shall be served: the file of a stock server, or a folder of models."""

import os
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from tensorflow_serving.config import model_server_config_pb2

from tfhashtag.errors import ServingError
from tfhashtag.serving.config.private_message import read_message
from tfhashtag.serving.status import RequestError, invalid
from tfhashtag.serving.versions.version_folders import find_versions

ModelServerConfig: TypeAlias = model_server_config_pb2.ModelServerConfig
ModelConfig: TypeAlias = model_server_config_pb2.ModelConfig

PLATFORM = "tensorflow"

# Comments and strings, so that what looks like a brace or a word within them does not count.
_TOKENS = re.compile(r"""#[^\n]*|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[{}<>]|\w+""")


def read_model_config(path: str | os.PathLike) -> ModelServerConfig:
    """What a `--model-config-file` says: a ModelServerConfig in protobuf's text format.

    Raises:
        ServingError: the file cannot be read, is no ModelServerConfig, or `check_model_config`
            finds a fault in it.
    """
    config = read_message(
        path,
        ModelServerConfig,
        'model_config_list { config { name: "M" base_path: "/MODELS/M" '
        'model_platform: "tensorflow" } }',
    )
    seen: set[str] = set()
    if config.WhichOneof("config") != "model_config_list":
        raise ServingError(f"`{path}` lists no models; expected `model_config_list {{ ... }}`.")
    for number, model in enumerate(config.model_config_list.config, 1):
        try:
            _check_model(model, seen)
        except RequestError as error:
            place = _place(pathlib.Path(path), number)
            raise ServingError(f"`{place}`: {error.message.rstrip('.')}.") from error
    return config


def config_of_model(name: str, base_path: str | os.PathLike) -> ModelServerConfig:
    """A list of one model, as TensorFlow Serving's `--model_name` and `--model_base_path` say it.

    Raises:
        RequestError: INVALID_ARGUMENT, as `check_model_config`.
    """
    config = ModelServerConfig()
    config.model_config_list.config.add(
        name=name, base_path=os.path.abspath(base_path), model_platform=PLATFORM
    )
    check_model_config(config)
    return config


def check_model_config(config: ModelServerConfig) -> None:
    """Refuses what a stock server would, in its words, and files that are not of this machine.

    Raises:
        RequestError: INVALID_ARGUMENT; no list of models, a name twice or empty, a base path that
            is relative or an address, or a platform other than `tensorflow`.
    """
    if config.WhichOneof("config") != "model_config_list":
        raise invalid(
            "ServerModelConfig type not supported by HandleReloadConfigRequest. Only "
            "ModelConfigList is currently supported"
        )
    seen: set[str] = set()
    for model in config.model_config_list.config:
        _check_model(model, seen)


def config_of_folder(
    folder: str | os.PathLike, versions: Mapping[str, Sequence[int]] | None = None
) -> ModelServerConfig:
    """A list of the models in a folder: each sub-folder that holds versions, by its name.

    Names that begin with `.` are ignored.

    Args:
        folder: MODELS, with `NAME/<version>/saved_model.pb`.
        versions: by model name, the versions to load; a model not named gets its newest.

    Raises:
        OSError: the folder cannot be listed.
    """
    config = ModelServerConfig()
    models = config.model_config_list
    models.SetInParent()
    for entry in sorted(pathlib.Path(folder).absolute().iterdir()):
        if entry.is_dir() and not entry.name.startswith(".") and find_versions(entry):
            model = models.config.add(
                name=entry.name, base_path=str(entry), model_platform=PLATFORM
            )
            if versions is not None and entry.name in versions:
                model.model_version_policy.specific.versions.extend(versions[entry.name])
    return config


def first_config_of_folder(
    folder: str | os.PathLike, versions: Mapping[str, Sequence[int]]
) -> ModelServerConfig:
    """The models of a folder as `config_of_folder` tells them, with errors that say what to do.

    Raises:
        ServingError: there is no folder, no model in it, or a version asked for is missing.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise ServingError(
            f"`{folder}` is not a folder; expected one with models, "
            f"`{folder}/NAME/1/saved_model.pb`. `tfhashtag export` writes them."
        )
    try:
        config = config_of_folder(folder, versions)
        found = {
            model.name: find_versions(model.base_path) for model in config.model_config_list.config
        }
        is_one_model = bool(find_versions(folder))
    except OSError as error:
        raise ServingError(f"`{folder}` cannot be read: {error.strerror}.") from error
    if not found:
        if is_one_model:
            raise ServingError(
                f"`{folder}` holds versions of one model; give the folder above it: "
                f"`{folder.absolute().parent}`."
            )
        if (folder / "saved_model.pb").is_file():
            raise ServingError(
                f"`{folder}` is one version of a model; give the folder of all models: "
                f"`{folder.absolute().parent.parent}`."
            )
        raise ServingError(
            f"`{folder}`: no model found; expected `{folder}/NAME/1/saved_model.pb`. "
            "`tfhashtag export` writes them."
        )
    for name, wanted in versions.items():
        missing = set(wanted) - set(found.get(name, {}))
        if missing:
            have = f"has versions {sorted(found[name])}" if name in found else "does not exist"
            raise ServingError(
                f"`{folder / name}`: version {min(missing)} was asked for, but the model {have}."
            )
    return config


def _check_model(model: ModelConfig, seen: set[str]) -> None:
    """Checks one entry; `seen` has the names of those before it, and gets this one's."""
    name, base = model.name, model.base_path
    if not name:
        raise invalid("Expected a model to have a name; got name()=")
    if name in seen:
        raise invalid(f"Illegal to list model {name} multiple times in config list")
    seen.add(name)
    if "://" in base:
        raise invalid(f"Model {name}: this server reads local folders only; got base_path()={base}")
    if not os.path.isabs(base):
        raise invalid(
            f"Expected model {name} to have an absolute path or URI; got base_path()={base}"
        )
    kind = "ModelServerConfig::model_type"
    if model.model_type != model_server_config_pb2.MODEL_TYPE_UNSPECIFIED:
        if model.model_platform:
            raise invalid(
                f"Illegal setting both {kind} (deprecated) and ModelServerConfig::model_platform."
            )
        if model.model_type != model_server_config_pb2.TENSORFLOW:
            raise invalid(f"{kind} choice {model.model_type} not supported.")
    elif not model.model_platform:
        raise invalid(
            f"Illegal setting neither {kind} (deprecated) nor ModelServerConfig::model_platform."
        )
    elif model.model_platform != PLATFORM:
        raise invalid(f"Model {name} requests unsupported platform {model.model_platform}")


def _place(path: pathlib.Path, number: int) -> str:
    """The file and, where it can be told, the line on which the entry of that number begins."""
    text = path.read_text(encoding="utf-8")
    depth = 0
    for token in _TOKENS.finditer(text):
        if token[0] in "{<":
            depth += 1
        elif token[0] in "}>":
            depth -= 1
        elif token[0] == "config" and depth == 1:
            number -= 1
            if number == 0:
                return f"{path}:{text.count(chr(10), 0, token.start()) + 1}"
    return str(path)
