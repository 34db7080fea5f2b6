"""`--json` of every command: one emitter, and the schema that the site shows and the tests hold."""

import contextlib
import functools
import io
import sys
from collections.abc import Callable, Mapping
from typing import Any

import click

_STREAM = "tfhashtag.json"
_HELP = "One JSON value on stdout in place of text; its fields stand on the command's page."


def json_output(schema: Mapping[str, Any]) -> Callable[[Any], Any]:
    """Adds `--json` to a command that calls `emit` once.

    With it, nothing but what `emit` is given stands on stdout; what is for people there is left
    out. Errors and progress stay on stderr, and exit codes are the same.

    Args:
        schema: JSON Schema of what is emitted.
    """

    def add(function: Any) -> Any:
        @click.option("--json", "as_json", is_flag=True, help=_HELP)
        @functools.wraps(function)
        def command(*arguments: Any, as_json: bool, **options: Any) -> None:
            if not as_json:
                function(*arguments, **options)
                return
            click.get_current_context().meta[_STREAM] = sys.stdout
            with contextlib.redirect_stdout(io.StringIO()):
                function(*arguments, **options)

        command.json_schema = dict(schema)  # type: ignore[attr-defined]
        return command

    return add


def emit(value: Any) -> None:
    """Writes a JSON value where `--json` was given, and nothing else."""
    import json

    stream = click.get_current_context().meta.get(_STREAM)
    if stream is not None:
        stream.write(json.dumps(value, ensure_ascii=False, allow_nan=False, default=str) + "\n")
        stream.flush()


def prints_json() -> bool:
    """Whether `--json` was given."""
    context = click.get_current_context(silent=True)
    return context is not None and _STREAM in context.meta


def schema_of(command: click.Command) -> dict[str, Any] | None:
    """The schema of a command; None where it has no `--json`."""
    return getattr(command.callback, "json_schema", None)


# Schemas, with what each field means


def fields(**properties: Mapping[str, Any]) -> dict[str, Any]:
    """An object with these fields and perhaps others to come."""
    return {"type": "object", "properties": dict(properties), "required": list(properties)}


def text(about: str = "") -> dict[str, Any]:
    """A string."""
    return _of("string", about)


def whole(about: str = "") -> dict[str, Any]:
    """A whole number."""
    return _of("integer", about)


def number(about: str = "") -> dict[str, Any]:
    """A number."""
    return _of("number", about)


def flag(about: str = "") -> dict[str, Any]:
    """True or false."""
    return _of("boolean", about)


def thing(about: str = "") -> dict[str, Any]:
    """An object whose fields depend on the data."""
    return _of("object", about)


def listed(items: Mapping[str, Any], about: str = "") -> dict[str, Any]:
    """An array."""
    return {**_of("array", about), "items": dict(items)}


def optional(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Or null."""
    return {**schema, "type": [schema["type"], "null"]}


def _of(kind: str, about: str) -> dict[str, Any]:
    return {"type": kind, "description": about} if about else {"type": kind}
