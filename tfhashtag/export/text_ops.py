"""The TF Text ops for graphs, without the Python package that needs Keras."""

import functools

import tensorflow as tf

from tfhashtag.export.bare_process import text_libraries


@functools.cache
def load_text_ops() -> int:
    """Registers every op and kernel of TF Text in this process, once.

    Returns:
        How many libraries were loaded; 0 where TF Text is not installed.
    """
    libraries = text_libraries()
    for library in libraries:
        tf.load_op_library(library)
    return len(libraries)
