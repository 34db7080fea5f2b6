"""The other side of `checks`: run as a file in a fresh process, with no part of this package.

`ops`: lists the ops that the bare C library and the TF Text libraries register, and their kernels.
`run`: loads a SavedModel in a graph session and runs its signatures, with Keras hidden.
Both read and write JSON files, so that whatever the libraries print stays out of the answer.
"""

import ctypes
import glob
import importlib.abc
import importlib.util
import json
import os
import sys

HIDDEN = ("keras", "tf_keras", "keras_hub", "keras_nlp", "tensorflow_text", "tfhashtag")


class _Without(importlib.abc.MetaPathFinder):
    """A finder that does not find the hidden packages, for `import` and `find_spec` alike."""

    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, fullname, path=None, target=None):
        """The spec that the wrapped finder finds."""
        if fullname.split(".")[0] in HIDDEN:
            return None
        return self.finder.find_spec(fullname, path, target)


class _Buffer(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
        ("deallocator", ctypes.c_void_p),
    )


def _package(name):
    spec = importlib.util.find_spec(name)
    return os.path.dirname(spec.origin) if spec and spec.origin else None


def text_libraries():
    """Paths of the TF Text op libraries; empty where TF Text is not installed."""
    folder = _package("tensorflow_text")
    return sorted(glob.glob(os.path.join(folder, "python", "ops", "*.so"))) if folder else []


def list_ops():
    """Serialised OpList and KernelList of a process that never imported TensorFlow for Python."""
    folder = _package("tensorflow")
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

    def check():
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


def _ops(out):
    ops, kernels = list_ops()
    with open(out + ".ops", "wb") as file:
        file.write(ops)
    with open(out + ".kernels", "wb") as file:
        file.write(kernels)


def _run(folder, requests):
    sys.meta_path[:] = [_Without(finder) for finder in sys.meta_path]
    libraries = glob.glob(os.path.join(requests["text"], "*.so")) if requests["text"] else []
    import numpy as np
    import tensorflow as tf

    for path in sorted(libraries):
        tf.load_op_library(path)
    problems = []
    try:
        session = tf.compat.v1.Session(graph=tf.Graph())
        meta = tf.compat.v1.saved_model.loader.load(session, ["serve"], folder)
    except (tf.errors.OpError, RuntimeError, OSError, ValueError) as error:
        return [f"does not load outside Keras: {error}"]
    for name, inputs in requests["signatures"]:
        signature = meta.signature_def[name]
        feeds = {}
        for alias, value in inputs.items():
            info = signature.inputs[alias]
            tensor = session.graph.get_tensor_by_name(info.name)
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
            problems.append(f"signature `{name}` fails with code {error.error_code}: {words}")
            continue
        for alias, value in zip(aliases, values, strict=True):
            array = np.asarray(value)
            if array.dtype.kind in "fc" and not np.all(np.isfinite(array)):
                problems.append(f"signature `{name}`: output `{alias}` holds NaN or infinity.")
    hidden = [name for name in HIDDEN if name in sys.modules]
    if hidden:
        problems.append(f"the bare process imported {', '.join(hidden)}.")
    return problems


def _main():
    out = sys.argv[2]
    if sys.argv[1] == "ops":
        _ops(out)
        return
    with open(sys.argv[4], encoding="utf-8") as file:
        requests = json.load(file)
    problems = _run(sys.argv[3], requests)
    with open(out, "w", encoding="utf-8") as file:
        json.dump(problems, file)


if __name__ == "__main__":
    _main()
