"""Whether an exported model runs where it shall: in a server, without Python and Keras."""

import dataclasses
import functools
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from tfhashtag.errors import ArtifactError
from tfhashtag.export import bare_process
from tfhashtag.export.check_report import CheckReport
from tfhashtag.export.held_strings import personal_strings
from tfhashtag.export.server_releases import check_release, lowest_release, release_of
from tfhashtag.export.signature_card import SIGNATURE_CARD, signatures_of_card
from tfhashtag.export.signatures import Signature
from tfhashtag.export.warmup import MOST_RECORDS, WARMUP_FILE

# They are registered and load cleanly everywhere, and fail at the first run outside Python.
PYTHON_OPS = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})

_INIT_OP = "__saved_model_init_op"


def check_export(
    folder: str | os.PathLike,
    timeout: float = 600.0,
    serving_version: str | None = None,
    personal: tuple[Collection[str], Collection[str]] | None = None,
) -> CheckReport:
    """Checks a version folder that `tfhashtag export` wrote, with everything that lies in it.

    As `check_saved_model`, with the signatures of its card as expected ones, and every signature
    must have warm-up requests (those with a scalar input may lack them).

    Args:
        folder: one version, or the model's folder for its newest version.
        timeout: seconds for the fresh process.
        serving_version: of a stock server that shall know every op; None for none in particular.
        personal: names of users and texts of posts that it must not hold; None: not looked for.

    Raises:
        ArtifactError: the folder holds no exported model.
        ConfigError: nothing is known of that version.
    """
    release = None if serving_version is None else release_of(serving_version)
    folder = newest_version(folder)
    problems, expected = _read_card(folder)
    if release is not None:
        problems += check_release(graph_ops(folder), release)
    problems += [] if personal is None else personal_strings(folder, *personal)
    report = _inspect(folder, None, expected, timeout, need_warmup=True)
    return dataclasses.replace(report, problems=(*problems, *report.problems))


def newest_version(folder: str | os.PathLike) -> pathlib.Path:
    """The folder itself where it holds a model, else its numbered folder of the highest number.

    Raises:
        ArtifactError: there is neither.
    """
    folder = pathlib.Path(folder).absolute()
    if (folder / "saved_model.pb").is_file():
        return folder
    entries = list(folder.iterdir()) if folder.is_dir() else []
    versions = [
        entry for entry in entries
        if entry.is_dir() and entry.name.isascii() and entry.name.isdigit()
    ]  # fmt: skip
    if not versions:
        raise ArtifactError(
            f"`{folder}`: `saved_model.pb` is missing and there is no numbered folder; expected "
            "`MODELS/NAME/<version>` or `MODELS/NAME`."
        )
    return max(versions, key=lambda entry: int(entry.name))


def graph_ops(folder: str | os.PathLike) -> frozenset[str]:
    """Names of the ops of a SavedModel's graph and of its functions.

    Raises:
        ArtifactError: the folder holds no SavedModel.
    """
    return frozenset(op for _, op in _nodes(_meta_graph(pathlib.Path(folder)).graph_def))


def check_saved_model(
    folder: str | os.PathLike,
    examples: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    expected: Sequence[Signature] = (),
    timeout: float = 600.0,
) -> list[str]:
    """Looks for what makes a SavedModel work here and fail in TensorFlow Serving.

    1. Every op of the graph and of every function is registered, with a CPU kernel, in the bare C
       library or in a TF Text library; none calls back into Python.
    2. Every output is a plain tensor (a ragged one cannot be fetched).
    3. In a fresh process that has TensorFlow and the TF Text op libraries, and neither Keras nor
       this package, every signature runs on its examples and on the warm-up requests of the
       folder, where it has some, and gives finite numbers.

    Args:
        folder: one version: it holds `saved_model.pb`.
        examples: by signature name, requests as `{input: nested lists}`. Signatures that are
            neither named nor warmed up take one of `""` and ones with size 1 for every open
            dimension.
        expected: signatures that must be there with these names, types and ranks.
        timeout: seconds for the fresh process.

    Returns:
        One sentence a problem; empty when all is well.

    Raises:
        ArtifactError: there is no readable `saved_model.pb`, or an example does not fit.
    """
    folder = pathlib.Path(folder).absolute()
    return list(_inspect(folder, examples, expected, timeout, need_warmup=False).problems)


def _inspect(
    folder: pathlib.Path,
    examples: Mapping[str, Sequence[Mapping[str, Any]]] | None,
    expected: Sequence[Signature],
    timeout: float,
    need_warmup: bool,
) -> CheckReport:
    meta = _meta_graph(folder)
    nodes = list(_nodes(meta.graph_def))
    signatures = {name: meta.signature_def[name] for name in sorted(meta.signature_def)}
    signatures.pop(_INIT_OP, None)
    ops = {op for _, op in nodes}
    report = CheckReport(folder, len(ops), tuple(signatures), lowest_release(ops))
    missing = []
    warmup = folder / WARMUP_FILE
    if need_warmup and not warmup.is_file():
        missing = [f"`{WARMUP_FILE}` is missing; a server would load the model unproven."]
    problems = check_ops(nodes) + _check_signatures(meta, expected)
    if problems:  # it would not run, and only say the same in other words
        return dataclasses.replace(report, problems=(*problems, *missing))
    requests = {
        "given": [
            (name, request)
            for name, signature in signatures.items()
            if name in (examples or {})
            for request in _checked_requests(name, signature, (examples or {})[name])
        ],
        "unless_warmed": [
            (name, {alias: _plain_value(info) for alias, info in signature.inputs.items()})
            for name, signature in signatures.items()
            if name not in (examples or {})
        ],
        "warmup": str(warmup) if warmup.is_file() else "",
        "most": MOST_RECORDS,
    }
    found = _run_in_bare_process(folder, requests, timeout)
    if need_warmup and warmup.is_file():
        missing = [
            f"signature `{name}` has no warm-up request."
            for name, signature in signatures.items()
            if name not in found["warmed"] and not _has_scalar_input(signature)
        ]
    return dataclasses.replace(
        report, answered=found["answered"], problems=(*found["problems"], *missing)
    )


def _read_card(folder: pathlib.Path) -> tuple[list[str], list[Signature]]:
    path = folder / SIGNATURE_CARD
    if not path.is_file():
        return [f"`{SIGNATURE_CARD}` is missing; nothing says what the model takes and gives."], []
    try:
        return [], signatures_of_card(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return [f"`{SIGNATURE_CARD}` is no signature card ({error!r}). Export the model again."], []


def _has_scalar_input(signature: Any) -> bool:
    return any(
        not info.tensor_shape.unknown_rank and not info.tensor_shape.dim
        for info in signature.inputs.values()
    )


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


def _meta_graph(folder: pathlib.Path) -> Any:
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


def _nodes(graph: Any) -> Iterator[tuple[str, str]]:
    functions = {function.signature.name for function in graph.library.function}
    for node in graph.node:
        if node.op not in functions:
            yield "the graph", node.op
    for function in graph.library.function:
        for node in function.node_def:
            if node.op not in functions:
                yield f"function `{function.signature.name}`", node.op


def _check_signatures(meta: Any, expected: Sequence[Signature]) -> list[str]:
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


def _checked_requests(
    name: str, signature: Any, given: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    for request in given:
        if set(request) != set(signature.inputs):
            raise ArtifactError(
                f"`examples` for signature `{name}` holds {sorted(request)}, expected "
                f"{sorted(signature.inputs)}."
            )
    return list(given)


def _plain_value(info: Any) -> Any:
    import numpy as np
    import tensorflow as tf

    shape = [max(dim.size, 1) if dim.size else 0 for dim in info.tensor_shape.dim]
    value = "" if info.dtype == tf.string.as_datatype_enum else 1
    return np.full(shape, value, dtype=object).tolist()


def _run_in_bare_process(
    folder: pathlib.Path, requests: dict[str, Any], timeout: float
) -> dict[str, Any]:
    libraries = bare_process.text_libraries()
    text = os.path.dirname(libraries[0]) if libraries else ""
    with tempfile.TemporaryDirectory() as scratch:
        out, asked = os.path.join(scratch, "answer"), os.path.join(scratch, "requests")
        with open(asked, "w", encoding="utf-8") as file:
            json.dump({"text": text, **requests}, file)
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
