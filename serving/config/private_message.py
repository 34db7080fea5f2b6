"""Messages of TensorFlow Serving's configuration files that its Python package lacks."""

import os
import pathlib
import stat
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from google.protobuf.message import Message

from tfhashtag.errors import ServingError

_Field = descriptor_pb2.FieldDescriptorProto
_TYPES = {str: _Field.TYPE_STRING, bool: _Field.TYPE_BOOL, int: _Field.TYPE_INT64}


def make_message(name: str, fields: dict[str, Any]) -> type[Message]:
    """A message class in a pool of its own, so that it cannot clash with a later package.

    Args:
        name: of the message.
        fields: name to `str`, `bool`, `int`, a list of one of them for a repeated field, or the
            fields of a message within; numbered in order.

    Example:

    >>> message = make_message("Config", {"path": str, "inner": {"enable": bool}})()
    >>> text_format.Parse('path: "a" inner { enable: true }', message).inner.enable
    True
    """
    file = descriptor_pb2.FileDescriptorProto(
        name=f"tfhashtag/{name}.proto", package="tfhashtag.serving", syntax="proto3"
    )
    _describe(file.message_type.add(), name, fields)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"tfhashtag.serving.{name}"))


def read_message(path: str | os.PathLike, kind: type[Message], example: str) -> Any:
    """The message that a file holds in protobuf's text format.

    Args:
        path: the file.
        kind: class of the message.
        example: how such a file looks, for the error.

    Raises:
        ServingError: the file cannot be read, may be written by everybody, or is not such a
            message.
    """
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8")
        writable = os.name == "posix" and os.stat(path).st_mode & stat.S_IWOTH
    except (OSError, UnicodeDecodeError) as error:
        raise ServingError(f"`{path}` cannot be read: {_reason(error)}.") from error
    if writable:
        raise ServingError(
            f"`{path}` may be written by everybody on this machine, who could so change what the "
            f"server does; expected no such right. Take it away: chmod o-w {path}"
        )
    try:
        return text_format.Parse(text, kind())
    except text_format.ParseError as error:
        # The message of protobuf repeats the line, and with it perhaps a part of a key.
        line = f":{error.GetLine()}" if error.GetLine() else ""
        raise ServingError(
            f"`{path}{line}` is not a {kind.DESCRIPTOR.name} in protobuf's text format; expected "
            f"{example}."
        ) from error


def _describe(message: Any, name: str, fields: dict[str, Any]) -> None:
    message.name = name
    for number, (field_name, kind) in enumerate(fields.items(), 1):
        field = message.field.add(name=field_name, number=number, label=_Field.LABEL_OPTIONAL)
        if isinstance(kind, list):
            field.label = _Field.LABEL_REPEATED
            field.type = _TYPES[kind[0]]
        elif isinstance(kind, dict):
            inner = "".join(part.capitalize() for part in field_name.split("_"))
            _describe(message.nested_type.add(), inner, kind)
            field.type = _Field.TYPE_MESSAGE
            field.type_name = inner
        else:
            field.type = _TYPES[kind]


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else "it is not UTF-8"
