"""Loads the model that lies beside it for MLflow: TensorFlow and the ops of TF Text alone.

`MLmodel` names this file; it is copied into each model and imports nothing of the package.
"""

import base64
import glob
import importlib.util
import json
import os
from typing import Any

import numpy as np


def _load_pyfunc(path: str) -> "ServedModel":
    """What `mlflow.pyfunc.load_model` and `mlflow models serve` call."""
    return ServedModel(path)


class ServedModel:
    """The default signature of a SavedModel.

    Args:
        path: folder of `MLmodel`.
    """

    def __init__(self, path: str) -> None:
        import tensorflow as tf

        spec = importlib.util.find_spec("tensorflow_text")
        if spec is not None and spec.origin is not None:
            ops = os.path.join(os.path.dirname(spec.origin), "python", "ops", "*.so")
            for library in sorted(glob.glob(ops)):
                tf.load_op_library(library)
        with open(os.path.join(path, "inputs.json"), encoding="utf-8") as file:
            self._packed = json.load(file)["base64"]
        self._loaded = tf.saved_model.load(os.path.join(path, "saved_model"))
        self._call = self._loaded.signatures["serving_default"]

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Outputs by name, lists.

        Args:
            data: inputs by name, arrays or lists with a row a question, or a data frame with a
                column an input; pictures in base64, a list of them a
                row, all of one length.
            params: none are known.
        """
        import tensorflow as tf

        inputs = {}
        for name, spec in self._call.structured_input_signature[1].items():
            values = np.asarray(list(data[name]), dtype=object).tolist()
            if name in self._packed:
                values = [[base64.b64decode(one) for one in row] for row in values]
            inputs[name] = tf.constant(values, spec.dtype)
        found = {name: tensor.numpy() for name, tensor in self._call(**inputs).items()}
        return {
            name: [[cell.decode() for cell in row] for row in value]
            if value.dtype == object
            else value.tolist()
            for name, value in found.items()
        }
