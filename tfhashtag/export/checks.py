"""Whether an exported model runs where it shall: in a server, without Python and Keras."""

import functools
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tfhashtag.errors import ArtifactError
from tfhashtag.export import bare_process
from tfhashtag.export.signatures import ENGAGEMENT, Signature

# They are registered and load cleanly everywhere, and fail at the first run outside Python.
PYTHON_OPS = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})

_INIT_OP = "__saved_model_init_op"


def check_saved_model(
    folder: str | os.PathLike,
    examples: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    expected: Sequence[Signature] = (),
    timeout: float = 300.0,
) -> list[str]:
    """Looks for what makes a SavedModel work here and fail in TensorFlow Serving.

    1. Every op of the graph and of every function is registered, with a CPU kernel, in the bare C
       library or in a TF Text library; none calls back into Python.
    2. Every output is a plain tensor (a ragged one cannot be fetched).
    3. In a fresh process that has TensorFlow and the TF Text op libraries, and neither Keras nor
       this package, every signature runs on its examples and gives finite numbers.

    Args:
        folder: one version: it holds `saved_model.pb`.
        examples: by signature name, requests as `{input: nested lists}`. Signatures not named
            take the example of `signatures.ENGAGEMENT` where name and inputs agree, else one of
            `""` and ones with size 1 for every open dimension.
        expected: signatures that must be there with these names, types and ranks.
        timeout: seconds for the fresh process.

    Returns:
        One sentence a problem; empty when all is well.

    Raises:
        ArtifactError: there is no readable `saved_model.pb`, or an example does not fit.
    """
    folder = pathlib.Path(folder).absolute()
    meta = _meta_graph(folder)
    problems = check_ops(_nodes(meta.graph_def))
    problems += _check_signatures(meta, expected)
    if problems:
        return problems
    requests = [
        (name, request)
        for name, signature in sorted(meta.signature_def.items())
        if name != _INIT_OP
        for request in _requests(name, signature, (examples or {}).get(name))
    ]
    return _run_in_bare_process(folder, requests, timeout)


def check_ops(nodes: Iterable[tuple[str, str]]) -> list[str]:
    """One sentence for each op that a stock server cannot run.

    Args:
        nodes: pairs (where, op).

    Example:

    >>> check_ops([("graph", "MatMul"), ("function `f`", "EagerPyFunc")])
    ['op `EagerPyFunc` in function `f` calls back into Python; no server can run it.']
    """
    places: dict[str, str] = {}
    for where, op in nodes:
        places.setdefault(op, where)
    known, with_kernel = registered_ops()
    problems = []
    for op, where in sorted(places.items()):
        if op in PYTHON_OPS:
            problems.append(f"op `{op}` in {where} calls back into Python; no server can run it.")
        elif op not in known:
            problems.append(
                f"op `{op}` in {where} is neither of core TensorFlow nor of TF Text; a stock "
                "server does not know it."
            )
        elif op not in with_kernel:
            problems.append(f"op `{op}` in {where} has no CPU kernel outside Python.")
    return problems


@functools.cache
def registered_ops() -> tuple[frozenset[str], frozenset[str]]:
    """Ops known to the bare C library with the TF Text libraries; those with a CPU kernel."""
    from tensorflow.core.framework import kernel_def_pb2, op_def_pb2

    with tempfile.TemporaryDirectory() as scratch:
        out = os.path.join(scratch, "list")
        _bare_process(["ops", out], timeout=120)
        ops = op_def_pb2.OpList.FromString(pathlib.Path(out + ".ops").read_bytes())
        kernels = kernel_def_pb2.KernelList.FromString(pathlib.Path(out + ".kernels").read_bytes())
    return (
        frozenset(op.name for op in ops.op),
        frozenset(
            kernel.op for kernel in kernels.kernel if kernel.device_type in ("CPU", "DEFAULT")
        ),
    )


def _meta_graph(folder: pathlib.Path):
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    path = folder / "saved_model.pb"
    if not path.is_file():
        raise ArtifactError(f"`{path}` is missing; expected a version folder of an exported model.")
    try:
        model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    except DecodeError as error:
        raise ArtifactError(f"`{path}` is not a SavedModel: {error}. Export it again.") from error
    for meta in model.meta_graphs:
        if "serve" in meta.meta_info_def.tags:
            return meta
    raise ArtifactError(f"`{path}` has no graph tagged `serve`. Export it again.")


def _nodes(graph) -> Iterator[tuple[str, str]]:
    functions = {function.signature.name for function in graph.library.function}
    for node in graph.node:
        if node.op not in functions:
            yield "the graph", node.op
    for function in graph.library.function:
        for node in function.node_def:
            if node.op not in functions:
                yield f"function `{function.signature.name}`", node.op


def _check_signatures(meta, expected: Sequence[Signature]) -> list[str]:
    from tensorflow import as_dtype

    problems = []
    for name, signature in sorted(meta.signature_def.items()):
        if name == _INIT_OP:
            continue
        problems += [
            f"signature `{name}`: output `{alias}` is ragged or sparse and has no tensor to fetch; "
            "give it a fixed length or `to_tensor`."
            for alias, info in sorted(signature.outputs.items())
            if info.WhichOneof("encoding") != "name" or not info.name
        ]
    for wanted in expected:
        found = meta.signature_def.get(wanted.name)
        if found is None:
            problems.append(f"signature `{wanted.name}` is missing.")
            continue
        for kind, tensors, infos in (
            ("input", wanted.inputs, found.inputs),
            ("output", wanted.outputs, found.outputs),
        ):
            names = sorted(tensor.name for tensor in tensors)
            if names != sorted(infos):
                problems.append(
                    f"signature `{wanted.name}`: {kind}s are {sorted(infos)}, expected {names}."
                )
                continue
            for tensor in tensors:
                info = infos[tensor.name]
                shape = info.tensor_shape
                rank = tensor.rank if shape.unknown_rank else len(shape.dim)
                if (as_dtype(info.dtype).name, rank) != (tensor.dtype, tensor.rank):
                    problems.append(
                        f"signature `{wanted.name}`: {kind} `{tensor.name}` is "
                        f"{as_dtype(info.dtype).name} of rank {rank}, expected {tensor.dtype} of "
                        f"rank {tensor.rank}."
                    )
    return problems


def _requests(name: str, signature, given) -> list[Mapping[str, Any]]:
    if given is not None:
        for request in given:
            if set(request) != set(signature.inputs):
                raise ArtifactError(
                    f"`examples` for signature `{name}` holds {sorted(request)}, expected "
                    f"{sorted(signature.inputs)}."
                )
        return list(given)
    for known in ENGAGEMENT:
        if known.name == name and set(known.example) == set(signature.inputs):
            return [known.example]
    return [{alias: _plain_value(info) for alias, info in signature.inputs.items()}]


def _plain_value(info):
    import numpy as np
    import tensorflow as tf

    shape = [max(dim.size, 1) if dim.size else 0 for dim in info.tensor_shape.dim]
    value = "" if info.dtype == tf.string.as_datatype_enum else 1
    return np.full(shape, value, dtype=object).tolist()


def _run_in_bare_process(folder, requests, timeout) -> list[str]:
    libraries = bare_process.text_libraries()
    with tempfile.TemporaryDirectory() as scratch:
        out, asked = os.path.join(scratch, "problems"), os.path.join(scratch, "requests")
        text = os.path.dirname(libraries[0]) if libraries else ""
        with open(asked, "w", encoding="utf-8") as file:
            json.dump({"text": text, "signatures": requests}, file)
        _bare_process(["run", out, str(folder), asked], timeout)
        return json.loads(pathlib.Path(out).read_text(encoding="utf-8"))


def _bare_process(arguments: list[str], timeout: float) -> None:
    # -P keeps the folder of the script, this package, off the module path.
    command = [sys.executable, "-P", bare_process.__file__, *arguments]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_VISIBLE_DEVICES": "-1"}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ArtifactError(
            f"`{arguments[-1]}`: the check took more than {timeout:g} s in a fresh process."
        ) from error
    if done.returncode:
        raise ArtifactError(
            f"The fresh process of the check ended with {done.returncode}: "
            + " ".join(done.stderr.strip().splitlines()[-3:])
        )
