"""Which strings an exported model holds, and whether they are people's names or what they wrote."""

import pathlib
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from tfhashtag.errors import ArtifactError

_WORDS = 3  # fewer are words like any others, which vocabularies hold


def held_strings(folder: pathlib.Path) -> Iterator[tuple[str, set[str]]]:
    """Every list of strings of a version folder with its place: variables, constants, files.

    Args:
        folder: with `saved_model.pb`.

    Raises:
        ArtifactError: it is no SavedModel.
    """
    import tensorflow as tf
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    path = folder / "saved_model.pb"
    try:
        model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    except (OSError, DecodeError) as error:
        raise ArtifactError(f"`{path}` is not a SavedModel: {error}. Export it again.") from error
    for meta in model.meta_graphs:
        graph = meta.graph_def
        functions = [node for function in graph.library.function for node in function.node_def]
        for node in [*graph.node, *functions]:
            tensor = node.attr["value"].tensor if node.op == "Const" else None
            if tensor is not None and tensor.dtype == tf.string.as_datatype_enum:
                yield f"constant `{node.name}`", _texts(tf.make_ndarray(tensor).ravel())
    index = folder / "variables" / "variables"
    if index.with_suffix(".index").is_file():
        reader = tf.train.load_checkpoint(str(index))
        types = reader.get_variable_to_dtype_map()
        for name in sorted(name for name, kind in types.items() if kind == tf.string):
            if name != "_CHECKPOINTABLE_OBJECT_GRAPH":
                yield f"variable `{name}`", _texts(reader.get_tensor(name).ravel())
    for file in sorted(folder.glob("assets*/**/*")):
        if file.is_file():
            yield f"file `{file.relative_to(folder)}`", _texts(file.read_bytes().splitlines())


def personal_strings(
    folder: pathlib.Path, users: Collection[str], texts: Iterable[str]
) -> list[str]:
    """What an export holds of people, a line each; empty where it holds nothing.

    A list is one of users where half of its strings or more are names of users; a single word that
    somebody is called by may be a word. A text counts from three words on.

    Args:
        folder: of the version.
        users: names of the users of its data.
        texts: what they wrote; gone through once, and not held.
    """
    held, names = list(held_strings(folder)), set(users)
    every = set[str]().union(*(strings for _, strings in held))
    written = {text for text in texts if text in every and len(text.split()) >= _WORDS}
    problems = []
    for place, strings in held:
        if len(strings) > 1 and 2 * len(strings & names) >= len(strings):
            some = ", ".join(sorted(strings & names)[:2])
            problems.append(f"{place} holds {len(strings & names):,} names of users, as {some}")
        if found := strings & written:
            problems.append(f"{place} holds {len(found):,} texts of posts, as {min(found)[:40]!r}")
    return problems


def _texts(values: Any) -> set[str]:
    return {bytes(value).decode("utf-8", "replace") for value in values} - {""}
