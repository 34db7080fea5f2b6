"""The other side of `checks`: run as a file in a fresh process, with no part of this package.

`ops`: lists the ops that the bare C library and the TF Text libraries register, and their kernels.
`run`: loads a SavedModel in a graph session, with Keras hidden, and runs its signatures on given
requests and on its own warm-up requests.
Both read and write JSON files, so that whatever the libraries print stays out of the answer.
"""

import ctypes
import glob
import importlib.abc
import importlib.util
import json
import os
import sys
from typing import Any

HIDDEN = ("keras", "tf_keras", "keras_hub", "keras_nlp", "tensorflow_text", "tfhashtag")


class _Without(importlib.abc.MetaPathFinder):
    """A finder that does not find the hidden packages, for `import` and `find_spec` alike."""

    def __init__(self, finder: Any) -> None:
        self.finder = finder

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
        """The spec that the wrapped finder finds."""
        if fullname.split(".", maxsplit=1)[0] in HIDDEN:
            return None
        return self.finder.find_spec(fullname, path, target)


class _Buffer(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
        ("deallocator", ctypes.c_void_p),
    )


def _package(name: str) -> str | None:
    spec = importlib.util.find_spec(name)
    return os.path.dirname(spec.origin) if spec and spec.origin else None


def text_libraries() -> list[str]:
    """Paths of the TF Text op libraries; empty where TF Text is not installed."""
    folder = _package("tensorflow_text")
    return sorted(glob.glob(os.path.join(folder, "python", "ops", "*.so"))) if folder else []


def list_ops() -> tuple[bytes, bytes]:
    """Serialised OpList and KernelList of a process that never imported TensorFlow for Python."""
    folder = _package("tensorflow")
    if folder is None:
        raise RuntimeError("TensorFlow is not installed.")
    ctypes.CDLL(os.path.join(folder, "libtensorflow_framework.so.2"), ctypes.RTLD_GLOBAL)
    library = ctypes.CDLL(os.path.join(folder, "libtensorflow_cc.so.2"), ctypes.RTLD_GLOBAL)
    library.TF_NewStatus.restype = ctypes.c_void_p
    library.TF_Message.restype = ctypes.c_char_p
    library.TF_Message.argtypes = library.TF_GetCode.argtypes = [ctypes.c_void_p]
    library.TF_LoadLibrary.restype = ctypes.c_void_p
    library.TF_LoadLibrary.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    library.TF_GetAllOpList.restype = ctypes.POINTER(_Buffer)
    library.TF_GetAllRegisteredKernels.restype = ctypes.POINTER(_Buffer)
    library.TF_GetAllRegisteredKernels.argtypes = [ctypes.c_void_p]
    status = library.TF_NewStatus()

    def check() -> None:
        if library.TF_GetCode(status):
            raise RuntimeError(library.TF_Message(status).decode())

    for path in text_libraries():
        library.TF_LoadLibrary(path.encode(), status)
        check()
    ops = library.TF_GetAllOpList().contents
    kernels = library.TF_GetAllRegisteredKernels(status)
    check()
    return (
        ctypes.string_at(ops.data, ops.length),
        ctypes.string_at(kernels.contents.data, kernels.contents.length),
    )


def _ops(out: str) -> None:
    ops, kernels = list_ops()
    with open(out + ".ops", "wb") as file:
        file.write(ops)
    with open(out + ".kernels", "wb") as file:
        file.write(kernels)


def _run(folder: str, requests: dict[str, Any]) -> dict[str, Any]:
    sys.meta_path[:] = [_Without(finder) for finder in sys.meta_path]
    libraries = glob.glob(os.path.join(requests["text"], "*.so")) if requests["text"] else []
    import tensorflow as tf

    for path in sorted(libraries):
        tf.load_op_library(path)
    try:
        session = tf.compat.v1.Session(graph=tf.Graph())
        meta = tf.compat.v1.saved_model.loader.load(session, ["serve"], folder)
    except (tf.errors.OpError, RuntimeError, OSError, ValueError) as error:
        problems = [f"does not load outside Keras: {error}"]
        return {"problems": problems, "answered": 0, "warmed": []}
    warmed: list[str] = []
    answered, problems = 0, []
    if requests["warmup"]:
        warmed, answered, problems = _warm_up(session, meta, requests["warmup"], requests["most"])
    plain = [request for request in requests["unless_warmed"] if request[0] not in warmed]
    for name, inputs in requests["given"] + plain:
        problems += _answer(session, meta.signature_def[name], f"signature `{name}`", inputs)
    hidden = [name for name in HIDDEN if name in sys.modules]
    if hidden:
        problems.append(f"the bare process imported {', '.join(hidden)}.")
    return {"problems": problems, "answered": answered, "warmed": warmed}


def _answer(session: Any, signature: Any, where: str, inputs: dict[str, Any]) -> list[str]:
    """Problems of one request."""
    import numpy as np
    import tensorflow as tf

    if set(inputs) != set(signature.inputs):
        return [f"{where}: inputs are {sorted(inputs)}, expected {sorted(signature.inputs)}."]
    feeds = {}
    for alias, value in inputs.items():
        tensor = session.graph.get_tensor_by_name(signature.inputs[alias].name)
        feeds[tensor._as_tf_output()] = np.array(value, tensor.dtype.as_numpy_dtype)
    aliases = sorted(signature.outputs)
    fetches = [
        session.graph.get_tensor_by_name(signature.outputs[alias].name)._as_tf_output()
        for alias in aliases
    ]
    try:
        # Not `Session.run`: it checks what a server does not, and rewrites the messages.
        values = session._call_tf_sessionrun(None, feeds, fetches, [], None)
    except tf.errors.OpError as error:
        words = error.message.splitlines()[0][:300]
        return [f"{where} fails with code {error.error_code}: {words}"]
    return [
        f"{where}: output `{alias}` holds NaN or infinity."
        for alias, value in zip(aliases, map(np.asarray, values), strict=True)
        if value.dtype.kind in "fc" and not np.all(np.isfinite(value))
    ]


def _warm_up(session: Any, meta: Any, path: str, most: int) -> tuple[list[str], int, list[str]]:
    """Signatures that were asked, how many requests were answered well, problems of the others."""
    import tensorflow as tf
    from google.protobuf.message import DecodeError
    from tensorflow_serving.apis import prediction_log_pb2

    file, problems, warmed, answered, number = os.path.basename(path), [], set(), 0, 0
    try:
        for number, record in enumerate(tf.data.TFRecordDataset(path).as_numpy_iterator(), 1):
            if number > most:
                problems.append(f"`{file}` has more than {most} records; a server would not load.")
                break
            log = prediction_log_pb2.PredictionLog.FromString(record)
            if log.WhichOneof("log_type") != "predict_log":
                problems.append(f"`{file}` record {number} is no Predict request.")
                continue
            request = log.predict_log.request
            name = request.model_spec.signature_name or "serving_default"
            if name not in meta.signature_def:
                problems.append(f"`{file}` record {number}: there is no signature `{name}`.")
                continue
            inputs = {alias: tf.make_ndarray(value) for alias, value in request.inputs.items()}
            where = f"`{file}` record {number}, signature `{name}`"
            warmed.add(name)
            found = _answer(session, meta.signature_def[name], where, inputs)
            problems += found
            answered += not found
    except tf.errors.DataLossError:
        problems.append(
            f"`{file}` is cut off or damaged after record {number}; a server would not load it."
        )
    except DecodeError:
        problems.append(f"`{file}` record {number} is no PredictionLog.")
    if number == 0 and not problems:
        problems.append(f"`{file}` holds no requests.")
    return sorted(warmed), answered, problems


def _main() -> None:
    out = sys.argv[2]
    if sys.argv[1] == "ops":
        _ops(out)
        return
    with open(sys.argv[4], encoding="utf-8") as file:
        requests = json.load(file)
    answer = _run(sys.argv[3], requests)
    with open(out, "w", encoding="utf-8") as file:
        json.dump(answer, file)


if __name__ == "__main__":
    _main()
