"""The TF Text ops for graphs, without the Python package that needs Keras."""

import functools
import importlib.util
import pathlib

import tensorflow as tf


@functools.cache
def load_text_ops() -> int:
    """Registers every op and kernel of TF Text in this process, once.

    Returns:
        How many libraries were loaded; 0 where TF Text is not installed.
    """
    spec = importlib.util.find_spec("tensorflow_text")
    if spec is None or spec.origin is None:
        return 0
    libraries = sorted((pathlib.Path(spec.origin).parent / "python" / "ops").glob("*.so"))
    for library in libraries:
        tf.load_op_library(str(library))
    return len(libraries)
